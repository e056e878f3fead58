"""Users who leave, in Firebase. A user's node may be deleted once the keys are noted as gone."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from signalfleet.adapters.firebase.client import Json, Row
from signalfleet.adapters.firebase.credentials import KEYS, NODE
from signalfleet.adapters.firebase.database import Database, text, whole
from signalfleet.adapters.firebase.fleet import FirebaseFleet
from signalfleet.adapters.firebase.paths import path, slot_key, user_path
from signalfleet.adapters.firebase.rows import from_micros, require_aware, to_json, to_micros
from signalfleet.domain.ids import UserId
from signalfleet.ports.departures import Departure, Shredded
from signalfleet.ports.errors import RefusedError

_COUNTED = {
    "messages": "inbox",
    "signals": "signals",
    "trades": "trades",
    "intents": "intents",
    "credentials": NODE,
    "events": "events",
}


@dataclass(frozen=True, slots=True)
class FirebaseDepartures:
    _database: Database
    _fleet: FirebaseFleet

    async def begin(self, user: UserId, report_id: str, at: datetime) -> Departure:
        require_aware(at)
        for known in await self.under_way():
            if known.user == user:
                return known
        departure = Departure(report_id=report_id, user=user, begun_at=at)
        await self._database.worker().change(
            path("departures", report_id), lambda found: _row(departure) if found is None else None
        )
        return departure

    async def under_way(self) -> tuple[Departure, ...]:
        rows = await self._database.worker().rows("departures")
        found = (_departure(key, row) for key, row in rows.items())
        return tuple(
            sorted(
                (one for one in found if one.finished_at is None),
                key=lambda one: (one.begun_at, one.report_id),
            )
        )

    async def note(self, report_id: str, step: str, said: str) -> Departure:
        def noted(departure: Departure) -> Departure:
            return replace(departure, steps={**departure.steps, step: said})

        return await self._change(report_id, noted)

    async def shred(self, user: UserId, at: datetime) -> int:
        require_aware(at)
        entry = await self._database.entry(user)
        rtdb = self._database.worker(entry.shard if entry is not None else 0)
        node = user_path(user, NODE, KEYS)
        keys = await rtdb.keys(node)
        # The mark is looked at by the rules of the user's instance, and listed from the first.
        for one in {id(rtdb): rtdb, id(self._database.worker()): self._database.worker()}.values():
            await one.change(
                path("shredded", user),
                lambda found: {"at": to_micros(at)} if found is None else None,
            )
        if keys:
            await rtdb.put(node, None)
        return len(keys)

    async def shredded(self) -> tuple[Shredded, ...]:
        rows = await self._database.worker().rows("shredded")
        return tuple(
            Shredded(user=UserId(key), at=from_micros(whole(row, "at")))
            for key, row in sorted(rows.items())
        )

    async def erase(self, user: UserId) -> Mapping[str, int]:
        entry = await self._database.entry(user, fresh=True)
        if entry is None:
            return {}
        rtdb, first = self._database.worker(entry.shard), self._database.worker()
        counts = {
            name: len(await rtdb.keys(user_path(user, collection)))
            for name, collection in _COUNTED.items()
        }
        profile = await self._fleet.get_user(user)
        sessions = await self._fleet.sessions_of(user)
        if sessions:
            ended: dict[str, Json] = dict.fromkeys(sessions)
            await self._database.web().update("sessions", ended)
        await rtdb.put(user_path(user), None)
        slot = path("slots", slot_key(entry.cell, entry.slot))
        gone: dict[str, Json] = {path("directory", user): None, f"{slot}/{path(user)}": None}
        if profile is not None and profile.telegram_id is not None:
            gone[path("logins", f"t{profile.telegram_id}")] = None
        await first.update("", gone)
        await self._database.entry(user, fresh=True)
        counts |= {"users": 1, "web_sessions": len(sessions)}
        return {name: count for name, count in counts.items() if count}

    async def finish(self, report_id: str, at: datetime) -> Departure:
        require_aware(at)
        return await self._change(
            report_id, lambda departure: replace(departure, user=None, finished_at=at)
        )

    async def report(self, report_id: str) -> Departure | None:
        row = await self._database.worker().row(path("departures", report_id))
        return None if row is None else _departure(report_id, row)

    async def _change(
        self, report_id: str, function: Callable[[Departure], Departure]
    ) -> Departure:
        def changed(found: Row | None) -> Row:
            if found is None:
                raise RefusedError("nobody leaves under this name")
            return _row(function(_departure(report_id, found)))

        row = await self._database.worker().change(path("departures", report_id), changed)
        return _departure(report_id, row or {})


def _row(departure: Departure) -> Row:
    row: Row = {
        "begun_at": to_micros(departure.begun_at),
        "steps": to_json(dict(departure.steps), "the steps of a departure"),
    }
    if departure.user is not None:
        row["user_id"] = departure.user
    if departure.finished_at is not None:
        row["finished_at"] = to_micros(departure.finished_at)
    return row


def _departure(report_id: str, row: Row) -> Departure:
    user = text(row, "user_id")
    return Departure(
        report_id=report_id,
        user=None if user is None else UserId(user),
        begun_at=from_micros(whole(row, "begun_at")),
        finished_at=from_micros(whole(row, "finished_at")) if "finished_at" in row else None,
        steps=json.loads(text(row, "steps") or "{}"),
    )
