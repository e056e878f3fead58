"""What happens in one user's seat: waiting for a place, the bot again and again, what is shown."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NoReturn

import structlog

from signalfleet.app.connect_telegram import SESSION_FIELD
from signalfleet.app.notify import notify
from signalfleet.bots.admission import Admission, Rank
from signalfleet.bots.budgets import BotBudget, Budgets, Weighed
from signalfleet.bots.limit_keeper import LimitKeeper, LimitSigns
from signalfleet.bots.meters import current_bot
from signalfleet.bots.seats import Seat
from signalfleet.bots.services import BotServices
from signalfleet.bots.state_board import BotMove, StateBoard
from signalfleet.bots.supervision import Supervision, Verdict
from signalfleet.bots.telegram_link import NEVER_SIGNED_IN, SIGNED_OUT
from signalfleet.bots.user_bot import AccountsChangedError, UserBot
from signalfleet.domain.accounts.bot_state import BotState, may_move
from signalfleet.domain.accounts.notices import Notice, NoticeKind
from signalfleet.domain.accounts.tiers import FREE, limits_of
from signalfleet.ports.bus import LiveEvent
from signalfleet.ports.errands import Errand
from signalfleet.ports.errors import PortError
from signalfleet.ports.store import BotStatus

log = structlog.get_logger()

SIGN_IN_CHECK: Final = timedelta(seconds=30)
"""How often a bot without a session looks for one; usually it is told of it at once."""
STARTS_AT_ONCE: Final = 32
"""Bots that load what they need at the same time; others wait, for the sake of those that run."""
QUARANTINE_OUTLIVES_MOVES: Final = timedelta(hours=1)
"""A bot that keeps crashing must not do so on one worker after the other."""
MEMORY_CHECK: Final = timedelta(seconds=5)
NO_MEMORY: Final = "memory_full"
IN_LINE: Final = "in_line"
SESSION_TAKEN: Final = "session_taken"


class _SignedInAgainError(Exception):
    """Ends a bot without Telegram, so that it starts with the new session."""


class SeatKeeper:
    """Keeps seats: one supervising task each, so that a bot's failures stay its own."""

    def __init__(
        self, services: BotServices, *, cell: str, admission: Admission, states: StateBoard
    ) -> None:
        self._services = services
        self._cell = cell
        self._admission = admission
        self._states = states
        self._doors = asyncio.Semaphore(STARTS_AT_ONCE)
        self._budgets = services.budgets or Budgets(services.clock, services.metrics)
        self._budgets.share([services])

    async def keep(self, seat: Seat) -> None:
        """Run the user's bot until cancelled; it returns if the slot has a newer owner."""
        with structlog.contextvars.bound_contextvars(user_id=seat.user):
            budget = self._budgets.of(seat.user)
            current_bot.set(budget.meter)
            supervision = Supervision(self._services.chance, budget.recycles)
            status = await self._earlier(seat)
            if status is not None and status.state is BotState.SIGN_IN_NEEDED:
                seat.sign_in_reason = status.reason
            await self._stay_quarantined(seat, status)
            while True:
                await self._line_up(seat)
                async with self._admission.place(await self._rank(seat, status)):
                    is_lost = await self._run(seat, supervision)
                if is_lost:
                    log.warning("bot_moved_away")
                    return
                status = None
                seat.poked.clear()
                await self._wait(seat, None)
                while budget.is_held:  # The user's own wish does not free it, an operator does.
                    seat.poked.clear()
                    await self._wait(seat, None)

    async def move(
        self,
        seat: Seat,
        state: BotState,
        reason: str | None,
        retry_at: datetime | None = None,
        crashes: int = 0,
    ) -> None:
        """Store and show a bot's new state; what cannot be stored now is stored later."""
        if (seat.state is state and seat.reason == reason) or seat.is_lost:
            return
        now = self._services.clock.now()
        if seat.state is not state:
            if not may_move(seat.state, state):
                log.error("illegal_bot_move", before=seat.state.value, after=state.value)
            seat.since = now
        seat.state, seat.reason = state, reason
        since = seat.since or now
        move = BotMove(state=state, reason=reason, since=since, retry_at=retry_at, crashes=crashes)
        await self._states.put(seat.user, move, seat.epoch)
        event = LiveEvent(user=seat.user, kind="bot", payload={"state": state.value})
        await self._services.bus.publish_event(event)

    async def show_line(self, seats: list[Seat]) -> None:
        """Show those who wait for a place which one they have in the line."""
        places = self._admission.places_in_line()
        for seat in seats:
            place = places.get(seat.user)
            if place is not None and seat.state is BotState.QUEUED:
                await self.move(seat, BotState.QUEUED, f"{IN_LINE}:{place}")

    async def _line_up(self, seat: Seat) -> None:
        while not self._budgets.may_start:
            await self.move(seat, BotState.QUEUED, NO_MEMORY)
            await self._services.clock.sleep(MEMORY_CHECK)
        if not self._admission.is_full():
            await self.move(seat, BotState.QUEUED, None)
            return
        place = self._admission.waiting + 1
        log.warning("bot_waits_for_place", place=place)
        await self.move(seat, BotState.QUEUED, f"{IN_LINE}:{place}")

    async def _rank(self, seat: Seat, status: BotStatus | None) -> Rank:
        """Return the user's rank; who waited in another process goes on waiting from then."""
        since = self._services.clock.now()
        if status is not None and status.state is BotState.QUEUED and status.since is not None:
            since = min(since, status.since)
        is_free = True
        if self._admission.is_full():
            try:
                profile = await self._services.store.fleet.get_user(seat.user)
            except PortError:
                profile = None
            is_free = profile is None or limits_of(profile.tier) == FREE
        return Rank(is_free_tier=is_free, since=since, user=seat.user)

    async def _earlier(self, seat: Seat) -> BotStatus | None:
        """Return what an earlier owner of the slot left."""
        try:
            return await self._services.store.user(seat.user).bot.status()
        except PortError:
            return None

    async def _stay_quarantined(self, seat: Seat, status: BotStatus | None) -> None:
        if status is None or status.state is not BotState.QUARANTINED or status.since is None:
            return
        left = status.since + QUARANTINE_OUTLIVES_MOVES - self._services.clock.now()
        if left <= timedelta(0):
            return
        seat.state, seat.since, seat.reason = status.state, status.since, status.reason
        seat.poked.clear()
        await self._wait(seat, left)

    async def _run(self, seat: Seat, supervision: Supervision) -> bool:
        """Run the bot until it needs somebody's help; True if the slot has a newer owner."""
        while True:
            await self.move(seat, BotState.STARTING, None)
            verdict = await self._run_once(seat, supervision)
            if verdict.is_fenced:
                if await self._is_lost(seat):
                    return True
                verdict = supervision.later(SESSION_TAKEN)
            delay = verdict.delay
            now = self._services.clock.now()
            retry_at = now + delay if delay is not None else None
            await self.move(seat, verdict.state, verdict.reason, retry_at, supervision.crashes)
            if delay is None:
                return False
            seat.poked.clear()
            await self._wait(seat, delay)

    async def _is_lost(self, seat: Seat) -> bool:
        """Tell a slot that has a newer owner from a Telegram session that somebody took."""
        number = seat.slot
        try:
            epochs = await self._services.store.fleet.slot_epochs(self._cell, [number])
        except PortError:
            return False  # Whoever is fenced cannot write, so trying once more harms nobody.
        return epochs.get(number, 0) > seat.epoch

    async def _run_once(self, seat: Seat, supervision: Supervision) -> Verdict:
        started = self._services.clock.now()
        failure: BaseException | None = None
        budget = self._budgets.of(seat.user)
        bot = UserBot(seat.user, self._services, seat.epoch, budget)
        seat.bot = bot
        self._budgets.started(seat.user, Weighed(root=bot, footprint=bot.footprint, trim=bot.trim))
        try:
            async with asyncio.TaskGroup() as tasks:
                self._keep_limits(seat, bot, budget, tasks)
                async with self._doors:  # One that has loaded makes room for the next.
                    await bot.load()
                reason = await bot.run(tasks, lambda: self._announce(seat))
                await self._await_sign_in(seat, reason)
        except* _SignedInAgainError:
            failure = _SignedInAgainError()
        except* AccountsChangedError:
            failure = AccountsChangedError()
        except* Exception as group:  # noqa: BLE001 - one bot's failure stays its own
            failure = group
        finally:
            seat.bot = None
            self._budgets.ended(seat.user)
        if seat.is_ending:
            # A group that fails while it is cancelled keeps the cancellation to itself.
            raise asyncio.CancelledError
        now = self._services.clock.now()
        supervision.ran(now - started)
        if isinstance(failure, _SignedInAgainError):
            return Verdict(state=BotState.QUEUED, reason="signed_in", delay=timedelta())
        if isinstance(failure, AccountsChangedError):
            return Verdict(state=BotState.RETRYING, reason="accounts_changed", delay=timedelta())
        verdict = supervision.judge(failure, now)
        if verdict.is_recycle:
            await self._recycled(seat, verdict, budget)
        else:
            self._report(verdict, failure)
        return verdict

    async def _announce(self, seat: Seat) -> None:
        if seat.state is not BotState.STARTING:
            return  # It reads with another session now.
        self._services.metrics.count("signalfleet_bot_starts_total")
        seat.sign_in_reason = None
        await self.move(seat, BotState.RUNNING, None)

    async def _await_sign_in(self, seat: Seat, reason: str) -> NoReturn:
        """Show that the user must sign in; only Telegram waits for it, the accounts do not."""
        is_news = reason not in {NEVER_SIGNED_IN, SIGNED_OUT}
        if reason == NEVER_SIGNED_IN and seat.sign_in_reason is not None:
            reason = seat.sign_in_reason  # The session that it was about is deleted by now.
        seat.sign_in_reason = reason
        log.warning("sign_in_needed", reason=reason)
        await self.move(seat, BotState.SIGN_IN_NEEDED, reason)
        if is_news:
            await self._tell_sign_in(seat, reason)
        seat.poked.clear()
        while not await self._has_session(seat):
            await self._wait(seat, SIGN_IN_CHECK)
            seat.poked.clear()
        raise _SignedInAgainError

    def _keep_limits(
        self, seat: Seat, bot: UserBot, budget: BotBudget, tasks: asyncio.TaskGroup
    ) -> None:
        """Show when the bot is slowed down, and end it when it used too much."""

        async def slowed(reason: str | None) -> None:
            if reason is not None and seat.state is BotState.RUNNING:
                await self.move(seat, BotState.THROTTLED, reason)
            elif reason is None and seat.state is BotState.THROTTLED:
                await self.move(seat, BotState.RUNNING, None)
            bot.wake()

        async def tell(kind: NoticeKind, facts: Mapping[str, object]) -> None:
            await self._tell(seat, kind, facts)

        signs = LimitSigns(slowed=slowed, notify=tell, drain=bot.drain)
        looking = Errand("limits", LimitKeeper(budget, signs).look)
        looking.begin(tasks)
        budget.changed = looking.ask
        looking.ask()  # It may be over its limits already.

    async def _recycled(self, seat: Seat, verdict: Verdict, budget: BotBudget) -> None:
        self._services.metrics.count("signalfleet_bot_recycles_total", reason=verdict.reason)
        if verdict.state is BotState.QUARANTINED:
            budget.is_held = True
            log.error("bot_held", reason=verdict.reason)
            await self._tell(seat, NoticeKind.BOT_HELD, {"reason": verdict.reason})

    async def _tell(self, seat: Seat, kind: NoticeKind, facts: Mapping[str, object]) -> None:
        notice = Notice(kind=kind, at=self._services.clock.now(), facts=facts)
        await notify(self._services.store.user(seat.user), self._services.bus, notice)
        self._services.notified(seat.user)

    async def _tell_sign_in(self, seat: Seat, reason: str) -> None:
        """Tell a user whose session ended, once; who never had any is shown the way anyhow."""
        await self._tell(seat, NoticeKind.TELEGRAM_SIGN_IN_NEEDED, {"reason": reason})

    async def _has_session(self, seat: Seat) -> bool:
        try:
            return await self._services.credentials.get(seat.user, SESSION_FIELD) is not None
        except PortError:
            return False

    def _report(self, verdict: Verdict, failure: BaseException | None) -> None:
        if verdict.state is BotState.RETRYING and not verdict.is_crash:
            log.warning("bot_interrupted", reason=verdict.reason, cause=str(failure))
            return
        if verdict.is_fenced:
            log.warning("bot_fenced", cause=str(failure))
            return
        if verdict.state is BotState.SIGN_IN_NEEDED:
            log.warning("sign_in_needed", reason=verdict.reason)
            return
        self._services.metrics.count("signalfleet_bot_crashes_total")
        log.error("bot_crashed", reason=verdict.reason, exc_info=failure)

    async def _wait(self, seat: Seat, delay: timedelta | None) -> None:
        seconds = delay.total_seconds() if delay is not None else None
        try:
            async with asyncio.timeout(seconds):
                await seat.poked.wait()
        except TimeoutError:
            pass
