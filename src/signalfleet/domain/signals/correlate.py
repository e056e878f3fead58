"""Which earlier signals of the same channel a follow-up speaks of."""

from collections.abc import Sequence
from dataclasses import replace
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
    Issue,
    KnownSignal,
    MoveEntry,
    MoveStop,
    MoveTarget,
    SetTargets,
    Signal,
    SignalRef,
)
from signalfleet.domain.signals.numbers import near

WINDOW: Final = timedelta(hours=12)
"""How old the newest signal may be for a follow-up that names nothing."""
WRONG_SIDED: Final = 45
"""The confidence of a signal with a level on the wrong side, at most."""


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


def has_size_of(follow_up: FollowUp, price: Price) -> bool:
    """Tell whether the levels of a follow-up may belong to an instrument at this price."""
    return all(near(level.value, price.value) for level in _levels(follow_up))


def restates(follow_up: FollowUp, known: KnownSignal) -> bool:
    """Tell whether a follow-up only names levels that the signal was entered with."""
    match follow_up.action:
        case MoveStop(to=Price() as price):
            return price == known.stop
        case MoveTarget(price=Price() as price):
            return price in known.targets
        case SetTargets(prices=prices):
            return prices == known.targets
        case _:
            return False


def completed_call(
    call: Signal, follow_ups: Sequence[FollowUp], source: SignalRef
) -> Signal | None:
    """Return a call with the levels that a later message brings; None while it has no stop.

    Only stop and targets are taken: a price or zone repeated there is no new entry.
    """
    stop, targets = call.stop, call.targets
    confidence = call.confidence
    for follow_up in follow_ups:
        match follow_up.action:
            case MoveStop(to=Price() as price):
                stop = price
            case SetTargets(prices=prices):
                targets = prices
            case MoveTarget(index=index, price=Price() as price):
                targets = _with_target(targets, index, price)
            case _:
                continue
        confidence = min(confidence, follow_up.confidence)
    if stop is None:
        return None
    left = tuple(issue for issue in call.issues if issue is not Issue.STOP_MISSING)
    wrong = _wrong_sides(call, stop, targets)
    return replace(
        call,
        stop=stop,
        targets=targets,
        inherits=source,
        issues=(*left, *(issue for issue in wrong if issue not in left)),
        confidence=min(confidence, WRONG_SIDED) if wrong else confidence,
    )


def _with_target(
    targets: tuple[Price | None, ...], index: int | None, price: Price
) -> tuple[Price | None, ...]:
    if index is None or index == len(targets) + 1:
        return (*targets, price)
    if 1 <= index <= len(targets):
        return (*targets[: index - 1], price, *targets[index:])
    return targets


def _wrong_sides(call: Signal, stop: Price, targets: tuple[Price | None, ...]) -> tuple[Issue, ...]:
    sign = call.side.sign
    named = [target for target in targets if target is not None]
    found = []
    low, high = (call.entry.low, call.entry.high) if call.entry is not None else (None, None)
    near, far = (low, high) if sign > 0 else (high, low)
    limit = near if near is not None else (named[0] if named else None)
    if limit is not None and (limit.value - stop.value) * sign <= 0:
        found.append(Issue.STOP_WRONG_SIDE)
    if far is not None and any((target.value - far.value) * sign <= 0 for target in named):
        found.append(Issue.TARGET_WRONG_SIDE)
    return tuple(found)
