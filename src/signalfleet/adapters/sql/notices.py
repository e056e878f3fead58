"""A user's notices, in SQL."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from signalfleet.adapters.sql.codec import from_json, from_micros, maybe_time, to_json, to_micros
from signalfleet.adapters.sql.database import Database
from signalfleet.adapters.sql.rows import Params
from signalfleet.adapters.sql.session import Row, Session
from signalfleet.domain.accounts.notices import QUIET, Notice, NoticeKind
from signalfleet.domain.ids import UserId
from signalfleet.ports.notices import KEPT, StoredNotice


@dataclass(frozen=True, slots=True)
class SqlNotices:
    _database: Database
    _user: UserId

    async def add(self, notice: Notice, *, quiet: timedelta = QUIET) -> bool:
        sql = self._database.sql
        params: Params = {
            "user_id": self._user,
            "owner": self._user,
            "kind": notice.kind,
            "level": notice.level,
            "about": notice.about,
            "facts": to_json(dict(notice.facts), "a notice's facts"),
            "at": to_micros(notice.at),
            "since": to_micros(notice.at - quiet),
            "kept": KEPT,
        }

        async def operation(session: Session) -> bool:
            if await session.row(sql.same_notice, params) is not None:
                return False
            await session.run(sql.add_notice, params)
            await session.run(sql.forget_notices, params)
            return True

        return await self._database.write(operation, hot=False)

    async def recent(self, limit: int = 100) -> tuple[StoredNotice, ...]:
        sql, params = self._database.sql.recent_notices, {"user_id": self._user, "limit": limit}
        rows = await self._database.rows(sql, params)
        return tuple(map(_stored, rows))

    async def unread(self) -> int:
        sql, mine = self._database.sql.unread_notices, {"user_id": self._user}
        row = await self._database.row(sql, mine)
        return 0 if row is None else int(row["unread"])

    async def mark_read(self, until: int, at: datetime) -> None:
        sql = self._database.sql.read_notices
        params = {"user_id": self._user, "number": until, "read_at": to_micros(at)}
        await self._database.write(lambda session: session.run(sql, params), hot=False)


def _stored(row: Row) -> StoredNotice:
    notice = Notice(
        kind=NoticeKind(row["kind"]),
        at=from_micros(row["at"]),
        about=row["about"],
        facts=from_json(row["facts"]),
    )
    return StoredNotice(number=row["number"], notice=notice, read_at=maybe_time(row["read_at"]))
