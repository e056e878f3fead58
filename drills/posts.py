"""A signal as a drill posted it, and the same signal after an edit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """Levels are as written. A drill never writes the same targets of a symbol twice."""

    chat: int
    message: int
    symbol: str
    side: str
    entry: Decimal
    distance: Decimal
    places: int

    @property
    def stop(self) -> str:
        return self._level(-1)

    @property
    def targets(self) -> tuple[str, str]:
        return self._level(1), self._level(2)

    @property
    def text(self) -> str:
        return self.text_with(self.stop)

    @property
    def flipped(self) -> "Posted":
        return replace(self, side="sell" if self.side == "buy" else "buy")

    def tighter_stop(self) -> str:
        return self._level(Decimal("-0.8"))

    def text_with(self, stop: str) -> str:
        first, second = self.targets
        return f"{self.side.upper()} {self.symbol} NOW\nSL {stop}\nTP1 {first}\nTP2 {second}"

    def is_entry(self, order: Mapping[str, Any]) -> bool:
        """Tell whether an opening in the broker's book is of this signal, by its target."""
        target = order["takeProfit"]
        if order["symbol"] != self.symbol or target is None:
            return False
        return Decimal(str(target)) in {Decimal(level) for level in self.targets}

    def _level(self, share: int | Decimal) -> str:
        sign = 1 if self.side == "buy" else -1
        return f"{self.entry + self.distance * share * sign:.{self.places}f}"
