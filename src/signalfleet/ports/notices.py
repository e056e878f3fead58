"""What one user was told. The dashboard shows the rows; other channels read the same ones."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from signalfleet.domain.accounts.notices import QUIET, Notice

KEPT: Final = 500
"""How many notices a user has at most; older ones go, read or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNotice:
    """`number` counts a user's notices from 1 and is never given twice."""

    number: int
    notice: Notice
    read_at: datetime | None = None


class Notices(Protocol):
    async def add(self, notice: Notice, *, quiet: timedelta = QUIET) -> bool:
        """Store it, unless one of the same kind and object is younger than `quiet`; True if so.

        Two processes that tell the same at once add one row.
        """
        ...

    async def recent(self, limit: int = 100) -> tuple[StoredNotice, ...]:
        """Return the newest notices, newest first."""
        ...

    async def unread(self) -> int: ...

    async def mark_read(self, until: int, at: datetime) -> None:
        """Mark all up to this number as read, so that one that came meanwhile stays unread."""
        ...
