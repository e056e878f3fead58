"""The simulators' time: seconds since 1970 from a clock that is handed in."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class SimClock(Protocol):
    def time(self) -> float:
        """Return the seconds since 1970 (UTC)."""
        ...


class WallClock:
    def time(self) -> float:
        return time.time()  # noqa: TID251  this is the clock that others are handed


class ManualClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, start: float = 1_772_442_000.0) -> None:
        self._now = start

    def time(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(seconds: float) -> datetime:
    """Return the moment of a clock reading, exact to the microsecond."""
    return _EPOCH + timedelta(microseconds=round(seconds * 1_000_000))
