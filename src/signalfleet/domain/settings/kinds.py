"""Kinds of values with a form of their own: distances, amounts, weights, lists of targets."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

from signalfleet.domain.errors import DomainError
from signalfleet.domain.money import Money
from signalfleet.domain.settings.choices import FewLotsOrder, OpenTarget
from signalfleet.domain.settings.distances import Distance, Unit
from signalfleet.domain.settings.values import Kind, list_of_text

NONE: Final = "none"
ALL: Final = "all"
EQUAL: Final = "equal"
MAX_TARGETS: Final = 20
HUNDRED: Final = Decimal(100)
CURRENCY: Final = 3
SHAPES: Final = ("even", "decreasing", "increasing")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FewLots:
    """Which targets are kept where the lots do not suffice for all; `number` is for ONE_AT."""

    order: FewLotsOrder
    number: int = 0

    def __str__(self) -> str:
        return f"{self.order.value} {self.number}" if self.number else self.order.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Money whose currency may be left to the account."""

    amount: Decimal
    currency: str = ""

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}".rstrip()

    def money(self, account_currency: str) -> Money:
        return Money(self.amount, self.currency or account_currency)


def optional(kind: Kind[T], word: str = NONE) -> Kind[T | None]:
    """Let a value be absent; `word` says so."""

    def read(value: object) -> T | None:
        return None if value == word else kind.read(value)

    def write(value: T | None) -> object:
        return word if value is None else kind.write(value)

    def of_text(text: str) -> object:
        return word if text.strip().lower() == word else kind.of_text(text)

    return Kind(read=read, allowed=f"{kind.allowed}, or {word}", write=write, of_text=of_text)


def whole_number(low: int, high: int) -> Kind[int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise DomainError("must be a whole number")
        try:
            found = int(value)
        except ValueError as error:
            raise DomainError("must be a whole number") from error
        if not low <= found <= high:
            raise DomainError(f"must be from {low} to {high}")
        return found

    return Kind(read=read, allowed=f"{low} to {high}", write=str)


def distance(*units: Unit) -> Kind[Distance]:
    names = ", ".join(unit.value for unit in units)

    def read(value: object) -> Distance:
        if not isinstance(value, str):
            raise DomainError("a distance is a number and a unit, such as 20 pips")
        found = Distance.of(value)
        if found.unit not in units:
            raise DomainError(f"the unit must be one of {names}")
        return found

    return Kind(read=read, allowed=f"a number and one of {names}")


def distances(*units: Unit) -> Kind[tuple[Distance, ...]]:
    one = distance(*units)

    def read(value: object) -> tuple[Distance, ...]:
        return tuple(one.read(item) for item in _list(value, "a list of distances"))

    return Kind(read=read, allowed=f"a list: {one.allowed}, each", of_text=list_of_text)


def limits(*units: Unit) -> Kind[frozenset[Distance]]:
    """One distance at each level; joined over the levels, each of them holds."""
    one = distance(*units)

    def read(value: object) -> frozenset[Distance]:
        items = value if isinstance(value, list) else [] if value == NONE else [value]
        return frozenset(one.read(item) for item in items)

    def write(value: frozenset[Distance]) -> object:
        return sorted(str(item) for item in value) or NONE

    return Kind(read=read, allowed=f"{one.allowed}, or {NONE}", write=write)


def _amount(value: object) -> Amount:
    wrong = DomainError("an amount is written as text, such as 100 or 100 EUR")
    if not isinstance(value, str):
        raise wrong
    number, _, currency = value.strip().partition(" ")
    currency = currency.strip().upper()
    try:
        found = Decimal(number)
    except InvalidOperation as error:
        raise wrong from error
    if currency and not (len(currency) == CURRENCY and currency.isascii() and currency.isalpha()):
        raise wrong
    if not found.is_finite() or not 0 < found <= Decimal(1_000_000):
        raise DomainError("must be above 0 and at most 1000000")
    return Amount(amount=found, currency=currency)


def _shares(value: object) -> tuple[Decimal, ...]:
    found = []
    for item in _list(value, "a list of percentages"):
        try:
            share = Decimal(item)
        except InvalidOperation as error:
            raise DomainError(f"{item!r} is no percentage") from error
        if not share.is_finite() or not 0 <= share <= HUNDRED:
            raise DomainError("each must be from 0 to 100")
        found.append(share)
    if sum(found) != HUNDRED:
        raise DomainError(f"the percentages must sum to 100, not {sum(found)}")
    return tuple(found)


def _numbers(value: object) -> frozenset[int]:
    found = set()
    for item in _list(value, "a list of target numbers"):
        if not item.isdecimal() or not 1 <= int(item) <= MAX_TARGETS:
            raise DomainError(f"targets are numbered from 1 to {MAX_TARGETS}")
        found.add(int(item))
    if not found:
        raise DomainError("name at least one target, or all")
    return frozenset(found)


def _list(value: object, what: str) -> list[str]:
    if not isinstance(value, list | tuple) or len(value) > MAX_TARGETS:
        raise DomainError(f"must be {what}")
    if any(isinstance(item, bool) or not isinstance(item, str | int) for item in value):
        raise DomainError(f"must be {what}, each written as text")
    return [str(item) for item in value]


def _word_or_list(words: tuple[str, ...]) -> Callable[[str], object]:
    def of_text(text: str) -> object:
        return text.strip() if text.strip() in words else list_of_text(text)

    return of_text


def _few_lots(value: object) -> FewLots:
    wrong = DomainError("must be nearest_first, farthest_first or one_at and a number")
    word, _, number = str(value).strip().partition(" ")
    try:
        order = FewLotsOrder(word)
    except ValueError as error:
        raise wrong from error
    if (order is FewLotsOrder.ONE_AT) != bool(number):
        raise wrong
    if not number:
        return FewLots(order=order)
    if not number.isdecimal() or not 1 <= int(number) <= MAX_TARGETS:
        raise wrong
    return FewLots(order=order, number=int(number))


def _open_target(value: object) -> OpenTarget | Distance:
    text = str(value).strip()
    try:
        return OpenTarget(text)
    except ValueError:
        pass
    try:
        found = Distance.of(text)
    except DomainError as error:
        raise DomainError("must be runner, drop or a multiple such as 3 R") from error
    if found.unit is not Unit.R:
        raise DomainError("must be runner, drop or a multiple such as 3 R")
    return found


def _target_weights(value: object) -> tuple[Decimal, ...]:
    return () if value == EQUAL else _shares(value)


def _layer_weights(value: object) -> str | tuple[Decimal, ...]:
    return value if isinstance(value, str) and value in SHAPES else _shares(value)


def _targets_used(value: object) -> frozenset[int]:
    return frozenset() if value == ALL else _numbers(value)


def _write_numbers(value: frozenset[int]) -> object:
    return [str(number) for number in sorted(value)] or ALL


def _write_weights(value: tuple[Decimal, ...]) -> object:
    return [f"{share:f}" for share in value] or EQUAL


def _write_shape(value: str | tuple[Decimal, ...]) -> object:
    return value if isinstance(value, str) else [f"{share:f}" for share in value]


AMOUNT: Final = Kind(read=_amount, allowed="an amount such as 100 or 100 EUR")
TARGET_WEIGHTS: Final = Kind(
    read=_target_weights,
    allowed="equal, or percentages that sum to 100",
    write=_write_weights,
    of_text=_word_or_list((EQUAL,)),
)
LAYER_WEIGHTS: Final = Kind(
    read=_layer_weights,
    allowed="even, decreasing, increasing, or percentages that sum to 100",
    write=_write_shape,
    of_text=_word_or_list(SHAPES),
)
TARGETS_USED: Final = Kind(
    read=_targets_used,
    allowed="all, or a list of numbers",
    write=_write_numbers,
    of_text=_word_or_list((ALL,)),
)
FEW_LOTS: Final = Kind(
    read=_few_lots, allowed="nearest_first, farthest_first, or one_at and a number"
)
OPEN_TARGET: Final = Kind(read=_open_target, allowed="runner, drop, or a multiple such as 3 R")
