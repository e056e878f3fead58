"""UserBotManager: runs the bots that users wish for, and only those, on the slots it owns."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from signalfleet.app.connect_telegram import SESSION_FIELD
from signalfleet.app.notify import notify
from signalfleet.bots.services import BotServices
from signalfleet.bots.state_board import BotMove, StateBoard
from signalfleet.bots.supervision import Supervision, Verdict
from signalfleet.bots.user_bot import (
    NEVER_SIGNED_IN,
    SIGNED_OUT,
    AccountsChangedError,
    UserBot,
)
from signalfleet.domain.accounts.bot_state import BotState, may_move
from signalfleet.domain.accounts.notices import Notice, NoticeKind
from signalfleet.domain.ids import SLOTS, UserId, slot
from signalfleet.ports.bus import LiveEvent
from signalfleet.ports.errors import FencedError, PortError

log = structlog.get_logger()

WISH_CHECK: Final = timedelta(seconds=5)
STOP_GRACE: Final = timedelta(seconds=10)
SIGN_IN_CHECK: Final = timedelta(seconds=30)
"""How often a bot without a session looks for one; usually it is told of it at once."""


@dataclass(slots=True)
class _Seat:
    """One user's place in the worker: the supervising task and the bot that runs now."""

    task: asyncio.Task[None] | None = None
    bot: UserBot | None = None
    state: BotState = BotState.OFF
    since: datetime | None = None
    reason: str | None = None
    poked: asyncio.Event = field(default_factory=asyncio.Event)
    is_stopping: bool = False
    sign_in_reason: str | None = None


class _SignedInAgainError(Exception):
    """Ends a bot without Telegram, so that it starts with the new session."""


class UserBotManager:
    """Owns slots under one epoch and holds one seat for each user whose bot is wished for."""

    def __init__(
        self,
        services: BotServices,
        *,
        cell: str,
        worker: str,
        max_bots: int,
        slots: Sequence[int] = range(SLOTS),
    ) -> None:
        self._services = services
        self._cell = cell
        self._worker = worker
        self._max_bots = max_bots
        self._slots = slots
        self._epoch = 0
        self._seats: dict[UserId, _Seat] = {}
        self._consumers: dict[int, asyncio.Task[None]] = {}
        self._wish_rev = 0
        self._states = StateBoard(services.store)
        self._draining = False
        self._tasks: asyncio.TaskGroup | None = None
        self.ready = asyncio.Event()

    @property
    def active_bots(self) -> dict[UserId, UserBot]:
        """Return the bots that run now, by user."""
        return {user: seat.bot for user, seat in self._seats.items() if seat.bot is not None}

    def oldest_unknown(self) -> timedelta:
        """Return the age of the oldest order whose outcome is unknown, over all bots."""
        ages = (bot.unknown_age() for bot in self.active_bots.values())
        return max(ages, default=timedelta(0))

    def epoch_of(self, user: UserId) -> int:
        """Return under which epoch this worker owns the user's slot."""
        return self._epoch if slot(user) in self._slots else 0

    def owns_slot(self, number: int) -> bool:
        """Tell whether this worker has claimed the slot."""
        return bool(self._epoch) and number in self._slots

    def states(self) -> dict[UserId, BotState]:
        return {user: seat.state for user, seat in self._seats.items()}

    async def run(self) -> None:
        """Claim the slots, then keep bots as wished until cancelled."""
        fleet = self._services.store.fleet
        self._epoch = await fleet.claim_slots(self._cell, list(self._slots), self._worker)
        log.info("slots_claimed", count=len(self._slots), epoch=self._epoch)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for user in await fleet.users_of_slots(self._cell, list(self._slots)):
                try:
                    await self._follow_wish(user)
                except PortError as error:
                    # The first check of all wishes comes back to this user.
                    log.warning("wish_unreadable", cause=type(error).__name__)
            self.ready.set()
            while True:
                await self._services.clock.sleep(WISH_CHECK)
                await self.check_wishes()
                await self._states.catch_up()

    async def drain(self) -> None:
        """Start nothing more, let orders settle, and stop all bots side by side."""
        self._draining = True
        async with asyncio.TaskGroup() as tasks:
            for user in list(self._seats):
                tasks.create_task(self.stop_bot(user), name=f"stop:{user}")
        for task in self._consumers.values():
            task.cancel()

    async def start_bot(self, user: UserId) -> None:
        """Give the user a seat; what is running already stays as it is."""
        if user in self._seats or self._draining or self._tasks is None:
            return
        if len(self._seats) >= self._max_bots:
            log.warning("worker_full", max_bots=self._max_bots)
            return
        self._listen_for_work(slot(user))
        seat = _Seat()
        self._seats[user] = seat
        seat.task = self._tasks.create_task(self._supervise(user, seat), name=f"bot:{user}")

    async def stop_bot(self, user: UserId) -> None:
        """Let the bot's orders settle, then end it; does nothing without a bot."""
        seat = self._seats.get(user)
        if seat is None:
            return
        bot = seat.bot
        if bot is not None:
            await self._move(user, seat, BotState.STOPPING, None)
            await bot.drain()  # The seat may have lost it meanwhile.
        if seat.task is not None:
            seat.task.cancel()
            await asyncio.wait([seat.task], timeout=STOP_GRACE.total_seconds())
        self._seats.pop(user, None)
        await self._move(user, seat, BotState.OFF, None)

    async def check_wishes(self) -> None:
        """Follow the wishes that changed since the last check."""
        try:
            changed = await self._services.store.fleet.wishes_since(self._wish_rev)
        except PortError as error:
            log.warning("wishes_unreadable", cause=type(error).__name__)
            return
        for user, rev in changed:
            if slot(user) in self._slots:
                try:
                    await self._follow_wish(user)
                except PortError as error:
                    log.warning("wish_unreadable", cause=type(error).__name__)
                    return
            self._wish_rev = max(self._wish_rev, rev)

    async def _follow_wish(self, user: UserId) -> None:
        status = await self._services.store.user(user).bot.status()
        seat = self._seats.get(user)
        if status.wish_on and seat is None:
            await self.start_bot(user)
        elif not status.wish_on and seat is not None:
            self._stop_aside(user, seat)
        elif seat is not None:
            seat.poked.set()
            if seat.bot is not None:
                await seat.bot.refresh()

    def _stop_aside(self, user: UserId, seat: _Seat) -> None:
        """Stop a bot without keeping others waiting: somebody else may press Stop just now."""
        if self._tasks is not None and not seat.is_stopping:
            seat.is_stopping = True
            self._tasks.create_task(self._stop_as_wished(user), name=f"stop:{user}")

    async def _stop_as_wished(self, user: UserId) -> None:
        await self.stop_bot(user)
        try:
            # The user may have changed their mind while orders were settling.
            await self._follow_wish(user)
        except PortError as error:
            log.warning("wish_unreadable", cause=type(error).__name__)

    def _listen_for_work(self, number: int) -> None:
        if number not in self._consumers and self._tasks is not None:
            task = self._tasks.create_task(self._consume(number), name=f"work:{number}")
            self._consumers[number] = task

    async def _consume(self, number: int) -> None:
        """Wake bots by the slot's queue; the rows hold the work, so a wake-up is acked at once."""
        while True:
            try:
                async with self._services.bus.work(number, self._epoch) as deliveries:
                    async for delivery in deliveries:
                        item = delivery.item
                        if item.kind == "cmd":
                            await self.check_wishes()
                        seat = self._seats.get(item.user)
                        if seat is not None and seat.bot is not None:
                            seat.bot.wake()
                        await delivery.ack()
            except FencedError:
                # Somebody newer owns the slot; this user's bots find out by their own writes.
                log.warning("slot_lost", slot=number)
                return
            except PortError as error:
                log.warning("work_queue_lost", slot=number, cause=type(error).__name__)
                await self._services.clock.sleep(timedelta(seconds=1))

    async def _supervise(self, user: UserId, seat: _Seat) -> None:
        """Run the user's bot again and again; its failures stay its own."""
        with structlog.contextvars.bound_contextvars(user_id=user):
            supervision = Supervision(self._services.chance)
            seat.sign_in_reason = await self._earlier_reason(user)
            await self._move(user, seat, BotState.QUEUED, None)
            while True:
                await self._move(user, seat, BotState.STARTING, None)
                verdict = await self._run_once(user, seat, supervision)
                if verdict.is_fenced:
                    log.warning("bot_moved_away")
                    self._seats.pop(user, None)
                    return
                delay = verdict.delay
                now = self._services.clock.now()
                retry_at = now + delay if delay is not None else None
                await self._move(
                    user, seat, verdict.state, verdict.reason, retry_at, supervision.crashes
                )
                seat.poked.clear()
                await self._wait(seat, delay)
                if delay is None:
                    await self._move(user, seat, BotState.QUEUED, None)

    async def _earlier_reason(self, user: UserId) -> str | None:
        """Return why the user had to sign in before this process began."""
        try:
            status = await self._services.store.user(user).bot.status()
        except PortError:
            return None
        return status.reason if status.state is BotState.SIGN_IN_NEEDED else None

    async def _run_once(self, user: UserId, seat: _Seat, supervision: Supervision) -> Verdict:
        started = self._services.clock.now()
        failure: BaseException | None = None
        seat.bot = UserBot(user, self._services, self._epoch)
        try:
            async with asyncio.TaskGroup() as tasks:
                running = asyncio.Event()
                waiters = (
                    tasks.create_task(self._announce(user, seat, running), name="announce"),
                    tasks.create_task(self._await_sign_in(user, seat, seat.bot), name="sign_in"),
                )
                await seat.bot.run(running)
                for waiter in waiters:
                    waiter.cancel()
        except* _SignedInAgainError:
            failure = _SignedInAgainError()
        except* AccountsChangedError:
            failure = AccountsChangedError()
        except* Exception as group:  # noqa: BLE001 - one bot's failure stays its own
            failure = group
        finally:
            seat.bot = None
        now = self._services.clock.now()
        supervision.ran(now - started)
        if isinstance(failure, _SignedInAgainError):
            return Verdict(state=BotState.QUEUED, reason="signed_in", delay=timedelta())
        if isinstance(failure, AccountsChangedError):
            return Verdict(state=BotState.RETRYING, reason="accounts_changed", delay=timedelta())
        verdict = supervision.judge(failure or RuntimeError("the bot ended by itself"), now)
        self._report(verdict, failure)
        return verdict

    async def _announce(self, user: UserId, seat: _Seat, running: asyncio.Event) -> None:
        await running.wait()
        self._services.metrics.count("signalfleet_bot_starts_total")
        seat.sign_in_reason = None
        await self._move(user, seat, BotState.RUNNING, None)

    async def _await_sign_in(self, user: UserId, seat: _Seat, bot: UserBot) -> None:
        """Show that the user must sign in; only Telegram waits for it, the accounts do not."""
        reason = await bot.signed_out()
        is_news = reason not in {NEVER_SIGNED_IN, SIGNED_OUT}
        if reason == NEVER_SIGNED_IN and seat.sign_in_reason is not None:
            reason = seat.sign_in_reason  # The session that it was about is deleted by now.
        seat.sign_in_reason = reason
        log.warning("sign_in_needed", reason=reason)
        await self._move(user, seat, BotState.SIGN_IN_NEEDED, reason)
        if is_news:
            await self._tell_sign_in(user, reason)
        seat.poked.clear()
        while not await self._has_session(user):
            await self._wait(seat, SIGN_IN_CHECK)
            seat.poked.clear()
        raise _SignedInAgainError

    async def _tell_sign_in(self, user: UserId, reason: str) -> None:
        """Tell a user whose session ended, once; who never had any is shown the way anyhow."""
        notice = Notice(
            kind=NoticeKind.TELEGRAM_SIGN_IN_NEEDED,
            at=self._services.clock.now(),
            facts={"reason": reason},
        )
        await notify(self._services.store.user(user), self._services.bus, notice)
        self._services.notified(user)

    async def _has_session(self, user: UserId) -> bool:
        try:
            return await self._services.credentials.get(user, SESSION_FIELD) is not None
        except PortError:
            return False

    def _report(self, verdict: Verdict, failure: BaseException | None) -> None:
        if verdict.state is BotState.RETRYING and not verdict.is_crash:
            log.warning("bot_interrupted", reason=verdict.reason, cause=str(failure))
            return
        if verdict.state is BotState.SIGN_IN_NEEDED:
            log.warning("sign_in_needed", reason=verdict.reason)
            return
        self._services.metrics.count("signalfleet_bot_crashes_total")
        log.error("bot_crashed", reason=verdict.reason, exc_info=failure)

    async def _wait(self, seat: _Seat, delay: timedelta | None) -> None:
        seconds = delay.total_seconds() if delay is not None else None
        try:
            async with asyncio.timeout(seconds):
                await seat.poked.wait()
        except TimeoutError:
            pass

    async def _move(
        self,
        user: UserId,
        seat: _Seat,
        state: BotState,
        reason: str | None,
        retry_at: datetime | None = None,
        crashes: int = 0,
    ) -> None:
        """Store and show a bot's new state; what cannot be stored now is stored later."""
        if seat.state is state:
            return
        if not may_move(seat.state, state):
            log.error("illegal_bot_move", before=seat.state.value, after=state.value)
        now = self._services.clock.now()
        seat.state, seat.reason, seat.since = state, reason, now
        move = BotMove(state=state, reason=reason, since=now, retry_at=retry_at, crashes=crashes)
        await self._states.put(user, move, self._epoch)
        event = LiveEvent(user=user, kind="bot", payload={"state": state.value})
        await self._services.bus.publish_event(event)
