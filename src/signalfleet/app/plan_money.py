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
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import SizeMode
from signalfleet.domain.trading.plan import TradePlan, first_failure
from signalfleet.domain.trading.reports import AccountFacts
from signalfleet.ports.broker import MarginQuestion

SURE_LEVERAGE: Final = 2
"""No symbol asks for more than half of its worth: below that the broker need not be asked."""


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
    account: AccountDesk, facts: AccountFacts, plan: TradePlan, instrument: Instrument, quote: Quote
) -> TradePlan | Refusal:
    """See that the account can carry the whole plan; a lack of margin reduces nothing silently.

    The broker is asked only where half of what is traded is more than what is free.
    """
    side = plan.trades[0].side
    price = max((choice.reference for choice in plan.choices), key=lambda one: one.value)
    worth = _worth(plan, price, instrument, quote)
    needed = worth / SURE_LEVERAGE
    if needed > facts.free_margin:
        question = MarginQuestion(
            symbol=instrument.name, side=side, lots=plan.sizing.lots, price=price
        )
        told = await account.broker.margin(question)
        needed = worth / max(facts.leverage, 1) if told is None else told
    checks = (*plan.checks, check_margin(needed, facts.free_margin))
    return first_failure(checks) or replace(plan, checks=checks)


def _worth(plan: TradePlan, price: Price, instrument: Instrument, quote: Quote) -> Decimal:
    """Return what the plan's volume is worth in the account's currency."""
    ticks = price.value / instrument.tick_size
    return ticks * quote.loss_tick_value * plan.sizing.lots.value
