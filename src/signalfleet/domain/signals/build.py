"""Build a signal from a block that is an order to open."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.blocks import Block
from signalfleet.domain.signals.confidence import capped
from signalfleet.domain.signals.facts import Item
from signalfleet.domain.signals.levels import Placed, Settled, settle
from signalfleet.domain.signals.model import (
    Doubt,
    Issue,
    OrderKind,
    PriceRange,
    Signal,
    Span,
)
from signalfleet.domain.signals.numbers import Band, amount

FAR: Final = Decimal("0.15")
PAIR: Final = 2


def build_signals(
    block: Block,
    band: Band | None,
    anchors: tuple[Decimal, ...],
    places: Sequence[int],
    cost: int,
) -> list[Signal] | Doubt:
    """Build the signals of a block, or say why its numbers cannot be placed.

    `cost` is what the words around the block take from the confidence.
    """
    side = block.side
    if side is None:
        return []
    settled = settle(block, band, anchors)
    if settled.doubt:
        return Doubt.NUMBER_TWO_READINGS
    if settled.is_unplaced:
        return Doubt.NUMBER_UNPLACED
    if "icon_labels" in block.flags and not _fits_side(side, settled):
        return Doubt.NUMBER_UNPLACED
    settled.penalty += cost
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
        return [ranges[-1]], len(ranges[-1]) > PAIR
    if any(entry.joiner == "comma" or entry.index for entry in entries):
        return [entries], True
    values = {entry.value for entry in entries}
    if len(values) == 1:
        return [entries[:1]], False
    first, second = entries[0].item, entries[1].item
    if first is not None and second is not None and first.line == second.line:
        return [entries[:PAIR]], False
    return [entries], True


def _signal(
    block: Block,
    side: Side,
    settled: Settled,
    group: list[Placed],
    number: int,
    places: Sequence[int],
    *,
    is_bare_list: bool,
) -> Signal:
    entry = _entry(group)
    stop = _price(settled.stops[0]) if settled.stops else None
    placed_targets = _ordered(settled.targets)
    targets = tuple([_price(placed) for placed in placed_targets])
    target_pips = [amount(item.value) for item in settled.target_pips]
    if target_pips and any(price is not None for price in targets):
        target_pips = []
    issues = _issues(side, entry, stop, targets)
    if is_bare_list:
        issues.append(Issue.BARE_ENTRY_LIST)
    if block.symbol_item is not None and block.symbol_item.unit == "typo":
        issues.append(Issue.TYPO_SYMBOL)
    if "default_symbol" in block.flags:
        issues.append(Issue.DEFAULT_SYMBOL)
    if stop is None and not settled.stop_pips:
        issues.append(Issue.STOP_MISSING)
    lots = block.lots[min(number, len(block.lots) - 1)] if block.lots else None
    return Signal(
        symbol=block.symbol,
        side=side,
        order=_order(block, side, entry),
        entry=entry,
        stop=stop,
        stop_pips=amount(settled.stop_pips[0].value) if settled.stop_pips and not stop else None,
        targets=targets,
        target_pips=tuple(target_pips),
        target_r=tuple([amount(item.value) for item in block.target_r]),
        risk_percent=amount(block.risk.value) if block.risk else None,
        lots=Lots(amount(lots.value)) if lots else None,
        size_word="half" if block.half else "",
        leverage=amount(block.leverage.value) if block.leverage else None,
        is_addition=bool(block.flags & {"add", "again"}),
        issues=tuple(issues),
        spans=_spans(block, settled, group, placed_targets, places),
        confidence=capped(100 - settled.penalty, issues),
    )


def _price(placed: Placed) -> Price | None:
    return Price(placed.value) if placed.value is not None else None


def _entry(group: list[Placed]) -> PriceRange | None:
    values = [entry.value for entry in group if entry.value is not None]
    if not values:
        return None
    low = Price(min(values))
    return PriceRange(low=low, high=Price(max(values)) if len(values) > 1 else low)


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
    if high is not None and prices and min(prices) <= high * sign:
        issues.append(Issue.TARGET_WRONG_SIDE)
    if prices != sorted(prices):
        issues.append(Issue.TARGETS_UNORDERED)
    base = entry.low.value if entry else (stop.value if stop else None)
    levels = [target.value for target in targets if target is not None]
    if stop is not None:
        levels.append(stop.value)
    if base is not None and levels:
        reach = base * FAR
        if max(levels) - base > reach or base - min(levels) > reach:
            issues.append(Issue.FAR_FROM_ENTRY)
    return issues


def _spans(
    block: Block,
    settled: Settled,
    group: list[Placed],
    targets: list[Placed],
    places: Sequence[int],
) -> tuple[Span, ...]:
    named: list[tuple[str, Item | None]] = [
        ("side", block.side_item),
        ("symbol", block.symbol_item),
    ]
    named += [("entry", placed.item) for placed in group]
    named += [("stop", placed.item) for placed in settled.stops[:1]]
    named += [("stop_pips", item) for item in settled.stop_pips[:1]]
    named += [("target", placed.item) for placed in targets]
    named += [("target_pips", item) for item in settled.target_pips]
    named += [("target_r", item) for item in block.target_r]
    named += [("risk_percent", block.risk), ("leverage", block.leverage)]
    named += [("lots", item) for item in block.lots[:1]]
    return tuple(
        [
            Span(field=field, start=places[item.start], end=places[item.end - 1] + 1)
            for field, item in named
            if item is not None
        ]
    )
