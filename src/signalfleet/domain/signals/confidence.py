"""How sure a reading is: a score of evidence, not a probability."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from signalfleet.domain.signals.blocks import Block
from signalfleet.domain.signals.facts import NUM, Facts, Item
from signalfleet.domain.signals.model import Issue, Signal

UNKNOWN_COST: Final = 3
UNKNOWN_COST_MAX: Final = 30
STRAY_COST: Final = 25
STRAY_LINE_COST: Final = 5
SHORT_NUMBER: Final = 2
COSTS: Final = {Issue.DEFAULT_SYMBOL: 10, Issue.TYPO_SYMBOL: 15}
CAPS: Final = {
    Issue.TARGETS_UNORDERED: 60,
    Issue.FAR_FROM_ENTRY: 60,
    Issue.BARE_ENTRY_LIST: 60,
    Issue.STOP_WRONG_SIDE: 45,
    Issue.TARGET_WRONG_SIDE: 45,
}


def weigh(signal: Signal, facts: Facts, block: Block) -> Signal:
    """Lower the confidence of a signal by what its text leaves open."""
    placed = [item for item in _placed(block) if item is not None]
    score = signal.confidence - _unknown_cost(facts, placed) - _stray_cost(facts, placed)
    return capped(signal, score)


def capped(signal: Signal, score: int) -> Signal:
    """Give a signal its score, no higher than its issues allow."""
    score -= sum(COSTS.get(issue, 0) for issue in signal.issues)
    score = min([score, *(CAPS[issue] for issue in signal.issues if issue in CAPS)])
    return replace(signal, confidence=max(score, 0)) if score != signal.confidence else signal


def _placed(block: Block) -> Iterable[Item | None]:
    yield block.side_item
    yield block.symbol_item
    for level in (*block.entries, *block.stops, *block.targets):
        yield level.item


def _unknown_cost(facts: Facts, placed: list[Item]) -> int:
    clauses = {item.clause for item in placed}
    unknown = sum(facts.clauses[clause].unknown for clause in clauses)
    return min(unknown * UNKNOWN_COST, UNKNOWN_COST_MAX)


def _stray_cost(facts: Facts, placed: list[Item]) -> int:
    """A price-like number that nothing explains may be the level that was meant."""
    numbers = [item for item in placed if item.role == NUM]
    if not numbers:
        return 0
    starts = {item.start for item in placed}
    lines = {item.line for item in numbers}
    first, last = min(starts), max(starts)
    short = min(len(item.value) for item in numbers)
    cost = 0
    for item in facts.items:
        if item.role != NUM or item.unit or item.start in starts:
            continue
        if len(item.value) <= SHORT_NUMBER or len(item.value) < short:
            continue
        inside = first < item.start < last and item.line in lines
        cost = max(cost, STRAY_COST if inside else STRAY_LINE_COST)
    return cost
