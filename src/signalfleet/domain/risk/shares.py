"""Share whole steps of volume over layers and targets; fewer come back where there are too few."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from typing import Final

from signalfleet.domain.instruments.model import Instrument
from signalfleet.domain.settings.choices import FewLotsOrder
from signalfleet.domain.settings.kinds import FewLots

HUNDRED: Final = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grain:
    """An instrument's volumes in whole steps: the smallest and the largest order."""

    step: Decimal
    least: int
    most: int

    @classmethod
    def of(cls, instrument: Instrument) -> "Grain":
        step = instrument.lot_step
        return cls(
            step=step,
            least=max(1, int((instrument.min_lots.value / step).to_integral_value(ROUND_CEILING))),
            most=int((instrument.max_lots.value / step).to_integral_value(ROUND_DOWN)),
        )


def layer_shares(weights: str | Sequence[Decimal], count: int) -> tuple[Decimal, ...]:
    """Return what each of `count` layers gets of the whole, the nearest first; they sum to 1."""
    if isinstance(weights, str):
        match weights:
            case "decreasing":
                raw = [Decimal(2 ** (count - 1 - index)) for index in range(count)]
            case "increasing":
                raw = [Decimal(2**index) for index in range(count)]
            case _:
                raw = [Decimal(1)] * count
    else:
        raw = [*weights[:count], *([Decimal(0)] * (count - len(weights)))]
    total = sum(raw)
    if total <= 0:
        return tuple(Decimal(1) / count for _ in range(count))
    return tuple(share / total for share in raw)


def largest_remainders(steps: int, weights: Sequence[Decimal]) -> list[int]:
    """Share steps by weight, what is left to the largest remainders, the first ones at a draw."""
    total = sum(weights)
    exact = [steps * weight / total for weight in weights]
    shares = [int(share) for share in exact]
    left = steps - sum(shares)
    order = sorted(range(len(exact)), key=lambda index: (shares[index] - exact[index], index))
    for index in order[:left]:
        shares[index] += 1
    return shares


def share_over(steps: int, weights: Sequence[Decimal], least: int, few: FewLots) -> list[int]:
    """Share steps over slots so that each slot has none or at least the smallest order.

    Where the steps do not suffice for all, `few` says which slots are kept.
    """
    wanted = [index for index, weight in enumerate(weights) if weight > 0]
    kept = wanted
    if steps < least * len(wanted):
        kept = _kept(wanted, steps // least, few)
    shares = [0] * len(weights)
    fixed: set[int] = set()
    while kept:
        free = [index for index in kept if index not in fixed]
        rest = steps - least * len(fixed)
        found = largest_remainders(rest, [weights[index] for index in free]) if free else []
        low = [index for index, share in zip(free, found, strict=True) if share < least]
        if not low:
            for index, share in zip(free, found, strict=True):
                shares[index] = share
            for index in fixed:
                shares[index] = least
            break
        fixed |= set(low)
    return shares


def _kept(wanted: Sequence[int], count: int, few: FewLots) -> list[int]:
    """Choose `count` of the slots, at least one if there is any volume."""
    if not count:
        return []
    match few.order:
        case FewLotsOrder.NEAREST_FIRST:
            return list(wanted[:count])
        case FewLotsOrder.FARTHEST_FIRST:
            return list(wanted[-count:])
        case FewLotsOrder.ONE_AT:
            named = [index for index in wanted if index == few.number - 1]
            return named or [wanted[-1]]
