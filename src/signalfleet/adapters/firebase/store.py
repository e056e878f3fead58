"""The store in Firebase: opened for the identities of a role, asked for one user's part, closed."""

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

import firebase_admin

from signalfleet.adapters.firebase.client import (
    Row,
    Rtdb,
    Threads,
    close_app,
    is_real,
    open_app,
)
from signalfleet.adapters.firebase.credentials import NODE, FirebaseCredentials
from signalfleet.adapters.firebase.database import Corner, Database
from signalfleet.adapters.firebase.departures import FirebaseDepartures
from signalfleet.adapters.firebase.errors import DeniedError
from signalfleet.adapters.firebase.fleet import FirebaseFleet
from signalfleet.adapters.firebase.inbox import FirebaseInbox
from signalfleet.adapters.firebase.journal import FirebaseJournal
from signalfleet.adapters.firebase.limits import LAYOUT
from signalfleet.adapters.firebase.notices import FirebaseNotices
from signalfleet.adapters.firebase.paths import path, user_path
from signalfleet.adapters.firebase.quota import FirebaseQuota
from signalfleet.adapters.firebase.records import (
    FirebaseAccounts,
    FirebaseBot,
    FirebaseChannels,
    FirebaseSettings,
)
from signalfleet.adapters.firebase.tenants import (
    FirebaseAuditTrail,
    FirebaseIdempotency,
    FirebaseRetention,
)
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import RefusedError

_NOBODY: Final = UserId("u_0000000000000000")
_RULES: Final = "deploy deploy/firebase/rules.json to every instance, then start again"


class Identity(StrEnum):
    """Whom the rules take this process for. One process that does everything has both."""

    WORKER = "sf-worker"
    WEB = "sf-web"


BOTH: Final = (Identity.WORKER, Identity.WEB)


class FirebaseUserStore:
    """One user's part; holds nothing but the name, so it may be made anew for each use."""

    __slots__ = ("_corner",)

    def __init__(self, database: Database, user_id: UserId) -> None:
        self._corner = Corner(database, user_id)

    @property
    def user_id(self) -> UserId:
        return self._corner.user

    @property
    def inbox(self) -> FirebaseInbox:
        return FirebaseInbox(self._corner)

    @property
    def journal(self) -> FirebaseJournal:
        return FirebaseJournal(self._corner)

    @property
    def channels(self) -> FirebaseChannels:
        return FirebaseChannels(self._corner)

    @property
    def accounts(self) -> FirebaseAccounts:
        return FirebaseAccounts(self._corner)

    @property
    def settings(self) -> FirebaseSettings:
        return FirebaseSettings(self._corner)

    @property
    def credentials(self) -> FirebaseCredentials:
        return FirebaseCredentials(self._corner)

    @property
    def bot(self) -> FirebaseBot:
        return FirebaseBot(self._corner)

    @property
    def notices(self) -> FirebaseNotices:
        return FirebaseNotices(self._corner)

    @property
    def quota(self) -> FirebaseQuota:
        return FirebaseQuota(self._corner)

    @property
    def idempotency(self) -> FirebaseIdempotency:
        return FirebaseIdempotency(self._corner)

    @property
    def events(self) -> FirebaseAuditTrail:
        return FirebaseAuditTrail(self._corner)

    @property
    def retention(self) -> FirebaseRetention:
        return FirebaseRetention(self._corner)


class FirebaseStore:
    """Instances of Firebase Realtime Database. Use `open`, and `aclose` when done."""

    def __init__(
        self, database: Database, apps: Mapping[Identity, firebase_admin.App], threads: Threads
    ) -> None:
        self._database, self._apps, self._threads = database, apps, threads
        self._fleet = FirebaseFleet(database)
        self._departures = FirebaseDepartures(database, self._fleet)

    @classmethod
    async def open(
        cls,
        urls: Sequence[str],
        *,
        cell: str,
        identities: Sequence[Identity] = BOTH,
        account_file: Path | None = None,
    ) -> Self:
        """Open the instances; the first one also holds what is of no single user.

        RefusedError if the rules do not hold for us: then nothing else would keep users apart.
        """
        threads = Threads()
        apps = {
            one: await asyncio.to_thread(open_app, one.value, urls, account_file)
            for one in identities
        }
        shards = {one: tuple(Rtdb(app, url, threads) for url in urls) for one, app in apps.items()}
        database = Database(
            cell=cell,
            worker_shards=shards.get(Identity.WORKER, ()),
            web_shards=shards.get(Identity.WEB, ()),
        )
        store = cls(database, apps, threads)
        try:
            await _require_rules(database)
        except BaseException:
            await store.aclose()
            raise
        return store

    def user(self, user_id: UserId) -> FirebaseUserStore:
        return FirebaseUserStore(self._database, user_id)

    @property
    def fleet(self) -> FirebaseFleet:
        return self._fleet

    @property
    def departures(self) -> FirebaseDepartures:
        return self._departures

    async def ready(self) -> None:
        rtdb = self._database.any()
        await rtdb.change(path("attempts", "ready"), lambda _: {"times": "[]"})

    async def note_proof(self, proof: Row) -> None:
        """Note that the contract suite ran green here; live accounts are allowed from then on."""
        node = path("installation", "proof")
        await self._database.worker().put(node, {**proof, "layout": LAYOUT})

    async def proof(self) -> Row | None:
        return await self._database.any().row(path("installation", "proof"))

    async def aclose(self) -> None:
        """Refuse new calls, wait a bounded time for those under way, close the connections."""
        await self._threads.aclose()
        for app in self._apps.values():
            if firebase_admin._apps.get(app.name) is app:  # noqa: SLF001 - It knows no other way.
                close_app(app)


async def _require_rules(database: Database) -> None:
    """Ask for what nobody may see. An answer means that rules are missing or passed by."""
    for shard in range(database.shards):
        await _require_denied(database.any(shard), "users", "the list of all users")
        if database.web_shards:
            secret = user_path(_NOBODY, NODE)
            await _require_denied(database.web(shard), secret, "credentials as the web")
        if database.worker_shards:
            await database.worker(shard).exists(user_path(_NOBODY, NODE))


async def _require_denied(rtdb: Rtdb, node: str, what: str) -> None:
    try:
        await rtdb.exists(node)
    except DeniedError:
        return
    raise RefusedError(f"Firebase lets this process read {what}: {_RULES}")


def all_real(urls: Sequence[str]) -> bool:
    """Tell whether all of this is Google's service, not an emulator or a fake."""
    return all(is_real(url) for url in urls)
