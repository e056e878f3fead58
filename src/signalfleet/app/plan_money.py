"""What a plan needs to know of money beside the price: rates of currencies, and the margin."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from signalfleet.app.desk import AccountDesk
from signalfleet.domain.instruments.broker_names import broker_name
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.money import Price
from signalfleet.domain.risk.checks import check_margin
from signalfleet.domain.risk.refusal import Refusal
from signalfleet.domain.risk.standing import check_margin_level, margin_level
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import SizeMode
from signalfleet.domain.settings.resolve import Effective
from signalfleet.domain.trading.before_prices import first_failure
from signalfleet.domain.trading.plan import TradePlan
from signalfleet.domain.trading.reports import AccountFacts
from signalfleet.ports.broker import MarginQuestion

SURE_LEVERAGE: Final = 2
"""No symbol asks for more than half of its worth: below that the broker need not be asked."""
LEVERAGES_DIFFER: Final = 25
"""How much more margin than the account's leverage says a symbol may ask for."""


async def rates_for(account: AccountDesk, facts: AccountFacts, rules: Rules) -> dict[str, Decimal]:
    """Return what one unit of the user's currency is worth in the account's, if that is needed.

    The price is taken that makes the budget smaller; no rate at all where the broker has no pair.
    """
    amount = rules.risk_money
    if rules.size_mode is not SizeMode.RISK_MONEY or amount is None:
        return {}
    if amount.currency in ("", facts.currency):
        return {}
    names = await account.broker.symbols()
    direct = broker_name(f"{amount.currency}{facts.currency}", names)
    if direct is not None:
        return {amount.currency: (await account.quote(direct)).bid.value}
    inverse = broker_name(f"{facts.currency}{amount.currency}", names)
    if inverse is not None:
        return {amount.currency: 1 / (await account.quote(inverse)).ask.value}
    return {}


async def with_margin(
    account: AccountDesk,
    facts: AccountFacts,
    plan: TradePlan,
    instrument: Instrument,
    quote: Quote,
    effective: Effective,
) -> TradePlan | Refusal:
    """See that the account can carry the whole plan; a lack of margin reduces nothing silently.

    The broker is asked only where half of what is traded is more than what is free, or where the
    margin level could come near the user's limit.
    """
    side = plan.trades[0].side
    price = max((choice.reference for choice in plan.choices), key=lambda one: one.value)
    worth = _worth(plan, price, instrument, quote)
    needed = worth / SURE_LEVERAGE
    likely = worth / max(facts.leverage, 1)
    limit = effective.rules.min_margin_level
    level = margin_level(facts.equity, facts.margin + likely)
    is_far = level is None or level >= limit * LEVERAGES_DIFFER
    if needed > facts.free_margin or not is_far:
        question = MarginQuestion(
            symbol=instrument.name, side=side, lots=plan.sizing.lots, price=price
        )
        told = await account.broker.margin(question)
        needed = likely = likely if told is None else told
        level = margin_level(facts.equity, facts.margin + likely)
    checks = (
        *plan.checks,
        check_margin(needed, facts.free_margin),
        check_margin_level(level, effective),
    )
    return first_failure(checks) or replace(plan, checks=checks)


def _worth(plan: TradePlan, price: Price, instrument: Instrument, quote: Quote) -> Decimal:
    """Return what the plan's volume is worth in the account's currency."""
    ticks = price.value / instrument.tick_size
    return ticks * quote.loss_tick_value * plan.sizing.lots.value
