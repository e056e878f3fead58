"""Every store of the port, two users in each, and a watch on the wall between the two."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kit.firebase import SOCKETS
from kit.postgres import Postgres
from kit.store_rows import CELL, ME, World, a_profile, everything, fill
from kit.store_table import PROPERTY, Calls, unwatched, watched
from kit.stores import OPENERS, Resources
from signalfleet.adapters.sql import migrate
from signalfleet.app.claim_slots import claim_slots
from signalfleet.domain.ids import UserId
from signalfleet.ports.store import Store

NEIGHBOUR = UserId("u_nbswy3dpo5xxe3de")
MARK = "of-the-neighbour"


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "store.db"
    migrate(str(path))
    return path


@pytest.fixture
def resources(tmp_path: Path, empty_database: Path, postgres: Postgres | None) -> Resources:
    return Resources(folder=tmp_path, migrated=empty_database, postgres=postgres)


PARAMS = [
    pytest.param(name, id=name, marks=SOCKETS if name == "firebase" else ()) for name in OPENERS
]


@pytest.fixture(params=PARAMS)
async def store(request: pytest.FixtureRequest, resources: Resources) -> AsyncIterator[Store]:
    calls = Calls()
    async with OPENERS[request.param](resources) as opened:
        yield watched(opened, calls)
    noted = (PROPERTY, f"{request.param}:{','.join(sorted(calls.names))}")
    request.node.user_properties.append(noted)


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    """A user without any row beside one with a row of every kind and the same chat and account.

    Whatever a test does, it sees nothing of the other user and changes nothing there.
    """
    # What is done here to prepare and to compare is not what the test tries.
    plain = unwatched(store)
    fleet = plain.fleet
    for number, user in enumerate((ME, NEIGHBOUR), start=1):
        await fleet.add_user(a_profile(user, telegram_id=number))
    slots = [a_profile(user).slot for user in (ME, NEIGHBOUR)]
    epoch = await claim_slots(fleet, CELL, slots, "w1")
    await fill(plain, NEIGHBOUR, epoch, MARK)
    before = await everything(plain.user(NEIGHBOUR), NEIGHBOUR)
    assert MARK not in repr(await everything(plain.user(ME), ME))
    yield World(store=store, epoch=epoch)
    assert await everything(plain.user(NEIGHBOUR), NEIGHBOUR) == before
    for asked_by in (ME, NEIGHBOUR):
        assert MARK not in repr(await everything(plain.user(ME), asked_by))
