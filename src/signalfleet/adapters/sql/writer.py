"""The one writer: operations queue, and all that wait are committed together.

Each operation runs inside a savepoint, so that one which fails takes nothing else with it. If the
transaction itself breaks, everything in it runs again one by one.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, Generic, TypeAlias, TypeVar

from signalfleet.adapters.sql.errors import translated
from signalfleet.adapters.sql.session import Session, Undo
from signalfleet.ports.errors import StoreUnavailableError

T = TypeVar("T")
Operation: TypeAlias = Callable[[Session], T]

BATCH: Final = 256
HOT_TIMEOUT_S: Final = 2.0
STUCK_AFTER_S: Final = 8.0
"""How long an operation that has begun may take on; then nobody knows whether it is written."""
CLOSE_GRACE_S: Final = 5.0


class _Stage(Enum):
    WAITING = 1
    RUNNING = 2
    OVER = 3


class _Job(Generic[T]):
    """One operation on its way to the writer, and the future of who asked for it."""

    __slots__ = ("answer", "error", "future", "loop", "operation", "stage")

    def __init__(self, operation: Operation[T], loop: asyncio.AbstractEventLoop) -> None:
        self.operation = operation
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


_AnyJob: TypeAlias = _Job[Any]


class Writer:
    """Owns the connection that writes. `run` is for any number of tasks and loops at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._session = Session(connection)
        self._jobs: queue.SimpleQueue[_AnyJob | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    async def run(self, operation: Operation[T], timeout_s: float = HOT_TIMEOUT_S) -> T:
        """Run an operation in a transaction of the writer; return its answer after the commit.

        An operation may run twice, so it must not change anything but rows. StoreUnavailableError
        if it could not begin in time; then it never will.
        """
        loop = asyncio.get_running_loop()
        job = _Job(operation, loop)
        with self._lock:
            if self._is_closed:
                raise StoreUnavailableError("the store is closed")
            self._jobs.put(job)
        timer = loop.call_later(timeout_s, self._give_up, job)
        try:
            return await job.future
        finally:
            timer.cancel()
            self._withdraw(job)

    async def aclose(self) -> None:
        """Finish what was queued and close the connection, in a bounded time."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, CLOSE_GRACE_S)

    def _withdraw(self, job: _AnyJob) -> bool:
        """Take back an operation that has not begun; tell whether that was so."""
        with self._lock:
            if job.stage is not _Stage.WAITING:
                return False
            job.stage = _Stage.OVER
            return True

    def _give_up(self, job: _AnyJob) -> None:
        if job.future.done():
            return
        if self._withdraw(job):
            job.future.set_exception(StoreUnavailableError("the store is too slow now"))
        else:
            job.loop.call_later(STUCK_AFTER_S, _call_stuck, job)

    def _work(self) -> None:
        is_open = True
        try:
            while is_open:
                jobs, is_open = self._next_batch()
                if jobs:
                    self._run_batch(jobs)
                    _resolve(jobs)
        finally:
            self._connection.close()

    def _next_batch(self) -> tuple[list[_AnyJob], bool]:
        """Wait for a job, take what else is there; the flag is False when it was the last."""
        found: list[_AnyJob] = []
        job = self._jobs.get()
        is_open = job is not None
        while job is not None:
            found.append(job)
            if len(found) == BATCH:
                break
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            is_open = job is not None
        with self._lock:
            begun = [job for job in found if job.stage is _Stage.WAITING]
            for job in begun:
                job.stage = _Stage.RUNNING
        return begun, is_open

    def _run_batch(self, jobs: list[_AnyJob]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as e:
            # Another process holds the lock for long: each one alone would only wait again.
            _fail(jobs, e)
            return
        try:
            for job in jobs:
                self._run_one(job)
            self._connection.execute("COMMIT")
        except sqlite3.Error as e:
            self._roll_back()
            if len(jobs) == 1:
                _fail(jobs, e)
                return
            for job in jobs:
                self._run_batch([job])

    def _run_one(self, job: _AnyJob) -> None:
        """Run one operation; raises only if the transaction of all is lost."""
        execute = self._connection.execute
        job.answer = job.error = None
        execute("SAVEPOINT one")
        try:
            job.answer = job.operation(self._session)
        except Undo as e:
            job.answer = e.answer
        except sqlite3.Error as e:
            if not self._connection.in_transaction:
                raise
            job.error = translated(e)
        except Exception as e:  # noqa: BLE001 - It belongs to who asked.
            job.error = e
        else:
            execute("RELEASE one")
            return
        execute("ROLLBACK TO one")
        execute("RELEASE one")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # The next transaction will say what is wrong.
                self._connection.execute("ROLLBACK")


def _fail(jobs: list[_AnyJob], error: sqlite3.Error) -> None:
    for job in jobs:
        job.error = translated(error)


def _call_stuck(job: _AnyJob) -> None:
    if not job.future.done():
        job.future.set_exception(
            StoreUnavailableError("the store does not answer; what was asked may be written later")
        )


def _resolve(jobs: list[_AnyJob]) -> None:
    """Hand the answers over, with one call per loop and batch."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_AnyJob]] = {}
    for job in jobs:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, own in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve_all, own)


def _resolve_all(jobs: list[_AnyJob]) -> None:
    for job in jobs:
        job.resolve()
