"""Keep one account true to the broker: when to look, and what to send again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog

from signalfleet.app.account_limits import AccountLimits
from signalfleet.app.desk import AccountDesk
from signalfleet.app.execute_intent import ExecuteIntent
from signalfleet.app.reconcile_account import SHOWN_AFTER, LookResult, ReconcileAccount
from signalfleet.app.take_duties import Watch
from signalfleet.app.trade_notices import TradeNotices
from signalfleet.app.user_desk import UserDesk
from signalfleet.app.watch_trades import WatchTrades
from signalfleet.bots.dispatch import Dispatcher
from signalfleet.bots.end_keeper import EndKeeper
from signalfleet.bots.protect import BREATH, StopKeeper
from signalfleet.bots.rest import REST_LOOK, Rest
from signalfleet.bots.unknown_orders import UnknownOrders
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.ids import IntentId
from signalfleet.domain.trading.intents import CancelLeg, Intent, IntentState, ProtectLeg
from signalfleet.domain.trading.lifecycle import NotSent
from signalfleet.ports.errands import Errand, LightEvent
from signalfleet.ports.errors import (
    PortError,
    StoreInDoubtError,
    StoreUnavailableError,
    TemporaryError,
)

log = structlog.get_logger()

IDLE_LOOK: Final = timedelta(minutes=10)
SOON: Final = timedelta(seconds=0.5)
LOOKS_APART: Final = timedelta(seconds=1)
"""Of looks that only follow up what settled: one of them serves many orders."""
RETRY_MAX: Final = timedelta(seconds=60)
STORE_PAUSE: Final = timedelta(seconds=1)
INTENT_BYTES: Final = 2_000
TIME_BYTES: Final = 200
HELD_DELAYS: Final = (0.5, 1.0, 2.0, 5.0)


class AccountFollower:
    """The running part of one account: executes intents, looks, settles, releases."""

    def __init__(
        self,
        desk: UserDesk,
        account: AccountDesk,
        look_interval: timedelta,
        tell: Callable[[str, dict[str, object]], Awaitable[None]],
        notify: Callable[[NoticeKind, str, Mapping[str, object]], Awaitable[None]],
        wake: Callable[[], None],
        trade_notices: TradeNotices,
    ) -> None:
        self._desk = desk
        self._account = account
        self._look_interval = look_interval
        self._tell = tell
        self._notify = notify
        self._wake = wake
        self._trade_notices = trade_notices
        self._execute = ExecuteIntent(desk)
        self._reconcile = ReconcileAccount(desk, account)
        self._watch = WatchTrades(desk, account)
        self._limits = AccountLimits(desk, account)
        self._changed = LightEvent()
        self._planned: list[datetime] = []
        self._after_settling: list[tuple[datetime, datetime]] = []  # And since when it is shown.
        self._looked_at = desk.clock.now() - LOOKS_APART
        self._poked = LightEvent()
        self._failures = 0
        self._not_before: dict[IntentId, datetime] = {}
        self._unknown = UnknownOrders(desk, notify)
        self._rest = Rest(desk.clock)
        self._following = Errand(f"broker:{account.account.account_id}:{desk.user}", self._follow)
        self._is_adopted = False
        self._rests_since: float | None = None
        self.dispatcher = Dispatcher(self._run_intent, self._following.ask)
        self._stops = StopKeeper(desk, account, self.dispatcher.add, self._rest)
        self._end = EndKeeper(desk, account, self.dispatcher.add, notify, self._rest)

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Adopt what an earlier owner left, then execute and look for as long as there is work."""
        self._following.begin(tasks)
        self._following.ask()

    def look_if_due(self) -> None:
        """Look at an account that has rested for long; called every few seconds."""
        since = self._rests_since
        if since is not None and self._desk.clock.monotonic() - since >= REST_LOOK.total_seconds():
            self._following.ask()

    async def _follow(self) -> None:
        self._rests_since = None
        if not self._is_adopted:
            await self._reconcile.adopt()
            self._is_adopted = True
        await self._work()
        self._account.forget()
        self._rests_since = self._desk.clock.monotonic()

    async def _work(self) -> None:
        """Execute and look until the account may rest."""
        async with asyncio.TaskGroup() as tasks:
            account = self._account.account.account_id
            helping = (
                tasks.create_task(self.dispatcher.run(), name=f"dispatch:{account}"),
                tasks.create_task(self._watch_on(), name=f"watch:{account}"),
                tasks.create_task(self._stops.run(), name=f"stops:{account}"),
                tasks.create_task(self._end.run(), name=f"end:{account}"),
            )
            await self._look_on()
            for task in helping:
                task.cancel()

    def states_changed(self) -> None:
        """Look at once whether trades are to be ended."""
        self._end.changed()
        self._following.ask()

    def unknown_age(self) -> timedelta:
        """Return the age of the oldest order whose outcome is unknown; zero if none is."""
        return self._unknown.age()

    def footprint(self) -> int:
        """Return about how many bytes wait here to be sent or to be found out."""
        waiting = len(self.dispatcher.in_flight())
        return waiting * INTENT_BYTES + len(self._not_before) * TIME_BYTES

    async def drain(self) -> None:
        """Let what runs settle; what has not begun is held for the next owner.

        What cannot be written down now stays as if it were being sent: its next owner looks for it.
        """
        await self.dispatcher.drain()
        for intent in self.dispatcher.waiting():
            try:
                await self._execute.settle(intent, NotSent("draining"))
            except PortError as error:
                log.warning("not_held_while_draining", cause=type(error).__name__)
                return

    async def _run_intent(self, intent: Intent) -> None:
        with self._desk.rush.part():
            done = await self._execute.run(intent)
        after = done.intent
        now = self._desk.clock.now()
        if after.state is IntentState.HELD:
            self._hold(after, done.not_before, now)
        elif after.state is IntentState.UNKNOWN:
            self._unknown.add(after, after.sending_at or now)
            self._planned.append(self._desk.settle_rules.next_look(after.sending_at or now, now))
        else:
            self._reconcile.settled(after)
            delays = self._desk.settle_rules.after_settle
            shown_from = now + SHOWN_AFTER if isinstance(after.command, ProtectLeg) else now
            self._after_settling.extend((now + delay, shown_from) for delay in delays)
        self._poked.set()
        self._changed.set()
        self._stops.changed()
        self._wake()
        self._trade_notices.intent(after)
        await self._tell("trade", {"trade_id": after.trade})

    async def _watch_on(self) -> None:
        """Look after trades by price and time for as long as one needs it."""
        while True:
            await self._desk.rush.over()
            self._changed.clear()
            with self._rest.acting():
                watch = await self._watch_once()
            if watch.again_in is None:
                await self._desk.clock.sleep(BREATH)
                await self._changed.wait()
                continue
            await self._desk.clock.sleep(watch.again_in)

    async def _watch_once(self) -> Watch:
        try:
            watch = await self._watch.run() if self._account.reconciled else Watch()
        except StoreInDoubtError:
            raise
        except StoreUnavailableError:
            return Watch(again_in=STORE_PAUSE)
        for taken in watch.taken:
            self.dispatcher.add([taken.intent])
            if isinstance(taken.intent.command, CancelLeg):
                trade = taken.trade
                text = f"{trade.side.value} {trade.volume} {trade.symbol}, {taken.duty.text}"
                about = f"trade:{trade.trade_id}"
                await self._notify(NoticeKind.ORDER_CANCELLED, about, {"text": text})
        return watch

    async def _look_on(self) -> None:
        """Look until the account may rest."""
        full = True
        while True:
            if self._account.reconciled and not self._unknown:
                is_routine = all(moment > self._desk.clock.now() for moment in self._due())
                await self._desk.rush.before_look(is_routine=is_routine)
            # A look that fails counts too: what was due before it must not make it spin.
            self._looked_at = now = self._desk.clock.now()
            self._planned = [moment for moment in self._planned if moment > now]
            self._after_settling = [one for one in self._after_settling if one[0] > now]
            try:
                result = await self._look(full=full)
                if result is not None:
                    self._unknown.seen(result.unknown)
                await self._unknown.raise_alarms()
                if result is None:
                    delay = min(SOON * 2 ** min(self._failures, 10), RETRY_MAX)
                else:
                    if result.is_shown and result.live:  # Routine looks go on.
                        self._after_settling = [i for i in self._after_settling if i[1] > now]
                    await self._tell_doubles(result)
                    await self._release(result)
                    full = result.needs_full or bool(result.unknown) or not self._account.reconciled
                    is_quiet = not (full or result.live or result.held or result.unknown)
                    self._rest.looked(is_quiet=is_quiet and not self._is_expected())
                    delay = self._delay(result)
            except StoreInDoubtError:
                raise
            except StoreUnavailableError as error:
                log.warning("look_put_off", cause=str(error))
                full, delay = True, STORE_PAUSE
            await self._wait(delay)
            if self._may_rest():
                self._following.caught_up()
                return

    def _is_expected(self) -> bool:
        """Tell whether something may still come of what was done before."""
        return self._account.close_all is not None or self._reconcile.next_search() is not None

    def _may_rest(self) -> bool:
        """Tell whether nothing is left to do; nobody is in the middle of anything then."""
        has_news = self._changed.is_set() or self._poked.is_set()
        is_expecting = self._planned or self._after_settling or self._not_before
        is_busy = (
            has_news
            or self._end.has_news
            or self._stops.has_news
            or bool(is_expecting)
            or bool(self._unknown)
            or bool(self.dispatcher.in_flight())
        )
        return not is_busy and self._rest.may_begin()

    async def _look(self, *, full: bool) -> LookResult | None:
        is_first = not self._account.reconciled
        try:
            result = await self._reconcile.look(
                full=full, in_flight=self.dispatcher.in_flight, send=self.dispatcher.add
            )
        except TemporaryError as error:
            self._failures += 1
            if self._failures == 1:
                log.warning("account_unreadable", cause=str(error))
            return None
        if self._failures:
            log.info("account_readable_again", failures=self._failures)
            self._failures = 0
        await self._see_limits()
        self._end.changed()
        self._wake()
        account = self._account.account.account_id
        await self._tell("account", {"account_id": account})
        self._trade_notices.trades(trade.trade_id for trade in result.changed)
        for trade in result.changed:
            await self._tell("trade", {"trade_id": trade.trade_id})
        if result.live:
            self._changed.set()
        if result.changed or is_first:
            self._stops.changed()
        return result

    async def _see_limits(self) -> None:
        """Look at the user's limits; they hold back entries, and none goes out without a store."""
        try:
            seen = await self._limits.see()
        except StoreInDoubtError:
            raise
        except StoreUnavailableError:
            return
        for kind, text in seen:
            await self._notify(kind, f"account:{self._account.account.account_id}", {"text": text})

    async def _tell_doubles(self, result: LookResult) -> None:
        """Say what should not exist, and whether it is being closed."""
        for double in result.doubles:
            is_closing = double.intent.state is IntentState.SENDING
            what = "it is being closed" if is_closing else "it was left as it is"
            trade = double.trade
            text = f"{double.extra.key} in {trade.symbol} beside leg {trade.leg}: {what}"
            kind = NoticeKind.DUPLICATE_FOUND
            await self._notify(kind, f"trade:{trade.trade_id}", {"text": text})

    async def _release(self, result: LookResult) -> None:
        """Send held intents again: each has been proved not to be done, or never left."""
        now = self._desk.clock.now()
        held = {intent.intent_id for intent in result.held}
        # One that was held back while this look was under way is not among those it found.
        self._not_before = {i: at for i, at in self._not_before.items() if i in held or at > now}
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
            else:
                self._trade_notices.intent(released)

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
        moments = self._due()
        rules = self._desk.settle_rules
        moments += [rules.next_look(i.sending_at or now, now) for i in result.unknown]
        if not self._account.reconciled or result.needs_full:
            moments.append(now + SOON)
        search = self._reconcile.next_search()
        if search is not None:
            # It may be due already and the account not readable as a whole.
            moments.append(max(search, now + rules.between_looks))
        routine = max(self._look_interval, self._account.broker.look_pause)
        moments.append(now + (routine if result.live else IDLE_LOOK))
        rest = self._rest.due_in()
        if rest is not None:
            moments.append(now + rest)
        return max(min(moments) - now, timedelta(milliseconds=50))

    def _due(self) -> list[datetime]:
        earliest = self._looked_at + LOOKS_APART
        return [*self._planned, *(max(moment, earliest) for moment, _ in self._after_settling)]

    async def _wait(self, delay: timedelta) -> None:
        """Wait for the delay, or less if a look was planned meanwhile."""
        end = self._desk.clock.now() + delay
        while True:
            self._poked.clear()
            now = self._desk.clock.now()
            until = min([end, *self._due()])
            if until <= now:
                return
            try:
                async with asyncio.timeout((until - now).total_seconds()):
                    await self._poked.wait()
            except TimeoutError:
                return
