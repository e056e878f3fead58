"""Reads symbols, sides and order words: where a block starts and what it wants."""

from collections.abc import Callable
from typing import Final

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.signals.blocks import (
    JOINERS,
    LABELS,
    SIDES,
    TRADE_VERBS,
    VETO_MOODS,
    Block,
)
from signalfleet.domain.signals.facts import BREAK, NUM, UNKNOWN, Item
from signalfleet.domain.signals.mark_reader import MarkReader

FAR_LINES: Final = 12


class BlockReader(MarkReader):
    """Walks the facts once, left to right."""

    def read(self) -> list[Block]:
        """Return the blocks that have a side; `vetoed` then says why others have none."""
        steps = _STEPS
        for at, item in enumerate(self.items):
            step = steps.get(item.role)
            if step is not None:
                step(self, at, item)
        self._finish_block()
        return self.blocks

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
            start = block.side_item.line if block.side_item else item.line
            if block.has_levels and item.line - start > FAR_LINES:
                # A name far below a side and its levels belongs to something else.
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
        if self._is_no_instruction(item):
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
            if self._is_next_order(at, item):
                self.leg = max(self.leg, 1) + 1
                block.legs = self.leg
            if not block.entries or self.leg:
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

    def _is_next_order(self, at: int, item: Item) -> bool:
        """Tell whether "sell limit 2372" under "sell limit 2368" is the next pending order."""
        block = self.block
        if not block.entries or self.leg or block.has_levels:
            return False
        last = block.entries[-1].item
        if last is None or last.line == item.line:
            return False
        pending = ""
        for other in self.items[at + 1 : at + 5]:
            if other.line != item.line:
                break
            if other.role in block.flags and other.role in {"limit", "stop_order"}:
                pending = other.role
            elif other.role == NUM:
                return bool(pending) and other.value != last.value
        return False

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

    def _is_no_instruction(self, item: Item) -> bool:
        """Tell whether the words around a side say that it is no order to open."""
        clause = self.facts.clauses[item.clause]
        roles = clause.roles
        found = roles & VETO_MOODS
        if found:
            self.vetoed |= found
            return True
        if "ask" in roles:
            self.vetoed.add("question")
            return True
        if "none_word" in roles and self._is_put_off(clause.items, item):
            self.vetoed.add("later")
            return True
        if not roles.isdisjoint(TRADE_VERBS):
            has_stop = "stop" in roles
            has_levels = has_stop or "target" in roles
            for other in clause.items:
                if other.role not in TRADE_VERBS:
                    continue
                # A target that was hit is no level of a new trade.
                keeps = has_stop if other.role.startswith("hit") else has_levels
                if other.start < item.start or not keeps:
                    return True
        return False

    def _is_put_off(self, items: list[Item], side: Item) -> bool:
        """Tell whether "later", "soon" or "no" before a side is said of the side itself."""
        for at, item in enumerate(items):
            if item.start >= side.start:
                return False
            if item.role == "none_word":
                near = items[max(0, at - 1)].role, items[min(len(items) - 1, at + 1)].role
                if not {"stop", "target", "levels_word"} & set(near):
                    return True
        return False

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


_STEPS: Final[dict[str, Callable[[BlockReader, int, Item], None]]] = {
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
