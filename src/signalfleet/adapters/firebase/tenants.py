"""Quotas, idempotency keys, the audit trail and retention in Firebase."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from signalfleet.adapters.firebase.client import Json, Query, Row, Rtdb
from signalfleet.adapters.firebase.database import Corner, text, whole
from signalfleet.adapters.firebase.errors import DeniedError
from signalfleet.adapters.firebase.limits import MAX_TRIES
from signalfleet.adapters.firebase.rows import (
    from_micros,
    require_aware,
    stored_channel,
    stored_message,
    to_micros,
    with_text,
)
from signalfleet.domain.accounts.audit import (
    FIRST_HASH,
    AuditEntry,
    AuditRow,
    chained,
    facts_text,
)
from signalfleet.domain.accounts.retention import SWEPT_AT_ONCE, Cutoffs
from signalfleet.domain.ids import ChannelId
from signalfleet.ports.errors import StoreUnavailableError
from signalfleet.ports.inbox import MessageState, StoredMessage
from signalfleet.ports.tenant_records import Begun, Fresh, InFlight, Mismatch, Replay


@dataclass(frozen=True, slots=True)
class FirebaseIdempotency:
    _corner: Corner

    async def begin(
        self, key: str, route: str, request_hash: str, *, at: datetime, until: datetime
    ) -> Begun:
        require_aware(at, until)
        answers: list[Begun] = []
        wanted: Row = {
            "key": key,
            "route": route,
            "hash": request_hash,
            "until": to_micros(until),
        }

        def begun(found: Row | None) -> Row | None:
            if found is None or whole(found, "until") <= to_micros(at):
                answers.append(Fresh())
                return wanted
            answers.append(_answer(found, route, request_hash))
            return None

        await self._corner.change(("idempotency", request_key(key)), begun, as_web=True)
        return answers[-1]

    async def finish(self, key: str, status: int, body: str) -> None:
        def finished(found: Row | None) -> Row | None:
            return None if found is None else {**found, "status": status, "body": body}

        await self._corner.change(("idempotency", request_key(key)), finished, as_web=True)

    async def give_back(self, key: str) -> None:
        def freed(found: Row | None) -> Row | None:
            return None if found is None or "status" in found else {**found, "until": 0}

        await self._corner.change(("idempotency", request_key(key)), freed, as_web=True)


@dataclass(frozen=True, slots=True)
class FirebaseAuditTrail:
    _corner: Corner

    async def add(self, entry: AuditEntry) -> AuditRow:
        facts_text(entry.facts)
        for _ in range(MAX_TRIES):
            newest = await self.recent(1)
            seq, before = (newest[0].seq + 1, newest[0].hash) if newest else (1, FIRST_HASH)
            row = chained(self._corner.user, entry, seq, before)
            stored = await self._corner.change(
                ("events", event_key(seq)),
                lambda found, row=row: _event(row) if found is None else None,  # type: ignore[misc]
            )
            if stored is not None and stored.get("hash") == row.hash:
                return row
        raise StoreUnavailableError("the audit trail grows faster than it can be written")

    async def list(self, after: int = 0, limit: int = 200) -> tuple[AuditRow, ...]:
        query = Query(by=None, start=event_key(after + 1), first=limit)
        return tuple(map(_stored_event, (await self._corner.rows("events", query)).values()))

    async def recent(self, limit: int = 100) -> tuple[AuditRow, ...]:
        rows = await self._corner.rows("events", Query(by=None, last=limit))
        return tuple(map(_stored_event, reversed(rows.values())))


@dataclass(frozen=True, slots=True)
class FirebaseRetention:
    _corner: Corner

    async def sweep(self, cutoffs: Cutoffs, limit: int = SWEPT_AT_ONCE) -> Mapping[str, int]:
        rtdb = await self._corner.writable(as_worker=True)
        messages = {
            key: stored_message(row) for key, row in (await self._corner.rows("inbox")).items()
        }
        return {
            "traces": await self._traces(rtdb, messages, cutoffs, limit),
            "texts": await self._texts(rtdb, messages, cutoffs, limit),
            "events": await self._old(rtdb, "events", "at", to_micros(cutoffs.audit), limit),
            "notices": await self._old(
                rtdb, "notifications", "at", to_micros(cutoffs.notices), limit
            ),
            "idempotency": await self._keys(rtdb, cutoffs, limit),
            "quotas": await self._quotas(rtdb, cutoffs, limit),
        }

    async def _traces(
        self, rtdb: Rtdb, messages: Mapping[str, StoredMessage], cutoffs: Cutoffs, limit: int
    ) -> int:
        keys = await rtdb.keys(self._corner.path("traces"))
        old = [
            key for key in keys if key in messages and messages[key].received_at < cutoffs.traces
        ]
        return await self._delete(rtdb, "traces", old[:limit])

    async def _texts(
        self, rtdb: Rtdb, messages: Mapping[str, StoredMessage], cutoffs: Cutoffs, limit: int
    ) -> int:
        epoch = await self._corner.get("bot", "epoch")
        posts = {str(row["post"]) for row in (await self._corner.rows("signals")).values()}
        channels = await self._corner.rows("channels")
        guarded = {one.chat for one in map(stored_channel, channels.values()) if one.is_protected}
        old = [
            (key, stored)
            for key, stored in messages.items()
            if _is_old(stored, cutoffs, guarded, has_signal=key.rpartition("_r")[0] in posts)
        ][:limit]
        values: dict[str, Json] = {}
        for key, stored in old:
            values[f"inbox/{key}/body"] = with_text(stored, "")
            values[f"inbox/{key}/epoch"] = epoch
        if values:
            await rtdb.update(self._corner.path(), values)
        return len(old)

    async def _old(self, rtdb: Rtdb, collection: str, by: str, before: int, limit: int) -> int:
        query = Query(by=by, start=0, end=before - 1, first=limit)
        found = await rtdb.rows(self._corner.path(collection), query)
        return await self._delete(rtdb, collection, list(found))

    async def _keys(self, rtdb: Rtdb, cutoffs: Cutoffs, limit: int) -> int:
        """A worker may delete what is over by the clock of the service, a web anything."""
        database = self._corner.database
        mine = database.web(await self._corner.shard()) if database.web_shards else rtdb
        return await self._old(mine, "idempotency", "until", to_micros(cutoffs.now) + 1, limit)

    async def _quotas(self, rtdb: Rtdb, cutoffs: Cutoffs, limit: int) -> int:
        keys = await rtdb.keys(self._corner.path("quota"))
        old = [key for key in keys if key.partition("_")[0] < cutoffs.quota_day]
        return await self._delete(rtdb, "quota", old[:limit])

    async def _delete(self, rtdb: Rtdb, collection: str, keys: list[str]) -> int:
        """Delete what the rules let go; what they keep longer the next sweep asks for again."""
        if not keys:
            return 0
        try:
            await self._remove(rtdb, collection, keys)
        except DeniedError:
            if len(keys) == 1:
                return 0
            return sum([await self._delete(rtdb, collection, [key]) for key in keys])
        return len(keys)

    async def _remove(self, rtdb: Rtdb, collection: str, keys: list[str]) -> None:
        await rtdb.update(self._corner.path(), {f"{collection}/{key}": None for key in keys})


def _is_old(
    stored: StoredMessage,
    cutoffs: Cutoffs,
    guarded: set[ChannelId],
    *,
    has_signal: bool,
) -> bool:
    message = stored.message
    if not message.text or stored.state is MessageState.NEW:
        return False
    is_short_lived = not has_signal or message.channel in guarded
    limit = cutoffs.other_text if is_short_lived else cutoffs.signal_text
    return stored.received_at < limit or (
        stored.deleted_at is not None and stored.deleted_at < cutoffs.deleted_text
    )


def _answer(found: Row, route: str, request_hash: str) -> Begun:
    if (found.get("route"), found.get("hash")) != (route, request_hash):
        return Mismatch()
    return (
        Replay(whole(found, "status"), text(found, "body") or "")
        if "status" in found
        else InFlight()
    )


def request_key(key: str) -> str:
    return "k" + hashlib.blake2b(key.encode(), digest_size=16, person=b"sf-idem-1").hexdigest()


def event_key(seq: int) -> str:
    return format(seq, "012d")


def _event(row: AuditRow) -> Row:
    entry = row.entry
    return {
        "seq": row.seq,
        "at": to_micros(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "about": entry.about,
        "facts": facts_text(entry.facts),
        "prev_hash": row.prev_hash,
        "hash": row.hash,
    }


def _stored_event(row: Row) -> AuditRow:
    entry = AuditEntry(
        at=from_micros(whole(row, "at")),
        actor=str(row["actor"]),
        action=str(row["action"]),
        about=text(row, "about") or "",
        facts=json.loads(str(row["facts"])),
    )
    return AuditRow(
        seq=whole(row, "seq"),
        entry=entry,
        prev_hash=str(row["prev_hash"]),
        hash=str(row["hash"]),
    )
