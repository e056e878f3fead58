"""Read numbers as people write prices: separators, two readings, shorthand, magnitude."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, TypeAlias

from signalfleet.domain.errors import DomainError

MAX_DIGITS: Final = 12
GROUP: Final = 3
THOUSAND: Final = Decimal(1000)

Band: TypeAlias = tuple[Decimal, Decimal]


def readings(raw: str) -> tuple[Decimal, ...]:
    """Give what a number may mean, most usual first; empty when it is no price at all."""
    if raw.isdigit():
        return (Decimal(raw),) if len(raw) <= MAX_DIGITS else ()
    whole, mark, tail = raw.partition(".")
    if len(raw) <= MAX_DIGITS and len(tail) != GROUP and whole.isdigit() and tail.isdigit():
        # Most prices have a point, and as many digits behind it as no group has.
        return (Decimal(raw),)
    if len(raw) > MAX_DIGITS + 4:
        return ()
    plain = raw.replace("'", "").replace("\xa0", "")
    if len(plain) > MAX_DIGITS and sum(map(str.isdigit, plain)) > MAX_DIGITS:
        return ()
    if "," in plain and "." in plain:
        return _both(plain)
    whole, mark, tail = plain.partition("," if "," in plain else ".")
    if not mark:
        return (Decimal(plain),)
    return _many(plain, mark) if mark in tail else _one_mark(whole, mark, tail)


STYLES: Final = {"comma": ",", "dot": "."}


def checked_style(style: str) -> str:
    """Return a number style, or refuse one that is none."""
    if style and style not in STYLES:
        raise DomainError(f"{style!r} is no number style: use comma, dot or nothing")
    return style


def in_style(raw: str, style: str) -> str:
    """Write a number that has two readings so that it has the one of the style."""
    mark = STYLES[style]
    other = "." if mark == "," else ","
    whole, found, tail = raw.partition("," if "," in raw else ".")
    if len(readings(raw)) <= 1:
        return raw
    # One mark and three digits: a group by the other mark, a decimal by the channel's own.
    return whole + tail if found == other else f"{whole}.{tail}0"


def amount(raw: str) -> Decimal:
    """Read a number that is no price (pips, lots, per cent); of a heap of marks the first part."""
    options = readings(raw)
    if options:
        return options[0]
    plain = raw.replace("'", "").replace("\xa0", "").replace(",", ".")
    head = plain.partition(".")[0]
    return Decimal(head) if head.isdigit() else Decimal(0)


def _one_mark(whole: str, mark: str, tail: str) -> tuple[Decimal, ...]:
    if not tail.isdigit() or (whole and not whole.isdigit()):
        return ()
    as_decimal = Decimal(f"{whole}.{tail}")
    if len(tail) != GROUP or len(whole) > GROUP or whole.startswith("0"):
        return (as_decimal,)
    as_group = Decimal(whole + tail)
    return (as_group, as_decimal) if mark == "," else (as_decimal, as_group)


def _many(plain: str, mark: str) -> tuple[Decimal, ...]:
    parts = plain.split(mark)
    if any(len(part) != GROUP for part in parts[1:-1]) or len(parts[0]) > GROUP:
        return ()
    if len(parts[-1]) == GROUP:
        return (Decimal("".join(parts)),)
    return (Decimal("".join(parts[:-1]) + "." + parts[-1]),)


def _both(plain: str) -> tuple[Decimal, ...]:
    decimal_mark = "," if plain.rfind(",") > plain.rfind(".") else "."
    other = "." if decimal_mark == "," else ","
    if plain.count(decimal_mark) > 1:
        return ()
    whole, _, tail = plain.partition(decimal_mark)
    groups = whole.split(other)
    if len(groups[0]) > GROUP or any(len(part) != GROUP for part in groups[1:]):
        return ()
    return (Decimal("".join(groups) + "." + tail),)


def fits(value: Decimal, band: Band | None) -> bool:
    return band is None or band[0] <= value <= band[1]


def in_band(options: Iterable[Decimal], band: Band | None) -> Decimal | None:
    """Return the first reading whose size is that of the instrument."""
    for value in options:
        if band is None or band[0] <= value <= band[1]:
            return value
    return None


def near(value: Decimal, anchor: Decimal) -> bool:
    """Tell whether two levels can belong to one trade: within a fifth of each other."""
    return abs(value - anchor) * 5 <= anchor


def expand(raw: str, anchor: str, side: int) -> Decimal | None:
    """Complete a level of which only the last digits are written, from a full price.

    `side` is 1 if the level lies above the anchor, -1 below, 0 unknown: of the candidates with the
    same, next and previous leading digits the nearest one on that side is meant.
    """
    digits = raw.replace(".", "")
    full = anchor.replace(".", "").replace(",", "")
    if not digits.isdigit() or not full.isdigit() or len(digits) >= len(full):
        return None
    places = len(anchor) - anchor.index(".") - 1 if "." in anchor else 0
    if places and "." not in raw and anchor.index(".") > GROUP:
        # After 2350.50 a "48" is 2348: nobody shortens the cents of a four-digit price.
        full, places = anchor.partition(".")[0], 0
        if len(digits) >= len(full):
            return None
    if "." in raw:
        # "44.5" after "2350" keeps its own decimals.
        whole, _, tail = raw.partition(".")
        base, _, cents = anchor.partition(".")
        # "0.05" is a size or a price of another symbol, never the end of 2540.05.
        if len(whole) >= len(base) or (whole and not int(whole)):
            return None
        digits, full, places = (
            whole + tail,
            base + cents[: len(tail)].ljust(len(tail), "0"),
            len(tail),
        )
    # A heap of marks ("8.008.75") is no price whose last digits could be told.
    if not digits.isdigit() or not full.isdigit():
        return None
    step = 10 ** len(digits)
    start = int(full)
    lead = start // step
    options = [lead * step + int(digits) + move * step for move in (0, 1, -1)]
    if side:
        options = [value for value in options if (value - start) * side > 0] or options
    best = min(options, key=lambda value: abs(value - start))
    return Decimal(best).scaleb(-places) if best > 0 else None
