"""Decide whether a block is an order to open, and build the signal."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.blocks import Block, BlockReader
from signalfleet.domain.signals.facts import NUM, UNKNOWN, Facts, Item
from signalfleet.domain.signals.levels import Placed, Settled, settle
from signalfleet.domain.signals.model import (
    Doubt,
    Issue,
    OrderKind,
    PriceRange,
    Reason,
    Signal,
    Span,
)
from signalfleet.domain.signals.numbers import Band
from signalfleet.domain.signals.text import offsets

FAR: Final = Decimal("0.15")
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
}
DEADLY_MOODS: Final = ("other_market", "confirmation", "example")
HEADING_MOODS: Final = frozenset(
    {"past", "future", "conditional", "question", "wish", "recap", "later", "negation"}
)
NAKED_ROLES: Final = frozenset(
    "symbol buy sell now filler num line dash slash colon comma at hash equals arrow bullet tick "
    "icon_up icon_down icon_target icon_stop again add limit half_size open_bracket close_bracket "
    "pipe plus dot money lots risk percent direction symbol_word zone entry above below amp".split()
)
NOUN_SIDES: Final = ("signal", "setup", "position", "entry", "trade", "call")
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

    __slots__ = ("anchors", "is_reply", "side", "symbol", "targets")

    def __init__(
        self,
        symbol: str | None = None,
        side: Side | None = None,
        anchors: tuple[Decimal, ...] = (),
        *,
        is_reply: bool = False,
        targets: tuple[Price | None, ...] = (),
    ) -> None:
        self.targets = targets
        self.symbol = symbol
        self.side = side
        self.anchors = anchors
        self.is_reply = is_reply


def read_opens(facts: Facts, bands: "dict[str, Band | None]", known: Known, source: str) -> Opens:
    """Read all openings of a text; none where a word of the message forbids it."""
    found = Opens()
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
    places = None
    for block in blocks:
        if not _is_order(facts, block, found, known):
            continue
        if block.symbol is None:
            block.symbol = known.symbol
        if block.symbol is None:
            found.doubts.add(Doubt.NO_SYMBOL)
            continue
        if places is None:
            places = offsets(source)
        found.signals.extend(_signals(block, bands.get(block.symbol), known, found, places))
    return found


def _message_veto(facts: Facts, blocks: list[Block]) -> Reason | None:
    for mood in DEADLY_MOODS:
        if mood in facts.moods:
            return MOOD_REASONS[mood]
    if any(block.result_marks and not block.stop_is_ticked for block in blocks):
        return Reason.PAST_REPORT
    first = min((block.side_item.line for block in blocks if block.side_item), default=0)
    complete = all(block.stops and block.targets for block in blocks)
    moods = facts.moods
    if "recap" in moods:
        for clause in facts.clauses:
            if "recap" not in clause.moods or not clause.items:
                continue
            if clause.items[0].line <= first or not (
                "advert" in clause.moods or "percent" in clause.roles
            ):
                return Reason.RECAP
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
    if has_stop and has_target:
        return _allow(unknown <= MANY_WORDS, found)
    if "news" in clause.moods or "advert" in clause.moods or "pre_alert" in clause.moods:
        found.reasons |= {MOOD_REASONS[mood] for mood in clause.moods & {"news", "advert"}}
        return False
    if has_stop or has_target:
        room = SOME_WORDS if block.entries else FEW_WORDS
        return _allow(unknown <= room, found)
    orders = block.flags & {"now", "limit", "stop_order", "again", "add", "better"} or block.relation
    understood = not facts.moods and UNKNOWN not in facts.roles
    if block.entries and orders and not facts.moods:
        total = sum(part.unknown for part in facts.clauses)
        if total <= (2 if block.flags & {"limit", "stop_order", "opened"} else 0):
            return True
    if known.is_reply and block.flags & {"again", "add"} and unknown <= FEW_WORDS:
        return True
    if block.has_labelled_entry and block.entries and understood and _is_naked(facts, block) and not facts.roles & {"hit"}:
        return True
    if not understood or not facts.roles <= NAKED_ROLES or block.is_side_loose:
        found.reasons.add(Reason.NO_INSTRUCTION)
        return False
    words = block.side_item.value
    if any(noun in words for noun in NOUN_SIDES) and not block.entries:
        return False
    return _allow(_is_naked(facts, block), found)


def _is_naked(facts: Facts, block: Block) -> bool:
    """Numbers beside the one bare price would be words that nobody understands."""
    if any(item.unit in {"pips", "plus"} for item in facts.items):
        return False
    numbers = [item for item in facts.items if item.role == NUM and not item.unit]
    return len(numbers) == len(block.entries)


def _allow(passes: bool, found: Opens) -> bool:  # noqa: FBT001 - the outcome, not a switch
    if not passes:
        found.reasons.add(Reason.NO_INSTRUCTION)
    return passes


def _signals(
    block: Block, band: Band | None, known: Known, found: Opens, places: Sequence[int]
) -> list[Signal]:
    side = block.side
    if side is None:
        return []
    settled = settle(block, band, known.anchors)
    if settled.doubt:
        found.doubts.add(Doubt.NUMBER_TWO_READINGS)
        return []
    if settled.is_unplaced:
        found.doubts.add(Doubt.NUMBER_UNPLACED)
        return []
    if "icon_labels" in block.flags and not _fits_side(side, settled):
        found.doubts.add(Doubt.NUMBER_UNPLACED)
        return []
    groups, is_bare_list = _entry_groups(block, settled)
    made = []
    for number, group in enumerate(groups or [[]]):
        made.append(_signal(block, side, settled, group, number, places, is_bare_list=is_bare_list))
    return made


def _fits_side(side: Side, settled: Settled) -> bool:
    """Tell whether levels that only icons name lie where such levels lie."""
    stops = [placed.value * side.sign for placed in settled.stops if placed.value is not None]
    middle = [placed.value * side.sign for placed in settled.entries if placed.value is not None]
    targets = [placed.value * side.sign for placed in settled.targets if placed.value is not None]
    order = [max(stops)] if stops else []
    order += [min(middle), max(middle)] if middle else []
    order += [min(targets)] if targets else []
    return order == sorted(order)


def _entry_groups(block: Block, settled: Settled) -> tuple[list[list[Placed]], bool]:
    """Give the entries of each order: one range mostly, or the stated single entries."""
    entries = settled.entries
    if len(entries) <= 1:
        return ([entries] if entries else []), False
    if block.legs > 1:
        groups: dict[int, list[Placed]] = {}
        for entry in entries:
            groups.setdefault(max(entry.leg, 1), []).append(entry)
        return list(groups.values()), False
    last = entries[-1]
    stated = len(block.lots) == len(entries) or (
        last.joiner == "amp" and "limit" in block.flags and "zone" not in block.flags
    )
    if stated:
        return [[entry] for entry in entries], False
    ranges: list[list[Placed]] = []
    for at, entry in enumerate(entries):
        if at and entry.joiner in {"dash", "slash", "until", "amp"}:
            if ranges and ranges[-1][-1] is entries[at - 1]:
                ranges[-1].append(entry)
            else:
                ranges.append([entries[at - 1], entry])
    if ranges:
        return [ranges[-1]], len(ranges[-1]) > 2
    if any(entry.joiner == "comma" or entry.index for entry in entries):
        return [entries], True
    values = {entry.value for entry in entries}
    if len(values) == 1:
        return [entries[:1]], False
    if entries[1].item is not None and entries[0].item is not None:
        if entries[0].item.line == entries[1].item.line:
            return [entries[:2]], False
    return [entries], True


def _signal(  # noqa: PLR0913 - the parts of one signal
    block: Block,
    side: Side,
    settled: Settled,
    group: list[Placed],
    number: int,
    places: Sequence[int],
    *,
    is_bare_list: bool,
) -> Signal:
    values = [entry.value for entry in group if entry.value is not None]
    entry = PriceRange(low=Price(min(values)), high=Price(max(values))) if values else None
    stop = next((Price(placed.value) for placed in settled.stops if placed.value), None)
    placed_targets = _ordered(settled.targets)
    targets = tuple(
        Price(placed.value) if placed.value is not None else None for placed in placed_targets
    )
    has_prices = any(placed.value is not None for placed in placed_targets)
    target_pips = (
        () if has_prices else tuple(Decimal(item.value) for item in settled.target_pips)
    )
    issues = _issues(side, entry, stop, targets)
    if is_bare_list:
        issues.append(Issue.BARE_ENTRY_LIST)
    if block.symbol_item is not None and block.symbol_item.unit == "typo":
        issues.append(Issue.TYPO_SYMBOL)
    if stop is None and not settled.stop_pips:
        issues.append(Issue.STOP_MISSING)
    lots = block.lots[min(number, len(block.lots) - 1)] if block.lots else None
    return Signal(
        symbol=block.symbol,
        side=side,
        order=_order(block, side, entry),
        entry=entry,
        stop=stop,
        stop_pips=Decimal(settled.stop_pips[0].value) if settled.stop_pips and not stop else None,
        targets=targets,
        target_pips=target_pips,
        target_r=tuple(_number(item) for item in block.target_r),
        risk_percent=_number(block.risk) if block.risk else None,
        lots=Lots(_number(lots)) if lots else None,
        size_word="half" if block.half else "",
        leverage=_number(block.leverage) if block.leverage else None,
        is_addition=bool(block.flags & {"add", "again"}),
        issues=tuple(issues),
        spans=tuple(_spans(block, settled, group, placed_targets, places)),
        confidence=max(0, 100 - settled.penalty),
    )


def _number(item: Item) -> Decimal:
    return Decimal(item.value.replace(",", ".").replace("'", "").replace("\xa0", ""))


def _ordered(targets: list[Placed]) -> list[Placed]:
    if len(targets) > 1 and all(target.index for target in targets):
        return sorted(targets, key=lambda target: target.index)
    return targets


def _order(block: Block, side: Side, entry: PriceRange | None) -> OrderKind | None:
    flags = block.flags
    if entry is None:
        return OrderKind.MARKET
    if flags & {"limit", "better"}:
        return OrderKind.LIMIT
    if "stop_order" in flags:
        return OrderKind.STOP
    if "now" in flags:
        return OrderKind.MARKET
    if block.relation == "breaks":
        return OrderKind.STOP
    if block.relation:
        with_move = (block.relation == "above") == (side is Side.BUY)
        return OrderKind.STOP if with_move else OrderKind.LIMIT
    return None


def _issues(
    side: Side,
    entry: PriceRange | None,
    stop: Price | None,
    targets: tuple[Price | None, ...],
) -> list[Issue]:
    """Check the geometry; a wrong side is reported, never repaired."""
    issues: list[Issue] = []
    sign = side.sign
    prices = [target.value * sign for target in targets if target is not None]
    low = (entry.low.value if sign > 0 else entry.high.value) if entry else None
    high = (entry.high.value if sign > 0 else entry.low.value) if entry else None
    if stop is not None:
        limit = low * sign if low is not None else (prices[0] if prices else None)
        if limit is not None and stop.value * sign >= limit:
            issues.append(Issue.STOP_WRONG_SIDE)
    if high is not None and any(price <= high * sign for price in prices):
        issues.append(Issue.TARGET_WRONG_SIDE)
    if prices != sorted(prices):
        issues.append(Issue.TARGETS_UNORDERED)
    base = entry.low.value if entry else (stop.value if stop else None)
    if base is not None:
        levels = [abs(price) for price in prices] + ([stop.value] if stop else [])
        if any(abs(level - base) > base * FAR for level in levels):
            issues.append(Issue.FAR_FROM_ENTRY)
    return issues


def _spans(
    block: Block,
    settled: Settled,
    group: list[Placed],
    targets: list[Placed],
    places: Sequence[int],
) -> list[Span]:
    named: list[tuple[str, Item | None]] = [
        ("side", block.side_item),
        ("symbol", block.symbol_item),
        *(("entry", placed.item) for placed in group),
        *(("stop", placed.item) for placed in settled.stops[:1]),
        *(("stop_pips", item) for item in settled.stop_pips[:1]),
        *(("target", placed.item) for placed in targets),
        *(("target_pips", item) for item in settled.target_pips),
        *(("target_r", item) for item in block.target_r),
        ("risk_percent", block.risk),
        ("leverage", block.leverage),
        *(("lots", item) for item in block.lots[:1]),
    ]
    return [
        Span(field=field, start=places[item.start], end=places[item.end - 1] + 1)
        for field, item in named
        if item is not None
    ]
