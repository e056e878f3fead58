"""Close what is open against a new signal, where the user wishes that."""

from signalfleet.app.desk import AccountDesk
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain import ids
from signalfleet.domain.settings.choices import Conflict
from signalfleet.domain.signals.model import Signal
from signalfleet.domain.trading.endings import ending_of
from signalfleet.domain.trading.intents import CancelLeg, Intent, IntentState, action_of
from signalfleet.domain.trading.plan import TradePlan


class CloseOpposite:
    def __init__(self, desk: UserDesk) -> None:
        self._desk = desk

    async def close(
        self, account: AccountDesk, signal: Signal, plan: TradePlan
    ) -> tuple[Intent, ...]:
        """Return what ends our opposite trades of the plan's symbol; claimed together with it."""
        if plan.conflict is not Conflict.CLOSE_OLD:
            return ()
        key, new = account.account.account_id, plan.trades[0]
        found = []
        for trade in await self._desk.store.journal.live_trades(key):
            if trade.symbol != new.symbol or trade.side is new.side:
                continue
            duty = ending_of(trade, "opposite", f"against {signal.symbol}")
            if duty is None:
                continue
            action = action_of(duty.command)
            cause = f"opposite:{plan.signal_id}"
            operation = "M96" if isinstance(duty.command, CancelLeg) else "C96"
            intent = Intent(
                intent_id=ids.intent_id(self._desk.user, key, trade.trade_id, action, cause),
                account=key,
                trade=trade.trade_id,
                cause=cause,
                client_id=ids.client_id(self._desk.installation, trade.trade_id, operation),
                command=duty.command,
                state=IntentState.SENDING,
                attempt=1,
                created_at=self._desk.clock.now(),
            )
            found.append(intent)
        return tuple(found)
