"""From the bus to open pages: one listener per user, finished panels, bounded queues.

A page gets whole panels, never differences: a lost event costs a moment, not a wrong number. So a
stream that cannot keep up loses its queue and is sent everything anew.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog

from signalfleet.domain.ids import UserId
from signalfleet.ports.bus import Bus
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import PortError
from signalfleet.web.present.board import Panel

log = structlog.get_logger(__name__)

QUEUE_FRAMES: Final = 256
STREAMS_PER_USER: Final = 6
STREAMS: Final = 2_000
COALESCE: Final = timedelta(milliseconds=500)
LISTEN_AGAIN: Final = timedelta(seconds=1)
HEARTBEAT: Final = timedelta(seconds=15)
ALL_PANELS: Final = frozenset(Panel)
CHANGED: Final = "changed"
_OF_TRADE: Final = ALL_PANELS - {Panel.LINKS, Panel.BELL}
PANELS_BY_KIND: Final[Mapping[str, frozenset[Panel]]] = {
    "signal": frozenset({Panel.SIGNALS, Panel.NEWEST, Panel.TODAY, Panel.UNKNOWN}),
    "trade": _OF_TRADE,
    "account": frozenset({Panel.LINKS, Panel.STRIP, Panel.POSITIONS, Panel.UNKNOWN}),
    "bot": frozenset({Panel.LINKS, Panel.UNKNOWN}),
    "notice": frozenset({Panel.BELL}),
}
MESSAGE_KINDS: Final = frozenset({"signal", "trade"})

Render = Callable[[UserId, Collection[Panel]], Awaitable[Mapping[str, str]]]


class TooManyStreamsError(Exception):
    """The process or the user has as many open streams as are served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One server-sent event."""

    event: str
    text: str


class Stream:
    """One open page's frames; `ended` is set when the server goes away."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[Frame] = asyncio.Queue(QUEUE_FRAMES)
        self.overflowed = False

    def put(self, frame: Frame) -> None:
        """Add a frame; if the reader is too slow, drop all of them and remember it."""
        if self._frames.full():
            while not self._frames.empty():
                self._frames.get_nowait()
            self.overflowed = True
        self._frames.put_nowait(frame)

    async def get(self) -> Frame:
        return await self._frames.get()


@dataclass(slots=True)
class _Feed:
    """What one user's streams share."""

    streams: set[Stream] = field(default_factory=set)
    dirty: set[Panel] = field(default_factory=set)
    has_messages: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def mark(self, panels: Collection[Panel], *, messages: bool = False) -> None:
        self.dirty |= set(panels)
        self.has_messages |= messages
        self.wake.set()

    def send(self, frame: Frame) -> None:
        for stream in self.streams:
            stream.put(frame)


class LiveHub:
    """Listens to a user's events only while the user has a page open."""

    def __init__(
        self, bus: Bus, clock: Clock, render: Render, *, heartbeat: timedelta = HEARTBEAT
    ) -> None:
        self.heartbeat = heartbeat
        self._bus = bus
        self._clock = clock
        self._render = render
        self._feeds: dict[UserId, _Feed] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._ending = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Own the listeners' tasks; on leaving all streams have been told to end."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = None
                self.end()
                for feed in self._feeds.values():
                    if feed.task is not None:
                        feed.task.cancel()

    def end(self) -> None:
        """Tell every stream to end. Call it before the server waits for its connections."""
        self._ending.set()

    @property
    def is_ending(self) -> bool:
        return self._ending.is_set()

    async def ended(self) -> None:
        await self._ending.wait()

    @property
    def stream_count(self) -> int:
        return sum(len(feed.streams) for feed in self._feeds.values())

    def has_room(self, user: UserId) -> bool:
        feed = self._feeds.get(user)
        mine = len(feed.streams) if feed else 0
        is_up = self._tasks is not None and not self.is_ending
        return is_up and self.stream_count < STREAMS and mine < STREAMS_PER_USER

    @asynccontextmanager
    async def stream(self, user: UserId) -> AsyncIterator[Stream]:
        """Open a stream; it starts with every panel, so nothing was missed before it."""
        if self._tasks is None or not self.has_room(user):
            raise TooManyStreamsError
        feed = self._feeds.setdefault(user, _Feed())
        stream = Stream()
        feed.streams.add(stream)
        if feed.task is None:
            feed.task = self._tasks.create_task(self._serve(user, feed), name=f"live:{user}")
        feed.mark(ALL_PANELS)
        try:
            yield stream
        finally:
            feed.streams.discard(stream)
            if not feed.streams:
                self._feeds.pop(user, None)
                if feed.task is not None:
                    feed.task.cancel()

    async def _serve(self, user: UserId, feed: _Feed) -> None:
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen(user, feed), name=f"live-listen:{user}")
                    tasks.create_task(self._push(user, feed), name=f"live-push:{user}")
            except* Exception as errors:  # One user's trouble stays on that user's pages.
                kinds = [type(error).__name__ for error in errors.exceptions]
                log.exception("live_feed_crashed", user_id=user, kinds=kinds)
            await self._clock.sleep(LISTEN_AGAIN)
            feed.mark(ALL_PANELS, messages=True)

    async def _listen(self, user: UserId, feed: _Feed) -> None:
        while True:
            try:
                async with AsyncExitStack() as stack:
                    events = await stack.enter_async_context(self._bus.events(user))
                    # What happened before the subscription stood is caught up here.
                    feed.mark(ALL_PANELS, messages=True)
                    async for event in events:
                        panels = PANELS_BY_KIND.get(event.kind, ALL_PANELS)
                        feed.mark(panels, messages=event.kind in MESSAGE_KINDS)
            except PortError as error:
                log.warning("live_events_lost", user_id=user, kind=type(error).__name__)
            await self._clock.sleep(LISTEN_AGAIN)

    async def _push(self, user: UserId, feed: _Feed) -> None:
        while True:
            await feed.wake.wait()
            feed.wake.clear()
            panels, has_messages = frozenset(feed.dirty), feed.has_messages
            feed.dirty.clear()
            feed.has_messages = False
            try:
                rendered = await self._render(user, panels)
            except PortError as error:
                log.warning("live_panels_unreadable", user_id=user, kind=type(error).__name__)
                feed.mark(panels, messages=has_messages)
                await self._clock.sleep(LISTEN_AGAIN)
                continue
            self._send(feed, rendered, has_messages=has_messages)
            await self._clock.sleep(COALESCE)

    def _send(self, feed: _Feed, rendered: Mapping[str, str], *, has_messages: bool) -> None:
        for name, html in rendered.items():
            feed.send(Frame(event=name, text=html))
        if has_messages:
            feed.send(Frame(event=CHANGED, text="1"))
        for stream in feed.streams:
            if stream.overflowed:
                stream.overflowed = False
                feed.mark(ALL_PANELS, messages=True)
