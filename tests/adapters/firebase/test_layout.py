"""What lies where in the database, and in which form; the origin's paths are kept."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from kit.firebase import fake_rtdb
from kit.rtdb import FakeRtdb, tree
from kit.store_rows import (
    ACCOUNT,
    CELL,
    World,
    a_profile,
    an_account,
    everything,
    fill,
)
from signalfleet.adapters.firebase import FirebaseStore, Identity
from signalfleet.adapters.firebase.client import Threads
from signalfleet.adapters.firebase.paths import encode_key, user_path
from signalfleet.adapters.firebase.rules import rules
from signalfleet.app.claim_slots import claim_slots
from signalfleet.bootstrap.firebase import open_firebase
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.domain.accounts.retention import Cutoffs
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId, UserId
from signalfleet.domain.trading.records import Settlement
from signalfleet.ports.errors import RefusedError, StoreUnavailableError
from signalfleet.ports.tenant_records import InFlight

OTHER = UserId("u_nbswy3dpo5xxe3de")


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_key_is_always_one_that_the_database_takes_and_its_own(one: str, other: str) -> None:
    for raw in (one, other):
        if raw:
            tree.check_key(encode_key(raw))
    if one and other:
        assert (encode_key(one) == encode_key(other)) == (one == other)


@pytest.mark.parametrize(
    "hostile",
    ["..", "../u_x", "u_a/b", "u_" + "a" * 15 + "/", "", "u_\x00" + "a" * 15, "u_" + "а" * 16],
)
def test_an_id_that_is_none_is_refused_before_anything_is_asked(hostile: str) -> None:
    with pytest.raises(DomainError):
        user_path(hostile)  # type: ignore[arg-type]


def test_a_key_that_is_too_long_is_refused() -> None:
    assert encode_key("x" * 768)
    for bad in ("x" * 769, ""):
        with pytest.raises(DomainError):
            encode_key(bad)


@pytest.fixture
async def filled(world: World, store: FirebaseStore) -> World:
    """A second user with a row of every kind."""
    await store.fleet.add_user(a_profile(OTHER, telegram_id=2))
    epoch = await claim_slots(store.fleet, CELL, [a_profile(OTHER).slot], "w1")
    await fill(store, OTHER, epoch, "x")
    return world


@pytest.mark.loopback
async def test_the_paths_of_the_origin_are_kept(fake: FakeRtdb, filled: World) -> None:
    theirs = fake.root["users"][OTHER]
    first, _ = theirs["trades"].values()
    assert set(theirs["trades"]) == {one["trade_id"] for one in theirs["trades"].values()}
    assert (first["symbol"], first["volume"], first["state"]) == ("XAUUSD", "0.05", "OPENING")
    assert theirs["settings"]["user"]["doc"] == '{"note":"x"}'
    assert theirs["account_info"][ACCOUNT]["mode"] == "DEMO"
    assert set(theirs["mt5_credentials"]) == {"_keys", "metaapi_token"}


@pytest.mark.loopback
async def test_nothing_is_a_float_or_turns_into_a_list(fake: FakeRtdb, filled: World) -> None:
    values = list(walked(fake.root))
    assert not any(isinstance(value, float | list) for value, _ in values)
    assert not any(isinstance(tree.shown(value), list) for value, _ in values)
    assert max(depth for _, depth in values) <= 8


def walked(value: Any, depth: int = 0) -> Iterator[tuple[Any, int]]:
    yield value, depth
    if isinstance(value, dict):
        for below in value.values():
            yield from walked(below, depth + 1)


@pytest.mark.loopback
async def test_users_are_spread_over_instances_and_stay_where_they_are(fake: FakeRtdb) -> None:
    with fake_rtdb() as other:
        urls = [fake.url, other.url]
        async with aclosing(await FirebaseStore.open(urls, cell=CELL)) as store:
            users = [UserId(f"u_{number:016d}") for number in range(8)]
            for user in users:
                await store.fleet.add_user(a_profile(user))
            epoch = await claim_slots(store.fleet, CELL, range(512), "w1")
            for user in users:
                await fill(store, user, epoch, user)
            found = [set(instance.root["users"]) for instance in (fake, other)]
            assert found[0] | found[1] == set(users)
            assert found[0]
            assert found[1]
            assert found[0].isdisjoint(found[1])
            moved = users[0] in found[1]
            assert fake.root["directory"][users[0]]["shard"] == int(moved)
            assert users[0] in repr(await everything(store.user(users[0]), users[0]))
        # A third instance takes new users only.
        with fake_rtdb() as third:
            three = await FirebaseStore.open([*urls, third.url], cell=CELL)
            async with aclosing(three):
                for user in users:
                    assert user in repr(await everything(three.user(user), user))
                assert third.root is None


@pytest.mark.loopback
async def test_the_store_does_not_open_where_the_rules_do_not_hold(fake: FakeRtdb) -> None:
    open_to_all = {"rules": {".read": "true", ".write": "true"}}
    fake.book.document = open_to_all
    with pytest.raises(RefusedError, match=r"deploy/firebase/rules\.json"):
        await FirebaseStore.open([fake.url], cell=CELL)
    weaker: Any = rules()
    weaker["rules"]["users"]["$uid"]["mt5_credentials"][".read"] = "auth != null"
    fake.book.document = weaker
    with pytest.raises(RefusedError, match="credentials as the web"):
        await FirebaseStore.open([fake.url], cell=CELL)


@pytest.mark.loopback
async def test_a_web_alone_has_no_way_to_credentials_or_trades(
    fake: FakeRtdb, filled: World
) -> None:
    web = await FirebaseStore.open([fake.url], cell=CELL, identities=[Identity.WEB])
    async with aclosing(web):
        theirs = web.user(OTHER)
        assert await theirs.journal.recent_trades()
        with pytest.raises(RefusedError):
            await theirs.credentials.get("metaapi_token")
        with pytest.raises(RefusedError):
            await theirs.accounts.put(an_account(AccountId("a_new")))
        with pytest.raises(RefusedError):
            await theirs.journal.settle(Settlement(), filled.epoch)
        with pytest.raises(RefusedError):
            await claim_slots(web.fleet, CELL, [1], "w")
        await theirs.settings.put("channel:-1", {}, 0)


@pytest.mark.loopback
async def test_a_worker_alone_sweeps_the_keys_of_requests_that_are_over(
    fake: FakeRtdb, filled: World
) -> None:
    keys = filled.store.user(OTHER).idempotency
    now = datetime.fromtimestamp(fake.book.now_ms / 1000, UTC)
    for name, minutes in (("over", -1), ("valid", 60)):
        until = now + timedelta(minutes=minutes)
        await keys.begin(name, "POST /x", "h", at=now - timedelta(hours=1), until=until)
    worker = await FirebaseStore.open([fake.url], cell=CELL, identities=[Identity.WORKER])
    async with aclosing(worker):
        swept = await worker.user(OTHER).retention.sweep(Cutoffs.at(now))
    assert swept["idempotency"] == 1
    again = await keys.begin("valid", "POST /x", "h", at=now - timedelta(hours=1), until=now)
    assert again == InFlight()


@pytest.mark.loopback
async def test_a_live_account_waits_for_the_proof(store: FirebaseStore, world: World) -> None:
    live = replace(an_account(), mode="LIVE")
    with pytest.raises(RefusedError, match="doctor --store"):
        await world.mine.accounts.put(live)
    await store.note_proof({"at": "2026-03-02", "release": "0.1.0", "tests": 102})
    assert (await world.mine.accounts.put(live)).mode == "LIVE"


@pytest.mark.loopback
async def test_a_full_queue_is_a_store_that_is_unavailable() -> None:
    threads, gate = Threads(queue=1), threading.Event()
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(threads.run(lambda: gate.wait(10))) for _ in range(9)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailableError, match="too many"):
            await threads.run(lambda: True)
        gate.set()
    assert all(task.result() for task in waiting)
    await threads.aclose()


async def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.startswith("signalfleet.adapters.firebase")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "firebase_admin", None)
    settings = Settings(
        _env_file=None,
        store_url=SecretStr("firebase://"),
        firebase_database_urls="http://127.0.0.1:1/?ns=x",
    )
    with pytest.raises(ConfigurationError, match=r"signalfleet\[firebase\]"):
        await open_firebase(settings)


@pytest.mark.loopback
async def test_wishes_of_another_cell_are_numbered_and_found_apart(fake: FakeRtdb) -> None:
    stores = [await FirebaseStore.open([fake.url], cell=cell) for cell in ("c1", "c2")]
    async with aclosing(stores[0]) as one, aclosing(stores[1]) as two:
        for store, user in ((one, OTHER), (two, UserId("u_" + "c" * 16))):
            await store.fleet.add_user(a_profile(user))
            for _ in range(2):
                await store.user(user).bot.set_wish(on=True, by="user")
        assert await one.fleet.wishes_since(0) == ((OTHER, 2),)
        assert await two.fleet.wishes_since(1) == (("u_" + "c" * 16, 2),)
        before = fake.calls["GET"]
        assert await one.fleet.wishes_since(2) == ()
        assert fake.calls["GET"] == before + 1
