"""What an opening text means when it answers an earlier signal."""

from dataclasses import replace

from signalfleet.domain.signals.edits import changes
from signalfleet.domain.signals.model import (
    Ambiguous,
    Doubt,
    FollowUp,
    Issue,
    MoveEntry,
    NotASignal,
    Parsed,
    ParseResult,
    Reason,
    Signal,
    SignalRef,
)


def as_reply(
    signals: tuple[Signal, ...], parents: tuple[Signal, ...], ref: SignalRef
) -> ParseResult:
    """Turn restated levels into changes, repeats into nothing and additions into openings."""
    if not parents:
        return Parsed(readings=signals)
    symbols = {parent.symbol for parent in parents}
    if any(signal.symbol not in symbols for signal in signals):
        return Ambiguous(reasons=(Doubt.SYMBOL_CONFLICT,), candidates=signals)
    readings: list[Signal | FollowUp] = []
    for signal in signals:
        parent = next(
            (one for one in parents if (one.symbol, one.side) == (signal.symbol, signal.side)), None
        )
        if parent is None:
            readings.append(signal)
        elif signal.is_addition:
            readings.append(_inheriting(signal, parent, ref))
        else:
            readings.extend(
                change
                for change in changes((parent,), (signal,))
                if not isinstance(change.action, MoveEntry)
            )
    if readings:
        return Parsed(readings=tuple(readings))
    return NotASignal(reasons=(Reason.REPEAT_OF_REPLIED,))


def _inheriting(signal: Signal, parent: Signal, ref: SignalRef) -> Signal:
    takes_stop = signal.stop is None and signal.stop_pips is None
    takes_targets = not (signal.targets or signal.target_pips)
    if not (takes_stop or takes_targets):
        return signal
    issues = tuple(issue for issue in signal.issues if issue is not Issue.STOP_MISSING)
    return replace(
        signal,
        stop=parent.stop if takes_stop else signal.stop,
        stop_pips=parent.stop_pips if takes_stop else signal.stop_pips,
        targets=parent.targets if takes_targets else signal.targets,
        target_pips=parent.target_pips if takes_targets else signal.target_pips,
        inherits=ref,
        issues=issues if takes_stop and parent.stop is not None else signal.issues,
        confidence=signal.confidence - 5,
    )
