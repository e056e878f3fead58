"""Keep one account true to the broker: when to look, and what to send again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from signalfleet.app.desk import AccountDesk
from signalfleet.app.execute_intent import ExecuteIntent
from signalfleet.app.reconcile_account import LookResult, ReconcileAccount
from signalfleet.app.user_desk import UserDesk
from signalfleet.bots.dispatch import Dispatcher
from signalfleet.domain.ids import IntentId
from signalfleet.domain.trading.intents import Intent, IntentState
from signalfleet.domain.trading.lifecycle import NotSent
from signalfleet.ports.errors import TemporaryError

log = structlog.get_logger()

IDLE_LOOK: Final = timedelta(minutes=10)
SOON: Final = timedelta(seconds=0.5)
RETRY_MAX: Final = timedelta(seconds=60)
HELD_DELAYS: Final = (0.5, 1.0, 2.0, 5.0)


class AccountFollower:
    """The running part of one account: executes intents, looks, settles, releases."""

    def __init__(
        self,
        desk: UserDesk,
        account: AccountDesk,
        look_interval: timedelta,
        tell: Callable[[str, dict[str, object]], Awaitable[None]],
        wake: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._account = account
        self._look_interval = look_interval
        self._tell = tell
        self._wake = wake
        self._execute = ExecuteIntent(desk)
        self._reconcile = ReconcileAccount(desk, account)
        self._planned: list[datetime] = []
        self._poked = asyncio.Event()
        self._failures = 0
        self._not_before: dict[IntentId, datetime] = {}
        self.dispatcher = Dispatcher(self._run_intent)

    async def run(self) -> None:
        """Adopt what an earlier owner left, then execute and look until cancelled."""
        await self._reconcile.adopt()
        async with asyncio.TaskGroup() as tasks:
            account = self._account.account.account_id
            tasks.create_task(self.dispatcher.run(), name=f"dispatch:{account}")
            tasks.create_task(self._look_on(), name=f"look:{account}")

    async def drain(self) -> None:
        """Let what runs settle; what has not begun is held for the next owner."""
        await self.dispatcher.drain()
        for intent in self.dispatcher.waiting():
            await self._execute.settle(intent, NotSent("draining"))

    async def _run_intent(self, intent: Intent) -> None:
        done = await self._execute.run(intent)
        after = done.intent
        now = self._desk.clock.now()
        if after.state is IntentState.HELD:
            self._hold(after, done.not_before, now)
        elif after.state is IntentState.UNKNOWN:
            self._planned.append(self._desk.settle_rules.next_look(after.sending_at or now, now))
        else:
            self._planned.extend(now + delay for delay in self._desk.settle_rules.after_settle)
        self._poked.set()
        self._wake()
        await self._tell("trade", {"trade_id": after.trade})

    async def _look_on(self) -> None:
        full = True
        while True:
            # A look that fails counts too: what was due before it must not make it spin.
            now = self._desk.clock.now()
            self._planned = [moment for moment in self._planned if moment > now]
            result = await self._look(full=full)
            if result is None:
                delay = min(SOON * 2 ** min(self._failures, 10), RETRY_MAX)
            else:
                await self._release(result)
                full = result.needs_full or bool(result.unknown) or not self._account.reconciled
                delay = self._delay(result)
            await self._wait(delay)

    async def _look(self, *, full: bool) -> LookResult | None:
        try:
            result = await self._reconcile.look(full=full, in_flight=self.dispatcher.in_flight)
        except TemporaryError as error:
            self._failures += 1
            if self._failures == 1:
                log.warning("account_unreadable", cause=str(error))
            return None
        if self._failures:
            log.info("account_readable_again", failures=self._failures)
            self._failures = 0
        self._wake()
        account = self._account.account.account_id
        await self._tell("account", {"account_id": account})
        for trade in result.changed:
            await self._tell("trade", {"trade_id": trade.trade_id})
        return result

    async def _release(self, result: LookResult) -> None:
        """Send held intents again: each has been proved not to be done, or never left."""
        now = self._desk.clock.now()
        held = {intent.intent_id for intent in result.held}
        self._not_before = {one: at for one, at in self._not_before.items() if one in held}
        for intent in result.held:
            if intent.intent_id in self.dispatcher.in_flight():
                continue
            wait_until = self._not_before.get(intent.intent_id, now)
            if now < wait_until:
                self._planned.append(wait_until)
                continue
            released = await self._execute.release(intent)
            if released.state is IntentState.SENDING:
                self.dispatcher.add([released])
            elif released.state is IntentState.HELD:
                self._hold(released, None, now)

    def _hold(self, intent: Intent, not_before: datetime | None, now: datetime) -> None:
        """Try again after a growing pause, and no earlier than the broker asked for.

        An entry that would be too old by then is looked at in time, to be ended as such.
        """
        pause = HELD_DELAYS[max(min(intent.attempt, len(HELD_DELAYS)) - 1, 0)]
        wait_until = now + timedelta(seconds=pause)
        if not_before is not None:
            wait_until = max(wait_until, not_before)
        if intent.valid_until is not None:
            wait_until = min(wait_until, max(intent.valid_until + SOON, now + SOON))
        self._not_before[intent.intent_id] = wait_until
        self._planned.append(wait_until)

    def _delay(self, result: LookResult) -> timedelta:
        now = self._desk.clock.now()
        moments = list(self._planned)
        rules = self._desk.settle_rules
        moments += [rules.next_look(i.sending_at or now, now) for i in result.unknown]
        if not self._account.reconciled or result.needs_full:
            moments.append(now + SOON)
        routine = max(self._look_interval, self._account.broker.look_pause)
        moments.append(now + (routine if result.live else IDLE_LOOK))
        return max(min(moments) - now, timedelta(milliseconds=50))

    async def _wait(self, delay: timedelta) -> None:
        """Wait for the delay, or less if a look was planned meanwhile."""
        end = self._desk.clock.now() + delay
        while True:
            self._poked.clear()
            now = self._desk.clock.now()
            until = min([end, *self._planned])
            if until <= now:
                return
            try:
                async with asyncio.timeout((until - now).total_seconds()):
                    await self._poked.wait()
            except TimeoutError:
                return
