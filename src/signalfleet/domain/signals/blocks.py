"""Group facts into blocks: one block is one idea with its levels, as far as the text shows it."""

from typing import Final

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.signals.facts import BREAK, NUM, SILENT, UNKNOWN, Facts, Item

MAX_INDEX: Final = 12
MAX_GAP_WORDS: Final = 5
SIDES: Final = {
    "buy": Side.BUY,
    "sell": Side.SELL,
    "buy_loose": Side.BUY,
    "sell_loose": Side.SELL,
}
LABELS: Final = {
    "stop": "sl",
    "target": "tp",
    "entry": "entry",
    "zone": "entry",
    "price_word": "entry",
    "lots": "lots",
    "risk": "risk",
    "leverage": "leverage",
    "ignore": "skip",
    "r_unit": "skip",
    "old": "skip",
    "pips": "skip",
    "current": "skip",
}
STOP_ORDER_WORDS: Final = frozenset({"stop", "стоп", "ستوب", "استاب", "استوب", "स्टॉप", "stopp"})
JOINERS: Final = frozenset({"dash", "slash", "until", "amp", "comma", "pipe"})
DEAD_UNITS: Final = frozenset(
    {"percent", "time", "other", "ordinal", "leverage", "lots", "r", "plus", "thousand"}
)
LINE_LABELS: Final = frozenset({"lots", "risk", "leverage", "skip"})
# Words after which a side is the name of a trade, not an order to open one.
TRADE_VERBS: Final = frozenset(
    {"close", "cancel", "closed", "modified", "hit", "hit_stop", "hit_even", "hold", "half", "part", "invalid", "rest"}
)
VETO_MOODS: Final = frozenset(
    {"negation", "past", "future", "conditional", "optional", "wish", "later", "question"}
)


class Level:
    """One written number (or an open target) with what led to it."""

    __slots__ = ("index", "item", "joiner", "leg")

    def __init__(self, item: Item | None, joiner: str, index: int = 0, leg: int = 0) -> None:
        self.item = item
        self.joiner = joiner
        self.index = index
        self.leg = leg


class Block:
    """The pieces of one idea, not yet judged."""

    __slots__ = (
        "entries",
        "flags",
        "half",
        "has_labelled_entry",
        "is_side_loose",
        "legs",
        "leverage",
        "lots",
        "other_side",
        "other_symbol",
        "relation",
        "result_marks",
        "risk",
        "side",
        "side_item",
        "stop_is_ticked",
        "stops",
        "symbol",
        "symbol_item",
        "target_r",
        "targets",
        "words_between",
    )

    def __init__(self) -> None:
        self.symbol: str | None = None
        self.symbol_item: Item | None = None
        self.side: Side | None = None
        self.side_item: Item | None = None
        self.is_side_loose = False
        self.entries: list[Level] = []
        self.stops: list[Level] = []
        self.targets: list[Level] = []
        self.target_r: list[Item] = []
        self.lots: list[Item] = []
        self.risk: Item | None = None
        self.leverage: Item | None = None
        self.flags: set[str] = set()
        self.relation = ""
        self.half = False
        self.legs = 0
        self.result_marks = 0
        self.stop_is_ticked = False
        self.has_labelled_entry = False
        self.other_side = False
        self.other_symbol: str | None = None
        self.words_between = 0

    @property
    def has_levels(self) -> bool:
        return bool(self.stops or self.targets)

    @property
    def has_numbers(self) -> bool:
        return bool(self.stops or self.targets or self.entries)


class BlockReader:
    """Walks the facts once, left to right."""

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

    def read(self) -> list[Block]:
        """Return the blocks that have a side; `vetoed` then says why others have none."""
        steps = _STEPS
        for at, item in enumerate(self.items):
            step = steps.get(item.role)
            if step is not None:
                step(self, at, item)
        self._finish_block()
        return self.blocks

    # Blocks

    def _finish_block(self) -> None:
        block = self.block
        if block.side is None and self.heading is not None and block.has_levels and block.symbol:
            block.side = self.heading
        if (
            block.side is None
            and self.default_side is not None
            and block.flags & {"again", "add"}
            and not self.facts.moods & VETO_MOODS
        ):
            block.side = self.default_side
        if block.side is not None:
            self.blocks.append(block)
        elif block.has_levels:
            self.vetoed_levels += 1

    def _new_block(self) -> Block:
        before = self.block
        self._finish_block()
        if before.side is not None and before.symbol is None and not before.has_numbers:
            self.heading = before.side
        self.block = Block()
        self.label = ""
        self.leg = 0
        self.loose = []
        return self.block

    def symbol(self, _at: int, item: Item) -> None:
        block = self.block
        if block.symbol is None:
            if block.side is not None and block.has_levels and not block.symbol:
                # A side and levels came before any name: the name belongs to them if it is near.
                if item.line - (block.side_item.line if block.side_item else 0) > 12:
                    return
            block.symbol, block.symbol_item = item.value, item
        elif block.symbol != item.value:
            if block.has_numbers and block.side is not None:
                block = self._new_block()
                block.symbol, block.symbol_item = item.value, item
            elif block.side is None or block.is_side_loose:
                if block.has_numbers or item.line != (block.symbol_item or item).line:
                    if block.side is not None and not block.has_numbers:
                        self.heading = block.side
                    block.symbol, block.symbol_item = item.value, item
                    block.other_symbol = None
                else:
                    block.other_symbol = item.value
            else:
                block.other_symbol = item.value
        elif block.has_levels and block.side is not None and self._side_follows(_at):
            block = self._new_block()
            block.symbol, block.symbol_item = item.value, item
        if self.label == "tp":
            self.label = ""

    def _side_follows(self, at: int) -> bool:
        for item in self.items[at + 1 : at + 6]:
            if item.role in SIDES:
                return True
            if item.role in {NUM, BREAK}:
                return False
        return False

    def side(self, at: int, item: Item) -> None:
        if self._is_no_instruction(at, item):
            self.dead_clause = item.clause
            return
        side = SIDES[item.role]
        is_loose = item.role.endswith("loose")
        block = self.block
        if block.side is None:
            self._take_side(block, item, side, is_loose=is_loose)
        elif block.has_levels:
            if is_loose:
                return
            symbol, symbol_item = block.symbol, block.symbol_item
            block = self._new_block()
            if not self._symbol_follows(at, item):
                block.symbol, block.symbol_item = symbol, symbol_item
            self._take_side(block, item, side, is_loose=False)
        elif block.side is side:
            if block.is_side_loose and not is_loose:
                self._take_side(block, item, side, is_loose=False)
            if not block.entries:
                self._set_label("entry", item, from_side=True)
            elif self.leg:
                self._set_label("entry", item, from_side=True)
        elif block.is_side_loose and not block.has_numbers:
            self._take_side(block, item, side, is_loose=is_loose)
        elif not is_loose:
            if block.entries and block.side_item and block.side_item.line != item.line:
                symbol, symbol_item = block.symbol, block.symbol_item
                block = self._new_block()
                if not self._symbol_follows(at, item):
                    block.symbol, block.symbol_item = symbol, symbol_item
                self._take_side(block, item, side, is_loose=False)
            else:
                block.other_side = True

    def _symbol_follows(self, at: int, side_item: Item) -> bool:
        for item in self.items[at + 1 : at + 8]:
            if item.role == "symbol":
                return True
            if item.role == NUM or item.line != side_item.line:
                return False
        return False

    def _take_side(self, block: Block, item: Item, side: Side, *, is_loose: bool) -> None:
        block.side = side
        block.side_item = item
        block.is_side_loose = is_loose
        loose = self.loose
        if (
            not block.entries
            and loose
            and loose[0].item is not None
            and loose[0].item.line == item.line
        ):
            block.entries.extend(loose)
            self.label = ""
        elif not block.entries:
            self._set_label("entry", item, from_side=True)

    def _is_no_instruction(self, at: int, item: Item) -> bool:
        """Tell whether the words around a side say that it is no order to open."""
        clause = self.facts.clauses[item.clause]
        found = clause.moods & VETO_MOODS
        if found:
            self.vetoed |= found
            return True
        if clause.asks:
            self.vetoed.add("question")
            return True
        if clause.roles & TRADE_VERBS:
            has_levels = "stop" in clause.roles or "target" in clause.roles
            for other in clause.items:
                if other.role in TRADE_VERBS and (other.start < item.start or not has_levels):
                    return True
        return False

    # Labels

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
        if item.role == "ignore" and self.label == "entry" and self.is_from_side is False:
            pass
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

    # Words that change how a block enters

    def now(self, _at: int, item: Item) -> None:
        if item.clause != self.dead_clause and self.label not in {"sl", "tp"}:
            self.block.flags.add("now")

    def flag(self, _at: int, item: Item) -> None:
        if item.clause == self.dead_clause:
            return
        if item.role == "opened":
            self.block.flags.add("now")
            self.block.flags.add("opened")
            return
        if item.role == "limit" and self.label in {"sl", "tp"} and not self.is_fresh:
            self.label = ""
        self.block.flags.add(item.role)
        if item.role in {"limit", "stop_order", "again", "add"} and not self.block.entries:
            self._set_label("entry", item, from_side=True)

    def relation(self, _at: int, item: Item) -> None:
        if self.label in {"", "entry"} and item.clause != self.dead_clause:
            if self.block.side is not None and not self.block.entries:
                self.block.relation = item.role
                if self.label == "":
                    self._set_label("entry", item, from_side=True)
        elif self.label in {"sl", "tp"}:
            self.gap = 0

    def leg_word(self, at: int, item: Item) -> None:
        if self.label == "tp" and (self.is_fresh or item.line == self.label_line):
            return
        nearby = self.items[at + 1 : at + 4]
        if any(other.role == "target" for other in nearby if other.line == item.line):
            return
        if any(
            other.role in SIDES or other.role in {"limit", "entry", "stop_order", "layer"}
            for other in nearby
            if other.line == item.line
        ):
            self.leg += 1
            self.block.legs = self.leg
            if self.leg > 1 and not self.block.has_levels:
                self._set_label("entry", item, from_side=True)

    def half_size(self, _at: int, _item: Item) -> None:
        self.block.half = True

    # Numbers

    def number(self, at: int, item: Item) -> None:
        if self.skip_bracket:
            return
        unit = item.unit
        if unit == "pips" and not self.is_fresh | (self.label in LINE_LABELS):
            self._pips_before_label(at, item)
            if self.taken is not None:
                return
        elif unit == "pips" and self.is_from_side:
            self._pips_before_label(at, item)
            return
        label = self.label
        if unit == "lots" or (label == "lots" and not unit and self.is_fresh):
            self.block.lots.append(item)
            if label == "lots":
                self.label = ""
            return
        if unit == "percent":
            if label == "risk" or self._risk_follows(at):
                self.block.risk = item
            return
        if unit == "leverage":
            self.block.leverage = item
            return
        if label == "leverage" and self.is_fresh:
            self.block.leverage = item
            self.label = ""
            return
        if unit == "r" and label == "tp":
            self.block.target_r.append(item)
            return
        if unit in DEAD_UNITS and unit != "thousand":
            return
        if label in LINE_LABELS or not label:
            if not label and not unit:
                self._keep_loose(item)
            return
        if item.clause == self.dead_clause:
            return
        if unit == "money" and self.is_fresh is False and label != "tp":
            return
        if self.is_list:
            # Only counted lines go on with a list of entries.
            if not self._take_index(at, item):
                self.is_list = False
                if not self.index:
                    self.label = ""
                    return
            else:
                return
        elif self._take_index(at, item):
            return
        self._place(item, unit)

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
        if item.unit or not item.value.isdigit() or len(item.value) > 2:
            return False
        if int(item.value) > MAX_INDEX or (self.index and self.is_fresh):
            return False
        if not self.is_fresh and not self._is_line_start(at):
            return False
        follow = at + 1
        size = len(self.items)
        while follow < size:
            other = self.items[follow]
            role = other.role
            if role == NUM:
                if other.unit in DEAD_UNITS and other.unit != "thousand":
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
            if role in {"buy", "sell", "symbol", "stop", "target"}:
                # "TP 1" with no price of its own names the target.
                self.index = int(item.value)
                return True
            follow += 1
        return item.is_glued or self.label == "tp"

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

    # Structure

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
        if item.role == "pipe":
            if not self.is_fresh and self.label in {"sl", "entry"}:
                self.label = ""
            elif self.label in LINE_LABELS:
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
            if not self.is_fresh or item.line > self.label_line:
                self.label = ""
            return
        if self.is_fresh:
            self.gap += 1
            if self.gap > MAX_GAP_WORDS:
                self.label = ""
        elif item.line == self.label_line or self.label == "tp":
            self.label = "" if self.label != "tp" or item.line != self.label_line else self.label
            self.block.words_between += 1

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
            first = next((other for other in self.items if other.line == line and other.role != BREAK), None)
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
            or not self._is_line_start(at)
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


_STEPS: Final = {
    "symbol": BlockReader.symbol,
    **dict.fromkeys(SIDES, BlockReader.side),
    "stop": BlockReader.stop,
    "target": BlockReader.target,
    **dict.fromkeys(
        (role for role in LABELS if role not in {"stop", "target"}), BlockReader.label_word
    ),
    "now": BlockReader.now,
    **dict.fromkeys(
        ("limit", "stop_order", "better", "again", "add", "same", "opened"), BlockReader.flag
    ),
    **dict.fromkeys(("above", "below", "breaks"), BlockReader.relation),
    **dict.fromkeys(("first", "second", "third", "layer"), BlockReader.leg_word),
    "at_word": BlockReader.at_word,
    "at": BlockReader.at_word,
    "half_size": BlockReader.half_size,
    NUM: BlockReader.number,
    "open_target": BlockReader.open_target,
    "hold": BlockReader.open_target,
    "trail": BlockReader.open_target,
    "none_word": BlockReader.none_word,
    "ask": BlockReader.ask,
    BREAK: BlockReader.line,
    **dict.fromkeys(JOINERS, BlockReader.join),
    "open_bracket": BlockReader.bracket,
    "close_bracket": BlockReader.bracket_end,
    UNKNOWN: BlockReader.unknown,
    "tick": BlockReader.tick,
    "cross": BlockReader.icon,
    "icon_stop": BlockReader.icon,
    "icon_target": BlockReader.icon,
    "hit": BlockReader.mark,
    "hit_stop": BlockReader.mark,
    "hit_even": BlockReader.mark,
}
