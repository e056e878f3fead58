"""What all parts of the store share: identities, instances, and one user's corner of them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeVar
from weakref import WeakValueDictionary

from signalfleet.adapters.firebase.client import IN_DOUBT, Json, Query, Row, Rtdb, as_row
from signalfleet.adapters.firebase.errors import DeniedError
from signalfleet.adapters.firebase.limits import (
    HOT_TIMEOUT_S,
    LAYOUT,
    MAX_TRIES,
)
from signalfleet.adapters.firebase.paths import path, slot_key, user_path
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import (
    FencedError,
    RefusedError,
    StoreInDoubtError,
    StoreUnavailableError,
)

T = TypeVar("T")

NO_USER: Final = "there is no such user; add the user first"
_FENCE_TRIES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A user's line in the directory: on which instance, in which cell and slot."""

    shard: int
    cell: str
    slot: int


@dataclass(slots=True, kw_only=True)
class Database:
    """Instances by number, for each identity that this process has. The first holds the fleet."""

    cell: str
    worker_shards: Sequence[Rtdb]
    web_shards: Sequence[Rtdb]
    _entries: dict[UserId, Entry] = field(default_factory=dict)
    _locks: WeakValueDictionary[UserId, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _sequences: dict[UserId, int] = field(default_factory=dict)

    @property
    def shards(self) -> int:
        return len(self.worker_shards or self.web_shards)

    def any(self, shard: int = 0) -> Rtdb:
        return (self.worker_shards or self.web_shards)[shard]

    def worker(self, shard: int = 0) -> Rtdb:
        if not self.worker_shards:
            raise RefusedError("only a worker may do this; this process has the rights of a web")
        return self.worker_shards[shard]

    def web(self, shard: int = 0) -> Rtdb:
        if not self.web_shards:
            raise RefusedError("only a web may do this; this process has the rights of a worker")
        return self.web_shards[shard]

    def lock(self, user: UserId) -> asyncio.Lock:
        """One writer of a user's trading rows at a time: the fence makes it the only one."""
        return self._locks.setdefault(user, asyncio.Lock())

    def next_sequence(self, user: UserId, above: int = 0) -> int:
        number = max(self._sequences.get(user, 0), above) + 1
        self._sequences[user] = number
        return number

    async def require_proof(self) -> None:
        """RefusedError until the contract suite has run green on this project."""
        proof = await self.any().row(path("installation", "proof"))
        if proof is None or proof.get("layout") != LAYOUT:
            raise RefusedError(
                "live accounts stay off: the store's tests have not run on this Firebase project. "
                "Run `signalfleet doctor --store` first"
            )

    async def count_up(
        self, parent: str, counter: str, values: Callable[[int], Mapping[str, Json]]
    ) -> int:
        """Take the counter's next number and write what belongs to it, as one unit.

        The counter's rule refuses every value but the next one, and a refused path refuses all.
        """
        rtdb = self.any()
        for _ in range(MAX_TRIES):
            before = await rtdb.get(f"{parent}/{counter}")
            number = (before if isinstance(before, int) else 0) + 1
            try:
                await rtdb.update(parent, {counter: number, **values(number)})
            except DeniedError:
                continue
            return number
        raise StoreUnavailableError("a counter in Firebase rises faster than it can be read")

    async def entry(self, user: UserId, *, fresh: bool = False) -> Entry | None:
        """Return where a user is; what is found never changes, unless the user is erased."""
        known = None if fresh else self._entries.get(user)
        if known is not None:
            return known
        row = await self.any().row(path("directory", user))
        if row is None:
            self._entries.pop(user, None)
            return None
        entry = Entry(shard=whole(row, "shard"), cell=str(row["cell"]), slot=whole(row, "slot"))
        self._entries[user] = entry
        return entry


@dataclass(frozen=True, slots=True)
class Corner:
    """One user's part of the database. No method takes a path from its root."""

    database: Database
    user: UserId

    async def shard(self) -> int:
        entry = await self.database.entry(self.user)
        return entry.shard if entry is not None else 0

    async def get(self, *parts: str) -> Json:
        return await self.database.any(await self.shard()).get(user_path(self.user, *parts))

    async def row(self, *parts: str) -> Row | None:
        return as_row(await self.get(*parts))

    async def rows(self, collection: str, query: Query | None = None) -> dict[str, Row]:
        node = user_path(self.user, collection)
        return await self.database.any(await self.shard()).rows(node, query)

    async def each(self, collection: str, keys: Sequence[str]) -> dict[str, Row]:
        """Return those of the named rows that exist, all asked for at once."""
        wanted = tuple(dict.fromkeys(keys))
        found = zip(wanted, await at_once(self.row(collection, key) for key in wanted), strict=True)
        return {key: row for key, row in found if row is not None}

    async def select(self, collection: str, queries: Sequence[Query]) -> dict[str, Row]:
        """Return the rows of several queries, all asked at once."""
        found = await at_once(self.rows(collection, query) for query in queries)
        return {key: row for rows in found for key, row in rows.items()}

    def path(self, *parts: str) -> str:
        return user_path(self.user, *parts)

    async def writable(self, *, as_web: bool = False, as_worker: bool = False) -> Rtdb:
        """Return the instance to write to; RefusedError for a user who was never added."""
        entry = await self.database.entry(self.user, fresh=True)
        if entry is None:
            raise RefusedError(NO_USER)
        if as_web:
            return self.database.web(entry.shard)
        return (self.database.worker if as_worker else self.database.any)(entry.shard)

    async def change(
        self,
        parts: Sequence[str],
        function: Callable[[Row | None], Row | None],
        *,
        as_web: bool = False,
        as_worker: bool = False,
    ) -> Row | None:
        """Replace one row if nobody changes it meanwhile; see `Rtdb.change`."""
        rtdb = await self.writable(as_web=as_web, as_worker=as_worker)
        return await rtdb.change(self.path(*parts), function)

    @asynccontextmanager
    async def writing(self, limit_s: float = HOT_TIMEOUT_S) -> AsyncIterator[None]:
        """Be the only writer of this user's trading rows here, for a bounded time."""
        try:
            async with asyncio.timeout(limit_s), self.database.lock(self.user):
                yield
        except TimeoutError:
            # The call under way goes on in its thread.
            raise StoreInDoubtError(IN_DOUBT) from None

    async def fenced(self, epoch: int, values: Mapping[str, Json]) -> None:
        """Write paths below the user as one unit under this epoch, or raise FencedError.

        `bot/fence` travels along: its rule refuses an epoch that is not the user's, and a write
        that comes late, after a newer one of this process.
        """
        entry = await self._fenced_entry()
        rtdb, node = self.database.worker(entry.shard), user_path(self.user)
        above = 0
        for _ in range(_FENCE_TRIES):
            fence = self._fence(epoch, above)
            try:
                await rtdb.update(node, {**values, "bot/fence": fence})
            except (DeniedError, StoreInDoubtError) as error:
                stored = await self._fence_after(rtdb, error)
                if stored.get("wid") == fence["wid"]:
                    return
                if isinstance(error, StoreInDoubtError):
                    raise
                await self.take_over(epoch)
                above = whole(stored, "seq") if stored.get("epoch") == epoch else 0
            else:
                return
        raise StoreUnavailableError(
            "the rules in Firebase refuse a write of the owner: deploy deploy/firebase/rules.json"
        )

    async def take_over(self, epoch: int) -> None:
        """Make sure that the user's epoch is this one; FencedError if somebody newer owns it.

        The look at the slot comes first, and the rule lets the epoch only rise, so whoever claims
        the slot in between wins.
        """
        entry = await self._fenced_entry()
        rtdb, node = self.database.worker(entry.shard), user_path(self.user, "bot", "epoch")
        stored = await rtdb.get(node)
        if stored == epoch:
            return
        fence = await self.database.worker().row(
            path("fences", slot_key(self.database.cell, entry.slot))
        )
        if fence is None or fence.get("epoch") != epoch:
            self._raise_fenced()
        try:
            await rtdb.put(node, epoch)
        except DeniedError:
            if await rtdb.get(node) != epoch:
                self._raise_fenced()

    async def _fenced_entry(self) -> Entry:
        entry = await self.database.entry(self.user)
        if entry is None:
            raise FencedError(NO_USER)
        return entry

    async def _fence_after(self, rtdb: Rtdb, error: Exception) -> Row:
        """Look which write was the last; without an answer nobody knows what became of ours."""
        try:
            return await rtdb.row(user_path(self.user, "bot", "fence")) or {}
        except StoreUnavailableError:
            if isinstance(error, StoreInDoubtError):
                raise error from None
            raise

    def _fence(self, epoch: int, above: int) -> Row:
        sequence = self.database.next_sequence(self.user, above)
        return {"epoch": epoch, "seq": sequence, "wid": secrets.token_hex(8)}

    @staticmethod
    def _raise_fenced() -> NoReturn:
        raise FencedError("this epoch does not own the user's slot")


async def at_once(calls: Iterable[Coroutine[None, None, T]]) -> tuple[T, ...]:
    """Make calls side by side; return their answers in order, or raise the first trouble."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as troubles:
        raise troubles.exceptions[0] from None
    return tuple(task.result() for task in tasks)


def whole(row: Mapping[str, Json], name: str) -> int:
    """Return a whole number of a row; 0 if it is absent."""
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def text(row: Mapping[str, Json], name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None
