"""Move the targets of legs; where one position has several, also those that are ours to take."""

from collections.abc import Mapping
from dataclasses import replace

from signalfleet.domain.money import Price
from signalfleet.domain.trading.intents import CloseLeg, ProtectLeg, ReduceLeg, TargetStep
from signalfleet.domain.trading.leg_commands import (
    FollowUpPlan,
    FollowUpQuestion,
    LegCommand,
    LegNote,
    amend_levels,
    collect,
    command,
    frozen,
)
from signalfleet.domain.trading.legs import target_of
from signalfleet.domain.trading.records import Trade, TradeState


def one_target(
    question: FollowUpQuestion, index: int | None, price: Price | None
) -> dict[int, Price | None]:
    """Name one target; without a number it is the last one."""
    last = max((target_of(trade.leg) for trade in question.trades), default=1)
    return {index if index is not None else last: price}


def all_targets(
    question: FollowUpQuestion, prices: tuple[Price | None, ...]
) -> dict[int, Price | None]:
    """Name the targets of a whole list. An edit that lengthens or shortens it moves the last leg.

    There is no new leg for a new target, and a leg does not wait for one that is gone.
    """
    wanted = dict(enumerate(prices, start=1))
    last = max((target_of(trade.leg) for trade in question.trades), default=1)
    if question.is_edit and prices and last != len(prices):
        wanted[last] = prices[-1]
    return wanted


def move_targets(question: FollowUpQuestion, wanted: Mapping[int, Price | None]) -> FollowUpPlan:
    """Set targets by leg; a leg beyond the list keeps its own."""
    tick = question.instrument.tick_size
    rounded = {n: price.rounded(tick) if price else None for n, price in wanted.items()}
    found: list[LegCommand | LegNote] = []
    for trade in question.trades:
        if not trade.state.is_live:
            continue
        found += _nearer(question, trade, rounded)
        if target_of(trade.leg) in rounded:
            found.append(_set_target(question, trade, rounded[target_of(trade.leg)]))
    if not found:
        return FollowUpPlan(refusal="no_such_target")
    return collect(found)


def _nearer(
    question: FollowUpQuestion, trade: Trade, wanted: Mapping[int, Price | None]
) -> list[LegCommand | LegNote]:
    """Move the targets at which one position is reduced; one that is passed is taken at once."""
    steps = question.steps.get(trade.trade_id, ())
    care = question.care_of(trade)
    if trade.state is not TradeState.OPEN or not steps:
        return []
    numbers = {price: n for n, price in enumerate(care.targets, start=1)}
    moved: list[TargetStep] = []
    passed = None
    now = question.quote.to_close(trade.side)
    for step in steps:
        number = numbers.get(step.price)
        price = wanted.get(number) if number is not None else None
        if number is None or price is None or price == step.price:
            moved.append(step)
            continue
        care = care.with_target(number, price)
        moved.append(replace(step, price=price))
        is_passed = (now.value - price.value) * trade.side.sign >= 0
        if is_passed and step.remaining < trade.volume_open:
            passed = step.remaining
    if moved == list(steps):
        return []
    levels = ProtectLeg(
        stop_loss=trade.stop_loss, take_profit=trade.take_profit, care=care, steps=tuple(moved)
    )
    ahead = ", ".join(str(step.price) for step in moved)
    found: list[LegCommand | LegNote] = [command(trade, levels, f"earlier targets: {ahead}")]
    if passed is not None:
        text = f"a target is passed at {now}: keep {passed} lots"
        found.append(command(trade, ReduceLeg(remaining=passed), text))
    return found


def _set_target(
    question: FollowUpQuestion, trade: Trade, target: Price | None
) -> LegCommand | LegNote:
    if trade.take_profit == target:
        return LegNote(trade=trade, code="already_so", text=f"the target is {target}")
    change = f"move target: {trade.take_profit} to {target}"
    if trade.state is TradeState.PENDING:
        return amend_levels(question, trade, trade.stop_loss, target, change)
    now = question.quote.to_close(trade.side)
    if target is not None and (target.value - now.value) * trade.side.sign <= 0:
        return command(trade, CloseLeg(), f"target {target} is passed at {now}: close")
    inside = frozen(question, trade, now)
    if inside is not None:
        return inside
    levels = ProtectLeg(stop_loss=trade.stop_loss, take_profit=target)
    return command(trade, levels, change)
