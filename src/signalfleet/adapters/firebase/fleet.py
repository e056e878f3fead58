"""Slots, users, wishes, sessions and attempts in Firebase."""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from signalfleet.adapters.firebase.client import Query, Row, Rtdb
from signalfleet.adapters.firebase.database import Database, at_once, text, whole
from signalfleet.adapters.firebase.errors import DeniedError
from signalfleet.adapters.firebase.limits import PATHS_AT_ONCE
from signalfleet.adapters.firebase.paths import path, slot_key, user_path
from signalfleet.adapters.firebase.rows import (
    from_micros,
    profile_row,
    require_aware,
    stored_profile,
    to_json,
    to_micros,
)
from signalfleet.domain.ids import SLOTS, InstallationId, UserId, slot
from signalfleet.ports.departures import Arming
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.fleet_rows import AttemptLimit, UserMark, WebSession
from signalfleet.ports.store import UserProfile

_NEWEST: Final = "newest"


@dataclass(frozen=True, slots=True)
class FirebaseFleet:
    _database: Database

    async def installation(self) -> InstallationId:
        node = path("installation", "identity")
        row = await self._database.any().row(node)
        if row is None and not self._database.worker_shards:
            raise RefusedError("this installation has no id yet: start a worker first")
        if row is None:
            mine: Row = {"installation_id": "in_" + secrets.token_hex(8)}
            row = await self._database.worker().change(
                node, lambda found: mine if found is None else None
            )
        return InstallationId(str((row or {})["installation_id"]))

    async def arming(self) -> Arming:
        row = await self._database.any().row(path("installation", "arming"))
        if row is None:
            return Arming(generation=None)
        before = from_micros(whole(row, "not_before")) if "not_before" in row else None
        return Arming(generation=whole(row, "generation"), entries_not_before=before)

    async def set_arming(self, arming: Arming) -> None:
        if arming.generation is None:
            raise RefusedError("arming needs a generation")
        row: Row = {"generation": arming.generation}
        if arming.entries_not_before is not None:
            row["not_before"] = to_micros(arming.entries_not_before)
        await self._database.worker().put(path("installation", "arming"), row)

    async def slot_epochs(self, cell: str, slots: Sequence[int]) -> Mapping[int, int]:
        rtdb = self._database.worker()
        keys = {one: path(slot_key(cell, one)) for one in slots}
        if len(keys) > THREADS_WORTH:
            rows = await rtdb.rows("fences")
        else:
            few = await at_once(rtdb.row(f"fences/{key}") for key in keys.values())
            rows = {key: row or {} for key, row in zip(keys.values(), few, strict=True)}
        return {one: whole(rows.get(key, {}), "epoch") for one, key in keys.items()}

    async def raise_fences(
        self, cell: str, epochs: Mapping[int, int], worker: str
    ) -> frozenset[int]:
        """Raise the slots to their epochs, then their users one by one.

        Rules let all of these only rise. A worker that is overtaken meanwhile owns what it is left
        with, which is nothing of what the newer one claimed.
        """
        rtdb = self._database.worker()
        slots, taken = list(epochs), set[int]()
        for number in range(0, len(slots), PATHS_AT_ONCE):
            some = slots[number : number + PATHS_AT_ONCE]
            fences: dict[int, Row] = {
                one: {"epoch": epochs[one], "worker": worker, "wid": secrets.token_hex(8)}
                for one in some
            }
            taken |= await self._raise(rtdb, cell, fences)
        users = await self.users_of_slots(cell, sorted(taken))
        await at_once(self._raise_user(user, epochs[slot(user)]) for user in users)
        return frozenset(taken)

    async def add_user(self, profile: UserProfile) -> UserProfile:
        """The login is claimed first, the directory written last: it is what makes a user exist."""
        user = profile.user_id
        if profile.telegram_id is not None:
            user = await self._claim_login(profile.telegram_id, user)
        stored = await self.get_user(user)
        if stored is not None:
            return stored
        # A login without its user is left by a crash: the user is completed under its id.
        if user != profile.user_id:
            profile = replace(profile, user_id=user, slot=slot(user))
        database = self._database
        shard = shard_of(user, database.shards)
        row = profile_row(profile)
        kept = await database.any(shard).change(
            user_path(user, "profile"), lambda found: row if found is None else None
        )
        cell = database.cell
        entry: Row = {"shard": shard, "cell": cell, "cell_epoch": 1, "slot": profile.slot}
        node = f"{path('slots', slot_key(cell, profile.slot))}/{path(user)}"
        await database.any().update("", {path("directory", user): entry, node: 0})
        return profile if kept is None else stored_profile(kept)

    async def get_user(self, user_id: UserId) -> UserProfile | None:
        entry = await self._database.entry(user_id, fresh=True)
        if entry is None:
            return None
        row = await self._database.any(entry.shard).row(user_path(user_id, "profile"))
        return None if row is None else stored_profile(row)

    async def set_tier(self, user_id: UserId, tier: str) -> UserProfile:
        entry = await self._database.entry(user_id, fresh=True)
        if entry is None:
            raise RefusedError("there is no such user")
        row = await self._database.any(entry.shard).change(
            user_path(user_id, "profile"),
            lambda found: None if found is None else {**found, "tier": tier},
        )
        if row is None:
            raise RefusedError("there is no such user")
        return stored_profile(row)

    async def user_by_telegram(self, telegram_id: int) -> UserProfile | None:
        row = await self._database.any().row(_login(telegram_id))
        return None if row is None else await self.get_user(UserId(str(row["user_id"])))

    async def users_of_slots(self, cell: str, slots: Sequence[int]) -> tuple[UserId, ...]:
        rtdb = self._database.worker()
        nodes = [path("slots", slot_key(cell, one)) for one in dict.fromkeys(slots)]
        if len(nodes) > THREADS_WORTH:
            every = await rtdb.rows("slots")
            keys = [list(every.get(node.partition("/")[2], {})) for node in nodes]
        else:
            keys = [list(one) for one in await at_once(rtdb.keys(node) for node in nodes)]
        return tuple(sorted(UserId(key) for some in keys for key in some))

    async def marks(self, cell: str, slots: Sequence[int]) -> Mapping[UserId, UserMark]:  # noqa: ARG002
        """Tell of nobody: there is no question about many users, and each row has to be paid."""
        return {}

    async def wishes_since(self, rev: int, limit: int = 500) -> tuple[tuple[UserId, int], ...]:
        """Look at the cell's counter first: mostly nothing is new, and the slots are many rows."""
        rtdb, cell = self._database.worker(), self._database.cell
        newest = await rtdb.get(path("slots", slot_key(cell, _NEWEST), "rev"))
        if not isinstance(newest, int) or newest <= rev:
            return ()
        rows = await rtdb.rows("slots")
        own = {path(slot_key(cell, number)) for number in range(SLOTS)}
        revs = [
            (UserId(user), number)
            for key, row in rows.items()
            if key in own
            for user, number in row.items()
            if isinstance(number, int) and number > rev
        ]
        return tuple(sorted(revs, key=lambda one: one[1])[:limit])

    async def put_session(self, sid_hash: str, session: WebSession) -> None:
        require_aware(session.created_at, session.expires_at)
        if await self._database.entry(session.user_id, fresh=True) is None:
            raise RefusedError("there is no such user; add the user first")
        row: Row = {
            "user_id": session.user_id,
            "created_at": to_micros(session.created_at),
            "expires_at": to_micros(session.expires_at),
        }
        await self._database.web().put(path("sessions", sid_hash), row)

    async def session(self, sid_hash: str) -> WebSession | None:
        row = await self._database.web().row(path("sessions", sid_hash))
        if row is None:
            return None
        return WebSession(
            user_id=UserId(str(row["user_id"])),
            created_at=from_micros(whole(row, "created_at")),
            expires_at=from_micros(whole(row, "expires_at")),
        )

    async def delete_session(self, sid_hash: str) -> None:
        await self._database.web().put(path("sessions", sid_hash), None)

    async def count_attempt(
        self, kind: str, key: str, at: datetime, limits: Sequence[AttemptLimit]
    ) -> datetime | None:
        free: list[datetime | None] = []

        def counted(found: Row | None) -> Row | None:
            stored: list[int] = json.loads(text(found or {}, "times") or "[]")
            times = [from_micros(one) for one in stored]
            over = [one for limit in limits if (one := free_again(times, at, limit)) is not None]
            free.append(max(over, default=None))
            if over:
                return None
            longest = max((limit.within for limit in limits), default=timedelta(0))
            kept = [*(one for one in times if one > at - longest), at]
            return {"times": to_json([to_micros(one) for one in kept], "attempts")}

        require_aware(at)
        await self._database.any().change(path("attempts", f"{kind}|{key}"), counted)
        return free[-1]

    async def _raise(self, rtdb: Rtdb, cell: str, fences: Mapping[int, Row]) -> set[int]:
        try:
            await rtdb.update(
                "fences", {path(slot_key(cell, one)): fence for one, fence in fences.items()}
            )
        except DeniedError:
            # One of them is owned by somebody newer: the others are still ours to take.
            done = await at_once(
                _raise_one(rtdb, path("fences", slot_key(cell, one)), fence)
                for one, fence in fences.items()
            )
            return {one for one, is_ours in zip(fences, done, strict=True) if is_ours}
        return set(fences)

    async def _raise_user(self, user: UserId, epoch: int) -> None:
        entry = await self._database.entry(user)
        if entry is None:
            return
        try:
            await self._database.worker(entry.shard).put(user_path(user, "bot", "epoch"), epoch)
        except DeniedError:
            return

    async def _claim_login(self, telegram_id: int, user: UserId) -> UserId:
        mine: Row = {"user_id": user}
        row = await self._database.any().change(
            _login(telegram_id), lambda found: mine if found is None else None
        )
        return UserId(str((row or mine)["user_id"]))

    async def sessions_of(self, user: UserId) -> tuple[str, ...]:
        """Return the keys of a user's sessions; only the web may see them."""
        if not self._database.web_shards:
            return ()
        query = Query(by="user_id", equal_to=user)
        return tuple(await self._database.web().rows("sessions", query))


THREADS_WORTH: Final = 16
"""Above this many slots one look at all of them is cheaper than one look at each."""


async def _raise_one(rtdb: Rtdb, node: str, fence: Row) -> bool:
    """Tell whether the fence is ours; what was written once already is refused the second time."""
    try:
        await rtdb.put(node, fence)
    except DeniedError:
        found = await rtdb.row(node)
        return found is not None and found.get("wid") == fence["wid"]
    return True


def _login(telegram_id: int) -> str:
    return path("logins", f"t{telegram_id}")


def shard_of(user: UserId, shards: int) -> int:
    """Chosen once, at sign-up; from then on the directory says where a user is."""
    digest = hashlib.blake2b(user.encode(), digest_size=8, person=b"sf-shard-1").digest()
    return int.from_bytes(digest, "big") % shards


def free_again(times: Sequence[datetime], at: datetime, limit: AttemptLimit) -> datetime | None:
    """Return when one of the counted times leaves the limit's window; None if there is room."""
    counted = sorted(one for one in times if one > at - limit.within)
    if len(counted) < limit.count:
        return None
    return counted[-limit.count] + limit.within
