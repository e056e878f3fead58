"""A tiny HTTP server that answers by script and can break off anywhere; it keeps every byte."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> object:
        return json.loads(self.body, parse_float=Decimal)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


Reply: TypeAlias = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(
    payload: object = None,
    *,
    status: int = 200,
    raw: bytes | None = None,
    content_type: str = "application/json; charset=utf-8",
    headers: dict[str, str] | None = None,
    length: int | None = None,
) -> Reply:
    """Answer in full; with `length` above the body's the connection ends in mid-body."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        body = json.dumps(payload).encode() if raw is None else raw
        fields = {
            "Content-Type": content_type,
            "Content-Length": str(len(body) if length is None else length),
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body)
        await writer.drain()
        if length is not None:
            writer.close()

    return reply


async def reset(writer: asyncio.StreamWriter) -> None:
    _reset(writer)


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@dataclass(slots=True)
class RawHttp:
    """`routes` are tried in order by the start of the path; `arrived` holds each whole request."""

    port: int = 0
    routes: list[tuple[str, Reply]] = field(default_factory=list)
    default: Reply = field(default_factory=lambda: answer({}))
    reset_on_connect: bool = False
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    bytes_read: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, path: str, reply: Reply) -> None:
        """Put a route before the others."""
        self.routes.insert(0, (path, reply))

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until what arrived satisfies the condition."""
        async with asyncio.timeout(5):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.connections += 1
        self.changed.set()
        try:
            if self.reset_on_connect:
                _reset(writer)
                return
            while not writer.is_closing():
                request = await self._read(reader)
                self.requests.append(request)
                self.changed.set()
                replies = [r for path, r in self.routes if request.path.startswith(path)]
                await (replies[0] if replies else self.default)(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self.tasks.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as e:
            self.bytes_read += len(e.partial)
            raise
        self.bytes_read += len(head)
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        pairs = [line.split(": ", 1) for line in lines if line]
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.bytes_read += len(body)
        return Request(method=method, target=target, headers=headers, body=body)


@asynccontextmanager
async def raw_http() -> AsyncIterator[RawHttp]:
    stub = RawHttp()
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0)
    stub.port = server.sockets[0].getsockname()[1]
    try:
        yield stub
    finally:
        server.close()
        tasks = list(stub.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await server.wait_closed()
