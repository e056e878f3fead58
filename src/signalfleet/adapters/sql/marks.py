"""What the store says of all users every few seconds: most rows are what they were before."""

from collections.abc import Mapping, Sequence
from typing import Final

from signalfleet.adapters.sql.session import Row
from signalfleet.domain.ids import UserId
from signalfleet.ports.fleet_rows import UserMark

_REV: Final = (
    "tier",
    "timezone",
    "wish_rev",
    "halted",
    "accounts",
    "account",
    "channels",
    "chats",
    "settings",
)


class KeptMarks:
    """Makes marks of rows; of a row that is as it was at the last look the same mark again."""

    def __init__(self) -> None:
        self._last: Mapping[tuple[object, ...], tuple[UserId, UserMark]] = {}

    def of(self, rows: Sequence[Row]) -> Mapping[UserId, UserMark]:
        before = self._last
        now: dict[tuple[object, ...], tuple[UserId, UserMark]] = {}
        for row in rows:
            key = tuple(row)
            now[key] = before.get(key) or _read(row)
        self._last = now
        return dict(now.values())


def _read(row: Row) -> tuple[UserId, UserMark]:
    rev = tuple(row[name] for name in _REV)
    return UserId(row["user_id"]), UserMark(rev=rev, has_unread=bool(row["unread"]))
