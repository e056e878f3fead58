"""How many lots a copy may trade: one budget over all its legs, never rounded up past it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots
from signalfleet.domain.risk.budget import Asked, Layer, SizingQuestion, ask_for
from signalfleet.domain.risk.refusal import Refusal, refused
from signalfleet.domain.risk.shares import Grain, share_over
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import BelowMinLot, FewLotsOrder
from signalfleet.domain.settings.kinds import FewLots

HUNDRED: Final = Decimal(100)
USE_MIN_TOLERANCE: Final = Decimal("1.2")
"""How far the smallest lot may pass the asked risk where the user allowed it."""
BROKER: Final = "your broker"
NEAR_LAYERS: Final = FewLots(order=FewLotsOrder.NEAREST_FIRST)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegSize:
    """The volume of one order: which layer and which of its targets, both counted from 0."""

    layer: int
    slot: int
    lots: Lots
    loss: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingReport:
    """What was asked and what was got. Money is in account currency, percentages 0-100.

    `loss_per_lot` is of the first layer. `how` says in words where the size came from, and `rate`
    how an amount in another currency was converted.
    """

    asked_percent: Decimal
    asked_money: Decimal
    loss_per_lot: Decimal
    lots_exact: Decimal
    lots: Lots
    legs: tuple[LegSize, ...]
    got_money: Decimal
    got_percent: Decimal
    caps: tuple[str, ...]
    how: str = ""
    rate: str = ""

    @property
    def rounding(self) -> Decimal:
        """Return the lots that were lost to whole steps."""
        return self.lots_exact - self.lots.value


def loss_per_lot(question: SizingQuestion, layer: Layer, rules: Rules) -> Decimal:
    """Return what one lot of a layer loses at the stop, costs included if the rules say so."""
    if question.stop is None:
        return Decimal(0)
    distance = abs(layer.entry.value - question.stop.value)
    # A sell's stop triggers on the ask, so it is reached a spread earlier.
    if rules.costs_in_risk and question.side is Side.SELL:
        distance += question.quote.spread
    loss = distance * question.quote.loss_tick_value / question.instrument.tick_size
    return loss + rules.commission_per_lot if rules.costs_in_risk else loss


def size_copy(question: SizingQuestion, rules: Rules) -> SizingReport | Refusal:
    """Size all legs of a copy so that their losses at the stop stay within one budget."""
    losses = [loss_per_lot(question, layer, rules) for layer in question.layers]
    if question.stop is not None and min(losses) <= 0:
        value = f"{min(losses):.2f} a lot"
        return refused("stop_distance", "loss at the stop", value, "above 0", source=BROKER)
    shares = [layer.share for layer in question.layers]
    mean = sum((share * loss for share, loss in zip(shares, losses, strict=True)), Decimal(0))
    mean /= sum(shares)
    asked = ask_for(question, mean, rules)
    if isinstance(asked, Refusal):
        return asked
    work = _Work(question, rules, losses, asked)
    if question.stop is None:
        steps = int(asked.max_lots // work.grain.step)
    else:
        steps = work.most_steps(mean)
    if steps < work.grain.least:
        least = work.smallest(steps)
        if isinstance(least, Refusal):
            return least
        steps = least
        work.caps.append("use_min")
    return work.report(work.spread_out(steps))


class _Work:
    """One sizing on its way: the volumes in whole steps and what limited them."""

    def __init__(
        self, question: SizingQuestion, rules: Rules, losses: Sequence[Decimal], asked: Asked
    ) -> None:
        self.question, self.rules, self.asked = question, rules, asked
        self.grain = Grain.of(question.instrument)
        self.caps = list(asked.caps)
        self._losses = losses
        self._shares = [layer.share for layer in question.layers]

    def most_steps(self, mean: Decimal) -> int:
        """Return the most steps whose loss, as they are shared over the layers, is affordable.

        How steps are shared does not depend on the stop, so a wider stop never finds more.
        """
        budget, step = self.asked.money, self.grain.step
        ceiling = int(self.asked.max_lots // step)
        if len(self._losses) == 1:
            found = min(ceiling, int(budget // (self._losses[0] * step)))
        else:
            found = min(ceiling, self._surely_enough(mean))
        # The division may have been rounded; and layers do not share steps evenly.
        while found > 0 and self._loss(self._by_layer(found)) > budget:
            found -= 1
        return found

    def _surely_enough(self, mean: Decimal) -> int:
        """Return as many steps that more of them cannot be affordable, however they are shared.

        A sharing is cheaper than the mean where volume moves to cheap layers. Largest remainders
        move at most a quarter of a step a layer, as long as each layer has its smallest order.
        """
        budget, count = self.asked.money / self.grain.step, len(self._losses)
        spread = max(self._losses) - min(self._losses)
        near = int((budget + spread * count / 4) // mean) + 1
        fewest = min(share for share in self._shares if share > 0)
        if near * fewest >= self.grain.least * sum(self._shares):
            return near
        return int((budget + spread * (self.grain.least + 1) * count) // mean)

    def smallest(self, steps: int) -> int | Refusal:
        """Return the broker's smallest order if the user takes it in place of nothing."""
        smallest = self.question.instrument.min_lots
        needed = self.grain.least * self.grain.step * self._losses[0]
        limit = min(self.asked.asked_money * USE_MIN_TOLERANCE, self.asked.max_money)
        may_use = self.rules.below_min_lot is BelowMinLot.USE_MIN
        fits = smallest.value <= self.rules.max_lots and needed <= limit
        if self.question.stop is not None and may_use and fits:
            return self.grain.least
        exact = self.asked.lots
        detail = f"{exact:.4f} lots wanted, the smallest order is {smallest}"
        if steps and exact >= smallest.value:
            detail = f"{steps * self.grain.step} lots affordable, the smallest order is {smallest}"
        got = f"{exact:.4f}" if exact < smallest.value else f"{steps * self.grain.step:f}"
        return refused("below_min_lot", "size", got, str(smallest), source=BROKER, detail=detail)

    def spread_out(self, steps: int) -> list[LegSize]:
        """Share the steps over layers, and in each layer over its targets."""
        grain, weights = self.grain, self.question.weights
        legs, spilled, dropped = [], 0, False
        layers = self._by_layer(steps)
        shared = {
            volume: share_over(volume, weights, grain.least, self.rules.few_lots)
            for volume in set(layers)
        }
        for number, (volume, loss) in enumerate(zip(layers, self._losses, strict=True)):
            slots = shared[volume]
            dropped |= any(not got and weight for got, weight in zip(slots, weights, strict=True))
            costs: dict[int, tuple[Lots, Decimal]] = {}  # Most slots have the same volume.
            for slot, got in enumerate(slots):
                taken = min(got, grain.most)
                spilled += got - taken
                if not taken:
                    continue
                if taken not in costs:
                    lots = Lots(taken * grain.step)
                    costs[taken] = lots, lots.value * loss
                lots, lost = costs[taken]
                legs.append(LegSize(layer=number, slot=slot, lots=lots, loss=lost))
        if spilled:
            self.caps.append("max_volume")
        if dropped:
            self.caps.append("few_lots")
        return legs

    def report(self, legs: list[LegSize]) -> SizingReport:
        asked, base = self.asked, self.asked.base
        lots = Lots(sum((leg.lots.value for leg in legs), Decimal(0)))
        got = sum((leg.loss for leg in legs), Decimal(0))
        if self.question.stop is None:
            got = self.question.balance * self.rules.assumed_loss_percent / HUNDRED
        return SizingReport(
            asked_percent=asked.asked_money / base * HUNDRED,
            asked_money=asked.asked_money,
            loss_per_lot=self._losses[0],
            lots_exact=asked.lots,
            lots=lots,
            legs=tuple(legs),
            got_money=got,
            got_percent=got / base * HUNDRED,
            caps=tuple(self.caps),
            how=asked.how,
            rate=asked.rate,
        )

    def _by_layer(self, steps: int) -> list[int]:
        return share_over(steps, self._shares, self.grain.least, NEAR_LAYERS)

    def _loss(self, layers: Sequence[int]) -> Decimal:
        step = self.grain.step
        pairs = zip(layers, self._losses, strict=True)
        return sum((volume * step * loss for volume, loss in pairs), Decimal(0))
