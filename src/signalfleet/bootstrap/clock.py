"""Real time and chance: the only place that reads them for the product."""

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """Implements ports.clock.Clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the clock that others are told to use

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, delay: timedelta) -> None:
        await asyncio.sleep(max(delay.total_seconds(), 0))


class SystemChance:
    """Implements ports.clock.Chance."""

    def __init__(self) -> None:
        self._random = random.Random()  # noqa: S311 - jitter, never a secret

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)
