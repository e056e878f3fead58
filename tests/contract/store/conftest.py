"""Every store of the port, two users in each, and a watch on the wall between the two."""

import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from kit.store_rows import CELL, ME, World, a_profile, everything, fill
from signalfleet.adapters.memory import MemoryStore
from signalfleet.adapters.sql import SqlStore, migrate
from signalfleet.domain.ids import UserId
from signalfleet.ports.store import Store

NEIGHBOUR = UserId("u_nbswy3dpo5xxe3de")
MARK = "of-the-neighbour"


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "store.db"
    migrate(str(path))
    return path


@pytest.fixture(params=["memory", "sqlite"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, empty_database: Path
) -> AsyncIterator[Store]:
    opened: Store
    match request.param:
        case "memory":
            opened = MemoryStore(cell=CELL)
        case _:
            shutil.copy(empty_database, tmp_path / "store.db")
            opened = await SqlStore.open(f"sqlite:///{tmp_path}/store.db", cell=CELL)
    async with aclosing(opened):
        yield opened


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    """A user without any row beside one with a row of every kind and the same chat and account.

    Whatever a test does, it sees nothing of the other user and changes nothing there.
    """
    fleet = store.fleet
    for number, user in enumerate((ME, NEIGHBOUR), start=1):
        await fleet.add_user(a_profile(user, telegram_id=number))
    slots = [a_profile(user).slot for user in (ME, NEIGHBOUR)]
    epoch = await fleet.claim_slots(CELL, slots, "w1")
    await fill(store, NEIGHBOUR, epoch, MARK)
    before = await everything(store.user(NEIGHBOUR), NEIGHBOUR)
    assert MARK not in repr(await everything(store.user(ME), ME))
    yield World(store=store, epoch=epoch)
    assert await everything(store.user(NEIGHBOUR), NEIGHBOUR) == before
    for asked_by in (ME, NEIGHBOUR):
        assert MARK not in repr(await everything(store.user(ME), asked_by))
