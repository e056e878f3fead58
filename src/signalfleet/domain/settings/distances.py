"""Distances of prices as people write them: `20 pips`, `300 points`, `0.5 %`, `1.5 R`."""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from signalfleet.domain.errors import DomainError

_WRITTEN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([a-zA-Z%]+)")
_HUNDRED: Final = Decimal(100)


class Unit(StrEnum):
    """PERCENT is of the price; R is the distance from the entry to the stop."""

    PIPS = "pips"
    POINTS = "points"
    PERCENT = "%"
    R = "R"


_NAMES: Final = {
    "pips": Unit.PIPS,
    "pip": Unit.PIPS,
    "points": Unit.POINTS,
    "point": Unit.POINTS,
    "%": Unit.PERCENT,
    "percent": Unit.PERCENT,
    "r": Unit.R,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruler:
    """What turns distances into prices: one instrument at one price.

    `risk` is the distance from entry to stop, where it is known.
    """

    pip: Decimal
    point: Decimal
    price: Decimal
    risk: Decimal | None = None

    def length(self, distance: "Distance") -> Decimal:
        """Return the distance in price; DomainError for R without a stop."""
        match distance.unit:
            case Unit.PIPS:
                return distance.amount * self.pip
            case Unit.POINTS:
                return distance.amount * self.point
            case Unit.PERCENT:
                return self.price * distance.amount / _HUNDRED
            case Unit.R:
                if self.risk is None:
                    raise DomainError("R needs a stop")
                return distance.amount * self.risk


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far one price is from another; never zero or less."""

    amount: Decimal
    unit: Unit

    def __post_init__(self) -> None:
        if not self.amount.is_finite() or self.amount <= 0:
            raise DomainError("a distance must be above zero")

    @classmethod
    def of(cls, text: str) -> "Distance":
        """Read a distance; DomainError says how it is written."""
        found = _WRITTEN.fullmatch(text.strip())
        unit = _NAMES.get(found[2].lower()) if found else None
        if found is None or unit is None:
            raise DomainError("a distance is a number and a unit, such as 20 pips or 0.5 %")
        return cls(amount=Decimal(found[1]), unit=unit)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.unit.value}"
