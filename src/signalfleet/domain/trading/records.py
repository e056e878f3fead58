"""What is kept of a decision: signals, copies, trades, and the trace that explains them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from signalfleet.domain.ids import AccountId, ChannelId, ClientId, MessageId, SignalId, TradeId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import Signal
from signalfleet.domain.trading.intents import Intent


class TradeState(StrEnum):
    OPENING = "OPENING"
    PENDING = "PENDING"
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    NEVER_OPENED = "NEVER_OPENED"

    @property
    def is_live(self) -> bool:
        return self in (TradeState.OPENING, TradeState.PENDING, TradeState.OPEN)


class CopyOutcome(StrEnum):
    FILLED = "FILLED"
    WORKING = "WORKING"
    REJECTED = "REJECTED"
    SKIPPED = "SKIPPED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """The life of one leg, driven by the broker's facts only."""

    trade_id: TradeId
    account: AccountId
    signal: SignalId
    leg: int
    client_id: ClientId
    magic: int
    symbol: str
    side: Side
    state: TradeState
    volume: Lots
    volume_open: Lots = Lots(Decimal(0))
    open_price: Price | None = None
    stop_loss: Price | None = None
    take_profit: Price | None = None
    close_price: Price | None = None
    profit: Decimal | None = None
    commission: Decimal | None = None
    swap: Decimal | None = None
    order_id: str | None = None
    position_id: str | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    close_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRecord:
    """One signal of a message; `entry_rev` is the revision that was decided on."""

    signal_id: SignalId
    chat: ChannelId
    message: MessageId
    part: int
    entry_rev: int
    reading: Signal
    posted_at: datetime
    decided_at: datetime
    outcome: CopyOutcome | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One signal on one account. `plan` is the plan's figures as text, for showing."""

    signal: SignalId
    account: AccountId
    plan: Mapping[str, object]
    fresh_until: datetime | None
    lots: Lots
    budget: Decimal
    outcome: CopyOutcome | None = None
    reason: str | None = None
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStep:
    """One step of a decision: a constant stage word and what was known (JSON values only)."""

    stage: str
    at: datetime
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageKey:
    chat: ChannelId
    message: MessageId
    rev: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaUse:
    """What counts against a day's quota: `count` at once, with which it is at most `limit`."""

    kind: str
    day: str
    count: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """All that one revision of a message leads to, stored as one unit before anything is sent.

    `reason` is why nothing was done, or None; `intents` are new rows in state SENDING or HELD.
    `quota` is what it uses up, None if nothing.
    """

    key: MessageKey
    reason: str | None
    signals: tuple[SignalRecord, ...] = ()
    copies: tuple[Copy, ...] = ()
    trades: tuple[Trade, ...] = ()
    intents: tuple[Intent, ...] = ()
    trace: tuple[TraceStep, ...] = ()
    quota: QuotaUse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A change of stored facts as one unit: rows are replaced whole by their ids."""

    intents: tuple[Intent, ...] = ()
    trades: tuple[Trade, ...] = ()
    copies: tuple[Copy, ...] = ()
    added_intents: tuple[Intent, ...] = field(default=())
