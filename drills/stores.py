"""Stores that a drill can take away: a SQLite file by its lock, a PostgreSQL server by its end."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from signalfleet.adapters.sql import database_path


class Stoppable(Protocol):
    @property
    def url(self) -> str:
        """Return the address for STORE_URL, empty for the file in the data directory."""
        ...

    def away(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Take the store away for as long as the context lasts."""
        ...

    async def slow(self, pause_s: float, for_s: float) -> None:
        """Let writes wait for so long, again and again."""
        ...


class LockedFile:
    """A SQLite file; `database` tells where it is once there is one."""

    url = ""

    def __init__(self) -> None:
        self.database: Callable[[], str] = str

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        path = database_path(self.database())
        connection = await asyncio.to_thread(_locked, path)
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    async def slow(self, pause_s: float, for_s: float) -> None:
        end = time.monotonic() + for_s
        while time.monotonic() < end:
            async with self.away():
                await asyncio.sleep(pause_s)
            await asyncio.sleep(pause_s / 10)


class Server:
    """A PostgreSQL server of our own."""

    def __init__(self, server: Any) -> None:  # noqa: ANN401 - kit.postgres.Postgres.
        self._server = server
        self.url: str = server.url("sf_worker")
        self.socket: Path = server.folder / ".s.PGSQL.5432"

    def url_at(self, host: str, port: int) -> str:
        """Return the address by way of a proxy before the socket."""
        return f"postgresql://sf_worker@{host}:{port}{urlsplit(self.url).path}"

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        await asyncio.to_thread(self._server.stop)
        try:
            yield
        finally:
            await asyncio.to_thread(self._server.restart)

    async def slow(self, pause_s: float, for_s: float) -> None:
        end = time.monotonic() + for_s
        while time.monotonic() < end:
            stopped = self._processes()
            _send(stopped, signal.SIGSTOP)
            try:
                await asyncio.sleep(pause_s)
            finally:
                _send(stopped, signal.SIGCONT)
            await asyncio.sleep(pause_s / 10)

    def _processes(self) -> list[int]:
        first = self._server.process.pid
        listed = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii")
        return [first, *map(int, listed.split())]


def _locked(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def _send(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def postgres(stack: ExitStack) -> Server | None:
    """Start a server that ends with the stack; None where there is no PostgreSQL. Blocks."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from kit.postgres import running_postgres  # noqa: PLC0415 - The tests' own folder.

    server = stack.enter_context(running_postgres())
    return None if server is None or server.process is None else Server(server)
