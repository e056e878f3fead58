"""Where a delivered version of a post belongs among the versions that are known already."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

TOMBSTONE: Final = ""
"""The content hash of a deletion; the hash of a text is never empty."""
DELETED: Final = "deleted"
OLDER_REVISION: Final = "older_revision"
_NEVER_EDITED: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRevision:
    """A stored version: its number, when it was edited, its content hash, and its deletion."""

    rev: int
    edited_at: datetime | None
    content: str
    posted_at: datetime
    deleted_at: datetime | None = None

    @property
    def order(self) -> tuple[bool, datetime, int]:
        """Sort key, oldest first: by edit time, then by arrival; a deletion is always last."""
        return self.content == TOMBSTONE, self.edited_at or _NEVER_EDITED, self.rev


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The number of a new version. `reason` says why it must not be acted on, None = act."""

    rev: int
    reason: str | None = None
    deleted_at: datetime | None = None


def place_revision(
    known: Sequence[KnownRevision], edited_at: datetime | None, content: str
) -> Place | None:
    """Return the place of a delivered version; None for a repeat of one that is known."""
    if any(one.edited_at == edited_at and one.content == content for one in known):
        return None
    contents = [one for one in known if one.content != TOMBSTONE]
    newest = max(contents, key=lambda one: one.order, default=None)
    if newest is not None and newest.content == content:
        return None
    rev = _next_rev(known)
    deleted_at = next((one.deleted_at for one in known if one.content == TOMBSTONE), None)
    if deleted_at is not None:
        return Place(rev=rev, reason=DELETED, deleted_at=deleted_at)
    if newest is not None and (edited_at or _NEVER_EDITED) < (newest.edited_at or _NEVER_EDITED):
        return Place(rev=rev, reason=OLDER_REVISION)
    return Place(rev=rev)


def place_deletion(known: Sequence[KnownRevision], at: datetime) -> Place | None:
    """Return the place of a deletion; None if the message is known to be deleted."""
    if any(one.content == TOMBSTONE for one in known):
        return None
    return Place(rev=_next_rev(known), deleted_at=at)


def _next_rev(known: Sequence[KnownRevision]) -> int:
    return max((one.rev for one in known), default=-1) + 1
