"""Permits: never more than allowed, protective calls first, and none is ever lost."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from signalfleet.adapters.metaapi.lanes import Lane, Permits


async def test_entries_leave_room_for_what_protects() -> None:
    permits = Permits(4, 3)
    for _ in range(3):
        await permits.acquire(Lane.ENTRY)
    async with asyncio.TaskGroup() as tasks:
        fourth = tasks.create_task(permits.acquire(Lane.ENTRY))
        await asyncio.sleep(0)
        assert not fourth.done()
        await permits.acquire(Lane.PROTECTIVE)
        permits.release(Lane.ENTRY)


async def test_a_protective_call_goes_before_entries_that_wait_longer() -> None:
    permits, order = Permits(1, 1), []

    async def call(lane: Lane) -> None:
        async with permits.hold(lane):
            order.append(lane)

    await permits.acquire(Lane.ENTRY)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(call(Lane.ENTRY))
        await asyncio.sleep(0)
        tasks.create_task(call(Lane.PROTECTIVE))
        await asyncio.sleep(0)
        permits.release(Lane.ENTRY)
    assert order == [Lane.PROTECTIVE, Lane.ENTRY]


@given(st.lists(st.tuples(st.sampled_from(Lane), st.booleans(), st.integers(0, 3)), max_size=30))
def test_whoever_is_cancelled_whenever_no_permit_is_lost_and_none_too_many_given(
    calls: list[tuple[Lane, bool, int]],
) -> None:
    async def play() -> None:
        permits, now, most = Permits(3, 2), dict.fromkeys(Lane, 0), 0

        async def call(lane: Lane, turns: int) -> None:
            nonlocal most
            async with permits.hold(lane):
                now[lane] += 1
                assert sum(now.values()) <= 3
                assert now[Lane.ENTRY] <= 2
                try:
                    for _ in range(turns):
                        await asyncio.sleep(0)
                finally:
                    now[lane] -= 1

        async with asyncio.TaskGroup() as tasks:
            for lane, is_cancelled, turns in calls:
                task = tasks.create_task(call(lane, turns))
                for _ in range(turns % 2):
                    await asyncio.sleep(0)
                if is_cancelled:
                    task.cancel()
        async with asyncio.timeout(1):
            for lane in (Lane.ENTRY, Lane.ENTRY, Lane.LOOK):
                await permits.acquire(lane)

    asyncio.run(play())
