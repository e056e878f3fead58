"""A FakeRtdb with the real rules, the store on it, and a user whose slot is claimed."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest

from kit.firebase import fake_rtdb
from kit.rtdb import FakeRtdb
from kit.store_rows import CELL, ME, World, a_batch, a_post, a_profile
from kit.store_rows import NOW as AT
from signalfleet.adapters.firebase import FirebaseStore
from signalfleet.app.claim_slots import claim_slots


@pytest.fixture
def fake() -> Iterator[FakeRtdb]:
    with fake_rtdb() as fake:
        yield fake


@pytest.fixture
async def store(fake: FakeRtdb) -> AsyncIterator[FirebaseStore]:
    async with aclosing(await FirebaseStore.open([fake.url], cell=CELL)) as store:
        yield store


@pytest.fixture
async def second(fake: FakeRtdb, store: FirebaseStore) -> AsyncIterator[FirebaseStore]:
    """Another process with the same rights."""
    async with aclosing(await FirebaseStore.open([fake.url], cell=CELL)) as second:
        yield second


@pytest.fixture
async def world(store: FirebaseStore) -> World:
    """A user with one post that nothing is decided on."""
    await store.fleet.add_user(a_profile(ME, telegram_id=1))
    epoch = await claim_slots(store.fleet, CELL, [a_profile(ME).slot], "w1")
    await store.user(ME).inbox.add(a_batch(a_post(1)), AT, epoch)
    return World(store=store, epoch=epoch)
