"""A cache of this process alone."""

from datetime import timedelta
from typing import Final

from signalfleet.domain.accounts.keys import Key
from signalfleet.ports.clock import Clock

KEPT: Final = 10_000
MAX_BYTES: Final = 1024 * 1024


class MemoryCache:
    """Up to 10,000 values; the ones that were put first go first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[Key, tuple[float, str]] = {}

    @property
    def is_shared(self) -> bool:
        return False

    async def get(self, key: Key) -> str | None:
        until, value = self._values.get(key, (0.0, ""))
        if until > self._clock.monotonic():
            return value
        self._values.pop(key, None)
        return None

    async def put(self, key: Key, value: str, keep: timedelta) -> None:
        self._values.pop(key, None)
        if len(value.encode()) > MAX_BYTES:
            return
        while len(self._values) >= KEPT:
            del self._values[next(iter(self._values))]
        self._values[key] = (self._clock.monotonic() + keep.total_seconds(), value)

    async def delete(self, key: Key) -> None:
        self._values.pop(key, None)

    async def ping(self) -> bool:
        return True

    async def aclose(self) -> None:
        self._values.clear()
