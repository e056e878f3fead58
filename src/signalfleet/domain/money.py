"""Prices, volumes and amounts: exact decimals that refuse what is not a number."""

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Self

from signalfleet.domain.errors import DomainError


def _require_finite(value: object, what: str) -> None:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise DomainError(f"{what} must be a finite decimal")


def _decimal(value: str | int | Decimal, what: str) -> Decimal:
    try:
        return Decimal(value)
    except InvalidOperation as error:
        raise DomainError(f"{what} must be a number") from error


@dataclass(frozen=True, slots=True, order=True)
class Price:
    """A price in the instrument's quote currency; always above zero."""

    value: Decimal

    def __post_init__(self) -> None:
        _require_finite(self.value, "a price")
        if self.value <= 0:
            raise DomainError("a price must be above zero")

    @classmethod
    def of(cls, value: str | int | Decimal) -> Self:
        return cls(_decimal(value, "a price"))

    def rounded(self, tick: Decimal) -> Self:
        """Return the nearest multiple of the tick size, halves away from zero."""
        ticks = (self.value / tick).to_integral_value(ROUND_HALF_UP)
        return replace(self, value=ticks * tick)

    def __str__(self) -> str:
        return f"{self.value:f}"


@dataclass(frozen=True, slots=True, order=True)
class Lots:
    """A volume in lots; never negative, never rounded up."""

    value: Decimal

    def __post_init__(self) -> None:
        _require_finite(self.value, "a volume")
        if self.value < 0:
            raise DomainError("a volume must not be negative")

    @classmethod
    def of(cls, value: str | int | Decimal) -> Self:
        return cls(_decimal(value, "a volume"))

    def floor_to(self, step: Decimal) -> Self:
        # Not by division: its result is rounded, and perhaps up.
        return replace(self, value=self.value // step * step)

    def __str__(self) -> str:
        return f"{self.value:f}"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency (ISO code); amounts of two currencies never mix."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        _require_finite(self.amount, "an amount")

    def __add__(self, other: Self) -> Self:
        self._require_same(other)
        return replace(self, amount=self.amount + other.amount)

    def __sub__(self, other: Self) -> Self:
        self._require_same(other)
        return replace(self, amount=self.amount - other.amount)

    def _require_same(self, other: Self) -> None:
        if self.currency != other.currency:
            raise DomainError(f"{self.currency} and {other.currency} do not mix")

    def __str__(self) -> str:
        return f"{self.amount:.2f} {self.currency}"
