"""Values that many accounts share for a while, fetched once although many ask at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from signalfleet.ports.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_KEPT = 20_000


class SharedCache(Generic[K, V]):
    """Up to 20,000 values with their age; whoever asks first for an old one fetches it for all."""

    def __init__(self, clock: Clock, max_age_s: float) -> None:
        self._clock = clock
        self._max_age_s = max_age_s
        self._values: dict[K, tuple[float, V]] = {}
        self._under_way: dict[K, asyncio.Event] = {}

    def peek(self, key: K) -> V | None:
        """Return the value whatever its age, None if there never was one."""
        found = self._values.get(key)
        return found[1] if found else None

    async def get(self, key: K, fetch: Callable[[], Awaitable[V]]) -> V:
        """Return a value that is young enough; a failed fetch fails for its own caller only."""
        if (value := self._fresh(key)) is not None:
            return value
        under_way = self._under_way.get(key)
        if under_way is not None:
            await under_way.wait()
            if (value := self._fresh(key)) is not None:
                return value
            return await self._fetch(key, fetch)
        self._under_way[key] = done = asyncio.Event()
        try:
            return await self._fetch(key, fetch)
        finally:
            del self._under_way[key]
            done.set()

    def _fresh(self, key: K) -> V | None:
        found = self._values.get(key)
        if found is None or self._clock.monotonic() - found[0] > self._max_age_s:
            return None
        return found[1]

    async def _fetch(self, key: K, fetch: Callable[[], Awaitable[V]]) -> V:
        value = await fetch()
        self._values.pop(key, None)
        while len(self._values) >= _KEPT:  # The one that was fetched longest ago.
            del self._values[next(iter(self._values))]
        self._values[key] = (self._clock.monotonic(), value)
        return value
