"""Who used the loop: each step of each task of a bot is timed and put down to that bot.

Only tasks that begin in a bot's context are wrapped; callbacks outside tasks, other threads and
what all bots share stay with the process.
"""

import asyncio
import collections.abc
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Final

import structlog

from signalfleet.domain.ids import UserId

log = structlog.get_logger()

SLOW_STEP_NS: Final = 50_000_000
STACK_MAX: Final = 12
LONGEST_KEPT: Final = 16
SAID_EVERY_NS: Final = 60_000_000_000
"""One line a minute for each bot: on a machine that is too busy every step is slow."""


class BotMeter:
    """What one bot has used since its meter was made, in wall time on the loop."""

    __slots__ = ("long_ns", "ns", "said_at", "slow", "steps", "unsaid", "user", "worst_ns")

    def __init__(self, user: UserId) -> None:
        self.user = user
        self.ns = 0
        self.steps = 0
        self.worst_ns = 0
        self.slow = 0
        self.unsaid = 0
        self.said_at: int | None = None
        self.long_ns: list[int] = []
        """The longest steps since they were last taken."""

    def add(self, ns: int, coro: object) -> None:
        self.ns += ns
        self.steps += 1
        if ns > self.worst_ns:  # noqa: PLR1730 - for each step of each bot, and max() is slower
            self.worst_ns = ns
        if ns > SLOW_STEP_NS:
            self._slow(ns, coro)

    def take_long(self) -> list[int]:
        taken, self.long_ns = self.long_ns, []
        return taken

    def _slow(self, ns: int, coro: object) -> None:
        self.slow += 1
        self.long_ns = sorted([*self.long_ns, ns], reverse=True)[:LONGEST_KEPT]
        now = perf_counter_ns()
        if self.said_at is not None and now - self.said_at < SAID_EVERY_NS:
            self.unsaid += 1
            return
        unsaid, self.unsaid, self.said_at = self.unsaid, 0, now
        task = _current_task()
        log.warning(
            "slow_step",
            user_id=self.user,
            task=task.get_name() if task is not None else None,
            ms=round(ns / 1_000_000, 1),
            at=where(coro),
            not_said=unsaid,
        )


current_bot: ContextVar[BotMeter | None] = ContextVar("current_bot", default=None)


class Metered(collections.abc.Coroutine[Any, Any, Any]):
    """A coroutine that times each of its steps; everything else passes as it is."""

    __slots__ = ("__weakref__", "_add", "_coro", "_send", "_throw")

    def __init__(self, coro: Coroutine[Any, Any, Any], meter: BotMeter) -> None:
        self._coro = coro
        self._send = coro.send
        self._throw = coro.throw
        self._add = meter.add

    def send(self, value: Any, /) -> Any:  # noqa: ANN401 - whatever a coroutine may take and give
        started = perf_counter_ns()
        try:
            return self._send(value)
        finally:
            self._add(perf_counter_ns() - started, self._coro)

    def throw(
        self,
        typ: Any,  # noqa: ANN401 - a class or an exception
        val: BaseException | object = None,
        tb: TracebackType | None = None,
        /,
    ) -> Any:  # noqa: ANN401
        started = perf_counter_ns()
        try:
            return self._throw(typ) if val is None and tb is None else self._throw(typ, val, tb)
        finally:
            self._add(perf_counter_ns() - started, self._coro)

    def close(self) -> None:
        self._coro.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coro.__await__()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        # Frames, names and flags, for whoever prints tasks.
        return getattr(self._coro, name)


def in_context_of(meter: BotMeter) -> Context:
    """Return a context like this one in which everything that is begun is this bot's."""
    context = copy_context()
    context.run(current_bot.set, meter)
    return context


Factory = Callable[..., "asyncio.Future[Any]"]


def make_task(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    **options: Any,  # noqa: ANN401 - as asyncio has them, by version
) -> "asyncio.Task[Any]":
    """Make a task as the loop would, with its steps timed if it is a bot's."""
    context: Context | None = options.get("context")
    meter = current_bot.get() if context is None else context.get(current_bot)
    if meter is not None and isinstance(coro, collections.abc.Coroutine):
        coro = Metered(coro, meter)
    return asyncio.Task(coro, loop=loop, **options)


@contextmanager
def metered_tasks() -> Iterator[None]:
    """Have the running loop make its tasks here; afterwards as before."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(make_task)
    try:
        yield
    finally:
        loop.set_task_factory(before)


def where(coro: object) -> list[str]:
    """Say where a coroutine waits now: files and lines from the outside in, nothing of values."""
    found: list[str] = []
    at: object = coro
    while at is not None and len(found) < STACK_MAX:
        frame = getattr(at, "cr_frame", None) or getattr(at, "gi_frame", None)
        if frame is not None:
            code = frame.f_code
            file = "/".join(code.co_filename.split("/")[-2:])
            found.append(f"{file}:{frame.f_lineno} {code.co_name}")
        at = getattr(at, "cr_await", None) or getattr(at, "gi_yieldfrom", None)
    return found or [f"{getattr(coro, '__qualname__', 'ended')}"]


def _current_task() -> "asyncio.Task[Any] | None":
    try:
        return asyncio.current_task()
    except RuntimeError:  # Closed by the garbage collector, outside of any loop.
        return None
