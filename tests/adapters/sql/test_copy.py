"""A store is moved whole, from file to server and back, and a half-done move is finished."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from kit.postgres import Postgres, required
from kit.store_rows import CELL, ME, NOW, a_batch, a_post, a_profile, everything, fill
from signalfleet.adapters.sql import SqlStore, migrate
from signalfleet.app.copy_store import CopyReport, CopyStore
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import RefusedError

OTHER = UserId("u_nbswy3dpo5xxe3de")
LEFT = UserId("u_" + "y" * 26)


def unheard(_: CopyReport) -> None:
    """Nobody listens."""


async def sqlite(path: Path) -> SqlStore:
    await asyncio.to_thread(migrate, str(path))
    return await SqlStore.open(str(path), cell=CELL)


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with aclosing(await sqlite(tmp_path / "source" / "store.db")) as store:
        await store.fleet.installation()
        for number, user in enumerate((ME, OTHER), start=1):
            await store.fleet.add_user(a_profile(user, telegram_id=number))
        epoch = await store.fleet.claim_slots(CELL, range(512), "w1")
        for user in (ME, OTHER):
            await fill(store, user, epoch, f"of {user}")
        yield store


@pytest.fixture(params=["sqlite", "postgresql"])
async def target(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres | None
) -> AsyncIterator[SqlStore]:
    if request.param == "sqlite":
        store = await sqlite(tmp_path / "target" / "store.db")
    else:
        server = required(postgres)
        await asyncio.to_thread(server.empty)
        store = await SqlStore.open(server.url("sf_worker"), cell=CELL)
    async with aclosing(store):
        yield store


async def seen(store: SqlStore) -> list[object]:
    return [
        *[await everything(store.user(user), user) for user in (ME, OTHER)],
        *[await store.fleet.get_user(user) for user in (ME, OTHER)],
        await store.fleet.installation(),
        await store.fleet.users_of_slots(CELL, range(512)),
        [user for user, _ in await store.fleet.wishes_since(0)],
    ]


async def test_all_users_arrive_with_all_that_they_had(source: SqlStore, target: SqlStore) -> None:
    report = await CopyStore(source.rows, target.rows).run(unheard)
    assert (report.users, report.copied, report.different) == (2, 2, [])
    assert report.rows > 30
    assert await seen(target) == await seen(source)
    # Epochs and numbers of wishes go on above those of before.
    newest = max(rev for _, rev in await target.fleet.wishes_since(0))
    await target.user(ME).bot.set_wish(on=True, by="user")
    ((user, rev),) = await target.fleet.wishes_since(newest)
    assert (user, rev > newest) == (ME, True)
    assert await target.fleet.claim_slots(CELL, [1], "w2") > 1


async def test_and_from_there_back_again(
    source: SqlStore, target: SqlStore, tmp_path: Path
) -> None:
    await CopyStore(source.rows, target.rows).run(unheard)
    async with aclosing(await sqlite(tmp_path / "back" / "store.db")) as back:
        report = await CopyStore(target.rows, back.rows).run(unheard)
        assert report.is_complete
        assert await seen(back) == await seen(source)


async def test_a_copy_that_was_stopped_is_finished_by_the_next(
    source: SqlStore, target: SqlStore
) -> None:
    class StoppedError(Exception):
        pass

    def stop(report: CopyReport) -> None:
        if report.users == 1:
            raise StoppedError

    with pytest.raises(StoppedError):
        await CopyStore(source.rows, target.rows).run(stop)
    await target.fleet.add_user(a_profile(LEFT))
    report = await CopyStore(source.rows, target.rows).run(unheard)
    assert (report.same_already, report.copied, report.removed) == (1, 1, 1)
    assert report.is_complete
    assert await target.fleet.get_user(LEFT) is None
    assert await seen(target) == await seen(source)


async def test_a_store_that_was_used_is_not_written_over(
    source: SqlStore, target: SqlStore
) -> None:
    await target.fleet.installation()
    with pytest.raises(RefusedError, match="in use"):
        await CopyStore(source.rows, target.rows).run(unheard)
    assert await target.fleet.get_user(ME) is None


async def test_an_empty_source_is_not_copied_over_anything(
    target: SqlStore, tmp_path: Path
) -> None:
    async with aclosing(await sqlite(tmp_path / "new" / "store.db")) as new:
        with pytest.raises(RefusedError, match="nothing was ever run"):
            await CopyStore(new.rows, target.rows).run(unheard)


async def test_what_changes_while_it_is_copied_is_noticed_and_not_handed_over(
    source: SqlStore, target: SqlStore
) -> None:
    epoch = await source.fleet.claim_slots(CELL, range(512), "w2")
    access = source.rows

    class Changing:
        """The source, with a product that goes on writing while it is read a second time."""

        def __init__(self) -> None:
            self.rounds = 0

        def __getattr__(self, name: str) -> object:
            return getattr(access, name)

        async def users(self, after: str, limit: int) -> tuple[UserId, ...]:
            self.rounds += not after
            if self.rounds == 3 and not after:
                await source.user(OTHER).inbox.add(a_batch(a_post(99)), NOW, epoch)
            return await access.users(after, limit)

    report = await CopyStore(Changing(), target.rows).run(unheard)  # type: ignore[arg-type]
    assert f"{OTHER} messages" in report.different
    assert not await target.rows.is_live()
    again = await CopyStore(access, target.rows).run(unheard)
    assert (again.is_complete, again.copied, again.same_already) == (True, 1, 1)
