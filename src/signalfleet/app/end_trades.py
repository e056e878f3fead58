"""End trades by the user's wish or by a rule, and follow them until the broker shows it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from signalfleet.app.desk import AccountDesk
from signalfleet.app.execute_signal import effective_settings
from signalfleet.app.guard_facts import NEW_YORK
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain import ids
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import ChannelId, SignalId
from signalfleet.domain.risk.moments import is_before_weekend, never_closes
from signalfleet.domain.settings.choices import CopyState, WeekendAction
from signalfleet.domain.trading.endings import ending_of, next_cause
from signalfleet.domain.trading.intents import CancelLeg, Intent, IntentState, action_of
from signalfleet.domain.trading.records import Settlement, Trade
from signalfleet.domain.trading.timers import Duty

log = structlog.get_logger()

AGAIN: Final = timedelta(seconds=2)
WEEKEND_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is to be sent now, how many trades are still to be ended, and when to look again.

    `done` says why everything was closed, once all of it is.
    """

    intents: tuple[Intent, ...] = ()
    left: int = 0
    done: str | None = None
    again_in: timedelta | None = None


class EndTrades:
    """Ends trades of one account. One CLOSE for each open leg, one CANCEL for each pending one.

    It works in every state of the connection, and nothing that stops entries holds it back.
    """

    def __init__(self, desk: UserDesk, account: AccountDesk) -> None:
        self._desk = desk
        self._account = account
        self._chats: dict[SignalId, ChannelId | None] = {}
        self._under_way: str | None = None

    async def run(self) -> Ending:
        """Look once; raises only what the store raises."""
        account = self._account.account.account_id
        live = await self._desk.store.journal.live_trades(account)
        due: list[tuple[Trade, str, str]] = []
        for trade in live:
            why = await self._why(trade)
            if why is not None:
                due.append((trade, *why))
        if not due:
            done, self._under_way = self._under_way, None
            return Ending(done=done, again_in=WEEKEND_EVERY if live else None)
        self._under_way = due[0][2]
        return Ending(intents=await self._take(due), left=len(due), again_in=AGAIN)

    async def _why(self, trade: Trade) -> tuple[str, str] | None:
        """Return rule and words of what ends a trade; None if nothing does."""
        chat = await self._chat_of(trade)
        if self._desk.states.of(trade.account, chat) is CopyState.PANIC:
            return "panic", "you chose to close everything"
        if self._account.close_all is not None:
            return "limit", self._account.close_all
        if await self._is_weekend(trade, chat):
            return "weekend", "the weekend is near"
        return None

    async def _is_weekend(self, trade: Trade, chat: ChannelId | None) -> bool:
        try:
            effective = await effective_settings(self._desk, chat, trade.account)
        except DomainError:
            return False  # Settings that cannot be read close nothing.
        rule, now = effective.rules.weekend, self._desk.clock.now()
        if rule.action is not WeekendAction.CLOSE or never_closes(trade.symbol):
            return False
        return is_before_weekend(now, NEW_YORK, timedelta(minutes=rule.minutes))

    async def _chat_of(self, trade: Trade) -> ChannelId | None:
        if trade.signal not in self._chats:
            record = await self._desk.store.journal.get_signal(trade.signal)
            self._chats[trade.signal] = record.chat if record is not None else None
        return self._chats[trade.signal]

    async def _take(self, due: list[tuple[Trade, str, str]]) -> tuple[Intent, ...]:
        """Write down what is not yet under way, read again under the lock."""
        journal, now = self._desk.store.journal, self._desk.clock.now()
        taken = []
        async with self._desk.settling:
            for seen, rule, text in due:
                trade = await journal.get_trade(seen.trade_id)
                duty = ending_of(trade, rule, text) if trade is not None else None
                if trade is None or duty is None:
                    continue
                intents = await journal.intents_of_trades([trade.trade_id])
                cause = next_cause(duty, intents, now)
                if cause is not None:
                    taken.append(self._intent(trade, duty, cause))
            if taken:
                await journal.settle(Settlement(added_intents=tuple(taken)), self._desk.epoch)
        for intent in taken:
            log.info("trade_ending", trade=intent.trade, cause=intent.cause)
        return tuple(taken)

    def _intent(self, trade: Trade, duty: Duty, cause: str) -> Intent:
        action = action_of(duty.command)
        operation = "M97" if isinstance(duty.command, CancelLeg) else "C97"
        return Intent(
            intent_id=ids.intent_id(self._desk.user, trade.account, trade.trade_id, action, cause),
            account=trade.account,
            trade=trade.trade_id,
            cause=cause,
            client_id=ids.client_id(self._desk.installation, trade.trade_id, operation),
            command=duty.command,
            state=IntentState.SENDING,
            attempt=1,
            created_at=self._desk.clock.now(),
        )
