"""The event stream of one browser: panels as they change, a heartbeat, and a polite end."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from signalfleet.domain.ids import UserId
from signalfleet.web.context import context_of
from signalfleet.web.guards import SignedIn
from signalfleet.web.limits import LimitClass
from signalfleet.web.live import frames
from signalfleet.web.live.hub import Frame, LiveHub, Stream, TooManyStreamsError
from signalfleet.web.problems import problem
from signalfleet.web.routes import Access, RouteTable

RETRY_MS: Final = (1_000, 5_000)
SIGNED_OUT: Final = "signed_out"
GOING_AWAY: Final = "going_away"
HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)

Write: TypeAlias = Callable[[bytes], Awaitable[None]]

table: Final = RouteTable()


def hub_of(request: Request) -> LiveHub:
    return cast("LiveHub", request.app.state.hub)


@table.route("GET", "/live/events", Access.SIGNED_IN, limit=LimitClass.STREAM)
async def live_events(request: Request, signed: SignedIn) -> Response:
    if not hub_of(request).has_room(signed.user):
        said = "Too many pages are open at once. This one shows what it had when it was loaded."
        return problem(request, 503, said, headers={"Retry-After": "5"})
    return LiveResponse(request, signed.user)


class LiveResponse(Response):
    """Owns the stream for exactly as long as the connection lives.

    Not a streaming response over a generator: one that waits at its `yield` when the browser goes
    away is closed by the garbage collector only.
    """

    def __init__(self, request: Request, user: UserId) -> None:
        super().__init__()
        self._request = request
        self._hub = hub_of(request)
        self._context = context_of(request)
        self._user = user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's shape
        await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
        async with asyncio.TaskGroup() as tasks:
            gone = tasks.create_task(_gone(receive), name="live-connection")
            pump = tasks.create_task(self._pump(send), name=f"live-stream:{self._user}")
            await asyncio.wait((gone, pump), return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            pump.cancel()
        if not gone.cancelled():
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pump(self, send: Send) -> None:
        async def write(content: bytes) -> None:
            await send({"type": "http.response.body", "body": content, "more_body": True})

        await write(frames.retry(RETRY_MS[0] + secrets.randbelow(RETRY_MS[1] - RETRY_MS[0])))
        try:
            async with self._hub.stream(self._user) as stream:
                await write(
                    frames.encode(Frame(event="bye", text=await self._serve(stream, write)))
                )
        except TooManyStreamsError:  # The last place was taken between the look and the opening.
            await write(frames.encode(Frame(event="bye", text=GOING_AWAY)))

    async def _serve(self, stream: Stream, write: Write) -> str:
        """Send frames until the session or the server ends; return which of them."""
        clock = self._context.deps.clock
        while not self._hub.is_ending:
            if await self._context.sessions.find(self._request) is None:
                return SIGNED_OUT
            now = clock.now().isoformat(timespec="milliseconds")
            await write(frames.encode(Frame(event="hb", text=now)))
            beat_at = clock.monotonic() + self._hub.heartbeat.total_seconds()
            while (left := beat_at - clock.monotonic()) > 0:
                frame = await _next(stream, self._hub, left)
                if frame is None:
                    break
                await write(frames.encode(frame))
        return GOING_AWAY


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _next(stream: Stream, hub: LiveHub, seconds: float) -> Frame | None:
    """Wait for a frame, the next heartbeat or the end of the server, whichever comes first."""
    async with asyncio.TaskGroup() as tasks:
        reader = tasks.create_task(stream.get(), name="live-frame")
        ending = tasks.create_task(hub.ended(), name="live-end")
        await asyncio.wait(
            (reader, ending), timeout=max(seconds, 0), return_when=asyncio.FIRST_COMPLETED
        )
        frame = reader.result() if reader.done() else None
        reader.cancel()
        ending.cancel()
    return frame
