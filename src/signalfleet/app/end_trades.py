"""End trades by the user's wish or by a rule, and follow them until the broker shows it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from signalfleet.app.desk import AccountDesk
from signalfleet.app.effective_settings import effective_settings
from signalfleet.app.exits import exit_policy_of
from signalfleet.app.guard_facts import NEW_YORK
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain import ids
from signalfleet.domain.accounts.exits import Exit
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import ChannelId, SignalId
from signalfleet.domain.risk.moments import is_before_weekend, never_closes
from signalfleet.domain.settings.calendar import Weekend
from signalfleet.domain.settings.choices import CopyState, ExitPolicy, WeekendAction
from signalfleet.domain.trading.endings import ending_of, even_duty, exit_duty, next_cause
from signalfleet.domain.trading.intents import (
    CancelLeg,
    CloseLeg,
    Intent,
    IntentState,
    ProtectLeg,
    action_of,
)
from signalfleet.domain.trading.management import care_now
from signalfleet.domain.trading.records import Settlement, Trade, TradeState
from signalfleet.domain.trading.timers import Duty
from signalfleet.ports.errors import RefusedError, TemporaryError

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
        self._weekends: dict[ChannelId | None, Weekend | None] = {}
        self._under_way: str | None = None

    async def run(self) -> Ending:
        """Look once; raises only what the store raises."""
        account = self._account.account.account_id
        live = await self._desk.store.journal.live_trades(account)
        self._weekends.clear()  # Read once for each channel, not for each trade.
        due: list[tuple[Trade, Duty]] = []
        coming = 0
        for trade in live:
            duty = await self._duty(trade)
            if duty is not None:
                due.append((trade, duty))
            elif trade.state is TradeState.OPENING:
                # It is ended as soon as it is known to be open.
                coming += await self._why(trade) is not None
        if not due and not coming:
            done, self._under_way = self._under_way, None
            return Ending(done=done, again_in=WEEKEND_EVERY if live else None)
        closing = [duty for _, duty in due if isinstance(duty.command, CloseLeg)]
        self._under_way = closing[0].text if closing else self._under_way
        return Ending(intents=await self._take(due), left=len(due) + coming, again_in=AGAIN)

    async def _duty(self, trade: Trade) -> Duty | None:
        why = await self._why(trade)
        if why is not None:
            return ending_of(trade, *why)
        chat = await self._chat_of(trade)
        for ending in self._desk.states.exits_of(trade.account, chat):
            duty = await self._exit(trade, ending)
            if duty is not None:
                return duty
        return None

    async def _exit(self, trade: Trade, ending: Exit) -> Duty | None:
        """Do what the user wished for the end of the trade's source."""
        store, text = self._desk.store, ending.cause.words
        policy = ending.policy or await exit_policy_of(store, trade.account)
        if trade.state is TradeState.OPEN and policy is ExitPolicy.BREAK_EVEN:
            intents = await store.journal.intents_of_trades([trade.trade_id])
            care = care_now(trade, (), intents)
            try:
                instrument = await self._account.instrument(trade.symbol)
            except (TemporaryError, RefusedError):
                return None
            return None if care is None else even_duty(trade, care, instrument, text)
        quote = None
        if trade.state is TradeState.OPEN and policy is ExitPolicy.CLOSE_WINNERS:
            try:
                quote = await self._account.quote(trade.symbol)
            except (TemporaryError, RefusedError):
                return None
        return exit_duty(trade, policy, text, quote)

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
        if chat not in self._weekends:
            try:
                effective = await effective_settings(self._desk, chat, trade.account)
                self._weekends[chat] = effective.rules.weekend
            except DomainError:
                self._weekends[chat] = None  # Settings that cannot be read close nothing.
        rule, now = self._weekends[chat], self._desk.clock.now()
        if rule is None or rule.action is not WeekendAction.CLOSE or never_closes(trade.symbol):
            return False
        return is_before_weekend(now, NEW_YORK, timedelta(minutes=rule.minutes))

    async def _chat_of(self, trade: Trade) -> ChannelId | None:
        if trade.signal not in self._chats:
            record = await self._desk.store.journal.get_signal(trade.signal)
            self._chats[trade.signal] = record.chat if record is not None else None
        return self._chats[trade.signal]

    async def _take(self, due: list[tuple[Trade, Duty]]) -> tuple[Intent, ...]:
        """Write down what is not yet under way, read again under the lock."""
        journal, now = self._desk.store.journal, self._desk.clock.now()
        taken = []
        async with self._desk.settling:
            for seen, duty in due:
                trade = await journal.get_trade(seen.trade_id)
                if trade is None or trade.state is not seen.state:
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
        is_close = not isinstance(duty.command, CancelLeg | ProtectLeg)
        operation = "C97" if is_close else "M97"
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
