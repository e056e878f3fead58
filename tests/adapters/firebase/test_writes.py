"""Writes whose answer is lost, that come late, or that stop half way: told apart, never guessed."""

import asyncio
from dataclasses import replace

import pytest

from kit.rtdb import FakeRtdb, Fault
from kit.store_rows import (
    CHAT,
    NOW,
    World,
    a_batch,
    a_channel,
    a_post,
    a_profile,
    everything,
    key,
)
from signalfleet.adapters.firebase import FirebaseStore
from signalfleet.app.claim_slots import claim_slots
from signalfleet.domain.ids import MessageId
from signalfleet.domain.trading.intents import IntentState
from signalfleet.domain.trading.records import QuotaUse, Settlement
from signalfleet.ports.errors import FencedError, StoreInDoubtError, StoreUnavailableError
from signalfleet.ports.inbox import MessageState
from signalfleet.ports.store import CopyMode, DecideResult

pytestmark = pytest.mark.loopback
CLAIMED, ALREADY = DecideResult.CLAIMED, DecideResult.ALREADY_DECIDED


async def test_a_first_try_that_was_written_is_no_conflict_with_ourselves(
    fake: FakeRtdb, world: World
) -> None:
    """The SDK repeats a PUT whose answer was lost, and is told 412 by its own first one."""
    fake.faults.append(Fault(kind="lose_answer", method="PUT", path="channels"))
    saved = await world.mine.channels.put(a_channel())
    assert fake.faults[0].struck.is_set()
    assert await world.mine.channels.get(CHAT) == saved


async def test_a_claim_whose_answer_was_lost_is_still_ours(fake: FakeRtdb, world: World) -> None:
    fake.faults.append(Fault(kind="lose_answer", method="PUT", path="decisions", times=2))
    assert await world.mine.journal.decide(world.rows.decision(1), world.epoch) is CLAIMED
    assert len(await world.mine.journal.open_intents()) == 2


async def test_rows_whose_answer_was_lost_are_not_written_twice(
    fake: FakeRtdb, world: World
) -> None:
    fake.faults.append(Fault(kind="lose_answer", method="PATCH", times=2))
    assert await world.mine.journal.decide(world.rows.decision(1), world.epoch) is CLAIMED
    assert fake.faults[0].times == 0
    assert await world.mine.inbox.unread() == ()


async def test_two_processes_of_one_epoch_claim_a_decision_once(
    world: World, second: FirebaseStore
) -> None:
    use = QuotaUse(kind="trades", day="2026-03-02", count=1, limit=20)
    decision = replace(world.rows.decision(1), quota=use)
    journals = [world.mine.journal, second.user(world.user).journal] * 4
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.decide(decision, world.epoch)) for one in journals]
    assert sorted(task.result() for task in tasks) == [ALREADY] * 7 + [CLAIMED]
    assert await world.mine.journal.live_trades() == decision.trades
    assert await world.mine.quota.used(use.kind, use.day) == 1


async def test_a_claim_without_rows_is_completed_in_doubt_by_whoever_finds_it(
    fake: FakeRtdb, world: World, second: FirebaseStore
) -> None:
    fake.faults.append(Fault(kind="drop", method="PATCH", times=2))
    with pytest.raises(StoreUnavailableError):
        await world.mine.journal.decide(world.rows.decision(1), world.epoch)
    mine = second.user(world.user)
    assert await mine.journal.open_intents() == ()
    assert [one.key for one in await mine.inbox.unread()] == [key(1)]
    newer = await claim_slots(second.fleet, "c1", [a_profile(world.user).slot], "w2")
    assert await mine.journal.decide(world.rows.decision(1), newer) is ALREADY
    doubtful = await mine.journal.open_intents()
    assert {one.state for one in doubtful} == {IntentState.UNKNOWN}
    assert await mine.journal.live_trades() == world.rows.decision(1).trades
    assert (await mine.inbox.recent())[0].state is MessageState.DONE
    with pytest.raises(FencedError):
        await world.mine.journal.decide(world.rows.decision(1), world.epoch)


async def test_a_write_that_comes_after_a_newer_one_is_refused(
    fake: FakeRtdb, world: World
) -> None:
    """A call that nobody waits for any more may still be on its way."""
    journal = world.mine.journal
    await journal.decide(world.rows.decision(1), world.epoch)
    intent = world.rows.decision(1).intents[0]
    old, new = (replace(intent, reason=word) for word in ("old", "new"))
    held = Fault(kind="slow", method="PATCH")
    fake.faults.append(held)
    first = asyncio.create_task(journal.settle(Settlement(intents=(old,)), world.epoch))
    await asyncio.to_thread(held.struck.wait, 10)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await journal.settle(Settlement(intents=(new,)), world.epoch)
    held.release.set()
    await asyncio.to_thread(held.over.wait, 10)
    assert await journal.get_intents([intent.intent_id]) == (new,)


async def test_a_user_who_came_after_the_claim_is_owned_by_the_slots_worker(
    world: World, store: FirebaseStore
) -> None:
    late = replace(a_profile(world.user), user_id=type(world.user)("u_" + "l" * 26))
    await store.fleet.add_user(late)
    inbox = store.user(late.user_id).inbox
    for epoch in (world.epoch - 1, world.epoch + 1):
        with pytest.raises(FencedError):
            await inbox.quarantine(key(1), "x", epoch)
    await inbox.quarantine(key(1), "x", world.epoch)


async def test_a_service_that_is_away_is_unavailable_and_changes_nothing(
    fake: FakeRtdb, world: World
) -> None:
    before = await everything(world.mine, world.user)
    fake.faults.append(Fault(kind="drop", method="GET", times=2))
    with pytest.raises(StoreUnavailableError) as away:
        await world.mine.inbox.quarantine(key(1), "x", world.epoch)
    assert not isinstance(away.value, StoreInDoubtError)
    fake.faults.append(Fault(kind="drop", method="PATCH", times=2))
    with pytest.raises(StoreInDoubtError):
        await world.mine.inbox.quarantine(key(1), "x", world.epoch)
    assert await everything(world.mine, world.user) == before


async def test_marks_and_titles_are_saved_side_by_side(world: World, second: FirebaseStore) -> None:
    """The web saves a channel while the worker moves its marks: neither loses what it wrote."""
    saved = await world.mine.channels.put(a_channel())
    channels = second.user(world.user).channels

    async def read(message: int) -> None:
        batch = a_batch(a_post(message), checkpoint=message)
        await world.mine.inbox.add(batch, NOW, world.epoch)

    async with asyncio.TaskGroup() as group:
        for message in range(2, 8):
            group.create_task(read(message))
        group.create_task(channels.put(replace(saved, mode=CopyMode.ON)))
    channel = await channels.get(CHAT)
    assert channel is not None
    assert (channel.mode, channel.checkpoint, channel.version) == (CopyMode.ON, 7, 2)
    assert len(await world.mine.inbox.revisions(CHAT, MessageId(7))) == 1
