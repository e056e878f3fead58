"""Sum up copies again after some of their legs changed."""

from collections.abc import Iterable
from dataclasses import replace

from signalfleet.app.quotas import marked
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.ids import AccountId, SignalId
from signalfleet.domain.trading.intents import Intent, Lane
from signalfleet.domain.trading.progress import copy_outcome, copy_reason
from signalfleet.domain.trading.records import Copy, Trade


async def copies_after(
    desk: UserDesk,
    account: AccountId,
    signals: Iterable[SignalId],
    trades: Iterable[Trade],
    intents: Iterable[Intent],
) -> tuple[Copy, ...]:
    """Return the copies of an account that change when these rows replace the stored ones."""
    journal = desk.store.journal
    new_trades = {trade.trade_id: trade for trade in trades}
    new_intents = {intent.intent_id: intent for intent in intents}
    found = []
    for copy in await journal.copies_of_signals(list(signals)):
        if copy.account != account:
            continue
        legs = [
            new_trades.get(trade.trade_id, trade)
            for trade in await journal.trades_of_signals([copy.signal])
            if trade.account == account
        ]
        entries = [
            new_intents.get(intent.intent_id, intent)
            for intent in await journal.intents_of_trades([leg.trade_id for leg in legs])
            if intent.lane is Lane.ENTRY
        ]
        outcome = copy_outcome(legs, entries)
        reason = copy_reason(outcome, entries)
        if (outcome, reason) != (copy.outcome, copy.reason):
            now = desk.clock.now()
            plan = marked(copy, outcome, legs)
            found.append(replace(copy, outcome=outcome, reason=reason, settled_at=now, plan=plan))
    return tuple(found)
