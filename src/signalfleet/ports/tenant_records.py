"""What a store keeps to hold users to their limits and to account for what was done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from signalfleet.domain.accounts.audit import AuditEntry, AuditRow
from signalfleet.domain.accounts.retention import SWEPT_AT_ONCE, Cutoffs


class Quota(Protocol):
    """Counts of a day, never above their limit, whoever counts at once."""

    async def reserve(self, kind: str, day: str, limit: int) -> int | None:
        """Count one and return the new count; None, and nothing counted, at the limit."""
        ...

    async def give_back(self, kind: str, day: str) -> None:
        """Take one back that was reserved and not used; never below nothing."""
        ...

    async def used(self, kind: str, day: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Fresh:
    """Nobody has used this key: go on, and `finish` with the answer."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The same request was answered before; this is its answer."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class InFlight:
    """The same request has begun, and its answer is not known (yet)."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The key was used for another request."""


Begun: TypeAlias = Fresh | Replay | InFlight | Mismatch


class Idempotency(Protocol):
    """One effect for each key of a user, however often the request comes."""

    async def begin(
        self, key: str, route: str, request_hash: str, *, at: datetime, until: datetime
    ) -> Begun:
        """Take the key for a request, or say what became of it. Keys are free again at `until`."""
        ...

    async def finish(self, key: str, status: int, body: str) -> None:
        """Keep the answer of a request that has begun."""
        ...

    async def give_back(self, key: str) -> None:
        """Free the key of a request that was refused before it had any effect."""
        ...


class AuditTrail(Protocol):
    """Who changed what: append-only, a chain of hashes for each user."""

    async def add(self, entry: AuditEntry) -> AuditRow: ...

    async def list(self, after: int = 0, limit: int = 200) -> tuple[AuditRow, ...]:
        """Return rows with a higher number, oldest first."""
        ...

    async def recent(self, limit: int = 100) -> tuple[AuditRow, ...]:
        """Return the newest rows, newest first."""
        ...


class Retention(Protocol):
    async def sweep(self, cutoffs: Cutoffs, limit: int = SWEPT_AT_ONCE) -> Mapping[str, int]:
        """Remove at most `limit` rows or texts of each kind; return how many of which."""
        ...
