"""Quotas, idempotency keys, the audit trail, retention, departures: the same in every store."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from kit.store_rows import ME, NOW, World, after, fill
from signalfleet.domain.accounts.audit import AuditEntry, first_broken
from signalfleet.domain.accounts.retention import Cutoffs
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId
from signalfleet.ports.departures import Arming
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.sealed import SealedSecret, WrappedKey
from signalfleet.ports.tenant_records import Fresh, InFlight, Mismatch, Replay

DAY = "2026-03-02"
LATER = after(24 * 3600)
LONG_AGO = timedelta(days=1000)
"""Firebase's rules keep what is younger than two years by the clock of the service."""
NOBODY = UserId("u_nobodyatall23456")


async def test_a_quota_is_never_passed_however_many_ask_at_once(world: World) -> None:
    quota = world.mine.quota
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(quota.reserve("trades", DAY, 5)) for _ in range(12)]
    counts = sorted(one for task in tasks if (one := task.result()) is not None)
    assert counts == [1, 2, 3, 4, 5]
    assert await quota.used("trades", DAY) == 5
    assert await quota.reserve("trades", DAY, 0) is None


async def test_what_is_given_back_can_be_reserved_again(world: World) -> None:
    quota = world.mine.quota
    assert await quota.reserve("trades", DAY, 1) == 1
    assert await quota.reserve("trades", DAY, 1) is None
    await quota.give_back("trades", DAY)
    await quota.give_back("trades", DAY)
    assert await quota.used("trades", DAY) == 0
    assert await quota.reserve("trades", DAY, 1) == 1
    assert await quota.reserve("trades", "2026-03-03", 1) == 1
    assert await quota.reserve("exports", DAY, 1) == 1


async def test_one_key_gives_one_effect_and_the_same_answer(world: World) -> None:
    keys = world.mine.idempotency
    request = ("POST /x", "hash")
    assert await keys.begin("k", *request, at=NOW, until=LATER) == Fresh()
    assert await keys.begin("k", *request, at=NOW, until=LATER) == InFlight()
    await keys.finish("k", 503, '{"a":1}')
    assert await keys.begin("k", *request, at=NOW, until=LATER) == Replay(503, '{"a":1}')
    assert await keys.begin("k", "POST /y", "hash", at=NOW, until=LATER) == Mismatch()
    assert await keys.begin("k", "POST /x", "other", at=NOW, until=LATER) == Mismatch()
    assert await keys.begin("k", *request, at=LATER, until=after(999_999)) == Fresh()


async def test_a_key_of_a_refused_request_is_free_again(world: World) -> None:
    keys = world.mine.idempotency
    assert await keys.begin("k", "POST /x", "one", at=NOW, until=LATER) == Fresh()
    await keys.give_back("k")
    assert await keys.begin("k", "POST /x", "two", at=NOW, until=LATER) == Fresh()
    await keys.finish("k", 200, "{}")
    await keys.give_back("k")
    assert await keys.begin("k", "POST /x", "two", at=NOW, until=LATER) == Replay(200, "{}")


async def test_of_many_with_one_key_one_is_fresh(world: World) -> None:
    keys = world.mine.idempotency
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(keys.begin("k", "POST /x", "h", at=NOW, until=LATER))
            for _ in range(8)
        ]
    found = [task.result() for task in tasks]
    assert found.count(Fresh()) == 1
    assert found.count(InFlight()) == 7


def entry(number: int) -> AuditEntry:
    return AuditEntry(at=after(number), actor="user", action=f"did_{number}", facts={"n": number})


async def test_the_audit_trail_is_a_chain_in_order(world: World) -> None:
    events = world.mine.events
    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(events.add(entry(number)))
    rows = await events.list()
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
    assert {row.entry.action for row in rows} == {f"did_{number}" for number in range(5)}
    assert first_broken(ME, rows) is None
    assert await events.recent(2) == tuple(reversed(rows))[:2]
    assert await events.list(after=3) == rows[3:]
    assert await events.list(after=1, limit=2) == rows[1:3]
    broken = replace(rows[2], entry=replace(rows[2].entry, about="changed"))
    assert first_broken(ME, (*rows[:2], broken, *rows[3:])) == 3
    assert first_broken(ME, (rows[0], *rows[2:])) == 3
    assert first_broken(NOBODY, rows) == 1


async def test_an_entry_that_json_cannot_hold_is_refused(world: World) -> None:
    with pytest.raises(DomainError):
        await world.mine.events.add(replace(entry(1), facts={"at": NOW}))
    assert await world.mine.events.list() == ()


async def test_records_of_nobody_are_refused(world: World) -> None:
    nobody = world.store.user(NOBODY)
    for work in (
        nobody.events.add(entry(1)),
        nobody.quota.reserve("trades", DAY, 1),
        nobody.idempotency.begin("k", "r", "h", at=NOW, until=LATER),
    ):
        with pytest.raises(RefusedError):
            await work


SEALED = SealedSecret(field="a", key_version=1, algorithm="A", nonce="n1", ciphertext="c1")


async def test_a_sealed_value_is_replaced_only_while_it_is_the_one_read(world: World) -> None:
    mine = world.mine.credentials
    newer = replace(SEALED, nonce="n2", ciphertext="c2", key_version=2)
    assert not await mine.replace(SEALED, newer)
    await mine.put(SEALED)
    assert await mine.replace(SEALED, newer)
    assert not await mine.replace(SEALED, replace(SEALED, nonce="n3"))
    assert await mine.list() == (newer,)


async def test_a_key_is_swapped_once_and_kept_while_a_secret_needs_it(world: World) -> None:
    mine = world.mine.credentials
    old = WrappedKey(key_version=1, kek_id="old", wrapped="by-old")
    new = replace(old, kek_id="new", wrapped="by-new")
    await mine.add_key(old)
    assert await mine.swap_key(old, new)
    assert not await mine.swap_key(old, replace(new, wrapped="again"))
    second = replace(new, key_version=2)
    await mine.add_key(second)
    assert await mine.keys() == (new, second)
    await mine.put(SEALED)
    assert not await mine.delete_key(1)
    assert await mine.delete_key(2)
    await mine.delete("a")
    assert await mine.delete_key(1)
    assert await mine.keys() == ()


async def test_all_settings_documents_are_listed(world: World) -> None:
    settings = world.mine.settings
    assert await settings.list() == {}
    await settings.put("user", {"risk_percent": "1"}, 0)
    await settings.put("channel:-1", {}, 0)
    assert await settings.list() == {"channel:-1": {}, "user": {"risk_percent": "1"}}


async def test_a_database_says_whether_it_was_armed(world: World) -> None:
    fleet = world.store.fleet
    assert await fleet.arming() == Arming(generation=None)
    armed = Arming(generation=3, entries_not_before=LATER)
    await fleet.set_arming(armed)
    assert await fleet.arming() == armed


async def test_who_leaves_is_gone_and_the_report_names_nobody(world: World) -> None:
    departures = world.store.departures
    await fill(world.store, ME, world.epoch, "of-mine")
    began = await departures.begin(ME, "r_one", NOW)
    assert await departures.begin(ME, "r_two", LATER) == began
    assert await departures.under_way() == (began,)
    noted = await departures.note("r_one", "telegram", "signed_out")
    assert noted.steps == {"telegram": "signed_out"}
    assert await departures.shred(ME, NOW) == 1
    assert await departures.shred(ME, LATER) == 0
    assert await world.mine.credentials.keys() == ()
    (shredded,) = await departures.shredded()
    assert (shredded.user, shredded.at) == (ME, NOW)
    erased = await departures.erase(ME)
    assert erased["users"] == 1
    assert erased["messages"] > 0
    assert await departures.erase(ME) == {}
    assert await world.store.fleet.get_user(ME) is None
    finished = await departures.finish("r_one", LATER)
    assert (finished.user, finished.finished_at) == (None, LATER)
    assert await departures.under_way() == ()
    assert await departures.report("r_one") == finished
    with pytest.raises(RefusedError):
        await departures.note("r_none", "telegram", "x")


async def test_what_is_too_old_is_swept_in_batches(world: World) -> None:
    mine = world.mine
    await fill(world.store, ME, world.epoch, "of-mine")
    for number in range(3):
        await mine.events.add(replace(entry(number), at=after(number) - LONG_AGO))
    await mine.idempotency.begin("k", "r", "h", at=NOW, until=LATER)
    await mine.quota.reserve("trades", DAY, 5)
    texts = [one.message.text for one in await mine.inbox.recent()]
    assert any(texts)
    early = await mine.retention.sweep(Cutoffs.at(NOW - LONG_AGO))
    assert set(early.values()) == {0}
    future = Cutoffs.at(NOW + timedelta(days=3650))
    first = await mine.retention.sweep(future, limit=2)
    assert first["events"] == 2
    rest = await mine.retention.sweep(future)
    assert rest["events"] == 2
    assert first["idempotency"] == 1
    assert first["quotas"] == 1
    done = [one for one in await mine.inbox.recent() if one.state.value != "NEW"]
    assert done
    assert not any(one.message.text for one in done)
    assert await mine.events.list() == ()
    # What was read out of a text stays.
    assert await mine.journal.recent_signals()
