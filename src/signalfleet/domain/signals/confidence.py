"""How sure a reading is: a score of evidence, not a probability."""

from collections.abc import Iterable
from typing import Final

from signalfleet.domain.signals.blocks import Block
from signalfleet.domain.signals.facts import UNKNOWN, Facts, Item
from signalfleet.domain.signals.model import Issue

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


def doubt_cost(facts: Facts, block: Block) -> int:
    """Tell how much less sure a signal of a block is by what its text leaves open."""
    levels = [*block.entries, *block.stops, *block.targets]
    numbers = [level.item for level in levels if level.item is not None]
    strays = [item for item in facts.numbers if not item.unit and item not in numbers]
    if not strays and UNKNOWN not in facts.roles:
        return 0
    names = [item for item in (block.side_item, block.symbol_item) if item is not None]
    return _unknown_cost(facts, names + numbers) + _stray_cost(strays, numbers, names)


def capped(score: int, issues: Iterable[Issue]) -> int:
    """Return a score, no higher than the issues of a signal allow."""
    for issue in issues:
        score -= COSTS.get(issue, 0)
    for issue in issues:
        score = min(score, CAPS.get(issue, score))
    return max(score, 0)


def _unknown_cost(facts: Facts, placed: list[Item]) -> int:
    clauses = {item.clause for item in placed}
    unknown = sum(facts.clauses[clause].unknown for clause in clauses)
    return min(unknown * UNKNOWN_COST, UNKNOWN_COST_MAX)


def _stray_cost(strays: list[Item], numbers: list[Item], names: list[Item]) -> int:
    """A price-like number that nothing explains may be the level that was meant."""
    if not strays or not numbers:
        return 0
    starts = [item.start for item in names + numbers]
    lines = {item.line for item in numbers}
    first, last = min(starts), max(starts)
    short = min(len(item.value) for item in numbers)
    cost = 0
    for item in strays:
        if len(item.value) <= SHORT_NUMBER or len(item.value) < short:
            continue
        inside = first < item.start < last and item.line in lines
        cost = max(cost, STRAY_COST if inside else STRAY_LINE_COST)
    return cost
