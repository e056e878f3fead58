"""Settle what the numbers of a block are worth: separators, shorthand and magnitude."""

from decimal import Decimal
from typing import Final

from signalfleet.domain.signals.blocks import Block, Level
from signalfleet.domain.signals.facts import Item
from signalfleet.domain.signals.numbers import GROUP, Band, expand, fits, in_band, near, readings

THOUSAND: Final = Decimal(1000)
MAX_LOTS: Final = Decimal(50)
SHORTHAND_COST: Final = 5
MAGNITUDE_COST: Final = 10


class Placed:
    """One settled level: its value, or None for an open target."""

    __slots__ = ("index", "item", "joiner", "leg", "value")

    def __init__(self, value: Decimal | None, level: Level, joiner: str) -> None:
        self.value = value
        self.item = level.item
        self.index = level.index
        self.joiner = joiner
        self.leg = level.leg


class Settled:
    """The levels of one block as numbers."""

    __slots__ = (
        "doubt",
        "entries",
        "is_unplaced",
        "penalty",
        "stop_pips",
        "stops",
        "target_pips",
        "targets",
    )

    def __init__(self) -> None:
        self.entries: list[Placed] = []
        self.stops: list[Placed] = []
        self.targets: list[Placed] = []
        self.stop_pips: list[Item] = []
        self.target_pips: list[Item] = []
        self.penalty = 0
        self.doubt = False
        self.is_unplaced = False


def settle(block: Block, band: Band | None, anchors: tuple[Decimal, ...] = ()) -> Settled:
    """Give every level of a block its value; `anchors` are prices known from the context."""
    settled = Settled()
    sign = block.side.sign if block.side is not None else 0
    entries, stops, targets = _split(block.entries), _split(block.stops), _split(block.targets)
    anchor = _anchor([*entries, *stops, *targets], band, anchors)
    entries = _without_size(block, entries, anchor)
    if not block.entries and block.money_entry is not None and anchor is not None:
        # "SOL buy 148.5$ SL 144$": money that has the size of the levels is the entry.
        options = _options(block.money_entry)
        if band is not None and options and fits(options[0], band) and near(options[0], anchor):
            entries.append(Level(block.money_entry, ""))
    for levels, placed, pips, side in (
        (entries, settled.entries, [], 0),
        (stops, settled.stops, settled.stop_pips, -sign),
        (targets, settled.targets, settled.target_pips, sign),
    ):
        for level in levels:
            item = level.item
            if item is None:
                placed.append(Placed(None, level, level.joiner))
            elif item.unit == "pips":
                pips.append(item)
            else:
                value = _value(item, band, anchor, side, settled)
                if value is not None and value > 0:
                    placed.append(Placed(value, level, level.joiner))
    return settled


def _without_size(block: Block, levels: list[Level], anchor: Decimal | None) -> list[Level]:
    """Take the size out of "SELL 0.10 XAUUSD @ 2390.50": no label, and no price of this symbol."""
    if len(levels) <= 1 or anchor is None:
        return levels
    first = levels[0].item
    if first is None or first.unit or levels[1].joiner:
        return levels
    options = _options(first)
    if options and options[0] <= MAX_LOTS and not any(near(value, anchor) for value in options):
        block.lots.append(first)
        return levels[1:]
    return levels


def _split(levels: list[Level]) -> list[Level]:
    """Take "2455,2460,2470" apart: commas between full prices only separate them."""
    made: list[Level] = []
    for level in levels:
        item = level.item
        if item is None or "," not in item.value:
            made.append(level)
            continue
        parts = item.value.split(",")
        full = all("." in part or len(part) > GROUP for part in parts)
        same = len({len(part.partition(".")[0]) for part in parts}) == 1
        if item.options and not (full and same and len(parts[0]) > GROUP):
            made.append(level)
            continue
        for number, part in enumerate(parts):
            piece = Item(
                item.role, part, item.start, item.end, item.line, item.clause, is_glued=False
            )
            piece.unit = item.unit
            piece.options = readings(part)
            made.append(
                Level(piece, level.joiner if not number else "comma", level.index, level.leg)
            )
    return made


def _options(item: Item) -> tuple[Decimal, ...]:
    if item.unit == "thousand":
        return tuple(value * THOUSAND for value in item.options)
    return item.options


def _anchor(levels: list[Level], band: Band | None, anchors: tuple[Decimal, ...]) -> Decimal | None:
    """Choose the full price that completes the short ones."""
    if band is None:
        values = [
            options[0]
            for level in levels
            if level.item is not None and level.item.unit != "pips"
            for options in (_options(level.item),)
            if options and options[0] > 0
        ]
        # Without a known size the longest number is the full one.
        return max(values, key=lambda value: len(value.as_tuple().digits), default=None) or (
            anchors[0] if anchors else None
        )
    for level in levels:
        if level.item is None or level.item.unit == "pips":
            continue
        value = in_band(_options(level.item), band)
        if value is not None:
            return value
    return anchors[0] if anchors else None


def _value(
    item: Item, band: Band | None, anchor: Decimal | None, side: int, settled: Settled
) -> Decimal | None:
    options = _options(item)
    if not options:
        return None
    chosen = in_band(options, band)
    if len(options) > 1:
        fitting = [value for value in options if fits(value, band)]
        if len(fitting) > 1 and anchor is not None:
            fitting = [value for value in fitting if near(value, anchor)] or fitting
        if len(fitting) == 1:
            chosen = fitting[0]
            settled.penalty = max(settled.penalty, MAGNITUDE_COST)
        elif len(fitting) > 1:
            settled.doubt = True
    if chosen is not None and (anchor is None or chosen is anchor or near(chosen, anchor)):
        return chosen
    raw = item.value
    if item.is_glued and "." in raw and not item.unit:
        # "TP1.4120" may be the first target at 4120.
        tail = raw.partition(".")[2]
        value = in_band(readings(tail), band) if tail and band is not None else None
        if value is not None and (anchor is None or near(value, anchor)):
            return value
    if anchor is not None and band and side and len(raw) == 1 and anchor >= THOUSAND:
        # "SL 5" under 2345: 2335, or five dollars away.
        settled.is_unplaced = True
        return None
    if anchor is not None and band and side and near(options[0] * THOUSAND, anchor):
        # "SL 70" under an entry of 71,220: 71,170 or 70,000, nobody can tell.
        settled.doubt = True
        return None
    if anchor is not None and options[0] > 0:
        # ".85" after 190.35 was completed to 0.85 when it was found.
        is_cut = raw.startswith("0.") and item.end - item.start < len(raw)
        value = expand(raw[1:] if is_cut else raw, str(anchor), side)
        if value is not None and near(value, anchor):
            settled.penalty = max(settled.penalty, SHORTHAND_COST)
            return value
    if chosen is None and item.unit == "money":
        return None
    if chosen is None and anchor is None and band is not None and options[0] > 0:
        # "SL 50" with no full price anywhere: pips, dollars or a short level, nobody can tell.
        settled.is_unplaced = True
    return chosen if chosen is not None else options[0]


def price_of(item: Item, band: Band | None, anchor: Decimal | None, side: int) -> Decimal | None:
    """Give one number outside a block its value."""
    return _value(item, band, anchor, side, Settled())
