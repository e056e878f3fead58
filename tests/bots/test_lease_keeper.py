"""Ownership of slots among several workers: kill, freeze, drain, loss of registers, two leaders."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import structlog
from structlog.testing import capture_logs

from kit.builders import USER
from kit.clock import LoopClock, settle_down, until
from kit.lease_cell import CELL, SLOTS, TTL, Kept, LeaseCell, NotedBots
from signalfleet.adapters.memory import MemoryStore
from signalfleet.bots.lease_records import DESIRED, LEADER, MIN_VERSION, SLOT, WORKERS
from signalfleet.bots.sole_owner import SoleOwner
from signalfleet.ports.errors import FencedError

EVERY = set(range(SLOTS))


@asynccontextmanager
async def a_cell(*names: str, **weights: int) -> AsyncIterator[tuple[LeaseCell, list[Kept]]]:
    """Give a cell whose workers own everything."""
    cell = LeaseCell(weights=dict.fromkeys(range(SLOTS), weights.get("bots", 1)))
    try:
        kept = [cell.start(name) for name in names]
        await until(cell.all_owned_once)
        await settle_down(1)
        yield cell, kept
        assert cell.overlaps == []
    finally:
        await cell.aclose()


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_workers_that_start_together_share_the_slots() -> None:
    async with a_cell("a.0.1", "b.0.1", "c.0.1") as (_, kept):
        assert sorted(len(one.slots) for one in kept) == [4, 4, 4]
        assert set().union(*(one.slots for one in kept)) == EVERY
        assert {one.metrics.gauges["signalfleet_lease_seconds_left"] > 0 for one in kept} == {True}


async def test_a_killed_workers_slots_have_new_owners_within_a_lease_and_two_seconds() -> None:
    async with a_cell("a.0.1", "b.0.1", "c.0.1") as (cell, kept):
        for victim in (kept[0], kept[1]):
            killed = now()
            await cell.kill(victim)
            await until(cell.all_owned_once, limit=TTL + 2)
            assert now() - killed > 0.7 * TTL
        assert kept[2].slots == EVERY
        assert kept[2].metrics.observed["signalfleet_takeover_seconds"]


async def test_the_next_life_of_a_worker_has_its_slots_back_at_once() -> None:
    async with a_cell("a.0.1", "b.0.1") as (cell, kept):
        before, epochs = kept[0].slots, await cell.epochs()
        await cell.kill(kept[0])
        again = cell.start("a.0.2")
        await until(cell.all_owned_once, limit=1)
        assert again.slots == before
        after = await cell.epochs()
        assert all(after[slot] == epochs[slot] + 1 for slot in before)


async def test_another_number_on_the_same_server_is_no_earlier_life() -> None:
    async with a_cell("a.0.1", "b.0.1") as (cell, kept):
        await cell.kill(kept[0])
        cell.start("a.1.1")
        await settle_down(0.7 * TTL)
        assert not cell.all_owned_once()
        await until(cell.all_owned_once, limit=0.3 * TTL + 2)


async def test_a_worker_that_drains_hands_over_without_a_wait() -> None:
    async with a_cell("a.0.1", "b.0.1") as (cell, kept):
        begun = now()
        await kept[0].keeper.drain()
        await until(cell.all_owned_once, limit=2)
        assert now() - begun < 2
        assert kept[0].slots == set()
        assert kept[1].slots == EVERY
        assert kept[0].bots.dropped == []
        assert await cell.registers.get(f"{WORKERS}a.0.1") is None


async def test_the_last_worker_can_drain_too() -> None:
    async with a_cell("a.0.1") as (cell, kept):
        await kept[0].keeper.drain()
        assert kept[0].slots == set()
        one = await cell.registers.get(f"{SLOT}0")
        assert one is not None
        assert one.value == {"o": None, "e": 1}


async def test_a_worker_that_joins_gets_slots_a_few_at_a_time() -> None:
    async with a_cell("a.0.1", bots=8) as (cell, kept):
        new = cell.start("b.0.1")
        await until(lambda: len(new.slots) == 5)
        await settle_down(20)
        assert len(new.slots) == 5
        await until(lambda: len(new.slots) >= 5 and len(kept[0].slots) <= 7)
        assert cell.all_owned_once()


@pytest.mark.parametrize("start_s", [0.0, 3.0])
@pytest.mark.parametrize("later_s", [0.0, 0.4, 0.8, 1.2, 1.6])
async def test_workers_that_fill_together_send_no_bots_back_and_forth(
    later_s: float, start_s: float
) -> None:
    """Whoever is heard first looks heavy, as long as the other has not told what it took."""
    cell = LeaseCell(weights=dict.fromkeys(range(SLOTS), 8), start_s=start_s)
    try:
        kept = [cell.start("a.0.1", capacity=48)]
        await settle_down(later_s)
        kept.append(cell.start("b.0.1", capacity=48))
        await until(cell.all_owned_once)
        await settle_down(10)
        assert [one.bots.released for one in kept] == [[], []]
        assert [len(one.slots) for one in kept] == [6, 6]
    finally:
        await cell.aclose()


class TestTheLease:
    async def test_ends_for_orders_before_slots_are_dropped_and_both_in_time(
        self,
    ) -> None:
        async with a_cell("a.0.1", "b.0.1") as (_, kept):
            lease = kept[0].keeper.lease_of(USER)
            assert lease is not None
            kept[0].registers.is_cut = True
            await until(lambda: lease.age_s() >= 0.6 * TTL)
            assert kept[0].slots
            await until(lambda: not kept[0].slots)
            assert 0.8 * TTL <= lease.age_s() < 0.9 * TTL
            assert kept[0].metrics.counts["signalfleet_lease_losses_total", ()] == 1

    async def test_renewed_late_but_in_time_nothing_is_dropped(self) -> None:
        async with a_cell("a.0.1", "b.0.1") as (_, kept):
            lease = kept[0].keeper.lease_of(USER)
            assert lease is not None
            kept[0].registers.is_cut = True
            await until(lambda: lease.age_s() > 0.65 * TTL)
            kept[0].registers.is_cut = False
            await settle_down(TTL)
            assert lease.age_s() < 0.3 * TTL
            assert kept[0].bots.dropped == []

    async def test_after_a_loss_slots_come_back_under_newer_epochs(self) -> None:
        async with a_cell("a.0.1") as (cell, kept):
            kept[0].registers.is_cut = True
            await until(lambda: not kept[0].slots)
            kept[0].registers.is_cut = False
            await until(cell.all_owned_once, limit=3)
            assert set((await cell.epochs()).values()) == {2}

    async def test_is_over_at_once_for_one_that_others_took_for_dead(self) -> None:
        async with a_cell("a.0.1") as (cell, kept):
            record = await cell.registers.get(f"{WORKERS}a.0.1")
            assert record is not None
            await cell.registers.delete(record.key, record.revision)
            await until(lambda: bool(kept[0].bots.dropped), limit=0.3 * TTL)
            assert kept[0].bots.dropped[0] == EVERY
            await until(cell.all_owned_once, limit=2 * TTL + 2)

    async def test_none_is_alive_by_what_is_only_told_again(self) -> None:
        async with a_cell("a.0.1", "b.0.1") as (cell, kept):
            await cell.kill(kept[0])
            for _ in range(9):
                await settle_down(1)
                cell.registers.set_connected(False)
                cell.registers.set_connected(True)
            await until(cell.all_owned_once, limit=TTL + 2 - 9)


async def test_after_a_loss_of_all_registers_epochs_go_on_above_the_stores() -> None:
    async with a_cell("a.0.1", "b.0.1") as (cell, _):
        for _ in range(2):
            before = await cell.epochs()
            cell.registers.wipe()
            await settle_down(0.4 * TTL)
            await until(cell.all_owned_once, limit=2 * TTL + 2)
            after = await cell.epochs()
            assert all(after[slot] > before[slot] for slot in EVERY)


async def test_nobody_takes_a_slot_without_register_that_may_still_be_owned() -> None:
    async with a_cell("a.0.1", "b.0.1") as (cell, kept):
        kept[0].registers.is_cut = True
        cell.registers.wipe()
        await until(lambda: kept[1].slots == EVERY, limit=2 * TTL + 2)
        assert kept[0].slots == set()


async def test_of_two_leaders_the_newer_ones_plan_stands() -> None:
    async with a_cell("a.0.1", "b.0.1") as (cell, kept):
        seen = await cell.registers.get(LEADER)
        plan = await cell.registers.get(DESIRED)
        assert seen is not None
        assert seen.value is not None
        assert plan is not None
        other = next(one.name for one in kept if one.name != seen.value["o"])
        homes = {other: sorted(EVERY)}
        await cell.registers.put(DESIRED, {"leader": other, "e": 9, "homes": homes}, plan.revision)
        await settle_down(TTL)
        newer = await cell.registers.get(DESIRED)
        assert newer is not None
        assert newer.value is not None
        assert newer.value["e"] == 9
        assert next(one for one in kept if one.name == other).slots == EVERY


async def test_a_plan_that_gives_a_slot_to_two_has_no_effect_on_who_owns_it() -> None:
    async with a_cell("a.0.1", "b.0.1") as (cell, kept):
        for _ in range(6):
            plan = await cell.registers.get(DESIRED)
            assert plan is not None
            turned = {"a.0.1": sorted(kept[1].slots), "b.0.1": sorted(kept[0].slots)}
            value = {"leader": "x", "e": 99, "homes": turned}
            await cell.registers.put(DESIRED, value, plan.revision)
            await settle_down(0.3)
        await until(cell.all_owned_once, limit=TTL)


async def test_without_room_slots_stay_unowned_and_it_is_said_once() -> None:
    structlog.reset_defaults()
    cell = LeaseCell(weights=dict.fromkeys(range(SLOTS), 4))
    try:
        with capture_logs() as logs:
            first = cell.start("a.0.1")
            await until(cell.all_owned_once)
            second = cell.start("b.0.1", capacity=20)
            await settle_down(3)
            await cell.kill(first)
            await settle_down(TTL + 5)
        assert sum(second.bots.load().values()) <= 20
        assert len(second.slots) == 5
        assert second.metrics.gauges["signalfleet_capacity_exhausted"] == 1
        assert [line["event"] for line in logs].count("capacity_exhausted") == 1
    finally:
        await cell.aclose()


async def test_workers_below_the_least_version_get_no_more_slots() -> None:
    async with a_cell("a.0.1") as (cell, kept):
        await cell.registers.put(MIN_VERSION, {"v": 2}, 0)
        await settle_down(TTL)
        new = cell.start("b.0.1")
        await settle_down(5)
        assert new.slots == set()
        assert kept[0].slots == EVERY


async def test_one_that_does_not_reach_the_store_gives_its_slots_to_one_that_does() -> None:
    async with a_cell("a.0.1", "b.0.1") as (cell, kept):
        kept[0].fleet.is_cut = True
        await settle_down(TTL)
        assert kept[0].slots
        await until(lambda: kept[1].slots == EVERY, limit=4 * TTL)
        kept[0].fleet.is_cut = False
        assert cell.all_owned_once()


async def test_where_nobody_reaches_the_store_slots_stay_where_they_are() -> None:
    async with a_cell("a.0.1", "b.0.1") as (_, kept):
        before = [one.slots for one in kept]
        for one in kept:
            one.fleet.is_cut = True
        await settle_down(5 * TTL)
        assert [one.slots for one in kept] == before


async def test_a_slot_whose_bots_were_refused_is_claimed_anew() -> None:
    async with a_cell("a.0.1") as (cell, kept):
        await cell.store.fleet.raise_fences(CELL, {3: 7}, "somebody")
        kept[0].bots.forget([3])
        await until(lambda: 3 in kept[0].slots, limit=5)
        assert kept[0].bots.epochs[3] == 8


@pytest.mark.parametrize("key", [DESIRED, LEADER, f"{SLOT}3", f"{WORKERS}b.0.1", MIN_VERSION])
async def test_a_register_that_cannot_be_read_ends_nothing(key: str) -> None:
    async with a_cell("a.0.1") as (cell, kept):
        found = await cell.registers.get(key)
        await cell.registers.put(key, {"o": 7}, 0 if found is None else found.revision)
        await settle_down(2 * TTL)
        assert not kept[0].task.done()
        assert len(kept[0].slots) >= SLOTS - 1


async def test_a_sole_owner_takes_everything_at_once_without_a_lease() -> None:
    store = MemoryStore(cell=CELL)
    bots = NotedBots("sole", {}, [], {})
    owner = SoleOwner(store.fleet, LoopClock(), cell=CELL, worker="sole", slots=range(SLOTS))
    running = asyncio.create_task(owner.run(bots))
    await until(lambda: bool(bots.taken), limit=1)
    assert bots.taken == [dict.fromkeys(range(SLOTS), 1)]
    assert owner.lease_of(USER) is None
    await owner.drain()
    assert bots.epochs == {}
    running.cancel()
    await asyncio.wait([running])


async def test_a_sole_owner_that_is_overtaken_ends_and_says_why() -> None:
    store = MemoryStore(cell=CELL)
    bots = NotedBots("sole", {}, [], {})
    owner = SoleOwner(store.fleet, LoopClock(), cell=CELL, worker="sole", slots=range(SLOTS))
    running = asyncio.create_task(owner.run(bots))
    await until(lambda: bool(bots.taken), limit=1)
    bots.forget([3])  # A doubt alone is no proof.
    await settle_down(20)
    assert not running.done()
    await store.fleet.raise_fences(CELL, {3: 2}, "another")
    with pytest.raises(FencedError, match="another process trades for the users"):
        await running
