"""Time for tests: a loop whose waiting costs nothing, and the product's clock on top of it."""

import asyncio
import selectors
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 10, 0, 0, tzinfo=UTC)


class _VirtualSelector(selectors.SelectSelector):
    """Never waits: the time that it was told to wait passes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("everything waits and nothing is scheduled: a deadlock")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time: minutes of waiting take milliseconds."""

    def __init__(self) -> None:
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def virtual_loops() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return what `pytest_asyncio_loop_factories` of a folder's conftest gives back."""
    return {"virtual": VirtualLoop}


class LoopClock:
    """The product's clock on the running loop's time; `offset` plays a step of the wall clock."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self.offset = timedelta(0)

    def now(self) -> datetime:
        return self._start + self.offset + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, delay: timedelta) -> None:
        await asyncio.sleep(max(delay.total_seconds(), 0))


class MiddleChance:
    """Always the middle of the range, so that delays are exact."""

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


async def until(condition: Callable[[], bool], limit: float = 60.0, step: float = 0.05) -> None:
    """Let virtual time pass until the condition holds; fail after `limit` seconds of it."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    while not condition():
        if loop.time() > end:
            raise AssertionError(f"it did not come true within {limit} virtual seconds")
        await asyncio.sleep(step)


async def settle_down(seconds: float = 0.0) -> None:
    """Let everything run that can run now, or that comes due within these seconds."""
    await asyncio.sleep(seconds)
    for _ in range(20):
        await asyncio.sleep(0)
