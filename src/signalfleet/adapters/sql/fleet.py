"""Slots, users, wishes and sessions, in SQL."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from signalfleet.adapters.sql.codec import from_micros, to_micros
from signalfleet.adapters.sql.database import Database
from signalfleet.adapters.sql.marks import KeptMarks
from signalfleet.adapters.sql.rows import Params
from signalfleet.adapters.sql.session import Row, Session
from signalfleet.domain.ids import InstallationId, UserId
from signalfleet.ports.departures import Arming
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.fleet_rows import AttemptLimit, UserMark, WebSession
from signalfleet.ports.store import UserProfile


@dataclass(frozen=True, slots=True)
class SqlFleet:
    _database: Database
    _marks: KeptMarks = field(default_factory=KeptMarks)

    async def installation(self) -> InstallationId:
        sql = self._database.sql
        row = await self._database.row(sql.get_installation, {})
        if row is not None:
            return InstallationId(row["installation_id"])
        first = {"one": 1, "installation_id": "in_" + secrets.token_hex(8)}

        async def operation(session: Session) -> InstallationId:
            await session.run(sql.add_installation, first)
            (stored,) = await session.rows(sql.get_installation, {})
            return InstallationId(stored["installation_id"])

        return await self._database.write(operation, hot=False)

    async def arming(self) -> Arming:
        sql = self._database.sql.get_arming
        row = await self._database.row(sql, {})
        if row is None:
            return Arming(generation=None)
        return Arming(
            generation=row["generation"],
            entries_not_before=from_micros(row["entries_not_before"]),
        )

    async def set_arming(self, arming: Arming) -> None:
        if arming.generation is None:
            raise RefusedError("an armed database has a generation")
        since = arming.entries_not_before
        params = {
            "one": 1,
            "generation": arming.generation,
            "entries_not_before": 0 if since is None else to_micros(since),
        }
        sql = self._database.sql.put_arming
        await self._database.write(lambda session: session.run(sql, params), hot=False)

    async def slot_epochs(self, cell: str, slots: Sequence[int]) -> Mapping[int, int]:
        sql = self._database.sql.slot_epochs
        rows = await self._database.rows(sql, {"cell": cell})
        stored = {row["slot"]: row["epoch"] for row in rows}
        return {slot: stored.get(slot, 0) for slot in slots}

    async def raise_fences(
        self, cell: str, epochs: Mapping[int, int], worker: str
    ) -> frozenset[int]:
        sql = self._database.sql

        async def operation(session: Session) -> frozenset[int]:
            taken: set[int] = set()
            # In one order, so that two claims wait for each other and never both for ever.
            for slot, epoch in sorted(epochs.items()):
                fence: Params = {"cell": cell, "slot": slot, "epoch": epoch, "worker": worker}
                if await session.run(sql.raise_fence, fence):
                    taken.add(slot)
            return frozenset(taken)

        return await self._database.write(operation, hot=False)

    async def add_user(self, profile: UserProfile) -> UserProfile:
        sql = self._database.sql
        params = {
            "user_id": profile.user_id,
            "telegram_id": profile.telegram_id,
            "display_name": profile.display_name,
            "tier": profile.tier,
            "timezone": profile.timezone,
            "cell": self._database.cell,
            "slot": profile.slot,
        }

        async def operation(session: Session) -> UserProfile:
            await session.run(sql.add_user, params)
            # A telegram_id of None equals nothing in SQL, so such a user is found by the own id.
            row = await session.row(sql.user_by_telegram, params)
            if row is None:
                row = await session.row(sql.get_user, params)
            return profile if row is None else _profile(row)

        return await self._database.of(profile.user_id).write(operation, hot=False)

    async def get_user(self, user_id: UserId) -> UserProfile | None:
        sql, mine = self._database.sql.get_user, {"user_id": user_id}
        row = await self._database.of(user_id).row(sql, mine)
        return None if row is None else _profile(row)

    async def set_tier(self, user_id: UserId, tier: str) -> UserProfile:
        sql, params = self._database.sql, {"user_id": user_id, "tier": tier}

        async def operation(session: Session) -> UserProfile:
            if not await session.run(sql.set_tier, params):
                raise RefusedError("there is no such user")
            (row,) = await session.rows(sql.get_user, params)
            return _profile(row)

        return await self._database.of(user_id).write(operation, hot=False)

    async def user_by_telegram(self, telegram_id: int) -> UserProfile | None:
        sql = self._database.sql.user_by_telegram
        params = {"telegram_id": telegram_id}
        row = await self._database.row(sql, params)
        return None if row is None else _profile(row)

    async def users_of_slots(self, cell: str, slots: Sequence[int]) -> tuple[UserId, ...]:
        sql = self._database.sql.users_of_slot
        wanted = [{"cell": cell, "slot": slot} for slot in dict.fromkeys(slots)]
        rows = await self._database.rows_of_each(sql, wanted)
        return tuple(sorted(UserId(row["user_id"]) for row in rows))

    async def marks(self, cell: str, slots: Sequence[int]) -> Mapping[UserId, UserMark]:
        sql = self._database.sql.marks
        wanted = [{"cell": cell, "first": first, "last": last} for first, last in runs_of(slots)]
        rows = await self._database.rows_of_each(sql, wanted)
        return self._marks.of(rows)

    async def wishes_since(self, rev: int, limit: int = 500) -> tuple[tuple[UserId, int], ...]:
        sql = self._database.sql.wishes_since
        params = {"wish_rev": rev, "cell": self._database.cell, "limit": limit}
        rows = await self._database.rows(sql, params)
        return tuple((UserId(row["user_id"]), row["wish_rev"]) for row in rows)

    async def put_session(self, sid_hash: str, session: WebSession) -> None:
        params = {
            "sid_hash": sid_hash,
            "user_id": session.user_id,
            "created_at": to_micros(session.created_at),
            "expires_at": to_micros(session.expires_at),
        }
        sql = self._database.sql.put_session
        mine = self._database.of(session.user_id)
        await mine.write(lambda one: one.run(sql, params), hot=False)

    async def session(self, sid_hash: str) -> WebSession | None:
        sql = self._database.sql.get_session
        row = await self._database.row(sql, {"sid_hash": sid_hash})
        if row is None:
            return None
        return WebSession(
            user_id=UserId(row["user_id"]),
            created_at=from_micros(row["created_at"]),
            expires_at=from_micros(row["expires_at"]),
        )

    async def delete_session(self, sid_hash: str) -> None:
        found = await self.session(sid_hash)
        if found is None:
            return
        sql, mine = self._database.sql.delete_session, self._database.of(found.user_id)
        await mine.write(lambda one: one.run(sql, {"sid_hash": sid_hash}), hot=False)

    async def count_attempt(
        self, kind: str, key: str, at: datetime, limits: Sequence[AttemptLimit]
    ) -> datetime | None:
        sql, now = self._database.sql, to_micros(at)
        windows = [(limit.count, limit.within // timedelta(microseconds=1)) for limit in limits]
        longest = max((window for _, window in windows), default=0)

        async def operation(session: Session) -> datetime | None:
            await session.lock(f"attempts of {kind}")
            await session.run(sql.forget_attempts, {"kind": kind, "at": now - longest})
            found = await session.rows(sql.attempts, {"kind": kind, "key": key})
            times = [row["at"] for row in found]
            free = [
                times[count - 1] + window
                for count, window in windows
                if sum(1 for one in times if one > now - window) >= count
            ]
            if free:
                return from_micros(max(free))
            # Two in one microsecond are two.
            mine = max(now, times[0] + 1) if times else now
            await session.run(sql.add_attempt, {"kind": kind, "key": key, "at": mine})
            return None

        return await self._database.write(operation, hot=False)


def runs_of(slots: Sequence[int]) -> list[tuple[int, int]]:
    """Return first and last of each run of slots without a gap."""
    runs: list[tuple[int, int]] = []
    for slot in sorted(set(slots)):
        if runs and runs[-1][1] == slot - 1:
            runs[-1] = (runs[-1][0], slot)
        else:
            runs.append((slot, slot))
    return runs


def _profile(row: Row) -> UserProfile:
    return UserProfile(
        user_id=UserId(row["user_id"]),
        telegram_id=row["telegram_id"],
        display_name=row["display_name"],
        tier=row["tier"],
        timezone=row["timezone"],
        slot=row["slot"],
    )
