"""When a broker trades a symbol, by the broker's own clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY: Final = 24 * 60 * 60
WEEK: Final = 7 * DAY


@dataclass(frozen=True, slots=True)
class TradeSessions:
    """Open times as seconds of a week from Monday on, in order; neighbours are one."""

    windows: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, windows: Iterable[tuple[int, int]]) -> Self:
        """Put windows in order and join those that touch."""
        joined: list[tuple[int, int]] = []
        for start, end in sorted(windows):
            if joined and start <= joined[-1][1]:
                joined[-1] = joined[-1][0], max(end, joined[-1][1])
            elif start < end:
                joined.append((start, end))
        return cls(tuple(joined))

    def is_open(self, local: datetime) -> bool:
        at = _second_of_week(local)
        return any(start <= at < end for start, end in self.windows)

    def opens_in(self, local: datetime) -> timedelta | None:
        """Return how long a closed market stays closed; None if it never opens."""
        at = _second_of_week(local)
        waits = [(start - at) % WEEK for start, _ in self.windows]
        return timedelta(seconds=min(waits)) if waits else None

    def on(self, local: datetime) -> str:
        """Return the hours of that day in words."""
        day = local.weekday()
        begin, end = day * DAY, (day + 1) * DAY
        parts = [(max(a, begin), min(b, end)) for a, b in self.windows if a < end and b > begin]
        hours = ", ".join(f"{_clock(a - begin)}-{_clock(b - begin)}" for a, b in parts)
        return f"{DAYS[day]} {hours or 'closed'}"


def _second_of_week(local: datetime) -> int:
    clock = local.hour * 3600 + local.minute * 60 + local.second
    return local.weekday() * DAY + clock


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
