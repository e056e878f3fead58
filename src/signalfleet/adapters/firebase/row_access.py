"""All rows of Firebase instances, for copying a store.

It goes by the administrator's right that the service account has: no identity of the product may
list users, or delete trading rows. A user exists once the directory says so, and that is written
last, so a user who was copied in part is copied again.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from signalfleet.adapters.firebase.client import (
    Json,
    Query,
    Row,
    Rtdb,
    Threads,
    as_rows,
    close_app,
    open_app,
)
from signalfleet.adapters.firebase.copied import (
    COLLECTIONS,
    Nodes,
    bot_node,
    nodes_of,
    tables_of,
)
from signalfleet.adapters.firebase.copied_shared import IDENTITY, SHARED
from signalfleet.adapters.firebase.database import whole
from signalfleet.adapters.firebase.fleet import shard_of
from signalfleet.adapters.firebase.limits import LAYOUT, PATHS_AT_ONCE
from signalfleet.adapters.firebase.paths import decode_key, path, slot_key, user_path
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.store_copy import CopiedRow, Tables

_PAGE: Final = 500
_COUNTER: Final = "newest"
_UNPROVED: Final = (
    "there are live accounts to copy, and the store's tests have not run on this Firebase project: "
    "run `signalfleet doctor --store` on it first"
)


@asynccontextmanager
async def open_row_access(
    urls: Sequence[str], account_file: Path | None = None
) -> "AsyncIterator[FirebaseRowAccess]":
    """Open the instances as their administrator; only for as long as a copy takes."""
    threads, app = Threads(), open_app(None, urls, account_file)
    try:
        yield FirebaseRowAccess(tuple(Rtdb(app, url, threads) for url in urls))
    finally:
        await threads.aclose()
        close_app(app)


@dataclass(frozen=True, slots=True)
class FirebaseRowAccess:
    _shards: Sequence[Rtdb]

    @property
    def shared_tables(self) -> Sequence[str]:
        return tuple(SHARED)

    async def is_live(self) -> bool:
        return await self._first.exists(IDENTITY)

    async def users(self, after: str, limit: int) -> tuple[UserId, ...]:
        known = await self._first.keys("directory")
        return tuple(islice((UserId(key) for key in known if key > after), limit))

    async def tables_of(self, user: UserId) -> Tables:
        entry = await self._entry(user)
        if entry is None:
            return {}
        rtdb = self._shards[whole(entry, "shard")]
        await _require_whole(rtdb, user)
        found = {name: await _all(rtdb, user_path(user, name)) for name in COLLECTIONS}
        bot = await rtdb.row(user_path(user, "bot")) or {}
        rev = await self._first.get(_slot(user, entry))
        profile = await rtdb.row(user_path(user, "profile")) or {}
        every: Tables = {
            "users": [_user_cells(profile, entry)],
            **tables_of(found, bot, rev if isinstance(rev, int) else 0),
            "web_sessions": await self._sessions(user),
        }
        return _owned(user, every)

    def as_kept(self, user: UserId, tables: Tables) -> Tables:
        kept = tables_of(nodes_of(tables), bot_node(tables["bots"]), _wish_rev(tables))
        return {
            **{name: tables[name] for name in ("users", "web_sessions")},
            **_owned(user, kept),
        }

    async def replace_user(self, user: UserId, tables: Tables) -> None:
        if any(row["mode"] == "LIVE" for row in tables["accounts"]):
            await self._require_proof()
        (profile,) = tables["users"]
        await self.delete_user(user)
        shard = shard_of(user, len(self._shards))
        await _write_all(self._shards[shard], user_path(user), nodes_of(tables))
        await self._shards[shard].update(
            user_path(user),
            {
                "profile": {name: profile[name] for name in _PROFILE if profile[name] is not None},
                "bot": bot_node(tables["bots"]),
            },
        )
        sessions: Nodes = {
            path(str(row["sid_hash"])): {name: row[name] for name in _SESSION}
            for row in tables["web_sessions"]
        }
        await _write_all(self._first, "", {"sessions": sessions})
        entry: Row = {
            "shard": shard,
            "cell": profile["cell"],
            "cell_epoch": 1,
            "slot": profile["slot"],
        }
        # The directory's line is the last: it is what makes the user exist.
        values: dict[str, Json] = {
            path("directory", user): entry,
            _slot(user, entry): _wish_rev(tables),
        }
        if profile["telegram_id"] is not None:
            values[_login(profile["telegram_id"])] = {"user_id": user}
        await self._first.update("", values)

    async def delete_user(self, user: UserId) -> None:
        """The directory's line goes first: from then on nobody finds what is left."""
        entry = await self._entry(user)
        rtdb = self._shards[shard_of(user, len(self._shards))]
        if entry is not None:
            rtdb = self._shards[whole(entry, "shard")]
            profile = await rtdb.row(user_path(user, "profile")) or {}
            gone: dict[str, Json] = {path("directory", user): None, _slot(user, entry): None}
            if "telegram_id" in profile:
                gone[_login(profile["telegram_id"])] = None
            await self._first.update("", gone)
        sessions = [str(row["sid_hash"]) for row in await self._sessions(user)]
        if sessions:
            await self._first.update("sessions", dict.fromkeys(sessions))
        await rtdb.put(user_path(user), None)

    async def shared_rows(self, table: str) -> Sequence[CopiedRow]:
        shared = SHARED[table]
        return shared.rows_in(await self._first.row(shared.place) or {})

    async def replace_shared(self, table: str, rows: Sequence[CopiedRow]) -> None:
        # The mark of a user whose keys are gone is looked at by the rules of the user's instance.
        for rtdb in self._shards if table == "shredded" else (self._first,):
            await rtdb.put(SHARED[table].place, SHARED[table].value_of(rows))

    async def close_gaps(self) -> None:
        """Let the numbers of wishes go on above the newest of each cell."""
        newest: dict[str, int] = {}
        for key, row in (await self._first.rows("slots")).items():
            counter = slot_key(key.rpartition("_")[0], _COUNTER)
            revs = [one for name, one in row.items() if isinstance(one, int) and name != "rev"]
            newest[counter] = max(newest.get(counter, 0), *revs, 0)
        values: dict[str, Json] = {f"{counter}/rev": rev for counter, rev in newest.items()}
        if values:
            await self._first.update("slots", values)

    @property
    def _first(self) -> Rtdb:
        return self._shards[0]

    async def _entry(self, user: UserId) -> Row | None:
        return await self._first.row(path("directory", user))

    async def _sessions(self, user: UserId) -> list[CopiedRow]:
        found = await self._first.rows("sessions", Query(by="user_id", equal_to=user))
        return [
            {"sid_hash": decode_key(key), **{name: whole(row, name) for name in _TIMES}}
            for key, row in found.items()
        ]

    async def _require_proof(self) -> None:
        proof = await self._first.row(path("installation", "proof"))
        if proof is None or proof.get("layout") != LAYOUT:
            raise RefusedError(_UNPROVED)


_TIMES: Final = ("created_at", "expires_at")
_SESSION: Final = ("user_id", *_TIMES)
_PROFILE: Final = ("user_id", "telegram_id", "display_name", "tier", "timezone", "slot")


def _user_cells(profile: Row, entry: Row) -> CopiedRow:
    telegram = profile.get("telegram_id")
    return {
        **{name: str(profile[name]) for name in ("display_name", "tier", "timezone")},
        "telegram_id": telegram if isinstance(telegram, int) else None,
        "cell": str(entry["cell"]),
        "slot": whole(entry, "slot"),
    }


def _owned(user: UserId, tables: Tables) -> Tables:
    return {name: [{"user_id": user, **row} for row in rows] for name, rows in tables.items()}


def _wish_rev(tables: Tables) -> int:
    return max((int(row["wish_rev"] or 0) for row in tables["bots"]), default=0)


def _slot(user: UserId, entry: Row) -> str:
    return f"{path('slots', slot_key(str(entry['cell']), whole(entry, 'slot')))}/{path(user)}"


def _login(telegram_id: object) -> str:
    return path("logins", f"t{telegram_id}")


async def _all(rtdb: Rtdb, collection: str) -> Nodes:
    """Read a collection page by page: a call to the service must end in some seconds."""
    found: Nodes = {}
    after: str | None = None
    while True:
        page = await rtdb.rows(collection, Query(by=None, start=after, first=_PAGE))
        found |= page
        if len(page) < _PAGE:
            return found
        after = max(page)


async def _write_all(rtdb: Rtdb, parent: str, collections: Mapping[str, Nodes]) -> None:
    rows: list[tuple[str, Json]] = [
        (f"{name}/{key}", {**row})
        for name, nodes in collections.items()
        for key, row in nodes.items()
    ]
    for first in range(0, len(rows), PATHS_AT_ONCE):
        await rtdb.update(parent, dict(rows[first : first + PATHS_AT_ONCE]))


async def _require_whole(rtdb: Rtdb, user: UserId) -> None:
    """Refuse a decision that was claimed and not written: only its owner can finish it."""
    for row in (await _all(rtdb, user_path(user, "decisions"))).values():
        if any("rows" in one for one in as_rows(row).values()):
            raise RefusedError(
                f"a decision of {user} is half written: start the product on that store once, stop "
                "it, then copy again"
            )
