"""The shared cache when Redis goes away, comes back, forgets, or never answers."""

from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from kit.counting_metrics import CountingMetrics
from kit.redis import require, running_redis, silent_server
from kit.wall_clock import WallClock
from signalfleet.adapters.redis import RedisCache
from signalfleet.adapters.redis.cache import AWAY
from signalfleet.domain.accounts.keys import user_key
from signalfleet.domain.ids import UserId

pytestmark = pytest.mark.loopback
KEY = user_key(UserId("u_mfrggzdfmztwq2lk"), "symbols")
HOUR = timedelta(hours=1)


class HandClock(WallClock):
    """Seconds pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


async def test_two_processes_see_the_same_values() -> None:
    with running_redis() as server:
        url = require(server).url
        clock, metrics = WallClock(), CountingMetrics()
        one = RedisCache(url, clock=clock, metrics=metrics)
        two = RedisCache(url, clock=clock, metrics=metrics)
        async with aclosing(one), aclosing(two):
            await one.put(KEY, "x", HOUR)
            assert await two.get(KEY) == "x"
            assert one.is_shared


async def test_a_redis_that_died_is_nothing_found_and_is_asked_again_later() -> None:
    clock, metrics = HandClock(), CountingMetrics()
    with running_redis() as started:
        server = require(started)
        async with aclosing(RedisCache(server.url, clock=clock, metrics=metrics)) as cache:
            await cache.put(KEY, "x", HOUR)
            assert metrics.gauges[AWAY] == 0
            server.kill()
            assert await cache.get(KEY) is None
            await cache.put(KEY, "y", HOUR)
            assert not cache.is_shared
            assert metrics.gauges[AWAY] == 1
            server.start()
            assert await cache.get(KEY) is None
            assert metrics.gauges[AWAY] == 1
            clock.seconds += 1.1
            assert await cache.get(KEY) is None
            assert metrics.gauges[AWAY] == 0
            await cache.put(KEY, "z", HOUR)
            assert await cache.get(KEY) == "z"
            server.call("FLUSHALL")
            assert await cache.get(KEY) is None
            assert cache.is_shared


async def test_a_redis_that_takes_the_call_and_says_nothing_costs_a_moment() -> None:
    with silent_server() as url:
        clock = WallClock()
        cache = RedisCache(url, clock=clock, metrics=CountingMetrics())
        async with aclosing(cache):
            begun = clock.monotonic()
            for _ in range(50):
                assert await cache.get(KEY) is None
            # Once 0.05 s; the rest of a second is for a busy machine.
            assert clock.monotonic() - begun < 1.0
            assert not await cache.ping()


async def test_no_pause_grows_beyond_half_a_minute() -> None:
    clock = HandClock()
    cache = RedisCache("redis://127.0.0.1:1/0", clock=clock, metrics=CountingMetrics())
    async with aclosing(cache):
        for _ in range(12):
            await cache.get(KEY)
            clock.seconds += 33
        assert cache._pause_s == 32.0
