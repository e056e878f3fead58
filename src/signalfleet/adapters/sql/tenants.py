"""Quotas, idempotency keys, the audit trail, retention and departures, in SQL."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from signalfleet.adapters.sql.codec import (
    from_json,
    from_micros,
    maybe_time,
    to_json,
    to_micros,
)
from signalfleet.adapters.sql.database import Database
from signalfleet.adapters.sql.rows import Params
from signalfleet.adapters.sql.session import Row, Session
from signalfleet.adapters.sql.texts import Statement
from signalfleet.domain.accounts.audit import (
    FIRST_HASH,
    AuditEntry,
    AuditRow,
    chained,
    facts_text,
)
from signalfleet.domain.accounts.retention import SWEPT_AT_ONCE, Cutoffs
from signalfleet.domain.ids import UserId
from signalfleet.ports.departures import Departure, Shredded
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.tenant_records import Begun, Fresh, InFlight, Mismatch, Replay


@dataclass(frozen=True, slots=True)
class SqlIdempotency:
    _database: Database
    _user: UserId

    async def begin(
        self, key: str, route: str, request_hash: str, *, at: datetime, until: datetime
    ) -> Begun:
        sql = self._database.sql
        address: Params = {"user_id": self._user, "key": key, "at": to_micros(at)}
        row = address | {
            "route": route,
            "request_hash": request_hash,
            "status": None,
            "body": None,
            "expires_at": to_micros(until),
        }

        async def operation(session: Session) -> Begun:
            await session.run(sql.forget_idempotency, address)
            if await session.run(sql.add_idempotency, row):
                return Fresh()
            (known,) = await session.rows(sql.get_idempotency, address)
            if (known["route"], known["request_hash"]) != (route, request_hash):
                return Mismatch()
            if known["status"] is None:
                return InFlight()
            return Replay(known["status"], known["body"])

        return await self._database.write(operation)

    async def finish(self, key: str, status: int, body: str) -> None:
        sql = self._database.sql.finish_idempotency
        params = {"user_id": self._user, "key": key, "status": status, "body": body}
        await self._database.write(lambda session: session.run(sql, params))

    async def give_back(self, key: str) -> None:
        sql, address = self._database.sql.give_back_idempotency, {"user_id": self._user, "key": key}
        await self._database.write(lambda session: session.run(sql, address))


@dataclass(frozen=True, slots=True)
class SqlAuditTrail:
    _database: Database
    _user: UserId

    async def add(self, entry: AuditEntry) -> AuditRow:
        sql, mine = self._database.sql, {"user_id": self._user, "limit": 1}

        async def operation(session: Session) -> AuditRow:
            last = await session.row(sql.newest_event, mine)
            seq, before = (1, FIRST_HASH) if last is None else (last["seq"] + 1, last["hash"])
            row = chained(self._user, entry, seq, before)
            await session.run(sql.add_event, {"user_id": self._user, **_event_params(row)})
            return row

        return await self._database.write(operation, hot=False)

    async def list(self, after: int = 0, limit: int = 200) -> tuple[AuditRow, ...]:
        sql = self._database.sql.events_after
        params = {"user_id": self._user, "after": after, "limit": limit}
        rows = await self._database.rows(sql, params, is_long=True)
        return tuple(map(_audit_row, rows))

    async def recent(self, limit: int = 100) -> tuple[AuditRow, ...]:
        sql, params = self._database.sql.newest_event, {"user_id": self._user, "limit": limit}
        rows = await self._database.rows(sql, params, is_long=True)
        return tuple(map(_audit_row, rows))


@dataclass(frozen=True, slots=True)
class SqlRetention:
    _database: Database
    _user: UserId

    async def sweep(self, cutoffs: Cutoffs, limit: int = SWEPT_AT_ONCE) -> Mapping[str, int]:
        sql = self._database.sql
        params: Params = {
            "user_id": self._user,
            "limit": limit,
            "signal_text": to_micros(cutoffs.signal_text),
            "other_text": to_micros(cutoffs.other_text),
            "deleted_text": to_micros(cutoffs.deleted_text),
            "traces": to_micros(cutoffs.traces),
            "audit": to_micros(cutoffs.audit),
            "notices": to_micros(cutoffs.notices),
            "now": to_micros(cutoffs.now),
            "quota_day": cutoffs.quota_day,
        }
        # One transaction for each kind: none of them holds the writer for long.
        kinds: dict[str, Statement] = {
            "traces": sql.forget_traces,
            "texts": sql.forget_texts,
            "events": sql.forget_events,
            "notices": sql.forget_old_notices,
            "idempotency": sql.forget_keys_used,
            "quotas": sql.forget_quotas,
        }
        return {kind: await self._forget(text, params) for kind, text in kinds.items()}

    async def _forget(self, text: Statement, params: Params) -> int:
        return await self._database.write(lambda session: session.run(text, params), hot=False)


@dataclass(frozen=True, slots=True)
class SqlDepartures:
    _database: Database

    async def begin(self, user: UserId, report_id: str, at: datetime) -> Departure:
        sql = self._database.sql
        params: Params = {
            "report_id": report_id,
            "user_id": user,
            "begun_at": to_micros(at),
            "finished_at": None,
            "steps": "{}",
        }

        async def operation(session: Session) -> Departure:
            await session.run(sql.add_departure, params)
            (row,) = await session.rows(sql.departure_of, params)
            return _departure(row)

        return await self._database.write(operation, hot=False)

    async def under_way(self) -> tuple[Departure, ...]:
        sql = self._database.sql.open_departures
        rows = await self._database.rows(sql, {})
        return tuple(map(_departure, rows))

    async def note(self, report_id: str, step: str, said: str) -> Departure:
        sql, address = self._database.sql, {"report_id": report_id}

        async def operation(session: Session) -> Departure:
            row = await session.row(sql.get_departure, address)
            if row is None:
                raise RefusedError("nobody leaves under this name")
            steps = to_json({**from_json(row["steps"]), step: said}, "the steps")
            await session.run(sql.note_departure, {"report_id": report_id, "steps": steps})
            (noted,) = await session.rows(sql.get_departure, address)
            return _departure(noted)

        return await self._database.write(operation, hot=False)

    async def shred(self, user: UserId, at: datetime) -> int:
        sql, mine = self._database.sql, {"user_id": user, "shredded_at": to_micros(at)}

        async def operation(session: Session) -> int:
            await session.run(sql.add_shredded, mine)
            return await session.run(sql.shred_keys, mine)

        return await self._database.of(user).write(operation, hot=False)

    async def shredded(self) -> tuple[Shredded, ...]:
        sql = self._database.sql.list_shredded
        rows = await self._database.rows(sql, {})
        return tuple(
            Shredded(user=UserId(row["user_id"]), at=from_micros(row["shredded_at"]))
            for row in rows
        )

    async def erase(self, user: UserId) -> Mapping[str, int]:
        sql, mine = self._database.sql, {"user_id": user}
        texts = {name: getattr(sql, f"erase_{name}") for name in sql.erase_tables}

        async def operation(session: Session) -> dict[str, int]:
            await session.run(sql.erase_attempts, mine)
            return {name: await session.run(text, mine) for name, text in texts.items()}

        erased = await self._database.of(user).write(operation, hot=False)
        return {name: count for name, count in erased.items() if count}

    async def finish(self, report_id: str, at: datetime) -> Departure:
        sql, address = self._database.sql, {"report_id": report_id, "finished_at": to_micros(at)}

        async def operation(session: Session) -> Departure:
            await session.run(sql.finish_departure, address)
            row = await session.row(sql.get_departure, address)
            if row is None:
                raise RefusedError("nobody leaves under this name")
            return _departure(row)

        return await self._database.write(operation, hot=False)

    async def report(self, report_id: str) -> Departure | None:
        sql, address = self._database.sql.get_departure, {"report_id": report_id}
        row = await self._database.row(sql, address)
        return None if row is None else _departure(row)


def _event_params(row: AuditRow) -> Params:
    return {
        "seq": row.seq,
        "at": to_micros(row.entry.at),
        "actor": row.entry.actor,
        "action": row.entry.action,
        "about": row.entry.about,
        "facts": facts_text(row.entry.facts),
        "prev_hash": row.prev_hash,
        "hash": row.hash,
    }


def _audit_row(row: Row) -> AuditRow:
    entry = AuditEntry(
        at=from_micros(row["at"]),
        actor=row["actor"],
        action=row["action"],
        about=row["about"],
        facts=from_json(row["facts"]),
    )
    return AuditRow(seq=row["seq"], entry=entry, prev_hash=row["prev_hash"], hash=row["hash"])


def _departure(row: Row) -> Departure:
    user = row["user_id"]
    return Departure(
        report_id=row["report_id"],
        user=None if user is None else UserId(user),
        begun_at=from_micros(row["begun_at"]),
        finished_at=maybe_time(row["finished_at"]),
        steps={step: str(said) for step, said in from_json(row["steps"]).items()},
    )
