"""When a broker of the simulator trades a symbol, on that broker's own clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from signalfleet.domain.errors import DomainError

DAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
DAY: Final = 24 * 60
_FRIDAY: Final = 4
_SATURDAY: Final = 5
_SUNDAY: Final = 6
_WEEKEND_HOUR: Final = 22
"""Markets shut on Friday and open on Sunday at this hour of UTC."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Open times as minutes of each day, Monday first."""

    days: tuple[tuple[tuple[int, int], ...], ...]

    def is_open(self, local: datetime) -> bool:
        minute = local.hour * 60 + local.minute
        return any(start <= minute < end for start, end in self.days[local.weekday()])

    def sessions(self) -> Mapping[str, list[dict[str, str]]]:
        """Return them as a specification has them; a day without hours is left out."""
        return {
            DAYS[day]: [{"from": _clock(start), "to": _clock(end)} for start, end in windows]
            for day, windows in enumerate(self.days)
            if windows
        }


ALWAYS: Final = Hours((((0, DAY),),) * len(DAYS))


def daily(start: str, end: str) -> Hours:
    """Return the same hours for Monday to Friday, such as 10:00 to 18:30."""
    window = _minutes(start), _minutes(end)
    if not window[0] < window[1]:
        raise DomainError("hours go forward")
    return Hours(tuple((window,) if day <= _FRIDAY else () for day in range(len(DAYS))))


def but_weekends(ahead: timedelta) -> Hours:
    """Return every hour outside the weekend, for a clock so far ahead of UTC."""
    monday = datetime(2024, 1, 1)  # noqa: DTZ001 - a week of a clock without a zone
    days = []
    for day in range(len(DAYS)):
        windows: list[tuple[int, int]] = []
        for hour in range(24):
            if _is_weekend(monday + timedelta(days=day, hours=hour) - ahead):
                continue
            start = windows.pop()[0] if windows and windows[-1][1] == hour * 60 else hour * 60
            windows.append((start, (hour + 1) * 60))
        days.append(tuple(windows))
    return Hours(tuple(days))


def _is_weekend(at: datetime) -> bool:
    day = at.weekday()
    if day == _FRIDAY:
        return at.hour >= _WEEKEND_HOUR
    return day == _SATURDAY or (day == _SUNDAY and at.hour < _WEEKEND_HOUR)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00.000"


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    if not (hours.isdecimal() and minutes.isdecimal()):
        raise DomainError("a time is like 18:30")
    found = int(hours) * 60 + int(minutes)
    if found > DAY:
        raise DomainError("a day has 24 hours")
    return found
