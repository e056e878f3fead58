"""Time and chance from outside, so that tests and simulations decide both."""

from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the wall clock in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back; for deadlines and leases only."""
        ...

    async def sleep(self, delay: timedelta) -> None: ...


class Chance(Protocol):
    def uniform(self, low: float, high: float) -> float:
        """Return a number for jitter; never for ids or secrets."""
        ...
