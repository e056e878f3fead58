"""Reads what shall happen to the stop and to the entry."""

from typing import Final

from signalfleet.domain.signals.clause_reader import (
    COUPLE,
    ORDINALS,
    VERBS,
    ClauseReader,
    decimal_of,
    is_index,
)
from signalfleet.domain.signals.facts import NUM, Item
from signalfleet.domain.signals.model import (
    BreakEven,
    EntryOffset,
    MoveEntry,
    MoveStop,
    PriceRange,
    TpRef,
    Trail,
)

NO_PRICE_UNITS: Final = frozenset(
    {"percent", "time", "other", "ordinal", "leverage", "lots", "r", "plus", "money", "pips"}
)


class StopReader(ClauseReader):
    """Adds stops, break-even, trailing and moved entries."""

    def stop(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        before = self._role(at - 1) if at else ""
        if before == "old":
            return self._past_numbers(at + 1)
        was_target = at > 1 and self._role(at - 2) in {"target", "num"}
        if (before == "hit" and not was_target) or self._role(at + 1) == "hit":
            self._report("be" if self._role(at + 2) == "break_even" else "sl", None, item)
            return at + 2
        if before in {"remove", "none_word"}:
            return at + 1
        look = self._next(at + 1, "until", "move", "now", "position", "dash", "slash", "stop")
        role = self._role(look)
        fits = self._is_clear()
        number = self._number_from(look + (role == "trail"), {"pips", ""})
        trails = role == "trail" or before == "trail"
        if (
            trails
            and role not in {"target", "entry", "break_even"}
            and (number is None or number.unit)
        ):
            if fits and "stop" not in handled:
                handled.add("stop")
                self._act(
                    MoveStop(to=Trail(pips=decimal_of(number) if number else None)),
                    *([number] if number else [item]),
                )
            return look + 2
        if role in {"break_even", "entry"}:
            return self._to_entry(look, item, handled, fits=fits)
        if role in ORDINALS and self._role(look + 1) == "target":
            return self._to_target(look + 1, item, handled, fits=fits, index=ORDINALS[role])
        if role == "target":
            return self._to_target(look, item, handled, fits=fits)
        number = self._number_from(look + (role == "trail"), {"", "thousand"})
        if number is not None and fits:
            price = self._price(number, -self.known.side.sign if self.known.side else 0)
            if price is not None and "stop" not in handled:
                handled.add("stop")
                self._act(MoveStop(to=price), number)
            return self.seq.index(number) + 1
        if number is None and fits and before in {"num", "until"} and self.has_verb:
            self._stop_after_number(at, handled)
        return at + 1

    def _stop_after_number(self, at: int, handled: set[str]) -> None:
        """Read "use 4057 as your SL"."""
        number = next((one for one in reversed(self.seq[:at]) if one.role == NUM), None)
        if number is None or number.unit or "stop" in handled:
            return
        price = self._price(number)
        if price is not None:
            handled.add("stop")
            self._act(MoveStop(to=price), number)

    def _to_entry(self, look: int, item: Item, handled: set[str], *, fits: bool) -> int:
        look_after = look + 1
        while self._role(look_after) in {"break_even", "entry", "slash", "move", "now", "until"}:
            look_after += 1
        number = None
        for other in self.seq[look_after : look_after + 2]:
            if other.role == NUM:
                number = other
                break
            if other.role not in {"plus", "at", "dash"}:
                break
        if not fits or handled & {"break_even", "stop"}:
            return look_after
        handled.add("break_even")
        if number is not None and number.unit in {"pips", "plus"}:
            self._act(MoveStop(to=EntryOffset(pips=decimal_of(number))), number)
        else:
            price = self._price(number) if number is not None and not number.unit else None
            self._act(BreakEven(price=price), item, *([number] if number and price else []))
        return look_after + (1 if number is not None else 0)

    def _to_target(
        self, look: int, item: Item, handled: set[str], *, fits: bool, index: int = 0
    ) -> int:
        after = self._next(look + 1, "first", "second", "third")
        index = index or ORDINALS.get(self._role(look + 1), 0)
        number = self.seq[after] if self._role(after) == NUM else None
        if number is not None and is_index(number):
            index = index or int(number.value)
            after += 1
            number = self.seq[after] if self._role(after) == NUM else None
        elif number is not None and not index:
            return look
        if not index and number is None and "move" not in self.clause.roles:
            return look
        if fits and "stop" not in handled:
            handled.add("stop")
            price = self._price(number) if number is not None and not number.unit else None
            known = self.known.targets
            if price is None and 0 <= (index or 1) - 1 < len(known):
                price = known[(index or 1) - 1]
            self._act(MoveStop(to=TpRef(index=index or 1, price=price)), item)
        return after

    def break_even(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        before = self._role(at - 1) if at else ""
        if before in {"hit", "closed"}:
            self._report("be", None, item)
            return at + 1
        if before == "close" and not self.clause.roles & {"part", "half"}:
            return at + 1
        roles = self.clause.roles
        is_rest = before == "rest" and "percent" in roles
        if "close" in roles and not is_rest and not roles & {"part", "half", "stop", "move"}:
            return at + 1
        if "break_even" in handled or "stop" in handled or "leg" in handled:
            return at + 1
        look = self._next(at + 1, "until", "plus")
        number = self.seq[look] if self._role(look) == NUM else None
        if self._role(look) == "stop":
            # In "risk free: SL 4524" the level is the instruction.
            after = self._next(look + 1, "until", "move", "now")
            if self._role(after) == NUM:
                return at + 1
        room = COUPLE if roles & VERBS or roles & {"stop", "part", "half"} else 1
        if self.clause.unknown > room or "r_unit" in roles:
            return at + 1
        if self._role(look) == "hit":
            self._report("be", None, item)
            return look + 1
        handled.add("break_even")
        if number is not None and not number.unit:
            price = self._price(number)
            if price is not None:
                self._act(MoveStop(to=price), number)
                return look + 1
        if number is not None and number.unit in {"pips", "plus"} and self.clause.roles & VERBS:
            self._act(MoveStop(to=EntryOffset(pips=decimal_of(number))), number)
            return look + 1
        self._act(BreakEven(), item)
        return look

    def trail(self, at: int, handled: set[str]) -> int:
        if "stop" in handled or self.clause.unknown > COUPLE:
            return at + 1
        look = self._next(at + 1, "until", "move", "position")
        role = self._role(look)
        if role == "stop":
            return at + 1
        if role == "target":
            return self._to_target(look, self.seq[at], handled, fits=self._is_clear())
        if role in {"break_even", "entry"}:
            return self._to_entry(look, self.seq[at], handled, fits=self._is_clear())
        number = self._number_from(look, {"pips", ""})
        if number is None:
            return at + 1
        handled.add("stop")
        if number.unit == "pips":
            self._act(MoveStop(to=Trail(pips=decimal_of(number))), number)
        else:
            price = self._price(number)
            if price is not None:
                self._act(MoveStop(to=price), number)
        return self.seq.index(number) + 1 if number in self.seq else at + 1

    def entry(self, at: int, handled: set[str]) -> int:
        if "move" not in self.clause.roles or handled & {"stop", "break_even", "close"}:
            return at + 1
        if self.clause.roles & {"stop", "target", "close", "break_even"}:
            return at + 1
        numbers = [
            other
            for other in self.seq[at + 1 :]
            if other.role == NUM and other.unit not in NO_PRICE_UNITS and other.unit != "pips"
        ][:2]
        prices = [price for number in numbers if (price := self._price(number)) is not None]
        if prices and self.clause.unknown <= COUPLE:
            self._act(MoveEntry(entry=PriceRange.of(prices[0], prices[-1])), *numbers)
            return len(self.seq)
        return at + 1
