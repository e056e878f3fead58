"""Decide whether a block is an order to open, and build the signal."""

from decimal import Decimal
from typing import Final

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Price
from signalfleet.domain.signals.block_reader import BlockReader
from signalfleet.domain.signals.blocks import SIDES, Block
from signalfleet.domain.signals.build import build_signals
from signalfleet.domain.signals.confidence import doubt_cost
from signalfleet.domain.signals.facts import UNKNOWN, Clause, Facts, Item
from signalfleet.domain.signals.model import (
    Doubt,
    Reason,
    Signal,
)
from signalfleet.domain.signals.numbers import Band
from signalfleet.domain.signals.text import offsets
from signalfleet.domain.signals.vetoes import is_masked, is_quoted

MOOD_REASONS: Final = {
    "negation": Reason.NEGATED,
    "question": Reason.QUESTION,
    "past": Reason.PAST_REPORT,
    "future": Reason.FUTURE_PLAN,
    "conditional": Reason.CONDITIONAL,
    "optional": Reason.OPTIONAL,
    "confirmation": Reason.WAITS_FOR_CONFIRMATION,
    "pre_alert": Reason.PRE_ALERT,
    "example": Reason.LESSON,
    "advert": Reason.ADVERT,
    "recap": Reason.RECAP,
    "other_market": Reason.OTHER_MARKET,
    "news": Reason.NEWS_OR_ANALYSIS,
    "wish": Reason.FUTURE_PLAN,
    "later": Reason.FUTURE_PLAN,
    "member": Reason.MEMBER_CHAT,
    "hearsay": Reason.MEMBER_CHAT,
}
DEADLY_MOODS: Final = ("other_market", "confirmation", "example", "hearsay")
HEADING_MOODS: Final = frozenset(
    {"past", "future", "conditional", "question", "wish", "recap", "later", "negation"}
)
NAKED_ROLES: Final = frozenset(
    "symbol buy sell now filler num line dash slash colon comma at hash equals arrow bullet "
    "tick icon_up icon_down icon_target icon_stop again add limit half_size open_bracket "
    "close_bracket levels_word none_word stop target pipe plus dot money lots risk percent "
    "direction symbol_word zone entry above below amp".split()
)
ADDS: Final = frozenset({"again", "add"})
NOUN_SIDES: Final = ("signal", "setup", "position", "entry", "trade", "call")
MAX_QUOTED: Final = 8
FEW_WORDS: Final = 3
SOME_WORDS: Final = 5
MANY_WORDS: Final = 9


class Opens:
    """What the opening grammar found in one text."""

    __slots__ = ("doubts", "reasons", "signals", "veto")

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self.reasons: set[Reason] = set()
        self.doubts: set[Doubt] = set()
        self.veto = False


class Known:
    """What is known beside the text: the symbol of the channel or of the message replied to."""

    __slots__ = ("anchors", "is_reply", "side", "stop", "symbol", "targets")

    def __init__(
        self,
        symbol: str | None = None,
        side: Side | None = None,
        anchors: tuple[Decimal, ...] = (),
        *,
        is_reply: bool = False,
        targets: tuple[Price | None, ...] = (),
        stop: Price | None = None,
    ) -> None:
        self.stop = stop
        self.targets = targets
        self.symbol = symbol
        self.side = side
        self.anchors = anchors
        self.is_reply = is_reply


def read_opens(facts: Facts, bands: "dict[str, Band | None]", known: Known, source: str) -> Opens:
    """Read all openings of a text; none where a word of the message forbids it."""
    found = Opens()
    if facts.roles.isdisjoint(SIDES) and (known.side is None or facts.roles.isdisjoint(ADDS)):
        # Every block has a side: its own, or the one that is added to.
        return found
    reader = BlockReader(facts, known.side)
    blocks = reader.read()
    for mood in reader.vetoed:
        found.reasons.add(MOOD_REASONS[mood])
    if not blocks:
        if reader.vetoed_levels and "conditional" in reader.vetoed:
            found.doubts.add(Doubt.CONDITIONAL_ORDER)
        return found
    veto = _message_veto(facts, blocks)
    if veto is not None:
        found.reasons.add(veto)
        found.veto = True
        return found
    if _are_scenarios(blocks):
        found.doubts.add(Doubt.TWO_SIDES)
        return found
    places = None
    for block in blocks:
        if not _is_order(facts, block, found, known):
            continue
        if block.symbol is None:
            block.symbol = known.symbol
            if known.symbol is not None and not known.is_reply:
                block.flags.add("default_symbol")
        if block.symbol is None:
            found.doubts.add(Doubt.NO_SYMBOL)
            continue
        if places is None:
            places = offsets(source)
        cost = doubt_cost(facts, block)
        made = build_signals(block, bands.get(block.symbol), known.anchors, places, cost)
        if isinstance(made, Doubt):
            found.doubts.add(made)
        else:
            found.signals.extend(made)
    return found


def _are_scenarios(blocks: list[Block]) -> bool:
    """Tell whether both sides of one symbol are offered without stops: an outlook, no order."""
    if len(blocks) == 1:
        return False
    sides: dict[str | None, set[Side | None]] = {}
    for block in blocks:
        sides.setdefault(block.symbol, set()).add(block.side)
    split = {symbol for symbol, both in sides.items() if len(both) > 1}
    return any(block.symbol in split and not block.stops for block in blocks)


def _message_veto(facts: Facts, blocks: list[Block]) -> Reason | None:
    if facts.moods:
        for mood in DEADLY_MOODS:
            if mood in facts.moods:
                return MOOD_REASONS[mood]
    for block in blocks:
        if block.result_marks and not block.stop_is_ticked:
            return Reason.PAST_REPORT
    if is_masked(facts, blocks):
        return Reason.MASKED
    if '"' in facts.folded and any(is_quoted(facts, block) for block in blocks[:MAX_QUOTED]):
        return Reason.MEMBER_CHAT
    if facts.moods or "closed" in facts.roles:
        return _told_before(facts, blocks)
    return None


def _told_before(facts: Facts, blocks: list[Block]) -> Reason | None:
    """Find what a heading or a line of its own says of the whole: a recap, a plan, an alert."""
    first = min((block.side_item.line for block in blocks if block.side_item), default=0)
    complete = all(block.stops and block.targets for block in blocks)
    moods = facts.moods
    if "recap" in moods:
        for clause in facts.clauses:
            if "recap" not in clause.moods or not clause.items:
                continue
            if complete and "hit" in clause.roles and not clause.roles & {"buy", "sell", "colon"}:
                # "Last signal hit TP2!" is over before the new signal starts.
                continue
            if clause.items[0].line <= first or not (
                "advert" in clause.moods or "percent" in clause.roles
            ):
                return Reason.RECAP
    if "closed" in facts.roles and any(
        "closed" in clause.roles and clause.unknown <= FEW_WORDS and not clause.moods
        for clause in facts.clauses
    ):
        return Reason.PAST_REPORT
    if "pre_alert" in moods and not complete:
        return Reason.PRE_ALERT
    if moods & HEADING_MOODS:
        for clause in facts.clauses:
            if clause.moods & HEADING_MOODS and clause.items:
                last = clause.items[-1]
                if last.line < first and (last.role == "colon" or _ends_with_colon(clause.items)):
                    mood = next(iter(sorted(clause.moods & HEADING_MOODS)))
                    return MOOD_REASONS[mood]
    return None


def _ends_with_colon(items: list[Item]) -> bool:
    for item in reversed(items):
        if item.role == "colon":
            return True
        if not item.role.startswith("icon"):
            return False
    return False


def _is_order(facts: Facts, block: Block, found: Opens, known: Known) -> bool:
    """Apply the two forms of an opening: with levels, or understood to the last word."""
    if block.side_item is None:
        return block.has_levels or bool(block.flags & {"now"} or block.entries)
    clause = facts.clauses[block.side_item.clause]
    has_stop = bool(block.stops)
    has_target = bool(block.targets or block.target_r)
    unknown = clause.unknown
    if block.other_side:
        found.doubts.add(Doubt.TWO_SIDES)
        return False
    if block.other_symbol is not None:
        found.doubts.add(Doubt.TWO_SYMBOLS)
        return False
    if has_stop or has_target:
        return _allow(_is_order_with_levels(block, clause, found), found)
    said = clause.moods & {"news", "advert", "pre_alert"}
    if said:
        found.reasons |= {MOOD_REASONS[mood] for mood in said}
        return False
    orders = (
        block.flags & {"now", "limit", "stop_order", "again", "add", "better"} or block.relation
    )
    understood = not facts.moods and UNKNOWN not in facts.roles
    if block.entries and orders and not facts.moods:
        total = sum(part.unknown for part in facts.clauses)
        if total <= (2 if block.flags & {"limit", "stop_order", "opened"} else 0):
            return True
    if known.is_reply and block.flags & {"again", "add"} and unknown <= FEW_WORDS:
        return True
    if (
        block.has_labelled_entry
        and block.entries
        and understood
        and _is_naked(facts, block)
        and not facts.roles & {"hit"}
    ):
        return True
    if not understood or not facts.roles <= NAKED_ROLES or block.is_side_loose:
        found.reasons.add(Reason.NO_INSTRUCTION)
        return False
    words = block.side_item.value
    if any(noun in words for noun in NOUN_SIDES) and not block.entries:
        return False
    return _allow(_is_naked(facts, block) and _speaks_of_levels(facts), found)


def _is_order_with_levels(block: Block, clause: Clause, found: Opens) -> bool:
    is_complete = bool(block.stops) and bool(block.targets or block.target_r)
    if is_complete:
        if clause.moods & {"news", "pre_alert"}:
            # Complete, but said by somebody of something: a person decides.
            found.doubts.add(Doubt.CONDITIONAL_ORDER)
            return False
        return clause.unknown <= MANY_WORDS
    if clause.moods & {"news", "advert", "pre_alert"}:
        return False
    if block.relation == "breaks" and clause.unknown:
        found.doubts.add(Doubt.CONDITIONAL_ORDER)
        return False
    return clause.unknown <= (SOME_WORDS if block.entries else FEW_WORDS)


def _is_naked(facts: Facts, block: Block) -> bool:
    """Numbers beside the one bare price would be words that nobody understands."""
    if any(item.unit in {"pips", "plus"} for item in facts.items):
        return False
    return sum(not item.unit for item in facts.numbers) == len(block.entries)


def _speaks_of_levels(facts: Facts) -> bool:
    """Tell whether "no", "later" and the like are said of the levels: "SL and TP later"."""
    labels = {"stop", "target", "levels_word"}
    before = ""
    for at, item in enumerate(facts.items):
        if item.role == "none_word":
            after = facts.items[at + 1].role if at + 1 < len(facts.items) else ""
            if before not in labels and after not in labels:
                return False
        elif item.role not in {"amp", "until", "filler", "colon", "dash", "bullet"}:
            before = item.role
    return True


def _allow(passes: bool, found: Opens) -> bool:  # noqa: FBT001 - the outcome, not a switch
    if not passes:
        found.reasons.add(Reason.NO_INSTRUCTION)
    return passes
