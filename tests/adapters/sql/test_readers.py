"""Reads of one statement see the newest commit, and hold nothing up."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from pathlib import Path

import pytest

from kit.store_rows import ME
from signalfleet.adapters.sql.readers import Readers
from signalfleet.adapters.sql.sqlite import open_writer
from signalfleet.adapters.sql.texts import Statement

SLOTS = Statement("SELECT slot FROM slot_fence WHERE cell = :cell ORDER BY slot")
MINE = {"cell": "c"}


@pytest.fixture
async def readers(path: Path) -> AsyncIterator[Readers]:
    async with aclosing(Readers(path)) as readers:
        yield readers


def add(connection: sqlite3.Connection, slot: int) -> None:
    connection.execute("INSERT INTO slot_fence VALUES ('c', ?, 1, 'w')", (slot,))


async def slots(readers: Readers, *, is_long: bool) -> list[int]:
    return [row["slot"] for row in await readers.rows(SLOTS, MINE, ME, is_long=is_long)]


@pytest.mark.parametrize("is_long", [False, True])
async def test_each_read_sees_what_was_committed_before_it(
    readers: Readers, path: Path, *, is_long: bool
) -> None:
    with closing(open_writer(path)) as writer:
        add(writer, 1)
        assert await slots(readers, is_long=is_long) == [1]
        add(writer, 2)
        assert await slots(readers, is_long=is_long) == [1, 2]


@pytest.mark.parametrize("is_long", [False, True])
async def test_a_read_that_is_over_holds_no_state_of_the_database(
    readers: Readers, path: Path, *, is_long: bool
) -> None:
    with closing(open_writer(path)) as writer:
        add(writer, 1)
        add(writer, 2)
        await slots(readers, is_long=is_long)
        add(writer, 3)
        was_busy, *_ = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not was_busy
