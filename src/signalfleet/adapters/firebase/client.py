"""The only file that talks to the SDK: blocking calls in few threads, behind a bounded queue."""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

import firebase_admin
from firebase_admin import credentials, db

from signalfleet.adapters.firebase.errors import VENDOR_ERRORS, translated
from signalfleet.adapters.firebase.limits import (
    CLOSE_TIMEOUT_S,
    HTTP_TIMEOUT_S,
    MAX_TRIES,
    QUEUE,
    SLOW_TIMEOUT_S,
    THREADS,
)
from signalfleet.adapters.firebase.paths import url_path
from signalfleet.ports.errors import StoreInDoubtError, StoreUnavailableError

T = TypeVar("T")
Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"
Row: TypeAlias = dict[str, Json]
NULL_ETAG: Final = "null_etag"


IN_DOUBT: Final = "Firebase does not say whether it was written; it may be written later"


class NotAskedError(StoreUnavailableError):
    """The call was not even made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Children by one of their own children (or by key), within a range, at one of its ends."""

    by: str | None
    equal_to: str | int | bool | None = None
    start: str | int | None = None
    end: str | int | None = None
    first: int | None = None
    last: int | None = None


class Threads:
    """The threads that all calls of one store share."""

    def __init__(self, *, queue: int = QUEUE) -> None:
        self._limit = THREADS + queue
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="firebase")
        self._waiting = 0
        self._is_closed = False

    async def run(self, call: Callable[[], T]) -> T:
        if self._is_closed:
            raise NotAskedError("the store is closed")
        if self._waiting >= self._limit:
            raise NotAskedError("too many calls wait for Firebase")
        self._waiting += 1
        future = self._executor.submit(_translating, call)
        # Also when nobody waits any more: the thread is busy until the call is over.
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: _call_soon(loop, self._done))
        try:
            async with asyncio.timeout(SLOW_TIMEOUT_S):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise StoreUnavailableError("Firebase did not answer in time") from None

    def _done(self) -> None:
        self._waiting -= 1

    async def aclose(self) -> None:
        """Refuse new calls, and give those under way a bounded time to end."""
        self._is_closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await asyncio.to_thread(self._executor.shutdown, wait=True)
        except TimeoutError:
            return


def _call_soon(loop: asyncio.AbstractEventLoop, done: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(done)


def _translating(call: Callable[[], T]) -> T:
    try:
        return call()
    except VENDOR_ERRORS as error:
        raise translated(error) from None


class Rtdb:
    """One instance of the database as one service identity; the rules hold for it."""

    def __init__(self, app: firebase_admin.App, url: str, threads: Threads) -> None:
        # Made once and here: the SDK makes one client for each thread that asks first.
        self._root, self._threads = db.reference("/", app, url), threads

    async def get(self, path: str) -> Json:
        return await self._threads.run(lambda: self._reference(path).get())

    async def row(self, path: str) -> Row | None:
        return as_row(await self.get(path))

    async def rows(self, path: str, query: Query | None = None) -> dict[str, Row]:
        """Return the children that are rows, in the order of the query."""
        if query is None:
            return as_rows(await self.get(path))
        return as_rows(await self._threads.run(lambda: self._ask(path, query)))

    async def exists(self, path: str) -> bool:
        found = await self._threads.run(lambda: self._reference(path).get(shallow=True))
        return found is not None

    async def keys(self, path: str) -> tuple[str, ...]:
        found = await self._threads.run(lambda: self._reference(path).get(shallow=True))
        return tuple(sorted(found)) if isinstance(found, dict) else ()

    async def put(self, path: str, value: Json) -> None:
        if value is None:
            await self._written(lambda: self._reference(path).delete())
        else:
            await self._written(lambda: self._reference(path).set(value))

    async def update(self, path: str, values: Mapping[str, Json]) -> None:
        """Write all these paths below `path`, or none of them."""
        body = dict(values)
        await self._written(lambda: self._reference(path).update(body))

    async def change(self, path: str, function: Callable[[Row | None], Row | None]) -> Row | None:
        """Replace a row by what `function` makes of it, under the condition that it is unchanged.

        The SDK repeats a write whose answer was lost, so a conflict may be with our own first
        try: each write carries a random `wid`. `function` returns None to leave the row alone.
        """
        row, etag = await self._row_and_etag(path)
        for _ in range(MAX_TRIES):
            wanted = function(row)
            if wanted is None:
                return row
            mine: Row = {**wanted, "wid": secrets.token_hex(8)}
            try:
                done, row, etag = await self._put_if(path, mine, etag)
            except StoreInDoubtError:
                row, etag = await self._look_after(path)
                done = False
                if not _is_same_write(row, mine):
                    raise
            if done or _is_same_write(row, mine):
                return mine
        raise StoreUnavailableError("a row in Firebase changes faster than it can be written")

    async def _look_after(self, path: str) -> tuple[Row | None, str]:
        """Look what became of a write without an answer; only a look can tell."""
        try:
            return await self._row_and_etag(path)
        except StoreUnavailableError:
            raise StoreInDoubtError(IN_DOUBT) from None

    async def _written(self, call: Callable[[], T]) -> T:
        """Make a call that writes: without an answer it may have been written, or be so later."""
        try:
            return await self._threads.run(call)
        except NotAskedError:
            raise
        except StoreUnavailableError:
            raise StoreInDoubtError(IN_DOUBT) from None

    async def _row_and_etag(self, path: str) -> tuple[Row | None, str]:
        value, etag = await self._threads.run(lambda: self._reference(path).get(etag=True))
        return as_row(value), str(etag)

    async def _put_if(self, path: str, row: Row, etag: str) -> tuple[bool, Row | None, str]:
        done, value, now = await self._written(
            lambda: self._reference(path).set_if_unchanged(etag, row)
        )
        return bool(done), as_row(value), str(now)

    def _ask(self, path: str, query: Query) -> Json:
        node = self._reference(path)
        asked = node.order_by_key() if query.by is None else node.order_by_child(query.by)
        if query.equal_to is not None:
            asked = asked.equal_to(_argument(query.equal_to))
        if query.start is not None:
            asked = asked.start_at(_argument(query.start))
        if query.end is not None:
            asked = asked.end_at(_argument(query.end))
        if query.first is not None:
            asked = asked.limit_to_first(query.first)
        if query.last is not None:
            asked = asked.limit_to_last(query.last)
        found: Json = asked.get()
        return found

    def _reference(self, path: str) -> db.Reference:
        return self._root.child(url_path(path)) if path else self._root


def _argument(value: str | int | bool) -> str | int | bool:  # noqa: FBT001 - A value, no flag.
    """The SDK puts a query into the address as it is, so a text must be quoted before."""
    return quote(value, safe="") if isinstance(value, str) else value


def _is_same_write(row: Row | None, mine: Row) -> bool:
    return row is not None and row.get("wid") == mine["wid"]


def as_row(value: Json) -> Row | None:
    return value if isinstance(value, dict) else None


def as_rows(value: Json) -> dict[str, Row]:
    rows = as_row(value) or {}
    return {key: row for key, row in rows.items() if isinstance(row, dict)}


def open_app(
    identity: str | None, urls: Sequence[str], account_file: Path | None = None
) -> firebase_admin.App:
    """Make the SDK's application of one identity. None is the administrator: no rule holds then."""
    account = None if account_file is None else credentials.Certificate(str(account_file))
    name = f"signalfleet-{identity or 'copy'}-{secrets.token_hex(4)}"
    options: dict[str, object] = {"databaseURL": urls[0], "httpTimeout": HTTP_TIMEOUT_S}
    if identity is not None:
        options["databaseAuthVariableOverride"] = {"uid": identity}
    return firebase_admin.initialize_app(account, options, name)


def close_app(app: firebase_admin.App) -> None:
    firebase_admin.delete_app(app)


def is_real(url: str) -> bool:
    """Tell Google's service from an emulator or a fake: the SDK speaks plain HTTP to those only."""
    return urlsplit(url).scheme == "https"
