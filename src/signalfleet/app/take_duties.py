"""Write down what a trade needs from us by itself, once, before it is sent."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from signalfleet.app.user_desk import UserDesk
from signalfleet.domain import ids
from signalfleet.domain.ids import TradeId
from signalfleet.domain.trading.intents import CancelLeg, Intent, IntentState, action_of
from signalfleet.domain.trading.records import Settlement, Trade
from signalfleet.domain.trading.timers import Duty, cause_of

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A duty that was written down and is to be sent."""

    trade: Trade
    duty: Duty
    intent: Intent


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is to be sent now, and when to look again; None while there is nothing to watch."""

    taken: tuple[Taken, ...] = ()
    again_in: timedelta | None = None


def by_trade(intents: Iterable[Intent]) -> Mapping[TradeId, tuple[Intent, ...]]:
    """Sort intents by their trades, each trade's in their order."""
    found: dict[TradeId, list[Intent]] = defaultdict(list)
    for intent in intents:
        found[intent.trade].append(intent)
    return {trade: tuple(own) for trade, own in found.items()}


async def take_duties(desk: UserDesk, due: Sequence[tuple[Trade, Duty]]) -> tuple[Taken, ...]:
    """Write down what is due and not yet under way, read again under the lock."""
    if not due:
        return ()
    journal = desk.store.journal
    now = desk.clock.now()
    taken = []
    async with desk.settling:
        for seen, duty in due:
            trade = await journal.get_trade(seen.trade_id)
            intents = await journal.intents_of_trades([seen.trade_id])
            cause = cause_of(duty, intents, now)
            if trade is None or trade.state is not seen.state or cause is None:
                continue
            intent = _intent(desk, trade, duty, cause, now, before=len(intents))
            taken.append(Taken(trade=trade, duty=duty, intent=intent))
        if taken:
            added = tuple(one.intent for one in taken)
            await journal.settle(Settlement(added_intents=added), desk.epoch)
    for done in taken:
        log.info("duty_taken", trade=done.trade.trade_id, rule=done.duty.rule)
    return tuple(taken)


def _intent(
    desk: UserDesk, trade: Trade, duty: Duty, cause: str, now: datetime, *, before: int
) -> Intent:
    action = action_of(duty.command)
    # The steps of one position are several closes, each with a name of its own.
    operation = "M98" if isinstance(duty.command, CancelLeg) else f"P{98 - before % 40}"
    return Intent(
        intent_id=ids.intent_id(desk.user, trade.account, trade.trade_id, action, cause),
        account=trade.account,
        trade=trade.trade_id,
        cause=cause,
        client_id=ids.client_id(desk.installation, trade.trade_id, operation),
        command=duty.command,
        state=IntentState.SENDING,
        attempt=1,
        created_at=now,
    )
