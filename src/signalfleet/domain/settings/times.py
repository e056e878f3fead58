"""Kinds of values that speak of the clock: a time of the day, a time zone."""

import re
from datetime import time
from typing import Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.settings.values import Kind

ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(/[A-Za-z0-9_+-]{1,32}){0,2}")
MINE: Final = "mine"
CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def read_time(value: object) -> time:
    found = CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise DomainError("a time of the day is written like 17:05")
    return time(int(found[1]), int(found[2]))


def _zone(value: object) -> str:
    if not isinstance(value, str) or not ZONE.fullmatch(value):
        raise DomainError("a time zone is written like Europe/Berlin; mine is that of your pages")
    return value


def _write_time(value: time) -> str:
    return f"{value:%H:%M}"


TIME_OF_DAY: Final = Kind(read=read_time, allowed="00:00 to 23:59", write=_write_time)
TIME_ZONE: Final = Kind(read=_zone, allowed="a zone such as Europe/Berlin, or mine")
