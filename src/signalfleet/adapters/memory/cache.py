"""A cache of this process alone."""

import sys
from collections import Counter
from datetime import timedelta
from typing import Final

from signalfleet.domain.accounts.keys import Key
from signalfleet.ports.clock import Clock

KEPT: Final = 10_000
MAX_BYTES: Final = 1024 * 1024
MAX_ALL_BYTES: Final = 64 * 1024 * 1024


class MemoryCache:
    """Up to 10,000 values and 64 MiB; the ones that were put first go first.

    Equal values are kept once: thousands of accounts have the same list of symbols.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[Key, tuple[float, str]] = {}
        self._uses: Counter[str] = Counter()
        self._bytes = 0

    @property
    def is_shared(self) -> bool:
        return False

    async def get(self, key: Key) -> str | None:
        until, value = self._values.get(key, (0.0, ""))
        if until > self._clock.monotonic():
            return value
        self._drop(key)
        return None

    async def put(self, key: Key, value: str, keep: timedelta) -> None:
        self._drop(key)
        size = len(value.encode())
        if size > MAX_BYTES:
            return
        added = 0 if value in self._uses else size
        while self._values and (len(self._values) >= KEPT or self._bytes + added > MAX_ALL_BYTES):
            self._drop(next(iter(self._values)))
            added = 0 if value in self._uses else size
        self._uses[value] += 1
        self._bytes += added
        until = self._clock.monotonic() + keep.total_seconds()
        self._values[key] = (until, sys.intern(value))

    async def delete(self, key: Key) -> None:
        self._drop(key)

    async def ping(self) -> bool:
        return True

    async def aclose(self) -> None:
        self._values.clear()
        self._uses.clear()
        self._bytes = 0

    def _drop(self, key: Key) -> None:
        _, value = self._values.pop(key, (0.0, None))
        if value is None:
            return
        self._uses[value] -= 1
        if not self._uses[value]:
            del self._uses[value]
            self._bytes -= len(value.encode())
