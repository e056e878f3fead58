"""Read a table: one line of headings, and rows of numbers under it."""

from typing import Final

from signalfleet.domain.signals.blocks import DEAD_UNITS, INDEX_DIGITS
from signalfleet.domain.signals.facts import BREAK, NUM, Facts, Item

COLUMNS: Final = frozenset({"stop", "target", "entry", "price_word", "zone", "lots", "risk"})
BETWEEN: Final = frozenset({"pipe", "slash", "dash", "bullet", "comma"})
MIN_COLUMNS: Final = 3
LABELS: Final = frozenset({"stop", "target", "levels_word"})
SILENT_UNITS: Final = DEAD_UNITS | {"pips"}


def spread_headings(facts: Facts) -> None:
    """Write the headings of a table into its rows, so that each row reads like a sentence."""
    items, numbers = facts.items, facts.numbers
    if not any(one.line == third.line for one, third in zip(numbers, numbers[2:], strict=False)):
        # No line has the numbers of a row.
        return
    line = _heading_line(items)
    if line is None:
        return
    heading = [item for item in items if item.line == line]
    columns = _columns(heading)
    if len(columns) < MIN_COLUMNS:
        return
    rows = _rows(items, line, len(columns))
    if not rows:
        return
    for item in heading:
        if item.role in COLUMNS or item.role in {NUM, "levels_word"}:
            item.role = "filler"
    facts.numbers = [item for item in facts.numbers if item.role == NUM]
    for row in rows:
        for label, number in zip(columns, row, strict=True):
            made = Item(
                label[0],
                label[1],
                number.start,
                number.end,
                number.line,
                number.clause,
                is_glued=False,
            )
            items.insert(items.index(number), made)


def _heading_line(items: list[Item]) -> int | None:
    """Find two labels side by side with no number between them."""
    labels = [at for at, item in enumerate(items) if item.role in LABELS]
    before = -1
    for at in labels:
        item = items[at]
        if item.role == "levels_word":
            if _both(item):
                return item.line
        elif (
            before >= 0
            and items[before].role != item.role
            and at - before <= MIN_COLUMNS
            and all(other.role in BETWEEN for other in items[before + 1 : at])
        ):
            return item.line
        before = at
    return None


def _both(item: Item) -> list[tuple[str, str]]:
    """Give the two headings of "SL TP", which elsewhere are one phrase."""
    pair = [("stop", "sl"), ("target", "tp")]
    words = item.value.split()
    if words == ["sl", "tp"]:
        return pair
    return pair[::-1] if words == ["tp", "sl"] else []


def _columns(heading: list[Item]) -> list[tuple[str, str]]:
    """Give the headings of a line that holds no price; a digit behind one only counts it."""
    columns: list[tuple[str, str]] = []
    was_target = False
    for item in heading:
        if item.role in COLUMNS:
            columns.append((item.role, item.value))
        elif item.role == "levels_word":
            columns += _both(item)
        elif item.role in {"symbol", "buy", "sell"} or (
            item.role == NUM and not (was_target and len(item.value) <= INDEX_DIGITS)
        ):
            return []
        was_target = item.role == "target"
    return columns


def _rows(items: list[Item], heading: int, size: int) -> list[list[Item]]:
    lines: dict[int, list[Item]] = {}
    for item in items:
        if item.line > heading and item.role != BREAK:
            lines.setdefault(item.line, []).append(item)
    rows = []
    for row in lines.values():
        roles = {item.role for item in row}
        if roles <= BETWEEN:
            continue
        numbers = [item for item in row if item.role == NUM and item.unit not in SILENT_UNITS]
        if roles & COLUMNS or "symbol" not in roles or not roles & {"buy", "sell"}:
            break
        if len(numbers) != size:
            break
        rows.append(numbers)
    return rows
