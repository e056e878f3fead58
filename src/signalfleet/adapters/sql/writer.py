"""The one writer of a process: operations queue, and all that wait are committed together.

It has a thread and a connection of its own. How a batch is run is the engine's matter; what counts
here is that who asked is answered after the commit, in time, and once.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from signalfleet.adapters.sql.session import Operation
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import StoreInDoubtError, StoreUnavailableError

T = TypeVar("T")

BATCH: Final = 256
HOT_TIMEOUT_S: Final = 2.0
STUCK_AFTER_S: Final = 8.0
"""How long an operation that has begun may take on; then nobody knows whether it is written."""
CLOSE_GRACE_S: Final = 5.0
TOGETHER_SHARE: Final = 0.05
"""Who began to wait within this share of the patience is looked after by one timer."""


class _Stage(Enum):
    WAITING = 1
    RUNNING = 2
    OVER = 3


class Job(Generic[T]):
    """One operation on its way to the writer, and the future of who asked for it.

    The engine sets `answer` or `error`; both count only when it is done with the batch.
    """

    __slots__ = ("answer", "error", "future", "loop", "operation", "patience_s", "stage", "user")

    def __init__(
        self,
        operation: Operation[T],
        user: UserId | None,
        loop: asyncio.AbstractEventLoop,
        patience_s: float,
    ) -> None:
        self.operation = operation
        self.user = user
        self.patience_s = patience_s
        self.loop = loop
        self.future: asyncio.Future[T] = loop.create_future()
        self.stage = _Stage.WAITING
        self.answer: T | None = None
        self.error: Exception | None = None

    def resolve(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.answer)  # type: ignore[arg-type]  # Set where no error is.


AnyJob: TypeAlias = Job[Any]


@dataclass(slots=True)
class _Group:
    """Jobs that began to wait before `until`, looked after together."""

    until: float
    jobs: list[AnyJob] = field(default_factory=list)


class Engine(Protocol):
    """What runs batches. All of it is called in the writer's thread."""

    def run_batch(self, jobs: Sequence[AnyJob]) -> None:
        """Give each job an answer that is committed, or an error; raise nothing."""
        ...

    def close(self) -> None: ...


class Writer:
    """Owns the engine. `run` is for any number of tasks and loops at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[list[AnyJob] | None] = queue.SimpleQueue()
        self._left: deque[AnyJob] = deque()
        self._arrived: dict[asyncio.AbstractEventLoop, list[AnyJob]] = {}
        self._lock = threading.Lock()
        self._is_closed = False
        self._groups: dict[tuple[asyncio.AbstractEventLoop, float], _Group] = {}
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    async def run(
        self,
        operation: Operation[T],
        timeout_s: float = HOT_TIMEOUT_S,
        *,
        user: UserId | None = None,
    ) -> T:
        """Run an operation in a transaction of the writer; return its answer after the commit.

        With a user it may touch this user's rows and no others, where the database can tell.

        An operation may run twice, so it must not change anything but rows. StoreUnavailableError
        if it could not begin in time; then it never will.
        """
        loop = asyncio.get_running_loop()
        if self._is_closed:
            raise StoreUnavailableError("the store is closed")
        job = Job(operation, user, loop, timeout_s)
        arrived = self._arrived.get(loop)
        if arrived is None:
            # After all tasks that can run now: what they ask comes into one batch, and the writer
            # does not take turns with them for the interpreter.
            self._arrived[loop] = [job]
            loop.call_soon(self._hand_over, loop)
        else:
            arrived.append(job)
        self._watch(job)
        try:
            return await job.future
        finally:
            if job.stage is _Stage.WAITING:
                self._withdraw(job)

    async def aclose(self) -> None:
        """Finish what was queued and close the connection, in a bounded time."""
        if not self._is_closed:
            self._is_closed = True
            for loop in tuple(self._arrived):
                self._hand_over(loop)
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, CLOSE_GRACE_S)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        arrived = self._arrived.pop(loop, None)
        if arrived:
            self._jobs.put(arrived)

    def _watch(self, job: AnyJob) -> None:
        """See to it that somebody is answered who waits too long.

        One timer for all that began to wait within a moment: one for each costs more than its job.
        """
        key = (job.loop, job.patience_s)
        now = job.loop.time()
        group = self._groups.get(key)
        if group is None or now > group.until:
            group = self._groups[key] = _Group(until=now + job.patience_s * TOGETHER_SHARE)
            job.loop.call_later(job.patience_s, self._look_after, group)
        group.jobs.append(job)

    def _look_after(self, group: _Group) -> None:
        for job in group.jobs:
            self._give_up(job)

    def _withdraw(self, job: AnyJob) -> bool:
        """Take back an operation that has not begun; tell whether that was so."""
        with self._lock:
            if job.stage is not _Stage.WAITING:
                return False
            job.stage = _Stage.OVER
            return True

    def _give_up(self, job: AnyJob) -> None:
        if job.future.done():
            return
        if self._withdraw(job):
            job.future.set_exception(StoreUnavailableError("the store is too slow now"))
        else:
            job.loop.call_later(STUCK_AFTER_S, _call_stuck, job)

    def _work(self) -> None:
        try:
            while jobs := self._next_batch():
                begun = self._begin(jobs)
                if begun:
                    self._engine.run_batch(begun)
                    _resolve(begun)
        finally:
            self._engine.close()

    def _next_batch(self) -> list[AnyJob]:
        """Wait for jobs, take what else is there; none if there will never be any."""
        left = self._left
        while len(left) < BATCH:
            try:
                arrived = self._jobs.get(block=not left)
            except queue.Empty:
                break
            if arrived is None:
                self._jobs.put(None)
                break
            left.extend(arrived)
        return [left.popleft() for _ in range(min(BATCH, len(left)))]

    def _begin(self, jobs: list[AnyJob]) -> list[AnyJob]:
        with self._lock:
            begun = [job for job in jobs if job.stage is _Stage.WAITING]
            for job in begun:
                job.stage = _Stage.RUNNING
        return begun


def _call_stuck(job: AnyJob) -> None:
    if not job.future.done():
        job.future.set_exception(
            StoreInDoubtError("the store does not answer; what was asked may be written later")
        )


def _resolve(jobs: list[AnyJob]) -> None:
    """Hand the answers over, with one call per loop and batch."""
    by_loop: dict[asyncio.AbstractEventLoop, list[AnyJob]] = {}
    for job in jobs:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, own in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve_all, own)


def _resolve_all(jobs: list[AnyJob]) -> None:
    for job in jobs:
        job.resolve()
