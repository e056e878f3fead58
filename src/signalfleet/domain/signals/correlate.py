"""Which earlier signals of the same channel a follow-up speaks of."""

from datetime import timedelta
from typing import Final

from signalfleet.domain.money import Price
from signalfleet.domain.signals.model import (
    BreakEven,
    CancelPending,
    ChannelMessage,
    Close,
    Context,
    Doubt,
    FollowUp,
    KnownSignal,
    MoveEntry,
    MoveStop,
    MoveTarget,
    SetTargets,
)
from signalfleet.domain.signals.numbers import near

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
            named = _named(own, follow_up)
            if named and _reaches_beyond(named, follow_up):
                return _by_symbol(follow_up, context)
            return named or Doubt.SYMBOL_CONFLICT.value
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
    if not _fits(live[0], follow_up):
        return Doubt.TARGET_TRADE_UNCLEAR.value
    return (live[0],)


def _reaches_beyond(own: tuple[KnownSignal, ...], follow_up: FollowUp) -> bool:
    """Tell whether "close gold" under a signal that is not open means the others in gold."""
    ends = isinstance(follow_up.action, Close | CancelPending)
    return ends and follow_up.target.symbol is not None and not any(s.is_open for s in own)


def _fits(signal: KnownSignal, follow_up: FollowUp) -> bool:
    """Tell whether the levels of a follow-up have the size of the signal's own."""
    own = [price for price in (signal.stop, *signal.targets) if price is not None]
    if signal.entry is not None:
        own.append(signal.entry.low)
    return not own or all(near(level.value, own[0].value) for level in _levels(follow_up))


def _levels(follow_up: FollowUp) -> tuple[Price, ...]:
    match follow_up.action:
        case MoveStop(to=Price() as price) | BreakEven(price=Price() as price):
            return (price,)
        case MoveTarget(price=Price() as price):
            return (price,)
        case SetTargets(prices=prices):
            return tuple(price for price in prices if price is not None)
        case MoveEntry(entry=entry):
            return (entry.low, entry.high)
        case _:
            return ()


def _named(signals: tuple[KnownSignal, ...], follow_up: FollowUp) -> tuple[KnownSignal, ...]:
    target = follow_up.target
    return tuple(
        signal
        for signal in signals
        if target.symbol in (None, signal.symbol)
        and target.side in (None, signal.side)
        and _fits(signal, follow_up)
    )


def _by_symbol(follow_up: FollowUp, context: Context) -> tuple[KnownSignal, ...] | str:
    live = tuple(s for s in _named(context.recent, follow_up) if s.is_open)
    if not live:
        return "no_open_trade"
    if isinstance(follow_up.action, Close | CancelPending):
        return live
    return live[:1]
