"""Attempts are counted together, and no more than the limits allow."""

import asyncio
from datetime import timedelta

from kit.store_rows import NOW, World, after
from signalfleet.ports.fleet_rows import AttemptLimit

HOUR = timedelta(hours=1)
THREE_AN_HOUR = (AttemptLimit(count=3, within=HOUR),)
CODES = (*THREE_AN_HOUR, AttemptLimit(count=5, within=timedelta(days=1)))


async def test_attempts_up_to_the_limit_are_counted(world: World) -> None:
    fleet = world.store.fleet
    for second in (0, 0, 10):
        assert await fleet.count_attempt("qr", "ann", after(second), THREE_AN_HOUR) is None
    free = await fleet.count_attempt("qr", "ann", after(20), THREE_AN_HOUR)
    assert free is not None
    assert abs(free - (NOW + HOUR)) < timedelta(milliseconds=1)


async def test_what_was_refused_is_not_counted(world: World) -> None:
    fleet = world.store.fleet
    for second in range(10):
        await fleet.count_attempt("qr", "ann", after(second), THREE_AN_HOUR)
    assert await fleet.count_attempt("qr", "ann", after(3600.5), THREE_AN_HOUR) is None
    assert await fleet.count_attempt("qr", "ann", after(3600.6), THREE_AN_HOUR) is not None


async def test_each_of_two_limits_holds(world: World) -> None:
    fleet = world.store.fleet
    tries = [
        await fleet.count_attempt("code", "phone", after(hour * 3600), CODES)
        for hour in (0, 0.1, 0.2, 0.3, 2, 2.1, 4, 23, 25)
    ]
    refused = [None if free is None else round((free - NOW) / HOUR, 3) for free in tries]
    assert refused == [None, None, None, 1.0, None, None, 24.0, 24.0, None]


async def test_kinds_and_keys_are_counted_apart(world: World) -> None:
    fleet = world.store.fleet
    for _ in range(3):
        assert await fleet.count_attempt("qr", "ann", NOW, THREE_AN_HOUR) is None
    assert await fleet.count_attempt("qr", "bob", NOW, THREE_AN_HOUR) is None
    assert await fleet.count_attempt("code", "ann", NOW, THREE_AN_HOUR) is None
    assert await fleet.count_attempt("qr", "ann", NOW, THREE_AN_HOUR) is not None


async def test_attempts_at_once_are_all_counted(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(world.store.fleet.count_attempt("qr", "ann", NOW, THREE_AN_HOUR))
            for _ in range(8)
        ]
    assert sum(1 for task in tasks if task.result() is None) == 3
