"""Cut a clause of a follow-up where it speaks of another trade or goes on to something else."""

from typing import Final

from signalfleet.domain.signals.facts import MOOD_NAMES, Clause, Item

CUTS: Final = frozenset({"comma", "until", "amp", "pipe", "dash", "slash"})
ACTIONS: Final = frozenset(
    "stop target break_even close close_loose half part cancel trail hold remove".split()
)
ORDERS: Final = frozenset({"close", "cancel", "half", "part"})
QUIET: Final = frozenset({"filler", "symbol", "line", "colon", "dash", "bullet"})
# Words that give a reason or say what comes next; a condition would bind the whole clause.
LOOSE_MOODS: Final = frozenset({"news", "pre_alert", "past", "future"})


def parts_of(clause: Clause) -> list[Clause]:
    """Give the clause, or its parts if each can be read on its own."""
    names = {item.value for item in clause.items if item.role == "symbol"}
    if len(names) > 1:
        parts = _by_symbol(clause)
        if len(parts) > 1:
            return parts
    if clause.moods and clause.moods <= LOOSE_MOODS and not clause.asks:
        return _order_and_rest(clause)
    return [clause]


def starts_with_order(items: list[Item]) -> bool:
    """Tell whether the first word that says anything is an order to end a trade."""
    return next((item.role for item in items if item.role not in QUIET), "") in ORDERS


def _by_symbol(clause: Clause) -> list[Clause]:
    """Cut "gold SL to BE, EURUSD close" in two; the moods stay those of the whole."""
    pieces: list[list[Item]] = [[]]
    for item in clause.items:
        if item.role in CUTS:
            pieces.append([])
        pieces[-1].append(item)
    for at in range(len(pieces) - 1, 0, -1):
        if not _is_whole(pieces[at]):
            pieces[at - 1] += pieces.pop(at)
    if len(pieces) > 1 and not _is_whole(pieces[0]):
        pieces[:2] = [pieces[0] + pieces[1]]
    names = [next(item.value for item in piece if item.role == "symbol") for piece in pieces[1:]]
    first = {item.value for item in pieces[0] if item.role == "symbol"}
    if len(pieces) == 1 or len(first) > 1 or len(set(names)) < len(names):
        return [clause]
    return [Clause(piece, whole=clause) for piece in pieces]


def _is_whole(piece: list[Item]) -> bool:
    roles = {item.role for item in piece}
    return "symbol" in roles and bool(roles & ACTIONS)


def _order_and_rest(clause: Clause) -> list[Clause]:
    """Cut "close the trade, we will enter lower" or "NFP soon, close all" at its comma."""
    items = clause.items
    commas = [at for at, item in enumerate(items) if item.role == "comma"]
    if not commas:
        return [clause]
    head, tail = Clause(items[: commas[0]]), Clause(items[commas[0] :])
    if not head.moods and starts_with_order(head.items):
        return [head, tail]
    last = max(at for at, item in enumerate(items) if item.role in MOOD_NAMES)
    cut = next((at for at in commas if at > last), None)
    if cut is not None and "future" not in clause.moods and starts_with_order(items[cut + 1 :]):
        return [Clause(items[:cut]), Clause(items[cut:])]
    return [clause]
