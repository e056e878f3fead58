"""Users who leave: what has been done of it, and what remains of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from signalfleet.domain.ids import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """`steps`: what was done, by its word, and what is to be said of it. No personal data there.

    `user` is None once everything is gone: the report stays under its own random name.
    """

    report_id: str
    user: UserId | None
    begun_at: datetime
    finished_at: datetime | None = None
    steps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shredded:
    user: UserId
    at: datetime


class Departures(Protocol):
    """Leaving is a list of steps; each is noted when it is done, so a crash resumes there."""

    async def begin(self, user: UserId, report_id: str, at: datetime) -> Departure:
        """Begin, or return the one that has begun for this user."""
        ...

    async def under_way(self) -> tuple[Departure, ...]: ...

    async def note(self, report_id: str, step: str, said: str) -> Departure:
        """Note a step as done; RefusedError if there is no such departure."""
        ...

    async def shred(self, user: UserId, at: datetime) -> int:
        """Delete the user's data keys and remember that it was done; return how many keys went.

        From then on nothing that was sealed for the user can be opened by anybody.
        """
        ...

    async def shredded(self) -> tuple[Shredded, ...]: ...

    async def erase(self, user: UserId) -> Mapping[str, int]:
        """Delete every row of the user; return how many of which table. Repeats find nothing."""
        ...

    async def finish(self, report_id: str, at: datetime) -> Departure:
        """Forget whose departure it was; keep the report."""
        ...

    async def report(self, report_id: str) -> Departure | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Arming:
    """`generation` None: nobody has armed this database, as it is made new.

    0: a backup. Entries of posts before `entries_not_before` are not made.
    """

    generation: int | None
    entries_not_before: datetime | None = None
