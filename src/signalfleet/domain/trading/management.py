"""What an open trade needs from us now, by its care, its copy's trades and its own orders."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.money import Price
from signalfleet.domain.settings.choices import Trailing
from signalfleet.domain.settings.protection import BreakEvenMode
from signalfleet.domain.trading.care import Care
from signalfleet.domain.trading.intents import (
    CloseLeg,
    Intent,
    IntentState,
    OpenLeg,
    ProtectLeg,
    ReduceLeg,
    TargetStep,
)
from signalfleet.domain.trading.legs import target_of
from signalfleet.domain.trading.protect import Held, broker_stops, protect
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.timers import Duty

PAUSE: Final = timedelta(seconds=15)
"""Brokers count changes: a rule changes the stop of a leg at most once in this time."""
RULE: Final = "rule:"
UNDONE: Final = frozenset({IntentState.REJECTED, IntentState.EXPIRED, IntentState.CANCELLED})


def care_now(trade: Trade, copy: Sequence[Trade], intents: Sequence[Intent]) -> Care | None:
    """Return the care of a trade with the targets as they are now.

    The newest message that changed it counts; another leg's target is where that leg stands. What
    the broker took for the position counts among its costs.
    """
    care = care_as_told(intents)
    if care is None:
        return None
    for other in (*copy, trade):
        if len(copy) > 1 and other.state is not TradeState.NEVER_OPENED:
            care = care.with_target(target_of(other.leg), other.take_profit)
    return care.charged(trade.commission, trade.volume_open)


def care_as_told(intents: Sequence[Intent]) -> Care | None:
    """Return the care of the newest message that changed it, with the targets as they were then."""
    found = None
    for intent in sorted(intents, key=lambda one: one.created_at):
        match intent.command:
            case OpenLeg(care=Care() as care):
                found = care
            case ProtectLeg(care=Care() as care) if intent.state not in UNDONE:
                found = care
            case _:
                pass
    return found


def steps_now(entry: OpenLeg, intents: Sequence[Intent]) -> tuple[TargetStep, ...]:
    """Return the nearer targets of one position, as the newest message has them."""
    steps = entry.steps
    for intent in sorted(intents, key=lambda one: one.created_at):
        command = intent.command
        if isinstance(command, ProtectLeg) and command.steps is not None:
            steps = steps if intent.state in UNDONE else command.steps
    return steps


def reached_target(
    copy: Sequence[Trade],
    intents: Sequence[Intent],
    targets: Sequence[Price | None],
) -> int:
    """Return the highest target that was surely reached; prices between two looks are not seen."""
    numbers = [0]
    numbers += [
        target_of(other.leg)
        for other in copy
        if other.state is TradeState.CLOSED and other.close_reason == "take_profit"
    ]
    taken = [
        intent.command.remaining
        for intent in intents
        if isinstance(intent.command, ReduceLeg)
        and intent.cause.startswith(f"{RULE}target:")
        and intent.state is IntentState.ACCEPTED
    ]
    entry = next((i.command for i in intents if isinstance(i.command, OpenLeg)), None)
    if taken and entry is not None:
        prices = [s.price for s in steps_now(entry, intents) if s.remaining >= min(taken)]
        numbers += [n for n, price in enumerate(targets, start=1) if price in prices]
    return max(numbers)


def stands_still(intents: Sequence[Intent]) -> bool:
    """Tell whether nothing is under way that changes or ends the position."""
    changing = (i for i in intents if isinstance(i.command, ProtectLeg | CloseLeg))
    return all(intent.state.is_final for intent in changing)


def may_move(trade: Trade, care: Care) -> bool:
    """Tell whether any rule can act on the stop before the trade ends at its own target.

    One whose own target is the one that brings the stop to break-even ends there; it needs no
    price, and the broker's side need not be told anything.
    """
    own, when = trade.take_profit, care.break_even
    if care.armed is not None or care.trailing is not Trailing.OFF:
        return True
    if when.mode is not BreakEvenMode.AT_TARGET:
        return when.mode.is_automatic
    target = care.target(int(when.amount))
    return target is not None and (own is None or (own.value - target.value) * trade.side.sign > 0)


def too_old(trade: Trade, care: Care, now: datetime) -> Duty | None:
    """Close a trade that has lasted as long as the user lets it."""
    if care.max_hours is None or trade.opened_at is None:
        return None
    if now - trade.opened_at < timedelta(hours=float(care.max_hours)):
        return None
    text = f"it is open for {care.max_hours:f} hours"
    return Duty(rule="max_age", command=CloseLeg(), text=text)


def move_duty(
    trade: Trade,
    held: Held,
    quote: Quote,
    care: Care,
    instrument: Instrument,
    intents: Sequence[Intent],
    now: datetime,
) -> Duty | None:
    """Return the change of the stop that is due, if the last one is long enough ago."""
    if _moved_lately(intents, now) or _is_about_to_end(trade, quote, instrument):
        return None
    move = protect(held, quote, care, instrument, done=_done_rules(intents))
    if move is None:
        return None
    last = last_protect(intents)
    command = ProtectLeg(
        stop_loss=move.stop,
        take_profit=trade.take_profit,
        trailing=None if last is None else last.trailing,
        care=replace(care, armed=None) if care.armed == move.stop else None,
    )
    return Duty(rule=move.rule, command=command, text=move.text)


def ladder_duty(
    trade: Trade, held: Held, care: Care, instrument: Instrument, intents: Sequence[Intent]
) -> Duty | None:
    """Tell the broker's side what it may do while we are away, whenever it does not know it."""
    wanted = broker_stops(held, care, instrument)
    last = last_protect(intents)
    known = None if last is None else last.trailing
    if wanted == known:
        return None
    command = ProtectLeg(stop_loss=trade.stop_loss, take_profit=trade.take_profit, trailing=wanted)
    # What was refused is asked for again under the same name, ever more rarely.
    sent = sum(isinstance(i.command, ProtectLeg) and i.state not in UNDONE for i in intents)
    text = "the broker's side follows the price with the stop"
    return Duty(rule=f"broker_stops_{sent}", command=command, text=text)


def last_protect(intents: Sequence[Intent]) -> ProtectLeg | None:
    """Return the newest change of levels that was done, or may be."""
    found = None
    for intent in sorted(intents, key=lambda one: one.created_at):
        # What was so already was never sent, and changed nothing at the broker.
        was_sent = intent.sending_at is not None or not intent.state.is_final
        if isinstance(intent.command, ProtectLeg) and intent.state not in UNDONE and was_sent:
            found = intent.command
    return found


def _is_about_to_end(trade: Trade, quote: Quote, instrument: Instrument) -> bool:
    """Tell whether the broker has closed it at its target, or lets nobody change it any more."""
    if trade.take_profit is None:
        return False
    reach = instrument.freeze_level * instrument.point
    left = trade.take_profit.value - quote.to_close(trade.side).value
    return left * trade.side.sign <= reach


def _done_rules(intents: Sequence[Intent]) -> frozenset[str]:
    """Return the rules that have acted: each does so once, even if a message undid it since."""
    return frozenset(
        intent.cause.removeprefix(RULE).partition("#")[0]
        for intent in intents
        if intent.cause.startswith(RULE) and intent.state is IntentState.ACCEPTED
    )


def _moved_lately(intents: Sequence[Intent], now: datetime) -> bool:
    return any(
        isinstance(intent.command, ProtectLeg)
        and intent.cause.startswith(RULE)
        and now - (intent.settled_at or intent.created_at) < PAUSE
        for intent in intents
    )
