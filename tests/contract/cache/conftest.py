"""Every cache of the port: this process's own, and one in a real Redis."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from kit.counting_metrics import CountingMetrics
from kit.redis import require, running_redis
from kit.wall_clock import WallClock
from signalfleet.adapters.memory.cache import MemoryCache
from signalfleet.adapters.redis import RedisCache
from signalfleet.ports.cache import Cache


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.loopback)])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    clock = WallClock()
    if request.param == "memory":
        async with aclosing(MemoryCache(clock)) as opened:
            yield opened
        return
    with running_redis() as server:
        url = require(server).url
        async with aclosing(RedisCache(url, clock=clock, metrics=CountingMetrics())) as shared:
            yield shared
