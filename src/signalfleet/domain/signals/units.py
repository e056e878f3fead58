"""Mark numbers that are no prices: distances, sizes, shares, times."""

from collections.abc import Mapping
from typing import Final

from signalfleet.domain.instruments.symbols import Symbols
from signalfleet.domain.signals.facts import NUM, SILENT, UNKNOWN, Facts, Item
from signalfleet.domain.signals.numbers import GROUP, in_band, readings

MAX_PIP_DIGITS: Final = 3
BEFORE_POINT: Final = frozenset({"", " ", "\n", "@", ":", "=", "(", "/"})
NUMBER_SUFFIX: Final[Mapping[str, str]] = {
    "k": "thousand",
    "x": "leverage",
    "h": "time",
    "hr": "time",
    "hrs": "time",
    "min": "time",
    "mins": "time",
    "m": "time",
    "d": "time",
    "r": "r",
    "gm": "other",
    "g": "other",
    "st": "ordinal",
    "nd": "ordinal",
    "rd": "ordinal",
    "th": "ordinal",
    "am": "time",
    "pm": "time",
}
MONEY_WORDS: Final = frozenset(
    "usd usdt dollar dollars eur euro euros tl rs inr lakh trieu".split()
)


def join_written_apart(facts: Facts, symbols: Symbols) -> None:
    """Join "65 200" where only the whole is a price of the symbol, and complete ".8550"."""
    numbers, folded = facts.numbers, facts.folded
    for at, item in enumerate(numbers):
        start = item.start
        if folded[start - 1 : start] == "." and folded[start - 2 : start - 1] in BEFORE_POINT:
            item.value = "0." + item.value
            item.start = start - 1
        elif len(item.value) <= GROUP and _is_written_apart(facts, at, symbols):
            after = numbers.pop(at + 1)
            facts.items.remove(after)
            item.value, item.end = item.value + after.value, after.end


def _is_written_apart(facts: Facts, number: int, symbols: Symbols) -> bool:
    items = facts.items
    item, *others = facts.numbers[number : number + 2]
    if not others or not item.value.isdigit():
        return False
    after = others[0]
    head = after.value.replace(",", ".").partition(".")[0]
    if len(head) != GROUP or not head.isdigit():
        return False
    if facts.folded[item.end : after.start] not in {" ", "\xa0"}:
        return False
    band = symbols.band(next((one.value for one in items if one.role == "symbol"), None))
    if band is None:
        return False
    at = items.index(item)
    before = items[at - 1].role if at else ""
    follow = items[at + 2].role if at + 2 < len(items) else ""
    if (item.is_glued and before in {"stop", "target", "entry"}) or follow in {"pips", "lots"}:
        # In "TP3 100 pips" the first number only counts.
        return False
    parts = (*readings(item.value), *readings(after.value))
    return in_band(readings(item.value + after.value), band) is not None and (
        in_band(parts, band) is None
    )


def attach_units(items: list[Item]) -> None:
    """Give numbers their readings; what stands around them marks those that are no prices."""
    size = len(items)
    for at, item in enumerate(items):
        if item.role != NUM:
            continue
        item.options = readings(item.value)
        before = items[at - 1] if at else None
        after = items[at + 1] if at + 1 < size else None
        if before is not None and before.role == "plus":
            item.unit = "plus"
        if before is not None and before.role == "money":
            # "at $3,140" is a price; "$50" may be anything.
            is_price = at > 1 and items[at - 2].role in {"at", "at_word"}
            item.unit = "" if is_price else "money"
        elif before is not None and before.role == "percent_word":
            item.unit = "percent"
        if after is not None and after.line == item.line:
            unit = _unit_after(items, at, after)
            if unit == "percent" and item.unit == "plus":
                # "+3.4%" is what was won, not a share to close or to risk.
                item.unit = "other"
            elif unit:
                item.unit = unit
                if unit == "pips":
                    _spread_pips(items, at)
        if (
            not item.unit
            and before is not None
            and item.is_glued
            and before.role == UNKNOWN
            and before.value == "x"
        ):
            item.unit = "leverage"
            before.role = "filler"
        value = item.value
        if not item.options and not item.unit and not value.isdigit() and "," not in value:
            item.unit = "other"


def _unit_after(items: list[Item], at: int, after: Item) -> str:
    role = after.role
    if role == "percent":
        return "percent"
    if role == "pips":
        after.role = "filler"
        return "pips"
    if role == "money":
        return "money"
    if role == "lots":
        # "0.05 lot" is a size, but "0.9165 lot size 0.20" is a price before a label.
        follow = at + 2
        while follow < len(items) and items[follow].role in SILENT and items[follow].role != "at":
            follow += 1
        if follow < len(items) and items[follow].role == NUM and items[follow].line == after.line:
            return ""
        after.role = "filler"
        return "lots"
    if role == "percent_word":
        after.role = "filler"
        return "percent"
    if after.is_glued:
        unit = NUMBER_SUFFIX.get(after.value)
        if unit is not None:
            after.role = "filler"
            return unit
    if after.value in MONEY_WORDS and role != "symbol":
        return "money"
    if role == "level_noun":
        return ""
    return ""


def _spread_pips(items: list[Item], at: int) -> None:
    """Give all numbers of "30/40/60 pips" the unit of the last."""
    while (
        at > 1
        and items[at - 1].role in {"dash", "slash", "until", "comma", "amp"}
        and items[at - 2].role == NUM
        and items[at - 2].line == items[at].line
        and not items[at - 2].unit
        and len(items[at - 2].value) <= MAX_PIP_DIGITS
    ):
        at -= 2
        items[at].unit = "pips"
