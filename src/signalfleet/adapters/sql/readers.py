"""Reads, on read-only connections: short ones at once, long ones in threads.

A user's few rows are read in less time than it takes to hand the question to a thread and the
answer back. A busy loop keeps threads waiting for the interpreter besides, up to 5 ms each time.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Generic, TypeAlias, TypeVar

from signalfleet.adapters.sql.errors import translated
from signalfleet.adapters.sql.session import Operation, Params, Row, finished
from signalfleet.adapters.sql.sqlite import open_reader
from signalfleet.adapters.sql.sqlite_engine import SqliteSession
from signalfleet.adapters.sql.texts import Statement
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import StoreUnavailableError

T = TypeVar("T")

Work: TypeAlias = Callable[[sqlite3.Connection], T]

READERS: Final = 4
READ_TIMEOUT_S: Final = 2.0
CLOSE_GRACE_S: Final = 5.0
TURN_S: Final = 0.005
"""After so much time in one turn of the loop others come first."""
_BUSY: Final = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED"})


class Readers:
    """A pool of threads with one connection each, and one connection for reads at once."""

    def __init__(self, path: Path) -> None:
        self._quick = open_reader(path)
        # Whoever would have to wait, waits in a thread.
        self._quick.execute("PRAGMA busy_timeout=0")
        self._turn = threading.Lock()
        self._turn_began: dict[asyncio.AbstractEventLoop, float] = {}
        self._connections = [open_reader(path) for _ in range(READERS)]
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        for connection in self._connections:
            self._idle.put(connection)
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._is_closed = False

    async def run(
        self, operation: Operation[T], user: UserId | None = None, *, is_long: bool = False
    ) -> T:
        """Run an operation on one consistent state of the database, the newest committed one."""
        return await self._run_now(partial(_read, operation), user, is_long=is_long)

    async def rows(
        self, sql: Statement, params: Params, user: UserId | None = None, *, is_long: bool = False
    ) -> Sequence[Row]:
        """Return the rows of one statement, without a transaction round it."""
        return await self._run_now(partial(_rows, sql.text, params), user, is_long=is_long)

    async def _run_now(self, work: Work[T], user: UserId | None, *, is_long: bool) -> T:
        """Run at once what a user asks, if it is short; else, or if it had to wait, in a thread."""
        if self._is_closed:
            raise StoreUnavailableError("the store is closed")
        loop = asyncio.get_running_loop()
        if user is not None and not is_long and self._turn.acquire(blocking=False):
            try:
                found = self._run_at_once(work)
            finally:
                self._turn.release()
            if found is not None:
                await self._let_others(loop)
                return found.answer
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                return await loop.run_in_executor(self._pool, self._run, work)
        except TimeoutError as e:
            raise StoreUnavailableError("the store is too slow now") from e

    async def aclose(self) -> None:
        """Stop what still reads and close the connections, in a bounded time."""
        if self._is_closed:
            return
        self._is_closed = True
        for connection in (self._quick, *self._connections):
            connection.interrupt()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_GRACE_S):
                await asyncio.to_thread(self._close)

    def _close(self) -> None:
        # Reads that still wait are not cancelled: who asked would take it for its own cancellation.
        self._pool.shutdown(wait=True)
        with self._turn:
            self._quick.close()
        for connection in self._connections:
            connection.close()

    def _run_at_once(self, work: Work[T]) -> "_Found[T] | None":
        """Read in the loop's own thread; None if there was something to wait for."""
        try:
            return _Found(work(self._quick))
        except sqlite3.OperationalError as e:
            if e.sqlite_errorname in _BUSY:
                return None
            raise translated(e) from e
        except sqlite3.Error as e:
            raise translated(e) from e

    async def _let_others(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        began = self._turn_began.get(loop)
        if began is None:
            self._turn_began[loop] = now
            loop.call_soon(self._turn_began.pop, loop, None)
        elif now - began > TURN_S:
            await asyncio.sleep(0)

    def _run(self, work: Work[T]) -> T:
        if self._is_closed:
            raise StoreUnavailableError("the store is closed")
        connection = self._idle.get()
        try:
            return work(connection)
        except sqlite3.Error as e:
            raise translated(e) from e
        finally:
            self._idle.put(connection)


@dataclass(frozen=True, slots=True)
class _Found(Generic[T]):
    answer: T


def _rows(text: str, params: Params, connection: sqlite3.Connection) -> Sequence[Row]:
    return connection.execute(text, params).fetchall()


def _read(operation: Operation[T], connection: sqlite3.Connection) -> T:
    connection.execute("BEGIN")
    try:
        return finished(operation(SqliteSession(connection)))
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")
