"""What changed between two versions of a signal."""

from signalfleet.domain.signals.model import (
    Action,
    Doubt,
    FollowUp,
    MoveEntry,
    MoveStop,
    SetTargets,
    Signal,
    TradeRef,
)


def turned(before: tuple[Signal, ...], after: tuple[Signal, ...]) -> Doubt | None:
    """Tell whether an edit changed what is traded, or which way, and not only its levels."""
    left = list(before)
    fresh = []
    for signal in after:
        old = next(
            (one for one in left if one.symbol == signal.symbol and one.side is signal.side), None
        )
        if old is None:
            fresh.append(signal)
        else:
            left.remove(old)
    if not (left and fresh):
        return None
    symbols = {signal.symbol for signal in left}
    is_flipped = any(signal.symbol in symbols for signal in fresh)
    return Doubt.SIDE_FLIPPED if is_flipped else Doubt.SYMBOL_CONFLICT


def changes(before: tuple[Signal, ...], after: tuple[Signal, ...]) -> tuple[FollowUp, ...]:
    """Give the level changes that lead from one version to the other."""
    made: list[FollowUp] = []
    left = list(before)
    for signal in after:
        old = next(
            (one for one in left if one.symbol == signal.symbol and one.side is signal.side), None
        )
        if old is None:
            continue
        left.remove(old)
        actions: list[Action] = []
        if signal.stop is not None and signal.stop != old.stop:
            actions.append(MoveStop(to=signal.stop))
        if signal.targets and signal.targets != old.targets:
            actions.append(SetTargets(prices=signal.targets))
        if signal.entry is not None and old.entry is not None and signal.entry != old.entry:
            actions.append(MoveEntry(entry=signal.entry))
        made.extend(
            FollowUp(
                action=action,
                target=TradeRef(symbol=signal.symbol, side=signal.side),
                spans=signal.spans,
                confidence=signal.confidence,
            )
            for action in actions
        )
    return tuple(made)
