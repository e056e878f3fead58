"""What goes into the reading of a message and what comes out of it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal, TypeAlias

from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import ChannelId, MessageId, SignalId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price


class OrderKind(StrEnum):
    """How a signal wants to enter; no value at all means a price without saying which."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"


class Reason(StrEnum):
    """Why a message gives no instruction; the values are shown to users in plain words."""

    EMPTY = "empty"
    MEDIA_ONLY = "media_only"
    NO_INSTRUCTION = "no_instruction"
    NEGATED = "negated"
    QUESTION = "question"
    PAST_REPORT = "past_report"
    FUTURE_PLAN = "future_plan"
    CONDITIONAL = "conditional"
    OPTIONAL = "optional"
    WAITS_FOR_CONFIRMATION = "waits_for_confirmation"
    PRE_ALERT = "pre_alert"
    RECAP = "recap"
    ADVERT = "advert"
    MASKED = "masked"
    LESSON = "lesson"
    NEWS_OR_ANALYSIS = "news_or_analysis"
    MEMBER_CHAT = "member_chat"
    SERVICE_MESSAGE = "service_message"
    OTHER_MARKET = "other_market"
    COSMETIC_EDIT = "cosmetic_edit"
    REPEAT_OF_REPLIED = "repeat_of_replied"
    IGNORED_BY_CHANNEL_RULE = "ignored_by_channel_rule"


class Doubt(StrEnum):
    """Why a message is held for a person instead of being read."""

    NO_SYMBOL = "no_symbol"
    TWO_SYMBOLS = "two_symbols"
    NO_SIDE = "no_side"
    TWO_SIDES = "two_sides"
    NUMBER_TWO_READINGS = "number_two_readings"
    NUMBER_UNPLACED = "number_unplaced"
    LEVEL_WITHOUT_BLOCK = "level_without_block"
    CONDITIONAL_ORDER = "conditional_order"
    TARGET_TRADE_UNCLEAR = "target_trade_unclear"
    SYMBOL_CONFLICT = "symbol_conflict"
    SIDE_FLIPPED = "side_flipped"


class Issue(StrEnum):
    """What is wrong or incomplete in a reading whose words are clear."""

    STOP_MISSING = "stop_missing"
    STOP_WRONG_SIDE = "stop_wrong_side"
    TARGET_WRONG_SIDE = "target_wrong_side"
    TARGETS_UNORDERED = "targets_unordered"
    FAR_FROM_ENTRY = "far_from_entry"
    TYPO_SYMBOL = "typo_symbol"
    DEFAULT_SYMBOL = "default_symbol"
    FRACTION_UNSTATED = "fraction_unstated"
    BARE_ENTRY_LIST = "bare_entry_list"
    FAR_FROM_PRICE = "far_from_price"
    LOW_CONFIDENCE = "low_confidence"
    NEW_LAYOUT = "new_layout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of the original text, in code points; `end` is exclusive."""

    start: int
    end: int
    field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRange:
    """Two prices, low first; the same price twice is one level."""

    low: Price
    high: Price

    def __post_init__(self) -> None:
        if self.high.value < self.low.value:
            raise DomainError("a price range starts at its lower price")

    @classmethod
    def of(cls, one: Price, other: Price | None = None) -> "PriceRange":
        """Make a range from prices in any order."""
        second = one if other is None else other
        return cls(low=min(one, second), high=max(one, second))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMessage:
    """One version of one post of a channel."""

    channel: ChannelId
    message: MessageId
    text: str
    posted_at: datetime
    version: int = 0
    struck: tuple[Span, ...] = ()
    edited_at: datetime | None = None
    reply_to: MessageId | None = None
    topic: int | None = None
    forwarded: bool = False
    has_media: bool = False
    media: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRef:
    """An earlier signal: the message that announced it and which idea of that message."""

    channel: ChannelId
    message: MessageId
    part: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSignal:
    """What correlation needs to know of an earlier signal of the same channel.

    `levels_from` is the later message that brought the levels of a call without any.
    """

    signal: SignalId
    message: MessageId
    side: Side
    opened_at: datetime
    symbol: str | None = None
    part: int = 0
    entry: PriceRange | None = None
    stop: Price | None = None
    targets: tuple[Price | None, ...] = ()
    is_open: bool = True
    is_pending: bool = False
    levels_from: MessageId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What surrounds a message: its parent, its earlier version, the channel's signals."""

    replied: ChannelMessage | None = None
    before_edit: ChannelMessage | None = None
    recent: tuple[KnownSignal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """An entry that a channel announces. A target of None is a target left open."""

    side: Side
    symbol: str | None = None
    order: OrderKind | None = None
    entry: PriceRange | None = None
    stop: Price | None = None
    stop_pips: Decimal | None = None
    targets: tuple[Price | None, ...] = ()
    target_pips: tuple[Decimal, ...] = ()
    target_r: tuple[Decimal, ...] = ()
    risk_percent: Decimal | None = None
    lots: Lots | None = None
    size_word: str = ""
    leverage: Decimal | None = None
    expires_at: datetime | None = None
    inherits: SignalRef | None = None
    is_addition: bool = False
    issues: tuple[Issue, ...] = ()
    spans: tuple[Span, ...] = ()
    confidence: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRef:
    """Which trades a follow-up speaks of, as far as the words say it."""

    symbol: str | None = None
    side: Side | None = None
    message: MessageId | None = None
    everything: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TpRef:
    """The level of target `index` (1 is the first); `price` where the context shows it."""

    index: int
    price: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryOffset:
    """The entry plus a distance in the trade's favour."""

    pips: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """A stop that follows the price at a distance; None = the channel did not say which."""

    pips: Decimal | None = None


StopPlace: TypeAlias = Price | TpRef | EntryOffset | Trail


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Move the stop to the entry, or to the entry price that the message names."""

    price: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveStop:
    to: StopPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveTarget:
    """Move one target; no index = the only or the last one, no price = remove it."""

    index: int | None = None
    price: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTargets:
    prices: tuple[Price | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveEntry:
    entry: PriceRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Close the whole trade at market."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePart:
    """Close a part: a fraction (0-1), or one leg by its number; neither = not stated."""

    fraction: Decimal | None = None
    leg: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPending:
    """Remove orders that have not been filled."""


Action: TypeAlias = (
    BreakEven | MoveStop | MoveTarget | SetTargets | MoveEntry | Close | ClosePart | CancelPending
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A later instruction about an earlier signal."""

    action: Action
    target: TradeRef = TradeRef()
    issues: tuple[Issue, ...] = ()
    spans: tuple[Span, ...] = ()
    confidence: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What happened according to the channel; never an action."""

    what: Literal["tp", "sl", "be", "entry"]
    index: int | Literal["all"] | None = None
    symbol: str | None = None
    spans: tuple[Span, ...] = ()


Reading: TypeAlias = Signal | FollowUp | Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """At least one reading, in the order of the text."""

    readings: tuple[Reading, ...]

    def __post_init__(self) -> None:
        if not self.readings:
            raise DomainError("a parsed message has at least one reading")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotASignal:
    reasons: tuple[Reason, ...] = (Reason.NO_INSTRUCTION,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """Never traded without a person; `candidates` are the readings that it could be."""

    reasons: tuple[Doubt, ...]
    candidates: tuple[Reading, ...] = ()


ParseResult: TypeAlias = Parsed | NotASignal | Ambiguous
