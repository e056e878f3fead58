"""A user's own rules for one channel: a pattern with named groups, and what a match means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Price
from signalfleet.domain.signals import text
from signalfleet.domain.signals.blocks import VETO_MOODS, Block, Level
from signalfleet.domain.signals.build import build_signals
from signalfleet.domain.signals.facts import NUM, Facts, Item
from signalfleet.domain.signals.finder import FactFinder
from signalfleet.domain.signals.levels import price_of
from signalfleet.domain.signals.model import (
    Action,
    BreakEven,
    CancelPending,
    Close,
    ClosePart,
    Doubt,
    FollowUp,
    Issue,
    MoveStop,
    SetTargets,
    Span,
    TradeRef,
)
from signalfleet.domain.signals.numbers import Band, amount
from signalfleet.domain.signals.opens import DEADLY_MOODS, Known, Opens

HUNDRED: Final = Decimal(100)
DOUBTFUL: Final = 60
MOODS: Final = VETO_MOODS | set(DEADLY_MOODS) | {"recap"}
TARGETS: Final = ("tp", *(f"tp{number}" for number in range(1, 13)))
GROUPS: Final = frozenset({"side", "symbol", "order", "entry", "sl", "percent", *TARGETS})
RANGE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternMatch:
    """Where a pattern holds; `groups` has the named groups that took part, as (start, end)."""

    start: int
    end: int
    groups: Mapping[str, tuple[int, int]] = field(default_factory=dict)


class Pattern(Protocol):
    """A compiled pattern; whoever calls the parser brings it."""

    @property
    def names(self) -> frozenset[str]:
        """Return the names of its groups."""
        ...

    def search(self, text: str, /) -> PatternMatch | None:
        """Return the first match; positions are code points of `text`."""
        ...


class RuleAction(StrEnum):
    OPEN = "open"
    BREAK_EVEN = "break_even"
    MOVE_STOP = "move_stop"
    SET_TARGETS = "set_targets"
    CLOSE = "close"
    CLOSE_PART = "close_part"
    CANCEL = "cancel"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a match of `pattern` means; `side` and `symbol` stand in for groups that are not there.

    Groups: side, symbol, order, entry, sl, tp, tp1 to tp12, percent. A group holds words and
    numbers as channels write them.
    """

    name: str
    pattern: Pattern
    action: RuleAction
    side: Side | None = None
    symbol: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a rule's match is read with."""

    finder: FactFinder
    bands: Mapping[str, Band | None]
    known: Known


def pattern_source(source: str) -> str:
    """Write a pattern's letters as folded messages have them; what steers the pattern stays."""
    return "".join(char if char.isascii() else _folded(char) for char in source)


def _folded(char: str) -> str:
    return "".join(
        piece if piece.isalnum() or piece.isspace() or not piece.isascii() else "\\" + piece
        for piece in text.fold(char)
    )


def ignores(rules: Sequence[Rule], folded: str) -> bool:
    """Tell whether the first rule that matches a text says to leave it alone."""
    for rule in rules:
        if rule.pattern.search(folded) is not None:
            return rule.action is RuleAction.IGNORE
    return False


def opens_by_rule(
    rules: Sequence[Rule], facts: Facts, around: Surroundings, places: Sequence[int]
) -> Opens | None:
    """Read an opening by the first rule that matches and has a side; None if there is none."""
    for rule in rules:
        if rule.action is not RuleAction.OPEN:
            continue
        match = rule.pattern.search(facts.folded)
        opens = _Match(rule, match, facts, around).opens(places) if match else None
        if opens is not None:
            return opens
    return None


def follow_up_by_rule(
    rules: Sequence[Rule], facts: Facts, around: Surroundings, places: Sequence[int]
) -> FollowUp | None:
    """Read a follow-up by the first rule that matches and has what its action needs."""
    for rule in rules:
        if rule.action in {RuleAction.OPEN, RuleAction.IGNORE}:
            continue
        match = rule.pattern.search(facts.folded)
        found = _Match(rule, match, facts, around).follow_up(places) if match else None
        if found is not None:
            return found
    return None


class _Match:
    """One match of one rule, with the facts of its groups."""

    def __init__(self, rule: Rule, match: PatternMatch, facts: Facts, around: Surroundings) -> None:
        self._rule = rule
        self._match = match
        self._facts = facts
        self._around = around
        self._known = around.known

    def opens(self, places: Sequence[int]) -> Opens | None:
        block = Block()
        block.side, block.side_item = self._side()
        if block.side is None:
            return None
        opens = Opens()
        block.symbol, block.symbol_item = self._symbol()
        if block.symbol is None:
            block.symbol = self._known.symbol
            if self._known.symbol is not None and not self._known.is_reply:
                block.flags.add("default_symbol")
        if block.symbol is None:
            opens.doubts.add(Doubt.NO_SYMBOL)
            return opens
        self._fill(block)
        band = self._around.bands.get(block.symbol)
        made = build_signals(block, band, self._known.anchors, places, 0)
        if isinstance(made, Doubt):
            opens.doubts.add(made)
            return opens
        # The words round the match may take it back; then a person decides.
        limit = DOUBTFUL if self._facts.moods & MOODS else 100
        for signal in made:
            opens.signals.append(replace(signal, confidence=min(signal.confidence, limit)))
        return opens

    def _fill(self, block: Block) -> None:
        entries = self._numbers("entry")
        joiner = "dash" if len(entries) == RANGE else "comma"
        block.entries = [Level(item, joiner if at else "") for at, item in enumerate(entries)]
        block.stops = [Level(item, "") for item in self._numbers("sl")[:1]]
        for name in TARGETS:
            numbers = self._numbers(name)
            block.targets += [Level(item, "comma" if at else "") for at, item in enumerate(numbers)]
            if not numbers and any(item.role == "open_target" for item in self._items(name)):
                block.targets.append(Level(None, ""))
        roles = {item.role for item in self._items("order")}
        block.flags |= roles & {"limit", "now", "stop_order"}
        if "stop" in roles:
            block.flags.add("stop_order")

    def follow_up(self, places: Sequence[int]) -> FollowUp | None:
        symbol, _ = self._symbol()
        if symbol is None and self._known.is_reply:
            symbol = self._known.symbol
        action = self._action(self._around.bands.get(symbol) if symbol else None)
        if action is None:
            return None
        side, _ = self._side()
        unstated = isinstance(action, ClosePart) and action.fraction is None
        start, end = self._match.start, self._match.end
        spans = (Span(field="rule", start=places[start], end=places[end - 1] + 1),)
        return FollowUp(
            action=action,
            target=TradeRef(symbol=symbol, side=side),
            issues=(Issue.FRACTION_UNSTATED,) if unstated else (),
            spans=spans if start < end else (),
            confidence=DOUBTFUL if self._facts.moods & MOODS else 100,
        )

    def _action(self, band: Band | None) -> Action | None:
        match self._rule.action:
            case RuleAction.BREAK_EVEN:
                return BreakEven(price=next(iter(self._prices("entry", band)), None))
            case RuleAction.MOVE_STOP:
                stop = next(iter(self._prices("sl", band)), None)
                return MoveStop(to=stop) if stop is not None else None
            case RuleAction.SET_TARGETS:
                targets = [price for name in TARGETS for price in self._prices(name, band)]
                return SetTargets(prices=tuple(targets)) if targets else None
            case RuleAction.CLOSE:
                return Close()
            case RuleAction.CANCEL:
                return CancelPending()
            case RuleAction.CLOSE_PART:
                return self._part()
            case _:
                return None

    def _part(self) -> Action:
        numbers = self._numbers("percent")
        share = amount(numbers[0].value) / HUNDRED if numbers else None
        if share is not None and share == 1:
            return Close()
        return ClosePart(fraction=share if share is not None and 0 < share < 1 else None)

    def _side(self) -> tuple[Side | None, Item | None]:
        for item in self._items("side"):
            if item.role in {"buy", "sell"}:
                return Side(item.role), item
        return (None if "side" in self._match.groups else self._rule.side), None

    def _symbol(self) -> tuple[str | None, Item | None]:
        for item in self._items("symbol"):
            if item.role == "symbol":
                return item.value, item
        return (None if "symbol" in self._match.groups else self._rule.symbol), None

    def _prices(self, name: str, band: Band | None) -> list[Price]:
        anchor = self._known.anchors[0] if self._known.anchors else None
        values = (price_of(item, band, anchor, 0) for item in self._numbers(name))
        return [Price(value) for value in values if value is not None and value > 0]

    def _numbers(self, name: str) -> list[Item]:
        return [item for item in self._items(name) if item.role == NUM]

    def _items(self, name: str) -> list[Item]:
        """Give the facts of a group's own text, at their places in the message."""
        span = self._match.groups.get(name)
        if span is None:
            return []
        start, end = span
        items = self._around.finder.find(self._facts.folded[start:end]).items
        for item in items:
            item.start, item.end = item.start + start, item.end + start
        return items
