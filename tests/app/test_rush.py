"""Orders go first: what follows up stands back, takes turns, and never waits for long."""

import asyncio

import pytest

from signalfleet.app.rush import (
    FEW,
    LANES,
    LOOKS_APART_S,
    PATIENCE_S,
    ROUTINE_APART_S,
    TURN_PATIENCE_S,
    Rush,
)


async def test_what_follows_up_waits_for_a_rush_of_orders_but_not_for_long() -> None:
    rush, loop = Rush(), asyncio.get_running_loop()
    begun = loop.time()
    parts = [rush.part() for _ in range(FEW + 1)]
    for part in parts[:FEW]:
        part.__enter__()
    await rush.over()
    assert loop.time() == begun
    parts[FEW].__enter__()
    waiting = asyncio.create_task(rush.over())
    await asyncio.sleep(0)
    assert not waiting.done()
    parts[FEW].__exit__(None, None, None)
    await waiting
    assert loop.time() == begun
    with rush.part():
        await rush.over()
    assert loop.time() == pytest.approx(begun + PATIENCE_S)


async def test_work_that_no_order_waits_for_takes_turns_between_orders() -> None:
    rush, loop = Rush(), asyncio.get_running_loop()
    begun, at_once, most, ends = loop.time(), 0, 0, list[float]()

    async def follow_up() -> None:
        nonlocal at_once, most
        async with rush.turn():
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.01)
            at_once -= 1
        ends.append(loop.time() - begun)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(2 * LANES):
            tasks.create_task(follow_up())
    assert most == LANES
    assert max(ends) == pytest.approx(0.02)
    part = rush.part()
    part.__enter__()
    begun = loop.time()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(follow_up())
        await asyncio.sleep(0.02)
        part.__exit__(None, None, None)
    assert ends[-1] == pytest.approx(0.03)  # It began as soon as the order was out.
    begun = loop.time()
    with rush.part():
        await follow_up()
    assert ends[-1] == pytest.approx(TURN_PATIENCE_S + 0.01)  # And no order holds it up for long.


async def test_who_had_its_share_lets_the_others_orders_go_first_but_not_for_long() -> None:
    rush, loop = Rush(), asyncio.get_running_loop()
    begun = loop.time()
    with rush.part():
        await rush.give_way()
        assert loop.time() == begun, "it does not wait for itself"
        other = rush.part()
        other.__enter__()
        waiting = asyncio.create_task(rush.give_way())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        other.__exit__(None, None, None)
        await waiting
        assert loop.time() == pytest.approx(begun + 0.01)
        with rush.part():
            await rush.give_way()
    assert loop.time() == pytest.approx(begun + 0.01 + TURN_PATIENCE_S)


async def test_two_that_give_way_do_not_wait_for_each_other() -> None:
    rush, loop = Rush(), asyncio.get_running_loop()
    begun = loop.time()

    async def decide() -> None:
        with rush.part():
            await asyncio.sleep(0)
            await rush.give_way()

    await asyncio.gather(decide(), decide())
    assert loop.time() == begun


async def test_looks_that_are_due_at_once_begin_one_after_the_other() -> None:
    rush, loop = Rush(), asyncio.get_running_loop()
    begun = loop.time()
    await rush.before_look(is_routine=False)
    assert loop.time() == begun
    await asyncio.gather(*(rush.before_look(is_routine=False) for _ in range(10)))
    assert loop.time() == pytest.approx(begun + 10 * LOOKS_APART_S)
    await asyncio.sleep(1)
    begun = loop.time()
    with rush.part():
        await asyncio.gather(*(rush.before_look(is_routine=True) for _ in range(10)))
        assert loop.time() == pytest.approx(begun + 9 * ROUTINE_APART_S)
        # What an order has led to does not wait for those.
        await rush.before_look(is_routine=False)
        assert loop.time() == pytest.approx(begun + 9 * ROUTINE_APART_S)
