"""Reads closing, closing a part and cancelling."""

from decimal import Decimal
from itertools import pairwise
from typing import Final

from signalfleet.domain.signals.blocks import MAX_INDEX, SIDES
from signalfleet.domain.signals.clause_reader import (
    COUPLE,
    decimal_of,
    is_index,
)
from signalfleet.domain.signals.facts import NUM, Item
from signalfleet.domain.signals.model import (
    CancelPending,
    Close,
    ClosePart,
    FollowUp,
    Issue,
    TradeRef,
)
from signalfleet.domain.signals.target_reader import TargetReader

KEEPING: Final = frozenset({"keep", "leave", "hold"})
HUNDRED: Final = Decimal(100)
SHARES: Final = {
    "half": Decimal("0.5"),
    "third_part": 1 / Decimal(3),
    "quarter": Decimal("0.25"),
}


class CloseReader(TargetReader):
    """Adds what ends a trade, in whole or in part."""

    def close(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        roles = self.clause.roles
        if handled & {"close", "cancel"} or "moment" in roles:
            return at + 1
        if item.role == "closed":
            return self._closed(at, handled)
        if self._is_price_label(item):
            return at + 1
        fraction, leg = self._fraction()
        is_part = (
            fraction is not None
            or leg is not None
            or bool(roles & {"part", "half", "layer", "third_part", "quarter"})
        )
        if item.role == "close" and "part_loose" in roles:
            is_part = True
        room = 3 if is_part or self.known.is_reply or roles & {"symbol", "position"} else 1
        if self.clause.unknown > room or (self._has_stop_first(at) and item.role == "close_loose"):
            return at + 1
        vague = bool(self.clause.unknown) or item.value in {"off", "secure", "lock"}
        if item.role == "close_loose" and not is_part and vague:
            return at + 1
        if item.role in {"half", "part"} and not self._is_closing(item):
            return at + 1
        if roles & {"pending", "limit", "stop_order"} and not is_part:
            handled.add("cancel")
            self._act(CancelPending(), item, ref=self._ref(everything="all" in roles))
            return at + 1
        if is_part and fraction is None and leg is None and self._is_locked_by_stop():
            return at + 1
        handled.add("close")
        if leg is not None:
            handled.add("leg")
        if is_part and fraction != 1:
            issues = (Issue.FRACTION_UNSTATED,) if fraction is None and leg is None else ()
            self._act(ClosePart(fraction=fraction, leg=leg), item, issues=issues)
            return at + 1
        named = self._named(at)
        if len(set(named)) > 1 or (named and len(named) < self._count("symbol")):
            for name in dict.fromkeys(named):
                self._act(Close(), item, ref=TradeRef(symbol=name))
            return at + 1
        everything = "all" in roles and not named and not self.symbols
        self._act(Close(), item, ref=self._ref(everything=everything, with_side=True))
        return at + 1

    def _is_price_label(self, item: Item) -> bool:
        """Tell whether "out: 1.3660" or "entry 2341 / exit 2355" names a price of a trade."""
        items = self.clause.items
        at = items.index(item) + 1
        has_colon = at < len(items) and items[at].role == "colon"
        number = items[at + has_colon] if at + has_colon < len(items) else None
        if number is None or number.role != NUM or number.unit or is_index(number):
            return False
        return has_colon or any(one.role == "entry" for one in items[:at])

    def _count(self, role: str) -> int:
        return sum(item.role == role for item in self.clause.items)

    def _named(self, at: int) -> list[str]:
        """Give the symbols of the clause without those that shall stay: "keep GBPUSD"."""
        named = []
        stays = False
        for item in self.clause.items:
            if item is self.seq[at] or item.role == "close":
                stays = False
            elif item.role in {"hold", "rest"} or item.value in KEEPING:
                stays = True
            elif item.role == "symbol" and not stays:
                named.append(item.value)
        return named

    def _is_locked_by_stop(self) -> bool:
        """Tell whether profits are locked by a stop in the same breath: "lock profits, SL 2350"."""
        roles = self.clause.roles
        return "stop" in roles and any(
            item.role == NUM and not item.unit and not is_index(item) for item in self.seq
        )

    def percent(self, at: int, handled: set[str]) -> int:
        """Read "take 70% profit": a share of the profit or the rest is a part to close."""
        item = self.seq[at]
        roles = self.clause.roles
        if item.unit != "percent" or "close" in handled or self.clause.unknown > 1:
            return at + 1
        if roles & {"close", "close_loose", "half", "part", "hit", "risk"}:
            return at + 1
        if "move" in roles and roles & {"profit", "rest", "position"}:
            fraction, _ = self._fraction()
            if fraction is not None and fraction < 1:
                handled.add("close")
                self._act(ClosePart(fraction=fraction), item)
        return at + 1

    def _has_stop_first(self, at: int) -> bool:
        return any(item.role in {"stop", "target"} for item in self.seq[:at])

    def _is_closing(self, item: Item) -> bool:
        """Tell whether "half" or "partials" is what to close and not a size or a report."""
        roles = self.clause.roles
        if roles & {"close", "close_loose"}:
            return True
        if item.role == "part":
            after = [other.role for other in self.seq if other.start > item.start]
            return self.clause.unknown <= 1 and "hit" not in after
        return bool(roles & {"move", "part", "profit", "position", "now"}) and (
            self.clause.unknown == 0
        )

    def _closed(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        roles = self.facts.roles
        if self.clause.roles & {"half", "part", "percent"} or "past" in self.facts.moods:
            self._report("tp", None, item)
            return at + 1
        if self._role(at + 1) in {"stop", "target"}:
            self._report("sl" if self._role(at + 1) == "stop" else "tp", None, item)
            return at + 2
        names = "symbol" in roles and bool(roles & set(SIDES))
        if (
            names or self.known.is_reply or not self.facts.items[1:]
        ) and self.clause.unknown <= COUPLE:
            handled.add("close")
            self._act(Close(), item, ref=self._ref(with_side=True))
        return at + 1

    def _fraction(self) -> tuple[Decimal | None, int | None]:
        roles = self.clause.roles
        numbers = [item for item in self.seq if item.role == NUM]
        for item in numbers:
            if item.unit == "percent":
                part = decimal_of(item) / HUNDRED
                if not 0 < part <= 1:
                    continue
                keeps = any(
                    other.role in {"hold", "rest", "move"}
                    and other.end <= item.start
                    and other.value in {"keep", "leave", "hold"}
                    for other in self.clause.items
                ) and not any(
                    other.role == "close" and other.end <= item.start for other in self.clause.items
                )
                return (1 - part if keeps else part), None
        for first, second in pairwise(numbers):
            one, two = decimal_of(first), decimal_of(second)
            if "lots" in {first.unit, second.unit} and 0 < one < two:
                return one / two, None
            between = self.facts.folded[first.end : second.start].strip()
            if between == "/" and 0 < one < two <= MAX_INDEX:
                return one / two, None
        for role, share in SHARES.items():
            if role in roles:
                return share, None
        for item, after in pairwise(self.seq):
            if item.role == "layer" and after.role == NUM and is_index(after):
                return None, int(after.value)
        for item in self.seq:
            leg = {"first": 1, "second": 2, "third": 3}.get(item.role)
            if leg is not None and roles & {"entry", "layer", "position", "limit"}:
                return None, leg
        return None, None

    def cancel(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        named = self.clause.roles & {"pending", "limit", "stop_order", "position", "symbol"}
        if handled & {"cancel", "removed"} or self.clause.unknown > (COUPLE if named else 1):
            return at + 1
        if self._role(at + 1) in {"stop", "target"}:
            return at + 1
        handled.add("cancel")
        roles = self.clause.roles
        everything = "all" in roles and "symbol" not in roles and not self.symbols
        self._act(CancelPending(), item, ref=self._ref(everything=everything))
        return at + 1

    def invalid(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        if handled & {"close", "cancel"} or self.clause.unknown > 1:
            return at + 1
        if any(isinstance(reading, FollowUp) for reading in self.readings):
            return at + 1
        if {"close", "cancel"} & self.facts.roles:
            return at + 1
        handled.add("close")
        if self.clause.roles & {"pending", "limit", "stop_order"}:
            self._act(CancelPending(), item)
        else:
            self._act(Close(), item, ref=self._ref(with_side=True))
        return at + 1
