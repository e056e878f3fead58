"""What is used up of a day's quotas, in SQL."""

from dataclasses import dataclass

from signalfleet.adapters.sql.database import Database
from signalfleet.adapters.sql.rows import Params
from signalfleet.adapters.sql.session import Session
from signalfleet.adapters.sql.statements import Statements
from signalfleet.domain.ids import UserId
from signalfleet.domain.trading.records import QuotaUse


@dataclass(frozen=True, slots=True)
class SqlQuota:
    _database: Database
    _user: UserId

    async def reserve(self, kind: str, day: str, limit: int) -> int | None:
        use = QuotaUse(kind=kind, day=day, count=1, limit=limit)
        sql, user = self._database.sql, self._user
        return await self._database.write(lambda session: count_up(session, sql, user, use))

    async def give_back(self, kind: str, day: str) -> None:
        sql, address = self._database.sql.give_back_quota, self._address(kind, day)
        await self._database.write(lambda session: session.run(sql, address))

    async def used(self, kind: str, day: str) -> int:
        sql, address = self._database.sql.get_quota, self._address(kind, day)
        row = await self._database.row(sql, address)
        return 0 if row is None else int(row["used"])

    def _address(self, kind: str, day: str) -> Params:
        return {"user_id": self._user, "kind": kind, "day": day}


async def count_up(session: Session, sql: Statements, user: UserId, use: QuotaUse) -> int | None:
    """Count it, return what is used up then; None, and nothing counted, if it is too much."""
    if use.count > use.limit:
        return None  # The statement looks at the limit only where something is counted already.
    params: Params = {
        "user_id": user,
        "kind": use.kind,
        "day": use.day,
        "used": use.count,
        "limit": use.limit,
    }
    row = await session.row(sql.reserve_quota, params)
    return None if row is None else int(row["used"])
