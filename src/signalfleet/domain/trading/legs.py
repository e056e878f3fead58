"""How a sized copy becomes orders: one for each target, or one where the broker nets positions."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

from signalfleet.domain.instruments.model import Instrument, Quote, Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.refusal import Check, Refusal, refused
from signalfleet.domain.risk.sizing import LegSize
from signalfleet.domain.trading.drafts import drafts_of, finished
from signalfleet.domain.trading.intents import TargetStep
from signalfleet.domain.trading.levels import Target

LEGS_A_LAYER: Final = 100
"""Leg 203 is for target 3 in the third layer of a zone; without layers a leg is its target."""


def target_of(leg: int) -> int:
    """Return the number of the target, as the channel counts, that a leg aims at."""
    return (leg - 1) % LEGS_A_LAYER + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LegDraft:
    """One order to be made; `steps` are nearer targets at which we reduce it ourselves."""

    number: int
    lots: Lots
    target: Price | None
    layer: int = 0
    steps: tuple[TargetStep, ...] = ()


_NewLeg = drafts_of(LegDraft)


def draft_legs(
    sizes: Sequence[LegSize], targets: Sequence[Target], *, nets: bool
) -> tuple[LegDraft, ...]:
    """Share the volumes over orders. The one order of a netting account bears the last target.

    It has the last target's number too: what is said of an earlier target is not done to it.
    """
    if not nets:
        return tuple(
            finished(
                LegDraft,
                _NewLeg(
                    number=one.layer * LEGS_A_LAYER + targets[one.slot].number,
                    lots=one.lots,
                    target=targets[one.slot].price,
                    layer=one.layer,
                ),
            )
            for one in sizes
        )
    left = sum((one.lots.value for one in sizes), Decimal(0))
    total, steps = Lots(left), []
    for one in sizes[:-1]:
        left -= one.lots.value
        price = targets[one.slot].price
        if price is not None:
            steps.append(TargetStep(price=price, remaining=Lots(left)))
    last = targets[sizes[-1].slot]
    draft = LegDraft(number=last.number, lots=total, target=last.price, steps=tuple(steps))
    return (draft,)


def too_many_lots(lots: Lots, most: Lots) -> Refusal:
    """Refuse a position that the broker takes in one order only, and not so large."""
    return refused(
        "over_max_lots",
        "lots in one order",
        str(lots),
        str(most),
        source="your broker",
        detail=f"{lots} lots in one order, the largest is {most}",
    )


def room(instrument: Instrument) -> Decimal:
    """Return how far from the price the broker wants a level to be at least."""
    return instrument.stops_level * instrument.point


def widened_stop(
    stop: Price, touching: Price, side: Side, instrument: Instrument, quote: Quote
) -> Price:
    """Return the stop moved away until the broker takes it, with a spread of room to move.

    A stop that is far enough stays. The volume must be sized again with what comes back.
    """
    needed = room(instrument)
    if abs(touching.value - stop.value) >= needed:
        return stop
    tick = instrument.tick_size
    ticks = ((needed + quote.spread) / tick).to_integral_value(ROUND_CEILING)
    value = touching.rounded(tick).value - ticks * tick * side.sign
    return Price(value) if value > 0 else stop


def room_checks(instrument: Instrument, distances: Sequence[Decimal]) -> tuple[Check, ...]:
    """See that no level is nearer to the price than the broker takes."""
    if not distances:
        return ()
    nearest, limit = min(distances), room(instrument)
    return (
        Check(
            name="distance to the nearest level",
            value=f"{nearest:f}",
            limit=f"{limit:f}",
            source="your broker",
            passed=nearest >= limit,
            code="stops_level",
        ),
    )
