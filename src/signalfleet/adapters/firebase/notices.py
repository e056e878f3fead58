"""A user's notices in Firebase. The head names the newest number and what was told lately."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from signalfleet.adapters.firebase.client import Json, Query, Row
from signalfleet.adapters.firebase.database import Corner, whole
from signalfleet.adapters.firebase.rows import from_micros, require_aware, to_json, to_micros
from signalfleet.domain.accounts.notices import QUIET, Notice, NoticeKind
from signalfleet.ports.notices import KEPT, StoredNotice

NODE: Final = "notifications"
HEAD: Final = "_head"
REMEMBERED: Final = 100


@dataclass(frozen=True, slots=True)
class FirebaseNotices:
    _corner: Corner

    async def add(self, notice: Notice, *, quiet: timedelta = QUIET) -> bool:
        """The head takes the notice first, under a condition; its own row follows."""
        row: Row = {
            "kind": notice.kind.value,
            "at": to_micros(notice.at),
            "about": notice.about,
            "facts": to_json(dict(notice.facts), "a notice's facts"),
            "unread": True,
        }
        told: list[Row | None] = []

        def tell(found: Row | None) -> Row | None:
            told.append(_told(found or {}, row, to_micros(notice.at - quiet)))
            return told[-1]

        rtdb = await self._corner.writable()
        await rtdb.change(self._corner.path(NODE, HEAD), tell)
        head = told[-1]
        if head is None:
            return False
        values: dict[str, Json] = {f"{HEAD}/last": None}
        for last in (head["last"], head.get("before")):
            # One before that is still in the head was left there by a writer that died.
            if isinstance(last, dict):
                values[notice_key(whole(last, "number"))] = last
        if whole(head, "newest") > KEPT:
            values[notice_key(whole(head, "newest") - KEPT)] = None
        await rtdb.update(self._corner.path(NODE), values)
        return True

    async def recent(self, limit: int = 100) -> tuple[StoredNotice, ...]:
        if limit <= 0:
            return ()
        rows = await self._corner.rows(NODE, Query(by="number", start=1, last=limit))
        return tuple(map(_stored, reversed(rows.values())))

    async def unread(self) -> int:
        return len(await self._corner.rows(NODE, Query(by="unread", equal_to=True)))

    async def mark_read(self, until: int, at: datetime) -> None:
        require_aware(at)
        rtdb = await self._corner.writable()
        rows = await self._corner.rows(NODE, Query(by="unread", equal_to=True))
        values: dict[str, Json] = {}
        for key, row in rows.items():
            if whole(row, "number") <= until:
                values |= {f"{key}/read_at": to_micros(at), f"{key}/unread": None}
        if values:
            await rtdb.update(self._corner.path(NODE), values)


def _told(head: Row, row: Row, since: int) -> Row | None:
    """Return the head with this notice as its last; None if the same was told after `since`."""
    lately: list[list[Json]] = json.loads(str(head.get("lately", "[]")))
    same = [row["kind"], row["about"]]
    if any(one[:2] == same and int(str(one[2])) > since for one in lately):
        return None
    lately.append([*same, row["at"]])
    number = whole(head, "newest") + 1
    told: Row = {
        "newest": number,
        "lately": to_json(lately[-REMEMBERED:], "notices"),
        "last": {**row, "number": number},
    }
    if isinstance(head.get("last"), dict):
        told["before"] = head["last"]
    return told


def notice_key(number: int) -> str:
    return f"n{number:012d}"


def _stored(row: Row) -> StoredNotice:
    return StoredNotice(
        number=whole(row, "number"),
        notice=Notice(
            kind=NoticeKind(str(row["kind"])),
            at=from_micros(whole(row, "at")),
            about=str(row.get("about", "")),
            facts=json.loads(str(row["facts"])),
        ),
        read_at=from_micros(whole(row, "read_at")) if "read_at" in row else None,
    )
