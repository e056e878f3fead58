"""Who changed what: entries of a user's audit trail, chained so that a later change shows."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId, length_prefixed

FIRST_HASH: Final = "0" * 64
WORD_CHARS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """`actor`: user, terminal, worker, operator. `action` and `about` are ids, never secrets.

    `facts` holds JSON values; a secret is named there as set or changed, never shown.
    """

    at: datetime
    actor: str
    action: str
    about: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise DomainError("a time must have a time zone")
        for word in (self.actor, self.action):
            if not 0 < len(word) <= WORD_CHARS:
                raise DomainError("an audit entry names its actor and its action")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """A stored entry: the hash covers the entry, its number, its user and the row before."""

    seq: int
    entry: AuditEntry
    prev_hash: str
    hash: str


def chained(user: UserId, entry: AuditEntry, seq: int, prev_hash: str) -> AuditRow:
    """Return the entry as the row that follows the one with `prev_hash`."""
    return AuditRow(
        seq=seq, entry=entry, prev_hash=prev_hash, hash=_hash(user, entry, seq, prev_hash)
    )


def first_broken(user: UserId, rows: Iterable[AuditRow]) -> int | None:
    """Return the number of the first row that does not follow from the one before it.

    The rows come in order. Old ones may have been swept away: the first row vouches for itself.
    """
    before: AuditRow | None = None
    for row in rows:
        follows = before is None or (row.prev_hash, row.seq) == (before.hash, before.seq + 1)
        if not follows or row.hash != _hash(user, row.entry, row.seq, row.prev_hash):
            return row.seq
        before = row
    return None


def facts_text(facts: Mapping[str, object]) -> str:
    """Return facts as canonical JSON; DomainError for what JSON cannot say."""
    try:
        return json.dumps(dict(facts), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as e:
        raise DomainError("an audit entry's facts must hold JSON values only") from e


def _hash(user: UserId, entry: AuditEntry, seq: int, prev_hash: str) -> str:
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    body = length_prefixed(
        user, seq, at, entry.actor, entry.action, entry.about, facts_text(entry.facts), prev_hash
    )
    return hashlib.blake2b(body, digest_size=32, person=b"sf-audit-1").hexdigest()
