"""`bench store`: claims per second, against a bare driver loop that commits the same rows."""

import asyncio
import itertools
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.report import Figure, Result
from signalfleet.adapters.sql import SqlStore, migrate, rows
from signalfleet.adapters.sql.codec import encode_trace
from signalfleet.adapters.sql.postgresql import connect
from signalfleet.adapters.sql.postgresql_engine import as_users
from signalfleet.adapters.sql.session import Params
from signalfleet.adapters.sql.sqlite import open_writer
from signalfleet.adapters.sql.statements import postgresql_statements, sqlite_statements
from signalfleet.adapters.sql.texts import Statement
from signalfleet.app.claim_slots import claim_slots
from signalfleet.domain.ids import UserId, new_user_id
from signalfleet.domain.trading.records import Decision
from signalfleet.ports.store import DecideResult

NAME: Final = "store"
TITLE: Final = "claims per second, one at a time and 256 in flight, against a bare driver loop"

USERS: Final = 256
IN_FLIGHT: Final = 256
ALONE: Final = 40
ROUNDS: Final = 12
LEAST_RATIO: Final = 0.5
WORKER: Final = "w1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A decision, and its rows as the driver would get them, in order of the statements."""

    user: UserId
    decision: Decision
    rows: tuple[tuple[str, Params], ...]


Bare = Callable[[Sequence[Claim]], Awaitable[None]]


def run() -> Result | Awaitable[Result]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    return _run()


async def _run() -> Result:
    figures: dict[str, Figure] = {}
    async with _sqlite() as (store, bare):
        figures |= await _measure("sqlite", store, bare)
    with ExitStack() as stack:
        url = await asyncio.to_thread(_postgres_url, stack)
        if url is None:
            figures["postgresql"] = "not measured: no PostgreSQL on this machine"
        else:
            async with _postgresql(url) as (store, bare):
                figures |= await _measure("postgresql", store, bare)
    ratios = [value for name, value in figures.items() if name.endswith("_256_ratio")]
    return Result(ok=all(float(one or 0) >= LEAST_RATIO for one in ratios), figures=figures)


async def _measure(name: str, store: SqlStore, bare: Bare) -> dict[str, Figure]:
    """Turn by turn, and the best round of each: what else the machine does meets both alike."""
    users = [new_user_id(number.to_bytes(16, "big")) for number in range(USERS)]
    epoch = await _prepare(store, users)
    messages = itertools.count(1)
    ours: dict[int, list[float]] = {IN_FLIGHT: [], 1: []}
    theirs: dict[int, list[float]] = {IN_FLIGHT: [], 1: []}
    for _ in range(ROUNDS + 1):
        for width, count in ((IN_FLIGHT, USERS), (1, ALONE)):
            claims = await _claims(store, users[:count], next(messages), epoch)
            begun = time.perf_counter()
            for part in _parts(claims, width):
                await _decide(store, part, epoch)
            ours[width].append(count / (time.perf_counter() - begun))
            claims = await _claims(store, users[:count], next(messages), epoch)
            begun = time.perf_counter()
            for part in _parts(claims, width):
                await bare(part)
            theirs[width].append(count / (time.perf_counter() - begun))
    figures: dict[str, Figure] = {}
    for width in (1, IN_FLIGHT):
        # The first round fills caches.
        pairs = list(zip(ours[width][1:], theirs[width][1:], strict=True))
        figures |= {
            f"{name}_{width}_claims_per_s": round(max(one for one, _ in pairs)),
            f"{name}_{width}_bare_per_s": round(max(one for _, one in pairs)),
            f"{name}_{width}_ratio": round(max(a for a, _ in pairs) / max(b for _, b in pairs), 3),
        }
    return figures


def _parts(claims: Sequence[Claim], width: int) -> Iterable[Sequence[Claim]]:
    return (claims[first : first + width] for first in range(0, len(claims), width))


async def _decide(store: SqlStore, claims: Sequence[Claim], epoch: int) -> None:
    async def one(claim: Claim) -> None:
        result = await store.user(claim.user).journal.decide(claim.decision, epoch)
        assert result is DecideResult.CLAIMED

    if len(claims) == 1:
        await one(claims[0])
        return
    async with asyncio.TaskGroup() as tasks:
        for claim in claims:
            tasks.create_task(one(claim))


async def _prepare(store: SqlStore, users: Sequence[UserId]) -> int:
    from kit.store_rows import CELL, a_profile  # noqa: PLC0415 - The tests' own folder.

    async with asyncio.TaskGroup() as tasks:
        for user in users:
            tasks.create_task(store.fleet.add_user(a_profile(user)))
    return await claim_slots(store.fleet, CELL, range(512), WORKER)


async def _claims(
    store: SqlStore, users: Sequence[UserId], message: int, epoch: int
) -> list[Claim]:
    """Deliver one message to each user; return what is to be decided about it."""
    from kit.store_rows import NOW, Rows, a_batch, a_post  # noqa: PLC0415 - The tests' own folder.

    async with asyncio.TaskGroup() as tasks:
        for user in users:
            added = store.user(user).inbox.add(a_batch(a_post(message)), NOW, epoch)
            tasks.create_task(added)
    return [_claim(user, Rows(user=user).decision(message, legs=1), epoch) for user in users]


def _claim(user: UserId, decision: Decision, epoch: int) -> Claim:
    key = rows.key_params(user, decision.key)
    return Claim(
        user=user,
        decision=decision,
        rows=(
            ("leave_new_to_enter", key | {"state": "DONE", "reason": None}),
            *(("add_signal", rows.signal_params(user, one)) for one in decision.signals),
            *(("add_copy", rows.copy_params(user, one)) for one in decision.copies),
            *(("add_trade", rows.trade_params(user, one)) for one in decision.trades),
            *(("add_intent", rows.intent_params(user, one, epoch)) for one in decision.intents),
            ("add_trace", key | {"steps": encode_trace(decision.trace)}),
        ),
    )


def _by_statement(claims: Sequence[Claim], texts: object) -> list[tuple[Statement, list[Params]]]:
    found: dict[str, list[Params]] = {}
    for claim in claims:
        for name, params in claim.rows:
            found.setdefault(name, []).append(params)
    return [(getattr(texts, name), params) for name, params in found.items()]


@asynccontextmanager
async def _sqlite() -> AsyncIterator[tuple[SqlStore, Bare]]:
    from kit.store_rows import CELL  # noqa: PLC0415 - The tests' own folder.

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        migrate(str(path))
        connection = open_writer(path)
        try:
            async with aclosing(await SqlStore.open(str(path), cell=CELL)) as store:
                yield store, lambda claims: _bare_sqlite(connection, claims)
        finally:
            connection.close()


async def _bare_sqlite(connection: sqlite3.Connection, claims: Sequence[Claim]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement, params in _by_statement(claims, sqlite_statements()):
        connection.executemany(statement.text, params)
    connection.execute("COMMIT")


def _postgres_url(stack: ExitStack) -> str | None:
    from kit.postgres import running_postgres  # noqa: PLC0415 - The tests' own folder.

    server = stack.enter_context(running_postgres())
    return None if server is None else server.url("sf_worker")


@asynccontextmanager
async def _postgresql(url: str) -> AsyncIterator[tuple[SqlStore, Bare]]:
    from kit.store_rows import CELL  # noqa: PLC0415 - The tests' own folder.

    connection = await connect(url)
    try:
        async with aclosing(await SqlStore.open(url, cell=CELL)) as store:
            yield store, lambda claims: _bare_postgresql(connection, claims)
    finally:
        await connection.close()


async def _bare_postgresql(connection: Any, claims: Sequence[Claim]) -> None:  # noqa: ANN401
    await connection.execute(f"BEGIN; {as_users(claim.user for claim in claims)}")
    for statement, params in _by_statement(claims, postgresql_statements()):
        if len(params) == 1:
            values = [params[0][name] for name in statement.names]
            await connection.execute(statement.text, *values)
        else:
            columns = [[one[name] for one in params] for name in statement.names]
            await connection.execute(statement.many, *columns)
    await connection.execute("COMMIT")
