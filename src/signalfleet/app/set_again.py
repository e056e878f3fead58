"""Write down that levels are set again which an order took back that landed late."""

import structlog

from signalfleet.app.user_desk import UserDesk
from signalfleet.domain import ids
from signalfleet.domain.trading.intents import Intent, IntentState, action_of
from signalfleet.domain.trading.undone import Undone

log = structlog.get_logger()


def set_again(desk: UserDesk, undone: Undone) -> Intent:
    """Return the row of the newest instruction, to be sent once more."""
    trade, action = undone.trade, action_of(undone.command)
    log.warning("levels_undone", trade=trade.trade_id, by=undone.older.intent_id)
    desk.metrics.count("signalfleet_levels_undone_total")
    return Intent(
        intent_id=ids.intent_id(desk.user, trade.account, trade.trade_id, action, undone.cause),
        account=trade.account,
        trade=trade.trade_id,
        cause=undone.cause,
        client_id=ids.client_id(desk.installation, trade.trade_id, "M97"),
        command=undone.command,
        state=IntentState.SENDING,
        attempt=1,
        created_at=desk.clock.now(),
    )
