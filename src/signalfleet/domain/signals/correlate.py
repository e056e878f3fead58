"""Which earlier signals of the same channel a follow-up speaks of."""

from datetime import timedelta
from typing import Final

from signalfleet.domain.signals.model import (
    ChannelMessage,
    Close,
    CancelPending,
    Context,
    Doubt,
    FollowUp,
    KnownSignal,
)

WINDOW: Final = timedelta(hours=12)
"""How old the newest signal may be for a follow-up that names nothing."""


def find_targets(
    follow_up: FollowUp, message: ChannelMessage, context: Context, window: timedelta = WINDOW
) -> tuple[KnownSignal, ...] | str:
    """Return the signals that are meant, or the code that says why none can be told.

    First the replied message's own, then an edited message's own, then a named symbol, then the
    only open signal of the channel.
    """
    target = follow_up.target
    if target.everything:
        return tuple(signal for signal in context.recent if signal.is_open) or "no_open_trade"
    for parent in (context.replied, context.before_edit):
        if parent is None:
            continue
        own = tuple(s for s in context.recent if s.message == parent.message)
        if own:
            return _named(own, follow_up) or Doubt.SYMBOL_CONFLICT.value
    if context.before_edit is not None:
        return "no_open_trade"
    if target.symbol is not None:
        return _by_symbol(follow_up, context)
    live = [signal for signal in context.recent if signal.is_open]
    if not live:
        return "no_open_trade"
    if len(live) > 1:
        return Doubt.TARGET_TRADE_UNCLEAR.value
    if message.posted_at - live[0].opened_at > window:
        return Doubt.TARGET_TRADE_UNCLEAR.value
    return (live[0],)


def _named(
    signals: tuple[KnownSignal, ...], follow_up: FollowUp
) -> tuple[KnownSignal, ...]:
    target = follow_up.target
    return tuple(
        signal
        for signal in signals
        if target.symbol in (None, signal.symbol) and target.side in (None, signal.side)
    )


def _by_symbol(follow_up: FollowUp, context: Context) -> tuple[KnownSignal, ...] | str:
    live = tuple(s for s in _named(context.recent, follow_up) if s.is_open)
    if not live:
        return "no_open_trade"
    if isinstance(follow_up.action, Close | CancelPending):
        return live
    return live[:1]
