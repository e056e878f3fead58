"""A real server on loopback over a store in memory, and a client that behaves as told."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import aiohttp
import uvicorn
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from kit.canaries import WATCH
from kit.wall_clock import WallClock
from kit.web_scene import CELL, USER
from signalfleet.adapters.memory.bus import MemoryBus
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.bootstrap.language import load_profile_editor
from signalfleet.bootstrap.web import open_socket
from signalfleet.domain.ids import UserId
from signalfleet.web.app import create_app, end_streams
from signalfleet.web.deps import WebDeps

KEY = b"0123456789abcdef0123456789abcdef"
PAGE = {"Accept": "text/html,application/xhtml+xml"}
OURS = {"Sec-Fetch-Site": "same-origin"}


@dataclass(kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found


@dataclass(kw_only=True)
class Site:
    """The served application and one browser-like visitor. `cookie` is sent when it is set."""

    app: FastAPI
    store: MemoryStore
    bus: MemoryBus
    url: str
    client: aiohttp.ClientSession
    cookie: str = ""
    token: str = ""
    set_cookie: str = field(default="", repr=False)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        sent = {**({"Cookie": self.cookie} if self.cookie else {}), **(headers or {})}
        data = form if form is not None else body
        async with self.client.request(
            method, self.url + path, headers=sent, data=data, allow_redirects=False
        ) as answer:
            self.set_cookie = answer.headers.get("Set-Cookie", "")
            return Answer(
                status=answer.status,
                headers=answer.headers,
                text=await answer.text(errors="replace"),
            )

    async def page(self, path: str) -> Answer:
        return await self.ask("GET", path, headers=PAGE)

    async def press(self, path: str, **fields: str) -> Answer:
        """Send a form as our own page would."""
        form = {"csrf_token": self.token, **fields}
        return await self.ask("POST", path, headers={**PAGE, **OURS}, form=form)

    async def sign_in(self) -> None:
        answer = await self.ask("POST", "/auth/demo", headers={**PAGE, **OURS})
        assert answer.status == 303, answer.text
        jar = SimpleCookie(self.set_cookie)
        self.cookie = "; ".join(f"{name}={one.value}" for name, one in jar.items())
        home = await self.page("/")
        found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', home.text)
        assert found is not None
        self.token = found[1]


@asynccontextmanager
async def serve(
    store: MemoryStore | None = None,
    *,
    demo_user: UserId | None = USER,
    heartbeat: timedelta = timedelta(seconds=15),
    name: str = "127.0.0.1",
    **changes: Any,
) -> AsyncIterator[Site]:
    """Serve the web role; everything is closed when the block is left. `name` is in its address."""
    bus, listening = MemoryBus(), open_socket("127.0.0.1", 0)
    url = f"http://{name}:{listening.getsockname()[1]}"
    store = store or MemoryStore(cell=CELL)
    given: dict[str, Any] = {
        "store": store,
        "bus": bus,
        "clock": WallClock(),
        "metrics_text": lambda: b"signalfleet_active_bots 1\n",
        "environment": "test",
        "demo_user": demo_user,
        "bound_to_loopback": True,
        "session_key": KEY,
        "public_url": url,
        "version": "0.0.1",
        "profiles": load_profile_editor(),
    }
    app = create_app(WebDeps(**{**given, **changes}), heartbeat=heartbeat)
    heard = Overheard(app)
    server = Server(
        uvicorn.Config(
            heard, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=2
        )
    )
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        tasks.create_task(server.serve(sockets=[listening]), name="server")
        await server.is_up.wait()
        try:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
                yield Site(app=app, store=store, bus=bus, url=url, client=client)
        finally:
            end_streams(app)
            server.end.set()
    listening.close()


@dataclass(frozen=True)
class Overheard:
    """The application, with the watch for secrets reading along what it answers."""

    app: FastAPI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        where = f"the answer to {scope.get('method')} {scope.get('path')}"
        whole = bytearray()

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.body":
                whole.extend(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, sent)
        finally:
            if whole:
                WATCH.hear(where, bytes(whole))


class Server(uvicorn.Server):
    """Says when it listens, ends at once, and leaves the signals to the test runner."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()
        self.end = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    async def main_loop(self) -> None:
        # Asked for its end ten times a second, every test would wait for that.
        await self.on_tick(0)
        await self.end.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
