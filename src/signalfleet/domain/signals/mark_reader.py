"""Reads ticks, crosses and other icons: results, or labels that are not written out."""

from signalfleet.domain.signals.facts import BREAK, NUM, Item
from signalfleet.domain.signals.level_reader import LevelReader


class MarkReader(LevelReader):
    """Adds to the walk what icons mean."""

    def mark(self, at: int, item: Item) -> None:
        """A tick after a level tells a result; before a level it is decoration."""
        if item.role.startswith("hit"):
            if self.label in {"tp", "sl"} and not self.is_fresh:
                self.block.result_marks += 1
            elif self.label in {"tp", "sl"}:
                self.block.result_marks += 1
                self.label = ""
            return
        if self.is_fresh or self.label not in {"tp", ""} or not self.block.has_levels:
            return
        line = item.line
        index = at - 1
        while index >= 0 and self.items[index].line == line:
            role = self.items[index].role
            if role in {"tick", "filler", "plus", "close_bracket", "cross"}:
                index -= 1
                continue
            break
        if index < 0 or self.items[index].line != line or self.items[index].role != NUM:
            return
        follow = self.items[at + 1] if at + 1 < len(self.items) else None
        ends = follow is None or follow.line != line or follow.role in {BREAK, "tick"}
        if not ends:
            first = next(
                (other for other in self.items if other.line == line and other.role != BREAK), None
            )
            ends = first is None or first.role != "tick"
        if ends:
            if self._line_label(index) == "stop":
                self.block.stop_is_ticked = True
            elif self._line_label(index) == "target" or self.label == "tp":
                self.block.result_marks += 1

    def icon(self, at: int, item: Item) -> None:
        """Let an icon before a lone price stand for the label that is missing."""
        block = self.block
        follow = self.items[at + 1] if at + 1 < len(self.items) else None
        if (
            block.side is None
            or follow is None
            or follow.role != NUM
            or follow.unit
            or follow.line != item.line
            or not (self._is_line_start(at) or self._is_between_prices(at))
            or (self.label == "tp" and item.role in {"tick", "icon_target"})
            or (self.label and self.is_fresh and not self.is_from_side)
        ):
            return
        if item.role in {"cross", "icon_stop"} and not block.stops:
            self._set_label("sl", item)
            block.flags.add("icon_labels")
        elif item.role in {"tick", "icon_target"}:
            self._set_label("tp", item)
            block.flags.add("icon_labels")

    def _is_between_prices(self, at: int) -> bool:
        """Tell whether the icon parts two prices of one line: "1.0820, stop sign, 1.0790"."""
        before = self.items[at - 1] if at else None
        item = self.items[at]
        return (
            item.role in {"cross", "icon_stop", "icon_target"}
            and before is not None
            and before.role == NUM
            and not before.unit
            and before.line == item.line
        )

    def tick(self, at: int, item: Item) -> None:
        self.mark(at, item)
        self.icon(at, item)

    def _line_label(self, at: int) -> str:
        line = self.items[at].line
        for before in reversed(self.items[:at]):
            if before.line != line:
                return ""
            if before.role in {"stop", "target", "entry"}:
                return before.role
        return ""
