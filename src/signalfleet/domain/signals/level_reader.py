"""Reads labels and numbers: which level of a block a number is."""

from typing import Final

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.signals.blocks import (
    DEAD_UNITS,
    INDEX_DIGITS,
    JOINERS,
    LABELS,
    LINE_LABELS,
    MAX_GAP_WORDS,
    MAX_INDEX,
    STOP_ORDER_WORDS,
    Block,
    Level,
)
from signalfleet.domain.signals.facts import BREAK, NUM, SILENT, Facts, Item

SIZE_LABELS: Final = frozenset({"lots", "leverage"})
STRANGE_TO_LISTS: Final = frozenset("move modified position hold rest old profit run news".split())


class LevelReader:
    """The state of the walk over the facts, and what labels and numbers do to it."""

    def __init__(self, facts: Facts, default_side: Side | None = None) -> None:
        self.facts = facts
        self.items = facts.items
        self.blocks: list[Block] = []
        self.block = Block()
        self.label = ""
        self.label_line = 0
        self.is_fresh = False
        self.is_from_side = False
        self.index = 0
        self.joiner = ""
        self.gap = 0
        self.heading: Side | None = None
        self.vetoed: set[str] = set()
        self.vetoed_levels = 0
        self.skip_bracket = False
        self.leg = 0
        self.stray = 0
        self.dead_clause = -1
        self.is_list = False
        self.taken: Item | None = None
        self.loose: list[Level] = []
        self.default_side = default_side

    def _set_label(self, label: str, item: Item, *, from_side: bool = False) -> None:
        self.label = label
        self.is_list = False
        self.label_line = item.line
        self.is_fresh = True
        self.is_from_side = from_side
        self.index = 0
        self.gap = 0
        self.joiner = ""

    def stop(self, at: int, item: Item) -> None:
        if item is self.taken:
            self.label = ""
            return
        before = self.items[at - 1] if at else None
        if (
            before is not None
            and before.line == item.line
            and before.role in {"buy", "sell"}
            and item.value in STOP_ORDER_WORDS
            and self.block.side is not None
        ):
            self.block.flags.add("stop_order")
            self._set_label("entry", item, from_side=True)
            return
        if before is not None and before.role == "none_word" and before.line == item.line:
            self.label = ""
            return
        self._set_label("sl", item)

    def target(self, at: int, item: Item) -> None:
        if item is self.taken:
            self.label = ""
            return
        before = self.items[at - 1] if at else None
        if before is not None and before.role == "none_word" and before.line == item.line:
            self.label = ""
            return
        was_index = 0
        if (
            before is not None
            and before.role == NUM
            and before.line == item.line
            and self._is_line_start(at - 1)
            and before.value.isdigit()
            and int(before.value) <= MAX_INDEX
        ):
            was_index = int(before.value)
        self._set_label("tp", item)
        self.index = was_index

    def label_word(self, at: int, item: Item) -> None:
        label = LABELS[item.role]
        if item.role == "zone" and self.label == "entry":
            self.block.flags.add("zone")
            self.is_from_side = False
            return
        if label == "entry":
            if item.role == "zone":
                self.block.flags.add("zone")
            if self.label in {"sl", "tp"} and self.is_fresh and item.line == self.label_line:
                # "stop loss to entry": part of an instruction about a stop.
                self.block.flags.add("stop_to_entry")
        if label == "risk":
            before = self.items[at - 2] if at > 1 else None
            if before is not None and before.unit == "percent" and before.line == item.line:
                self.block.risk = before
        if item.role == "pips" and self.label:
            return
        self._set_label(label, item)

    def _is_line_start(self, at: int) -> bool:
        line = self.items[at].line
        for before in reversed(self.items[:at]):
            if before.line != line or before.role == BREAK:
                return True
            if before.role in SILENT or before.role in {"tick", "hash", "open_bracket", "dash"}:
                continue
            if before.role.startswith("icon") or before.role == "cross":
                continue
            return False
        return True

    def number(self, at: int, item: Item) -> None:
        """Give a number to the label that waits for it, or to nothing."""
        unit, label = item.unit, self.label
        if self.skip_bracket or (unit == "pips" and self._is_pips_of_next_label(at, item)):
            return
        if (unit or label in SIZE_LABELS) and self._is_size(at, item):
            return
        if unit == "r" and label == "tp":
            self.block.target_r.append(item)
        elif unit in DEAD_UNITS or item.clause == self.dead_clause:
            return
        elif not label:
            if not unit:
                self._keep_loose(item)
        elif (
            label in LINE_LABELS
            or (unit == "money" and not self.is_fresh and label != "tp")
            or (len(item.value) <= INDEX_DIGITS and self._take_index(at, item))
        ):
            return
        elif label == "tp" and not self.is_fresh and self._is_beside_the_list(at, item):
            self.label = ""
        elif self.is_list:
            # Only counted lines go on with a list of entries.
            self.is_list = False
            if self.index:
                self._place(item, unit)
            else:
                self.label = ""
        else:
            self._place(item, unit)

    def _is_pips_of_next_label(self, at: int, item: Item) -> bool:
        if not self.is_fresh and self.label not in LINE_LABELS:
            self._pips_before_label(at, item)
            return self.taken is not None
        if self.is_from_side:
            self._pips_before_label(at, item)
            return True
        return False

    def _is_size(self, at: int, item: Item) -> bool:
        """Keep lots, risk and leverage, which are no levels."""
        unit = item.unit
        waits = self.is_fresh and not unit
        if unit == "lots" or (self.label == "lots" and waits):
            self.block.lots.append(item)
            if self.label == "lots":
                self.label = ""
        elif unit == "percent":
            if self.label == "risk" or self._risk_follows(at):
                self.block.risk = item
        elif unit == "leverage" or (self.label == "leverage" and waits):
            self.block.leverage = item
            if self.label == "leverage":
                self.label = ""
        else:
            return False
        return True

    def _pips_before_label(self, at: int, item: Item) -> None:
        """Read "40 pips SL, 80 pips TP": the label follows its distance."""
        self.taken = None
        for number, other in enumerate(self.items[at + 1 : at + 4], at + 1):
            if other.role == "filler":
                continue
            if other.role not in {"stop", "target"} or other.line != item.line:
                return
            after = self.items[number + 1] if number + 1 < len(self.items) else None
            if after is not None and (after.role == NUM or after.role in SILENT):
                return
            self.taken = other
            level = Level(item, "", 0, self.leg)
            (self.block.stops if other.role == "stop" else self.block.targets).append(level)
            return

    def _keep_loose(self, item: Item) -> None:
        """Remember a price between a symbol and a side: "USDCHF 0.9221 sell"."""
        block = self.block
        if block.side is not None:
            return
        starts = block.symbol_item is not None and block.symbol_item.line == item.line
        if not starts and not block.flags & {"now", "limit", "stop_order"}:
            return
        if self.loose and self.loose[-1].item and self.loose[-1].item.line != item.line:
            self.loose = []
        self.loose.append(Level(item, self.joiner))
        self.joiner = ""

    def at_word(self, _at: int, item: Item) -> None:
        """Let "at" or "@" after a side lead to the entry, whatever label came before."""
        block = self.block
        if block.side is None or block.entries or item.clause == self.dead_clause:
            return
        if not self.label or self.label in LINE_LABELS:
            self._set_label("entry", item, from_side=True)

    def _risk_follows(self, at: int) -> bool:
        line = self.items[at].line
        return any(
            other.role == "risk" and other.line == line for other in self.items[at + 1 : at + 4]
        )

    def _take_index(self, at: int, item: Item) -> bool:
        """Tell whether a small number only counts the levels: "TP 1 4120", "2) 62000"."""
        if item.unit or not item.value.isdigit():
            return False
        if int(item.value) > MAX_INDEX or (self.index and self.is_fresh):
            return False
        if not self.is_fresh and not self._is_line_start(at):
            return self._counts_on(at, item)
        follow = at + 1
        size = len(self.items)
        while follow < size:
            other = self.items[follow]
            role = other.role
            if role == NUM:
                if other.unit in DEAD_UNITS:
                    follow += 1
                    continue
                self.index = int(item.value)
                return True
            if role in {"open_target", "none_word", "hold"} and self.label == "tp":
                self.index = int(item.value)
                return True
            if role == BREAK and other.line > item.line + 1:
                return False
            if role in {"comma", "slash", "amp", "until", "pipe"}:
                return False
            if self.label == "sl" and not item.is_glued and role in {"target", "symbol"}:
                return False
            if role in {"buy", "sell", "symbol", "stop", "target"}:
                # "TP 1" with no price of its own names the target.
                self.index = int(item.value)
                return True
            follow += 1
        return item.is_glued or self.label == "tp"

    def _is_beside_the_list(self, at: int, item: Item) -> bool:
        """Tell whether words lead to a number under a list of targets: "edit 74"."""
        targets = self.block.targets
        if not targets:
            return False
        last = targets[-1].item
        if last is None or last.line == item.line:
            return False
        for before in reversed(self.items[:at]):
            if before.line != item.line or before.role == BREAK:
                return False
            if before.role in STRANGE_TO_LISTS:
                return True
        return False

    def _counts_on(self, at: int, item: Item) -> bool:
        """Tell whether a digit amid a line goes on counting: "1) 3200 2) 3260"."""
        targets = self.block.targets
        last = targets[-1].index if self.label == "tp" and targets else 0
        if not last or int(item.value) != last + 1:
            return False
        for other in self.items[at + 1 : at + 4]:
            if other.role == NUM:
                if other.unit or other.line != item.line or len(other.value) <= INDEX_DIGITS:
                    return False
                self.index = last + 1
                return True
            if other.role not in SILENT and other.role not in {"close_bracket", "dash"}:
                return False
        return False

    def _place(self, item: Item, unit: str) -> None:
        block, label = self.block, self.label
        level = Level(item, self.joiner, self.index, self.leg)
        if label == "sl":
            block.stops.append(level)
        elif label == "tp":
            last = block.targets[-1] if block.targets else None
            if last is not None and last.item is None and last.joiner == "trail" and not self.index:
                block.targets.pop()
            block.targets.append(level)
        else:
            if unit in {"pips", "money"} and self.is_from_side:
                if unit == "money" and block.money_entry is None:
                    block.money_entry = item
                return
            block.entries.append(level)
            if not self.is_from_side:
                block.has_labelled_entry = True
        self.is_fresh = False
        self.index = 0
        self.joiner = ""
        self.gap = 0

    def open_target(self, _at: int, item: Item) -> None:
        if self.label != "tp" or (item.line != self.label_line and not self.is_fresh):
            return
        joiner = "trail" if item.value.startswith("trail") else self.joiner
        self.block.targets.append(Level(None, joiner, self.index, self.leg))
        self.is_fresh = False
        self.index = 0

    def none_word(self, _at: int, item: Item) -> None:
        if self.label in {"sl", "tp"} and self.is_fresh and item.line == self.label_line:
            self.label = ""

    def ask(self, _at: int, _item: Item) -> None:
        if self.is_fresh:
            self.label = ""

    def line(self, _at: int, item: Item) -> None:
        self.joiner = ""
        self.skip_bracket = False
        if self.label in LINE_LABELS and not (self.label == "lots" and self.is_fresh):
            self.label = ""
        elif self.is_fresh:
            if self.label == "sl" and item.line > self.label_line + 2:
                self.label = ""
        elif self.label == "entry" and self.block.entries and self.block.entries[-1].index:
            self.is_list = True
        elif self.label in {"sl", "entry"}:
            self.label = ""
            if self.leg and not self.block.has_levels:
                self._set_label("", item)

    def join(self, _at: int, item: Item) -> None:
        ends = self.label in LINE_LABELS or (not self.is_fresh and self.label in {"sl", "entry"})
        if item.role == "pipe" and ends:
            self.label = ""
        if item.role in JOINERS:
            self.joiner = item.role

    def bracket(self, _at: int, _item: Item) -> None:
        block = self.block
        if self.label == "tp" and block.targets and block.targets[-1].item is None:
            self.skip_bracket = True
        elif self.label == "tp" and not self.is_fresh:
            self.joiner = "bracket"

    def bracket_end(self, _at: int, _item: Item) -> None:
        self.skip_bracket = False

    def unknown(self, _at: int, item: Item) -> None:
        if not self.label:
            return
        if item.line != self.label_line and (not self.is_fresh or self.is_from_side):
            self.label = ""
            return
        if self.is_fresh:
            self.gap += 1
            if self.gap > MAX_GAP_WORDS:
                self.label = ""
        elif self.label != "tp":
            self.label = ""
