"""Reads what shall happen to the targets, and which of them were reached."""

from signalfleet.domain.signals.clause_reader import FEW, ORDINALS, VERBS, is_index
from signalfleet.domain.signals.facts import NUM, Item
from signalfleet.domain.signals.model import MoveTarget, SetTargets
from signalfleet.domain.signals.stop_reader import StopReader


class TargetReader(StopReader):
    """Adds targets; the levels of several lines become one change."""

    def target(self, at: int, handled: set[str]) -> int:
        item = self.seq[at]
        before = self._role(at - 1) if at else ""
        look = at + 1
        index = 0
        ordinal = ORDINALS
        if self._role(look) in ordinal:
            index = ordinal[self._role(look)]
            look += 1
        elif before in ordinal:
            index = ordinal[before]
        if before == "old":
            return self._past_numbers(look)
        number = self.seq[look] if self._role(look) == NUM else None
        if number is not None and is_index(number):
            after = self._next(look + 1, "until", "dash", "move", "now")
            follows = self._role(after) == NUM and not self.seq[after].unit
            if follows or number.is_glued or self._role(look + 1) != NUM:
                index = int(number.value)
                look += 1
        if before == "hit" or self._is_done(look):
            self._report("tp", index or None, item)
            return look + 1
        if self._is_taken_away(at, look):
            if self.clause.unknown <= FEW:
                self._act(MoveTarget(index=index or None, price=None), item)
                handled |= {"cancel", "removed"}
            return look + (self._role(look) == "remove")
        look = self._next(look, "until", "move", "dash", "now", "modified")
        took = False
        while look < len(self.seq):
            other = self.seq[look]
            if other.role == NUM:
                if not other.unit and self._may_take_target():
                    self._take_target(index, other)
                    took = True
                    index = 0
                look += 1
            elif other.role in {"slash", "dash", "amp", "until"}:
                look += 1
            else:
                break
        if took and self._role(look) == "tick" and not self.clause.roles & VERBS:
            # A price with a tick behind it is a target that was reached.
            self.targets = [one for one in self.targets if one[1].clause != item.clause]
            self._report("tp", index or None, item)
            return look + 1
        if not took and self._role(look) == "open_target" and self._may_take_target():
            self._act(MoveTarget(index=index or None, price=None), item)
            return look + 1
        return look

    def _is_taken_away(self, at: int, look: int) -> bool:
        before = self._role(at - 1) if at else ""
        if self._role(look) == "remove" and self._role(look + 1) != NUM:
            return True
        return before in {"remove", "cancel"} or (before == "move" and self._is_removed(at))

    def _is_removed(self, at: int) -> bool:
        return "off" in {item.value for item in self.clause.items} and self._role(at + 1) != NUM

    def _is_done(self, at: int) -> bool:
        """Tell whether the words after "TP2" say that it was reached."""
        for item in self.seq[at : at + 4]:
            if item.role == "hit":
                return True
            if item.role == "tick":
                return not (
                    at < len(self.seq)
                    and any(
                        other.role == NUM and not other.unit and not is_index(other)
                        for other in self.seq[at : at + 3]
                    )
                )
            if item.role not in {"plus", NUM, "dash", "amp", "all"}:
                return False
        return False

    def _may_take_target(self) -> bool:
        return self.may_act and self._is_clear()

    def _take_target(self, index: int, number: Item) -> None:
        if not self.targets:
            self.targets_at = len(self.readings)
        self.targets.append((index, number))

    def _flush_targets(self) -> None:
        prices = []
        sign = self.known.side.sign if self.known.side else 0
        for index, number in self.targets:
            price = self._price(number, sign)
            if price is not None:
                prices.append((index, price, number))
        if not prices:
            return
        items = [number for _, _, number in prices]
        self.may_act = True
        before = self.readings[self.targets_at :]
        del self.readings[self.targets_at :]
        if len(prices) == 1 and prices[0][0]:
            self._act(MoveTarget(index=prices[0][0], price=prices[0][1]), *items)
        else:
            self._act(SetTargets(prices=tuple(price for _, price, _ in prices)), *items)
        self.readings.extend(before)
