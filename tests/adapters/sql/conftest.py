"""A migrated file, and a store on it with one user whose slot is ours."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from kit.store_rows import CELL, ME, World, a_profile
from signalfleet.adapters.sql import SqlStore, migrate
from signalfleet.app.claim_slots import claim_slots


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "private" / "store.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqlStore]:
    async with aclosing(await SqlStore.open(str(path), cell=CELL)) as store:
        yield store


@pytest.fixture
async def world(store: SqlStore) -> World:
    await store.fleet.add_user(a_profile(ME))
    epoch = await claim_slots(store.fleet, CELL, [a_profile(ME).slot], "w1")
    return World(store=store, epoch=epoch)
