"""A TCP proxy on loopback between a client and a server, for connections that go wrong."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeAlias

CHUNK: Final = 65_536
CONNECT_S: Final = 5.0
LOOPBACK: Final = "127.0.0.1"

Target: TypeAlias = tuple[str, int] | Path


class Mode(StrEnum):
    """What becomes of bytes. In a black hole they wait, as they do in a cut network."""

    OK = "ok"
    DELAY = "delay"
    BLACKHOLE = "blackhole"
    DROP_RESPONSE = "drop_response"
    REFUSE = "refuse"


class FaultProxy:
    """Passes connections on to `target`, a host and port or a Unix socket; see `faulty`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._mode = Mode.OK
        self._delay_s = 0.0
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._closing = False

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def mode(self) -> Mode:
        return self._mode

    def become(self, mode: Mode, *, delay_s: float = 0.0) -> None:
        """Change what becomes of all connections, also of those that are open."""
        self._mode, self._delay_s = mode, delay_s
        self._changed.set()
        self._changed = asyncio.Event()
        if mode is Mode.REFUSE:
            self.reset()

    def reset(self) -> None:
        """Abort all connections that are open."""
        for writer in self._open:
            writer.transport.abort()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)

    async def aclose(self) -> None:
        assert self._server is not None
        self._closing = True
        self._server.close()
        self.reset()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        self._open.add(writer)
        try:
            with contextlib.suppress(OSError, TimeoutError):
                await self._pass_on(reader, writer)
        except asyncio.CancelledError:
            if not self._closing:  # The library prints what ends its tasks otherwise.
                raise
        finally:
            writer.transport.abort()
            self._open.discard(writer)
            self._running.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode is Mode.REFUSE:
            return
        await self._until_passable(is_answer=False)
        async with asyncio.timeout(CONNECT_S):
            there, back = await self._connect()
        self._open.add(back)
        try:
            ways = (
                asyncio.create_task(self._pump(reader, back, is_answer=False)),
                asyncio.create_task(self._pump(there, writer, is_answer=True)),
            )
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            back.transport.abort()
            self._open.discard(back)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(*self._target)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        while data := await reader.read(CHUNK):
            if self._mode is Mode.DELAY:
                await asyncio.sleep(self._delay_s)
            await self._until_passable(is_answer=is_answer)
            writer.write(data)
            await writer.drain()

    async def _until_passable(self, *, is_answer: bool) -> None:
        while self._mode is Mode.BLACKHOLE or (is_answer and self._mode is Mode.DROP_RESPONSE):
            await self._changed.wait()


@asynccontextmanager
async def faulty(target: Target) -> AsyncIterator[FaultProxy]:
    """Give a proxy on a free port that passes everything on, until it `become`s something else."""
    proxy = FaultProxy(target)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.aclose()
