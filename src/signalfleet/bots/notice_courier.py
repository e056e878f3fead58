"""NoticeCourier: brings the notices of this worker's users out of the house, beside the bots."""

import asyncio
import heapq
import math
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog

from signalfleet.app.daily_summary import DailySummary
from signalfleet.app.deliver_notices import DeliverNotices
from signalfleet.domain.ids import SLOTS, UserId
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import PortError
from signalfleet.ports.store import Store

log = structlog.get_logger()

GATHER: Final = timedelta(seconds=1)
"""The legs of one signal open together and are told together."""
LOOK: Final = timedelta(seconds=60)
AT_ONCE: Final = 8
TICK: Final = timedelta(seconds=0.25)
SUMMARY_EVERY_S: Final = 180.0
"""So late a day is summed up at most; to find that it is not yet time takes reads of its own."""
AFTER_TROUBLE_S: Final = 15.0


class NoticeCourier:
    """Users are served when something is told, when a retry is due, and by a look at all.

    `owns` says whether a user's bot may run here: nobody else sends for that user then.
    """

    def __init__(
        self,
        *,
        cell: str,
        store: Store,
        clock: Clock,
        owns: Callable[[UserId], bool],
        deliver: DeliverNotices,
        summary: DailySummary,
    ) -> None:
        self._cell = cell
        self._store = store
        self._clock = clock
        self._owns = owns
        self._deliver = deliver
        self._summary = summary
        self._due: dict[UserId, float] = {}
        self._queue: list[tuple[float, UserId]] = []
        self._busy: set[UserId] = set()
        self._summed: dict[UserId, float] = {}
        self._changed = asyncio.Event()

    def wake(self, user: UserId) -> None:
        """Serve a user soon: something was told."""
        self._plan(user, GATHER.total_seconds())

    def changed(self, user: UserId) -> None:
        """The user's places or wishes changed."""
        self._deliver.forget(user)
        self.wake(user)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_at_all(), name="notices:look")
            while True:
                self._start_due(tasks)
                await self._wait()

    def _plan(self, user: UserId, seconds: float) -> None:
        at = self._clock.monotonic() + seconds
        known = self._due.get(user)
        if known is not None and known <= at:
            return
        self._due[user] = at
        heapq.heappush(self._queue, (at, user))
        self._changed.set()

    def _start_due(self, tasks: asyncio.TaskGroup) -> None:
        now = self._clock.monotonic()
        while len(self._busy) < AT_ONCE and self._next() <= now:
            _, user = heapq.heappop(self._queue)
            if user in self._busy:
                continue  # It is planned again when it is over.
            del self._due[user]
            self._busy.add(user)
            tasks.create_task(self._serve(user), name=f"notices:{user}")

    def _next(self) -> float:
        """Return when somebody is due; entries that an earlier one has replaced are dropped."""
        while self._queue and self._due.get(self._queue[0][1]) != self._queue[0][0]:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else math.inf

    async def _wait(self) -> None:
        """Wait until something is due, and never spin while all places are taken."""
        self._changed.clear()
        now = self._clock.monotonic()
        due = now + LOOK.total_seconds() if len(self._busy) >= AT_ONCE else self._next()
        seconds = max(min(due - now, LOOK.total_seconds()), TICK.total_seconds())
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        # Several wake-ups in a row are one.
        await self._clock.sleep(timedelta(0))

    async def _serve(self, user: UserId) -> None:
        """Serve one user; whatever goes wrong stays that user's."""
        again: float | None = None
        try:
            if self._owns(user):
                with structlog.contextvars.bound_contextvars(user_id=user):
                    again = await self._serve_once(user)
            else:
                self._deliver.forget(user)
                self._summed.pop(user, None)
        except PortError as error:
            log.warning("notices_unreadable", cause=type(error).__name__)
            again = AFTER_TROUBLE_S
        except Exception:
            log.exception("courier_stumbled")
            again = LOOK.total_seconds()
        finally:
            self._busy.discard(user)
            if user in self._due:
                heapq.heappush(self._queue, (self._due[user], user))
            self._changed.set()
        if again is not None:
            self._plan(user, again)

    async def _serve_once(self, user: UserId) -> float | None:
        now = self._clock.monotonic()
        if now - self._summed.get(user, float("-inf")) >= SUMMARY_EVERY_S:
            self._summed[user] = now
            await self._summary.run(user, self._clock.now())
        again = await self._deliver.run(user)
        return None if again is None else again.total_seconds()

    async def _look_at_all(self) -> None:
        """Find what was told elsewhere, and what was left over from before a start."""
        while True:
            try:
                for user in await self._store.fleet.users_of_slots(self._cell, range(SLOTS)):
                    if self._owns(user):
                        self._plan(user, 0.0)
            except PortError as error:
                log.warning("users_unreadable", cause=type(error).__name__)
            await self._clock.sleep(LOOK)
