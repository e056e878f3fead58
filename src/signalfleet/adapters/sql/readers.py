"""Reads, on a few read-only connections in threads."""

import asyncio
import contextlib
import queue
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from signalfleet.adapters.sql.errors import translated
from signalfleet.adapters.sql.session import Operation, finished
from signalfleet.adapters.sql.sqlite import open_reader
from signalfleet.adapters.sql.sqlite_engine import SqliteSession
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import StoreUnavailableError

T = TypeVar("T")

READERS: Final = 4
READ_TIMEOUT_S: Final = 2.0
CLOSE_GRACE_S: Final = 5.0


class Readers:
    """A pool of threads with one connection each."""

    def __init__(self, path: Path) -> None:
        self._connections = [open_reader(path) for _ in range(READERS)]
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        for connection in self._connections:
            self._idle.put(connection)
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._is_closed = False

    async def run(self, operation: Operation[T], user: UserId | None = None) -> T:  # noqa: ARG002
        """Run an operation on one consistent state of the database, the newest committed one."""
        if self._is_closed:
            raise StoreUnavailableError("the store is closed")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                return await loop.run_in_executor(self._pool, self._run, operation)
        except TimeoutError as e:
            raise StoreUnavailableError("the store is too slow now") from e

    async def aclose(self) -> None:
        """Stop what still reads and close the connections, in a bounded time."""
        if self._is_closed:
            return
        self._is_closed = True
        for connection in self._connections:
            connection.interrupt()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_GRACE_S):
                await asyncio.to_thread(self._close)

    def _close(self) -> None:
        # Reads that still wait are not cancelled: who asked would take it for its own cancellation.
        self._pool.shutdown(wait=True)
        for connection in self._connections:
            connection.close()

    def _run(self, operation: Operation[T]) -> T:
        if self._is_closed:
            raise StoreUnavailableError("the store is closed")
        connection = self._idle.get()
        try:
            connection.execute("BEGIN")
            try:
                return finished(operation(SqliteSession(connection)))
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")
        except sqlite3.Error as e:
            raise translated(e) from e
        finally:
            self._idle.put(connection)
