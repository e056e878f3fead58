"""Values that many accounts share: fetched once, and one failure is nobody else's."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from signalfleet.adapters.metaapi.cache import SharedCache
from signalfleet.ports.errors import TemporaryError


class HandClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, delay: timedelta) -> None:
        self.seconds += delay.total_seconds()


class Source:
    """Gives 1, 2, 3...; waits until told to go on, and fails where told."""

    def __init__(self, *, fail_at: int = 0) -> None:
        self.asked = 0
        self.go = asyncio.Event()
        self._fail_at = fail_at

    async def fetch(self) -> int:
        self.asked += 1
        number = self.asked
        await self.go.wait()
        if number == self._fail_at:
            raise TemporaryError("not now")
        return number


async def ask(cache: SharedCache[str, int], source: Source) -> int | str:
    try:
        return await cache.get("k", source.fetch)
    except TemporaryError:
        return "failed"


async def test_many_who_ask_at_once_cause_one_fetch() -> None:
    cache: SharedCache[str, int] = SharedCache(HandClock(), 2)
    source = Source()
    async with asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(ask(cache, source)) for _ in range(50)]
        await asyncio.sleep(0)
        source.go.set()
    assert {task.result() for task in asking} == {1}
    assert source.asked == 1


async def test_a_value_is_fetched_again_when_it_is_too_old() -> None:
    clock = HandClock()
    cache: SharedCache[str, int] = SharedCache(clock, 2)
    source = Source()
    source.go.set()
    assert await ask(cache, source) == 1
    clock.seconds = 2.0
    assert await ask(cache, source) == 1
    clock.seconds = 2.1
    assert await ask(cache, source) == 2
    assert cache.peek("k") == 2
    assert cache.peek("other") is None


async def test_a_failed_fetch_fails_only_who_made_it() -> None:
    cache: SharedCache[str, int] = SharedCache(HandClock(), 2)
    source = Source(fail_at=1)
    async with asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(ask(cache, source)) for _ in range(3)]
        await asyncio.sleep(0)
        source.go.set()
    assert [isinstance(task.result(), int) for task in asking] == [False, True, True]


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_a_cancelled_asker_stops_nobody_else(cancelled: int) -> None:
    cache: SharedCache[str, int] = SharedCache(HandClock(), 2)
    source = Source()
    async with asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(ask(cache, source)) for _ in range(3)]
        await asyncio.sleep(0)
        asking[cancelled].cancel()
        source.go.set()
    left = [task.result() for task in asking if not task.cancelled()]
    assert len(left) == 2
    assert all(isinstance(value, int) for value in left)
