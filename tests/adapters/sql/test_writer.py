"""Group commit: what fails, fails alone; what was not answered in time is not written."""

import asyncio
import itertools
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from kit.store_rows import CELL, ME, NOW, World, a_batch, a_post, a_profile
from signalfleet.adapters.sql import SqlStore
from signalfleet.adapters.sql.readers import READERS, Readers
from signalfleet.adapters.sql.session import Operation, Session, Undo
from signalfleet.adapters.sql.sqlite import open_writer
from signalfleet.adapters.sql.sqlite_engine import SqliteEngine
from signalfleet.adapters.sql.texts import Statement
from signalfleet.adapters.sql.writer import BATCH, Writer
from signalfleet.app.claim_slots import claim_slots
from signalfleet.domain.trading.records import MessageKey
from signalfleet.ports.errors import StoreUnavailableError
from signalfleet.ports.store import Store

INSERT = Statement("INSERT INTO slot_fence VALUES ('c', :slot, 1, 'w')")


class Held:
    """An operation that stays in the writer until it is let go, so that others queue up."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()

    async def __call__(self, _session: Session) -> str:
        self.begun.set()
        assert self.let_go.wait(30)
        return "held"


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[Writer]:
    async with aclosing(Writer(SqliteEngine(open_writer(path)))) as writer:
        yield writer


def insert(slot: int) -> Operation[int]:
    return lambda session: session.run(INSERT, {"slot": slot})


def slots_in(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT slot FROM slot_fence ORDER BY slot")]
    finally:
        connection.close()


async def queued(
    writer: Writer, held: Held, operations: Sequence[Operation[Any]]
) -> list[asyncio.Task[Any]]:
    """Hold the writer, queue all operations behind it, then let them go as one batch."""
    first = asyncio.create_task(writer.run(held))
    await asyncio.to_thread(held.begun.wait, 30)
    tasks = [asyncio.create_task(writer.run(one)) for one in operations]
    await asyncio.sleep(0)
    held.let_go.set()
    await asyncio.wait([first, *tasks])
    return tasks


async def test_one_that_fails_takes_nothing_else_with_it(writer: Writer, path: Path) -> None:
    async def guilty(session: Session) -> None:
        await session.run(INSERT, {"slot": 100})
        raise LookupError("guilty")

    async def undone(session: Session) -> str:
        await session.run(INSERT, {"slot": 101})
        raise Undo("answer")

    operations = [insert(1), guilty, insert(2), undone, insert(1), insert(3)]
    tasks = await queued(writer, Held(), operations)
    assert slots_in(path) == [1, 2, 3]
    assert [task.exception() is None for task in tasks] == [True, False, True, True, False, True]
    assert isinstance(tasks[1].exception(), LookupError)
    assert tasks[3].result() == "answer"


async def test_when_the_transaction_breaks_the_others_run_again(writer: Writer, path: Path) -> None:
    async def breaking(session: Session) -> None:
        await session.run(Statement("ROLLBACK"), {})
        raise sqlite3.OperationalError("disk I/O error")

    tasks = await queued(writer, Held(), [insert(1), breaking, insert(2)])
    assert slots_in(path) == [1, 2]
    assert isinstance(tasks[1].exception(), StoreUnavailableError)
    assert tasks[0].result() == tasks[2].result() == 1


async def test_more_than_a_batch_is_written_in_several(writer: Writer, path: Path) -> None:
    count = BATCH * 2 + 7
    await queued(writer, Held(), [insert(number) for number in range(count)])
    assert slots_in(path) == list(range(count))


async def test_what_waits_too_long_is_never_written(writer: Writer, path: Path) -> None:
    held = Held()
    first = asyncio.create_task(writer.run(held))
    await asyncio.to_thread(held.begun.wait, 30)
    with pytest.raises(StoreUnavailableError):
        await writer.run(insert(1), timeout_s=0.01)
    held.let_go.set()
    assert await first == "held"
    await writer.run(insert(2))
    assert slots_in(path) == [2]


async def test_what_is_cancelled_before_it_begins_is_never_written(
    writer: Writer, path: Path
) -> None:
    held = Held()
    first = asyncio.create_task(writer.run(held))
    await asyncio.to_thread(held.begun.wait, 30)
    cancelled = asyncio.create_task(writer.run(insert(1)))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    held.let_go.set()
    await first
    await writer.run(insert(2))
    assert slots_in(path) == [2]


async def test_what_was_cancelled_after_it_began_harms_nobody(writer: Writer, path: Path) -> None:
    held = Held()
    cancelled = asyncio.create_task(writer.run(held))
    await asyncio.to_thread(held.begun.wait, 30)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    held.let_go.set()
    await writer.run(insert(1))
    assert slots_in(path) == [1]


async def test_closing_finishes_what_was_queued(path: Path) -> None:
    writer = Writer(SqliteEngine(open_writer(path)))
    tasks = [asyncio.create_task(writer.run(insert(number))) for number in range(1000)]
    await asyncio.sleep(0)
    await writer.aclose()
    await asyncio.wait(tasks)
    assert slots_in(path) == list(range(1000))
    with pytest.raises(StoreUnavailableError):
        await writer.run(insert(5000))


async def test_a_file_locked_by_another_process_is_unavailable_soon(
    world: World, path: Path
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        async with asyncio.timeout(2.5):
            with pytest.raises(StoreUnavailableError):
                await world.mine.inbox.add(a_batch(a_post(1)), NOW, world.epoch)
        assert await world.mine.inbox.recent() == ()
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert await world.mine.inbox.add(a_batch(a_post(1)), NOW, world.epoch)


async def test_who_waits_for_the_lock_looks_again_and_again(path: Path) -> None:
    """SQLite's own waiting is one look to whoever counts them, and sleeps ever longer."""
    connection = open_writer(path)
    looks, many = itertools.count(1), threading.Event()

    def seen(text: str) -> None:
        if text == "BEGIN IMMEDIATE" and next(looks) == 6:
            many.set()

    connection.set_trace_callback(seen)
    other = sqlite3.connect(path, isolation_level=None)
    async with aclosing(Writer(SqliteEngine(connection))) as writer:
        other.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(writer.run(insert(1)))
        assert await asyncio.to_thread(many.wait, 10)
        assert not task.done()
        other.execute("ROLLBACK")
        other.close()
        assert await task == 1
    assert slots_in(path) == [1]


async def test_a_full_disk_is_unavailable_and_harms_nothing(world: World, store: SqlStore) -> None:
    async def limit(session: Session, pages: int) -> int:
        row = await session.row(Statement(f"PRAGMA max_page_count={pages}"), {})
        assert row is not None
        return int(row["max_page_count"])

    writer, inbox = store._database.writer, world.mine.inbox
    in_use = await writer.run(lambda session: limit(session, 1))
    written: list[MessageKey] = []
    refused: list[str] = []
    for number in range(1, 20):
        try:
            written += await inbox.add(a_batch(a_post(number, "x" * 4000)), NOW, world.epoch)
        except StoreUnavailableError as e:
            refused.append(str(e))
    assert refused
    assert all("SQLITE_FULL" in text for text in refused)
    assert [one.key for one in await inbox.unread()] == written
    await writer.run(lambda session: limit(session, in_use * 10))
    again = a_batch(*(a_post(number, "x" * 4000) for number in range(1, 20)))
    assert len(await inbox.add(again, NOW, world.epoch)) == len(refused)


async def test_two_processes_on_one_file_write_side_by_side(world: World, path: Path) -> None:
    async with aclosing(await SqlStore.open(str(path), cell=CELL)) as second:

        async def add(store: Store, number: int) -> None:
            await store.user(ME).inbox.add(a_batch(a_post(number)), NOW, world.epoch)

        async with asyncio.TaskGroup() as group:
            for number in range(200):
                store = second if number % 2 else world.store
                group.create_task(add(store, number))
    assert len(await world.mine.inbox.unread()) == 200


async def test_the_second_process_sees_the_newer_epoch(world: World, path: Path) -> None:
    async with aclosing(await SqlStore.open(str(path), cell=CELL)) as second:
        newer = await claim_slots(second.fleet, CELL, [a_profile(ME).slot], "w2")
        assert newer == world.epoch + 1
        assert await second.user(ME).inbox.add(a_batch(a_post(1)), NOW, newer)


async def test_closing_refuses_reads_that_wait_and_cancels_nobody(path: Path) -> None:
    readers = Readers(path)
    held = [Held() for _ in range(READERS)]
    reads = [asyncio.create_task(readers.run(one)) for one in held]
    for one in held:
        await asyncio.to_thread(one.begun.wait, 30)
    waiting = asyncio.create_task(
        readers.run(lambda session: session.row(Statement("SELECT 1 AS one"), {}))
    )
    await asyncio.sleep(0)
    closing = asyncio.create_task(readers.aclose())
    await asyncio.sleep(0)
    for one in held:
        one.let_go.set()
    await closing
    assert [await read for read in reads] == ["held"] * READERS
    with pytest.raises(StoreUnavailableError):
        await waiting


async def test_the_loop_goes_on_while_the_writer_works(writer: Writer) -> None:
    held = Held()
    task = asyncio.create_task(writer.run(held))
    await asyncio.to_thread(held.begun.wait, 30)
    for _ in range(100):
        await asyncio.sleep(0)
    assert not task.done()
    held.let_go.set()
    assert await task == "held"
