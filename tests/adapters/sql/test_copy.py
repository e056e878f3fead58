"""A store is moved whole, from file to server and back, and a half-done move is finished.

The moves to and from Firebase run on our own stand-in for it, with the official SDK.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from kit.firebase import fake_rtdb
from kit.postgres import Postgres, required
from kit.store_rows import (
    ACCOUNT,
    CELL,
    CHAT,
    ME,
    NOW,
    Rows,
    a_batch,
    a_notice,
    a_post,
    a_profile,
    after,
    everything,
    fill,
)
from signalfleet.adapters.firebase import FirebaseStore, open_row_access
from signalfleet.adapters.sql import SqlStore, migrate
from signalfleet.adapters.sql.schema import metadata, tenant_tables
from signalfleet.app.claim_slots import claim_slots
from signalfleet.app.copy_store import CopyReport, CopyStore
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import MessageId, UserId
from signalfleet.domain.trading.records import Settlement, TradeState
from signalfleet.ports.chat_source import ChatBatch, Deleted, Origin
from signalfleet.ports.departures import Arming
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.fleet_rows import AttemptLimit, WebSession
from signalfleet.ports.store import DecideResult, Store
from signalfleet.ports.store_copy import RowAccess
from signalfleet.ports.tenant_records import Replay

pytestmark = pytest.mark.loopback

OTHER = UserId("u_nbswy3dpo5xxe3de")
LEFT = UserId("u_" + "y" * 26)
LATER = after(3600)
GONE = ChatBatch(
    chat=CHAT, origin=Origin.LIVE, items=(Deleted(chat=CHAT, messages=(MessageId(2),)),)
)
LIMIT = AttemptLimit(count=1, within=timedelta(minutes=5))


@dataclass(frozen=True)
class Place:
    """A store in use, and its rows."""

    store: Store
    rows: RowAccess


def unheard(_: CopyReport) -> None:
    """Nobody listens."""


async def sqlite(path: Path) -> SqlStore:
    await asyncio.to_thread(migrate, str(path))
    return await SqlStore.open(str(path), cell=CELL)


async def begin(store: Store) -> int:
    """Put two users with a row of every kind into a store, and what belongs to nobody."""
    await store.fleet.installation()
    for number, user in enumerate((ME, OTHER), start=1):
        await store.fleet.add_user(a_profile(user, telegram_id=number))
    epoch = await claim_slots(store.fleet, CELL, range(512), "w1")
    for user in (ME, OTHER):
        mine = store.user(user)
        await fill(store, user, epoch, f"of {user}")
        await mine.inbox.add(GONE, NOW, epoch)
        await mine.bot.set_halted(halted=True)
        await mine.bot.set_state(
            BotState.RETRYING, reason=None, since=NOW, retry_at=LATER, crashes=2, epoch=epoch
        )
        await mine.idempotency.begin("k-1", "POST /x", "h", at=NOW, until=LATER)
        await mine.idempotency.finish("k-1", 200, "{}")
        await mine.idempotency.begin("k-2", "POST /x", "h", at=NOW, until=LATER)
        session = WebSession(user_id=user, created_at=NOW, expires_at=LATER)
        await store.fleet.put_session(f"sid of {user}", session)
    await store.fleet.count_attempt("code", "+1 555", NOW, [LIMIT])
    await store.fleet.set_arming(Arming(generation=3, entries_not_before=NOW))
    await store.departures.begin(LEFT, "r_1", NOW)
    await store.departures.shred(LEFT, NOW)
    await store.departures.note("r_1", "telegram", "signed out")
    return epoch


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with aclosing(await sqlite(tmp_path / "source" / "store.db")) as store:
        await begin(store)
        yield store


@asynccontextmanager
async def firebase() -> AsyncIterator[Place]:
    with fake_rtdb() as fake, fake_rtdb() as second:
        urls = (fake.url, second.url)
        async with (
            aclosing(await FirebaseStore.open(urls, cell=CELL)) as store,
            open_row_access(urls) as rows,
        ):
            yield Place(store, rows)


@pytest.fixture(params=["sqlite", "postgresql", "firebase"])
async def target(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres | None
) -> AsyncIterator[Place]:
    if request.param == "firebase":
        async with firebase() as place:
            yield place
        return
    if request.param == "sqlite":
        store = await sqlite(tmp_path / "target" / "store.db")
    else:
        server = required(postgres)
        await asyncio.to_thread(server.empty)
        store = await SqlStore.open(server.url("sf_worker"), cell=CELL)
    async with aclosing(store):
        yield Place(store, store.rows)


async def seen(store: Store) -> list[object]:
    return [
        *[await everything(store.user(user), user) for user in (ME, OTHER)],
        *[await store.fleet.get_user(user) for user in (ME, OTHER)],
        *[await store.fleet.session(f"sid of {user}") for user in (ME, OTHER)],
        await store.fleet.installation(),
        await store.fleet.arming(),
        await store.fleet.users_of_slots(CELL, range(512)),
        await store.fleet.slot_epochs(CELL, range(512)),
        await store.fleet.wishes_since(0),
        await store.departures.report("r_1"),
        await store.departures.shredded(),
    ]


async def test_all_users_arrive_with_all_that_they_had(source: SqlStore, target: Place) -> None:
    report = await CopyStore(source.rows, target.rows).run(unheard)
    assert (report.users, report.copied, report.different) == (2, 2, [])
    assert report.rows > 30
    there = target.store
    assert await seen(there) == await seen(source)
    mine = there.user(ME)
    again = await mine.idempotency.begin("k-1", "POST /x", "h", at=NOW, until=LATER)
    assert again == Replay(200, "{}")
    free = await there.fleet.count_attempt("code", "+1 555", after(1), [LIMIT])
    assert free == NOW + LIMIT.within


async def test_the_product_goes_on_where_it_was(source: SqlStore, target: Place) -> None:
    await CopyStore(source.rows, target.rows).run(unheard)
    there, mine = target.store, target.store.user(ME)
    # Epochs and numbers of wishes go on above those of before.
    newest = max(rev for _, rev in await there.fleet.wishes_since(0))
    await mine.bot.set_wish(on=True, by="user")
    ((user, rev),) = await there.fleet.wishes_since(newest)
    assert (user, rev > newest) == (ME, True)
    epoch = await claim_slots(there.fleet, CELL, range(512), "w2")
    assert epoch > 1
    rows = Rows(user=ME, note=f"of {ME}")
    # What was decided stays decided, what was open is settled, and new posts are read.
    assert await mine.journal.decide(rows.decision(1), epoch) is DecideResult.ALREADY_DECIDED
    trade = replace(rows.trade(1, 1), state=TradeState.OPEN)
    await mine.journal.settle(Settlement(trades=(trade,)), epoch)
    assert await mine.journal.get_trade(trade.trade_id) == trade
    await mine.inbox.add(a_batch(a_post(7)), NOW, epoch)
    assert await mine.journal.decide(rows.decision(7), epoch) is DecideResult.CLAIMED
    assert await mine.notices.add(a_notice(at=3600))
    assert [one.number for one in await mine.notices.recent()] == [2, 1]
    assert [one.seq for one in await mine.events.list()] == [1]


async def test_and_from_there_back_again(source: SqlStore, target: Place, tmp_path: Path) -> None:
    await CopyStore(source.rows, target.rows).run(unheard)
    async with aclosing(await sqlite(tmp_path / "back" / "store.db")) as back:
        report = await CopyStore(target.rows, back.rows).run(unheard)
        assert report.is_complete
        assert await seen(back) == await seen(source)
        for user in (ME, OTHER):
            assert await back.rows.tables_of(user) == await source.rows.tables_of(user)


async def test_what_firebase_wrote_itself_arrives_in_sql(tmp_path: Path) -> None:
    async with firebase() as old, aclosing(await sqlite(tmp_path / "new.db")) as new:
        await begin(old.store)
        report = await CopyStore(old.rows, new.rows).run(unheard)
        assert (report.copied, report.different) == (2, [])
        assert await seen(new) == await seen(old.store)
        mine = new.user(ME)
        again = await mine.idempotency.begin("k-1", "POST /x", "h", at=NOW, until=LATER)
        assert again == Replay(200, "{}")


async def test_every_table_and_column_has_its_place_in_firebase(source: SqlStore) -> None:
    async with firebase() as place:
        await CopyStore(source.rows, place.rows).run(unheard)
        tables = await place.rows.tables_of(ME)
    assert {name: set(rows[0]) for name, rows in tables.items()} == {
        table.name: set(table.columns.keys()) for table in tenant_tables()
    }
    shared = {table.name for table in metadata.sorted_tables} - set(tables)
    assert set(place.rows.shared_tables) == shared == set(source.rows.shared_tables)
    assert place.rows.shared_tables[-1] == source.rows.shared_tables[-1]


async def test_a_half_written_decision_stops_a_copy(tmp_path: Path) -> None:
    with fake_rtdb() as fake:
        urls = (fake.url,)
        async with (
            aclosing(await FirebaseStore.open(urls, cell=CELL)) as store,
            open_row_access(urls) as rows,
            aclosing(await sqlite(tmp_path / "new.db")) as new,
        ):
            await begin(store)
            fake.root["users"][ME]["decisions"]["c1_m9"] = {"r1": {"rows": "{}", "reason": ""}}
            with pytest.raises(RefusedError, match="half written"):
                await CopyStore(rows, new.rows).run(unheard)


async def test_live_accounts_are_not_copied_to_an_unproved_project(source: SqlStore) -> None:
    account = await source.user(ME).accounts.get(ACCOUNT)
    assert account is not None
    await source.user(ME).accounts.put(replace(account, mode="LIVE"))
    async with firebase() as place:
        with pytest.raises(RefusedError, match="doctor --store"):
            await CopyStore(source.rows, place.rows).run(unheard)
        assert isinstance(place.store, FirebaseStore)
        await place.store.note_proof({"date": "2026-11-22"})
        assert (await CopyStore(source.rows, place.rows).run(unheard)).is_complete


async def test_a_copy_that_was_stopped_is_finished_by_the_next(
    source: SqlStore, target: Place
) -> None:
    class StoppedError(Exception):
        pass

    def stop(report: CopyReport) -> None:
        if report.users == 1:
            raise StoppedError

    with pytest.raises(StoppedError):
        await CopyStore(source.rows, target.rows).run(stop)
    await target.store.fleet.add_user(a_profile(LEFT))
    report = await CopyStore(source.rows, target.rows).run(unheard)
    assert (report.same_already, report.copied, report.removed) == (1, 1, 1)
    assert report.is_complete
    assert await target.store.fleet.get_user(LEFT) is None
    assert await seen(target.store) == await seen(source)


async def test_a_store_that_was_used_is_not_written_over(source: SqlStore, target: Place) -> None:
    await target.store.fleet.installation()
    with pytest.raises(RefusedError, match="in use"):
        await CopyStore(source.rows, target.rows).run(unheard)
    assert await target.store.fleet.get_user(ME) is None


async def test_an_empty_source_is_not_copied_over_anything(target: Place, tmp_path: Path) -> None:
    async with aclosing(await sqlite(tmp_path / "new" / "store.db")) as new:
        with pytest.raises(RefusedError, match="nothing was ever run"):
            await CopyStore(new.rows, target.rows).run(unheard)


async def test_what_changes_while_it_is_copied_is_noticed_and_not_handed_over(
    source: SqlStore, target: Place
) -> None:
    epoch = await claim_slots(source.fleet, CELL, range(512), "w2")
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
