"""The hours of a symbol as MetaApi gives them: by day, on the broker's own clock. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from signalfleet.domain.instruments.sessions import DAY, TradeSessions

_DAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_CLOCK: Final = re.compile(r"([0-9]{2})[:.]([0-9]{2})[:.]([0-9]{2})(?:\.[0-9]{1,3})?")


def trade_sessions(payload: Mapping[str, object] | None) -> TradeSessions | None:
    """Return the hours; None where there are none or one of them cannot be read.

    Hours that are half known would refuse trades in an open market.
    """
    if not payload:
        return None
    try:
        found = TradeSessions.of(_windows(payload))
    except ValueError:
        return None
    return found if found.windows else None


def _windows(payload: Mapping[str, object]) -> Iterator[tuple[int, int]]:
    for day, sessions in payload.items():
        if day not in _DAYS or not isinstance(sessions, list):
            raise ValueError(day)
        begin = _DAYS.index(day) * DAY
        for session in sessions:
            if not isinstance(session, dict):
                raise ValueError(day)  # noqa: TRY004 - what a foreign answer holds
            start, end = _seconds(session.get("from")), _seconds(session.get("to"))
            # The end of a day is written as 24:00, 00:00 or 23:59:59.
            end = DAY if end == 0 or end >= DAY - 60 else end
            if not start < end:
                raise ValueError(day)
            yield begin + start, begin + end


def _seconds(value: object) -> int:
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(value)
    hours, minutes, seconds = (int(part) for part in found.groups())
    if minutes > 59 or seconds > 59:  # noqa: PLR2004 - of a clock
        raise ValueError(value)
    total = hours * 3600 + minutes * 60 + seconds
    if total > DAY:
        raise ValueError(value)
    return total
