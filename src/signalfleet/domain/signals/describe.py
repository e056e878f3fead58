"""Say a reading in one line of plain words."""

from decimal import Decimal
from typing import assert_never

from signalfleet.domain.money import Price
from signalfleet.domain.signals.model import (
    Action,
    BreakEven,
    CancelPending,
    Close,
    ClosePart,
    EntryOffset,
    FollowUp,
    MoveEntry,
    MoveStop,
    MoveTarget,
    PriceRange,
    Reading,
    Report,
    SetTargets,
    Signal,
    StopPlace,
    TpRef,
    Trail,
)


def kind_of(reading: Reading) -> str:
    """Return the reading's kind in one word: open, break_even, modify, close, ..."""
    match reading:
        case Signal():
            return "open"
        case Report():
            return "report"
        case FollowUp(action=action):
            return _action_kind(action)
        case _:
            assert_never(reading)


def _action_kind(action: Action) -> str:
    match action:
        case BreakEven():
            return "break_even"
        case Close():
            return "close"
        case ClosePart():
            return "close_partial"
        case CancelPending():
            return "cancel"
        case MoveStop() | MoveTarget() | SetTargets() | MoveEntry():
            return "modify"
        case _:
            assert_never(action)


def describe(reading: Reading) -> str:
    match reading:
        case Signal():
            return _signal(reading)
        case FollowUp(action=action, target=target):
            scope = "everything" if target.everything else target.symbol
            return describe_action(action) + (f" ({scope})" if scope else "")
        case Report(what=what, index=index):
            return f"report: {what.upper()}{index if index is not None else ''}"
        case _:
            assert_never(reading)


def describe_action(action: Action) -> str:
    match action:
        case BreakEven(price=price):
            return f"stop to {price}" if price else "stop to break-even"
        case MoveStop(to=place):
            return f"stop to {_place(place)}"
        case MoveTarget(index=index, price=price):
            name = f"target {index}" if index is not None else "target"
            return f"{name} to {price}" if price else f"{name} removed"
        case SetTargets(prices=prices):
            return "targets " + ", ".join(_target(price) for price in prices)
        case MoveEntry(entry=entry):
            return f"entry to {_range(entry)}"
        case Close():
            return "close"
        case ClosePart(fraction=fraction, leg=leg):
            if leg is not None:
                return f"close leg {leg}"
            return f"close {_percent(fraction)}" if fraction is not None else "close a part"
        case CancelPending():
            return "cancel pending orders"
        case _:
            assert_never(action)


def _signal(signal: Signal) -> str:
    words = [signal.side.value, signal.symbol or "(no symbol)"]
    if signal.order is not None:
        words.append(signal.order.value)
    if signal.entry is not None:
        words.append(f"at {_range(signal.entry)}")
    if signal.stop is not None:
        words.append(f"stop {signal.stop}")
    elif signal.stop_pips is not None:
        words.append(f"stop {signal.stop_pips} pips")
    if signal.targets:
        words.append("targets " + ", ".join(_target(price) for price in signal.targets))
    elif signal.target_pips:
        words.append("targets " + ", ".join(f"{pips} pips" for pips in signal.target_pips))
    return " ".join(words)


def _place(place: StopPlace) -> str:
    match place:
        case Price():
            return str(place)
        case TpRef(index=index, price=price):
            return f"target {index}" + (f" ({price})" if price else "")
        case EntryOffset(pips=pips):
            return f"entry {pips:+} pips"
        case Trail(pips=pips):
            return f"trail {pips} pips" if pips is not None else "a trailing stop"


def _target(price: Price | None) -> str:
    return str(price) if price else "open"


def _range(prices: PriceRange) -> str:
    return str(prices.low) if prices.low == prices.high else f"{prices.low} to {prices.high}"


def _percent(fraction: Decimal) -> str:
    return f"{(fraction * 100).normalize():f} %"
