"""DepartureDesk: users leave here, beside the bots and never in the web process."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Final, NoReturn

import structlog

from signalfleet.app.delete_account import DeleteAccount, begin_closing
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId, slot
from signalfleet.ports.bus import Bus, Plain, WorkItem
from signalfleet.ports.clock import Clock
from signalfleet.ports.departures import Departure
from signalfleet.ports.errors import PortError, RefusedError
from signalfleet.ports.store import Store

log = structlog.get_logger()

TRY_AGAIN: Final = timedelta(minutes=1)
LOOK_AGAIN: Final = timedelta(seconds=2)
ANSWER_WITHIN_S: Final = 8.0
CLOSE: Final = "close"
"""What a question says whose user wants open trades closed before."""


class DepartureDesk:
    """Lets own users leave, and goes on with departures of theirs that a crash has interrupted."""

    def __init__(
        self,
        *,
        store: Store,
        bus: Bus,
        clock: Clock,
        delete: DeleteAccount,
        owns: Callable[[UserId], bool],
    ) -> None:
        self._owns = owns
        self._store = store
        self._bus = bus
        self._clock = clock
        self._delete = delete
        self._running: dict[str, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Go on with what was begun, again and again, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self.ready.set()
            await self._resume()

    async def answer(self, question: Plain) -> Plain:
        """Delete a user; the answer is the report's name, how far it is, and what is still open."""
        if question.get("op") != "delete":
            raise RefusedError("the departure desk cannot do this")
        try:
            user = UserId(str(question.get("user")))
        except DomainError:
            raise RefusedError("whose this is was not said") from None
        if await self._store.fleet.get_user(user) is None:
            raise RefusedError("there is no such user")
        if question.get("trades") == CLOSE:
            await begin_closing(self._store.user(user), self._clock.now())
        report = "r_" + secrets.token_hex(12)
        departure = await self._store.departures.begin(user, report, self._clock.now())
        task = self._start(departure)
        # Most are over in a moment; a longer one goes on by itself.
        await asyncio.wait([task], timeout=ANSWER_WITHIN_S)
        now = await self._store.departures.report(departure.report_id) or departure
        left = 0 if now.user is None else len(await self._store.user(user).journal.live_trades())
        return {
            "report": now.report_id,
            "steps": dict(now.steps),
            "is_over": now.user is None,
            "left": left,
        }

    async def _resume(self) -> NoReturn:
        while True:
            try:
                for departure in await self._store.departures.under_way():
                    if departure.user is not None and self._owns(departure.user):
                        self._start(departure)
            except PortError as error:
                log.warning("departures_unread", cause=type(error).__name__)
            await self._clock.sleep(TRY_AGAIN)

    def _start(self, departure: Departure) -> asyncio.Task[None]:
        known = self._running.get(departure.report_id)
        if known is not None and not known.done():
            return known
        if self._tasks is None:
            raise RefusedError("the departure desk is closed")
        work = self._run(departure)
        task = self._tasks.create_task(work, name=f"departure:{departure.report_id}")
        self._running[departure.report_id] = task
        return task

    async def _run(self, departure: Departure) -> None:
        try:
            while not await self._delete.trades_are_over(departure):
                await self._wake_owner(departure.user)
                await self._clock.sleep(LOOK_AGAIN)
            if departure.user is not None:
                await self._store.user(departure.user).bot.set_wish(on=False, by="departure")
                await self._wake_owner(departure.user)
            await self._delete.run(departure)
        except PortError as error:
            log.warning("departure_waits", report=departure.report_id, cause=type(error).__name__)
        else:
            self._running.pop(departure.report_id, None)

    async def _wake_owner(self, user: UserId | None) -> None:
        """Wake the bot's owner, so that it acts now and not at its next look."""
        if user is None:
            return
        rev = (await self._store.user(user).bot.status()).wish_rev
        try:
            await self._bus.publish_work(WorkItem(user=user, kind="cmd", key=f"wish:{rev}"))
        except PortError as error:
            log.warning("wish_wake_failed", slot=slot(user), cause=type(error).__name__)
