"""Close a part of a copy: told as what shall remain of each leg, so that a repeat does nothing."""

from collections.abc import Sequence
from decimal import Decimal

from signalfleet.domain.instruments.model import Instrument
from signalfleet.domain.money import Lots
from signalfleet.domain.trading.intents import CloseLeg, ReduceLeg
from signalfleet.domain.trading.leg_commands import (
    FollowUpPlan,
    FollowUpQuestion,
    LegCommand,
    command,
)
from signalfleet.domain.trading.legs import target_of
from signalfleet.domain.trading.records import Trade


def close_part(
    question: FollowUpQuestion,
    legs: Sequence[Trade],
    fraction: Decimal | None,
    number: int | None,
) -> FollowUpPlan:
    """Close whole legs nearest to their target first, then a part of the next one.

    What shall remain is rounded down to whole steps, but something stays open below 100 %.
    """
    if not legs:
        return FollowUpPlan(refusal="no_open_trade")
    if number is not None:
        chosen = [leg for leg in legs if target_of(leg.leg) == number]
        if not chosen:
            return FollowUpPlan(refusal="no_such_leg")
        return FollowUpPlan(commands=tuple(command(t, CloseLeg(), "close leg") for t in chosen))
    share = fraction if fraction is not None else question.rules.partial_default
    if share is None:
        return FollowUpPlan(refusal="fraction_unstated")
    if share >= 1:
        return FollowUpPlan(commands=tuple(command(t, CloseLeg(), "close") for t in legs))
    total = sum((leg.volume_open.value for leg in legs), Decimal(0))
    to_close = total - _keep(total * (1 - share), question.instrument)
    commands: list[LegCommand] = []
    for leg in sorted(legs, key=lambda item: item.leg):
        if to_close <= 0:
            break
        volume = leg.volume_open.value
        if volume <= to_close:
            commands.append(command(leg, CloseLeg(), f"close {volume} lots"))
            to_close -= volume
            continue
        # A broker refuses a part that is below its smallest order.
        part = max(to_close, question.instrument.min_lots.value)
        remaining = _keep(volume - part, question.instrument)
        if volume - remaining >= part:
            text = f"close {volume - remaining} of {volume} lots"
            commands.append(command(leg, ReduceLeg(remaining=Lots(remaining)), text))
        to_close = Decimal(0)
    if not commands:
        return FollowUpPlan(refusal="below_one_step")
    return FollowUpPlan(commands=tuple(commands))


def _keep(remaining: Decimal, instrument: Instrument) -> Decimal:
    """Return what stays open of a leg: whole steps, never less than the smallest order."""
    if remaining <= 0:
        return instrument.min_lots.value
    return max(Lots(remaining).floor_to(instrument.lot_step), instrument.min_lots).value
