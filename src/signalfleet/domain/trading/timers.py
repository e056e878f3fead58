"""What a trade needs from us by itself: when its order is over, and when a target is reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from signalfleet.domain.instruments.model import Quote
from signalfleet.domain.money import Price
from signalfleet.domain.trading.intents import (
    AmendLeg,
    CancelLeg,
    Command,
    Intent,
    IntentState,
    OpenLeg,
    ReduceLeg,
)
from signalfleet.domain.trading.records import Trade, TradeState

FIRST_RETRY: Final = timedelta(minutes=1)
LONGEST_RETRY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Something to be done to a trade now. `rule` names it and is the same each time it is due."""

    rule: str
    command: Command
    text: str


def needs_watching(trade: Trade, entry: OpenLeg, *, cancels_early: bool) -> bool:
    """Tell whether the trade's price or time must be looked at by us."""
    match trade.state:
        case TradeState.PENDING:
            return cancels_early or entry.expires_at is not None
        case TradeState.OPEN:
            return any(step.remaining < trade.volume_open for step in entry.steps)
        case _:
            return False


def expiry_of(trade: Trade, entry: OpenLeg, now: datetime) -> Duty | None:
    """Cancel an order whose time is over: not every broker keeps times, and none keeps ours."""
    if trade.state is not TradeState.PENDING or entry.expires_at is None or now < entry.expires_at:
        return None
    return Duty(rule="expiry", command=CancelLeg(), text="its time is over")


def passed_before_entry(
    trade: Trade, entry: OpenLeg, quote: Quote, *, is_amended: bool
) -> Duty | None:
    """Cancel an order that waits for an idea which has already worked out, or failed."""
    if trade.state is not TradeState.PENDING:
        return None
    sign = trade.side.sign
    now = quote.to_close(trade.side)
    first = trade.take_profit if is_amended else entry.first_target or trade.take_profit
    if first is not None and (now.value - first.value) * sign >= 0:
        text = f"the price reached the target {first} before the entry"
        return Duty(rule="target_first", command=CancelLeg(), text=text)
    stop = trade.stop_loss
    if stop is not None and (now.value - stop.value) * sign <= 0:
        text = f"the price passed the stop {stop} before the entry"
        return Duty(rule="stop_first", command=CancelLeg(), text=text)
    return None


def step_reached(trade: Trade, entry: OpenLeg, quote: Quote) -> Duty | None:
    """Take the part of an earlier target, where one position has several; the farthest counts."""
    if trade.state is not TradeState.OPEN:
        return None
    now = quote.to_close(trade.side)
    reached = [
        (number, step)
        for number, step in enumerate(entry.steps, start=1)
        if _is_reached(step.price, now, trade) and step.remaining < trade.volume_open
    ]
    if not reached:
        return None
    number, step = reached[-1]
    text = f"target {step.price} is reached at {now}: keep {step.remaining} lots"
    return Duty(rule=f"target:{number}", command=ReduceLeg(remaining=step.remaining), text=text)


def cause_of(duty: Duty, intents: Sequence[Intent], now: datetime) -> str | None:
    """Return the cause to act under; None while it is being done or was refused a moment ago.

    A request that was refused for good is made again later and later: the market may be closed.
    """
    prefix = f"rule:{duty.rule}"
    before = [i for i in intents if i.cause == prefix or i.cause.startswith(f"{prefix}#")]
    if not before:
        return prefix
    last = max(before, key=lambda intent: intent.created_at)
    if last.state is not IntentState.REJECTED or last.settled_at is None:
        return None
    pause = min(FIRST_RETRY * 2 ** min(len(before) - 1, 10), LONGEST_RETRY)
    return f"{prefix}#{len(before)}" if now - last.settled_at >= pause else None


def was_amended(intents: Sequence[Intent]) -> bool:
    """Tell whether the order was moved: what the entry said of targets holds no more."""
    return any(isinstance(intent.command, AmendLeg) for intent in intents)


def _is_reached(price: Price, now: Price, trade: Trade) -> bool:
    return (now.value - price.value) * trade.side.sign >= 0
