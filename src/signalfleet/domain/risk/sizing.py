"""How many lots a copy may trade: one budget over all its legs, always rounded down."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from typing import Final

from signalfleet.domain.instruments.model import Instrument, Quote, Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.refusal import Refusal
from signalfleet.domain.settings.catalogue import BelowMinLot, RiskBase, Rules, SizeMode

HUNDRED: Final = Decimal(100)
HALF: Final = Decimal("0.5")
USE_MIN_TOLERANCE: Final = Decimal("1.2")
"""How far the smallest lot may pass the asked risk where the user allowed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingReport:
    """What was asked and what was got. Money is in account currency, percentages 0-100."""

    asked_percent: Decimal
    asked_money: Decimal
    loss_per_lot: Decimal
    lots_exact: Decimal
    lots: Lots
    legs: tuple[Lots, ...]
    got_money: Decimal
    got_percent: Decimal
    caps: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingQuestion:
    """`entry` is the worst price at which the order may fill; `legs` how many orders are wanted.

    `is_half`: the channel asks for half of the usual size.
    """

    balance: Decimal
    equity: Decimal
    instrument: Instrument
    quote: Quote
    side: Side
    entry: Price
    stop: Price
    legs: int
    is_half: bool = False


def loss_per_lot(question: SizingQuestion, rules: Rules) -> Decimal:
    """Return what one lot loses at its stop, costs included if the rules say so."""
    distance = abs(question.entry.value - question.stop.value)
    # A sell's stop triggers on the ask, so it is reached a spread earlier.
    if rules.costs_in_risk and question.side is Side.SELL:
        distance += question.quote.spread
    ticks = distance / question.instrument.tick_size
    loss = ticks * question.quote.loss_tick_value
    return loss + rules.commission_per_lot if rules.costs_in_risk else loss


def size_copy(question: SizingQuestion, rules: Rules) -> SizingReport | Refusal:
    """Size all legs of a copy so that their losses at the stop stay within one budget."""
    base = _risk_base(question, rules)
    per_lot = loss_per_lot(question, rules)
    if base <= 0:
        return Refusal(code="no_balance", detail=f"balance {base}")
    if per_lot <= 0:
        return Refusal(code="stop_distance", detail="the stop costs nothing")
    caps: list[str] = []
    max_money = base * rules.max_risk_percent / HUNDRED
    share = HALF if question.is_half else Decimal(1)
    if question.is_half:
        caps.append("half_size")
    if rules.size_mode is SizeMode.FIXED_LOTS:
        exact = rules.fixed_lots * share
        asked = exact * per_lot
    else:
        asked = base * rules.risk_percent / HUNDRED * share
        exact = asked / per_lot
    if exact * per_lot > max_money:
        exact = max_money / per_lot
        caps.append("max_risk_percent")
    if exact > rules.max_lots:
        exact = rules.max_lots
        caps.append("max_lots")
    total = Lots(exact).floor_to(question.instrument.lot_step)
    if total < question.instrument.min_lots:
        smallest = question.instrument.min_lots
        limit = min(asked * USE_MIN_TOLERANCE, max_money)
        may_use = rules.below_min_lot is BelowMinLot.USE_MIN and smallest.value <= rules.max_lots
        if not may_use or smallest.value * per_lot > limit:
            detail = f"{exact:.4f} lots wanted, the smallest order is {smallest}"
            return Refusal(code="below_min_lot", detail=detail)
        total = smallest
        caps.append("use_min")
    legs = split_lots(total, question.legs, question.instrument)
    lots = Lots(sum((leg.value for leg in legs), Decimal(0)))
    if lots < total:
        caps.append("max_volume")
    if len(legs) < question.legs:
        caps.append("few_lots")
    got = lots.value * per_lot
    return SizingReport(
        asked_percent=asked / base * HUNDRED,
        asked_money=asked,
        loss_per_lot=per_lot,
        lots_exact=exact,
        lots=lots,
        legs=legs,
        got_money=got,
        got_percent=got / base * HUNDRED,
        caps=tuple(caps),
    )


def split_lots(total: Lots, wanted: int, instrument: Instrument) -> tuple[Lots, ...]:
    """Split whole steps evenly over up to `wanted` legs, the first ones getting what is left.

    Fewer legs come back where the volume does not suffice; no leg passes the broker's maximum.
    """
    step = instrument.lot_step
    steps = int((total.value / step).to_integral_value(ROUND_DOWN))
    least = int((instrument.min_lots.value / step).to_integral_value(ROUND_CEILING)) or 1
    most = int((instrument.max_lots.value / step).to_integral_value(ROUND_DOWN))
    count = max(1, min(wanted, steps // least))
    each, left = divmod(steps, count)
    return tuple(
        Lots(step * min(each + (1 if index < left else 0), most)) for index in range(count)
    )


def _risk_base(question: SizingQuestion, rules: Rules) -> Decimal:
    match rules.risk_base:
        case RiskBase.BALANCE:
            return question.balance
        case RiskBase.EQUITY:
            return question.equity
        case RiskBase.LOWER:
            return min(question.balance, question.equity)
