"""Which backups are kept: the newest ones, one an hour for a day, one a day for two weeks."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

NEWEST: Final = 12
HOURS: Final = timedelta(hours=24)
DAYS: Final = timedelta(days=14)


def kept(times: Iterable[datetime], now: datetime) -> frozenset[datetime]:
    """Return the times of the backups to keep; of an hour or day the oldest one stays."""
    ordered = sorted(times)
    chosen = set(ordered[-NEWEST:])
    hours: set[tuple[object, ...]] = set()
    days: set[object] = set()
    for one in ordered:
        if now - one <= HOURS and (one.date(), one.hour) not in hours:
            hours.add((one.date(), one.hour))
            chosen.add(one)
        if now - one <= DAYS and one.date() not in days:
            days.add(one.date())
            chosen.add(one)
    return frozenset(chosen)
