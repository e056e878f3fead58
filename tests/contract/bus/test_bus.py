"""What every bus promises, whatever carries it."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import TypeVar

import pytest

from signalfleet.domain.ids import UserId, new_user_id, slot
from signalfleet.ports.bus import Bus, LiveEvent, WorkDelivery, WorkItem
from signalfleet.ports.errors import FencedError

ANN = UserId("u_mfrggzdfmztwq2lk")
BOB = UserId("u_bbbbbbbbbbbbbbbbbb")
SLOT = slot(ANN)
T = TypeVar("T")

QUIET_S = 0.3
"""Long enough for loopback to deliver what should not come."""


def an_item(key: str = "k1", *, user: UserId = ANN, kind: str = "msg") -> WorkItem:
    return WorkItem(user=user, kind=kind, key=key)


def an_event(kind: str = "intent", *, user: UserId = ANN, number: int = 1) -> LiveEvent:
    return LiveEvent(user=user, kind=kind, payload={"number": number})


async def take(source: AsyncIterator[T]) -> T:
    async with asyncio.timeout(10):
        return await anext(source)


async def nothing_comes(source: AsyncIterator[object]) -> bool:
    try:
        async with asyncio.timeout(QUIET_S):
            await anext(source)
    except TimeoutError:
        return True
    return False


async def take_keys(work: AsyncIterator[WorkDelivery], count: int) -> list[str]:
    keys = []
    for _ in range(count):
        delivery = await take(work)
        await delivery.ack()
        keys.append(delivery.item.key)
    return keys


async def test_an_item_reaches_the_owner_of_its_users_slot(bus: Bus) -> None:
    await bus.publish_work(an_item())
    async with bus.work(SLOT, 1) as work:
        delivery = await take(work)
        await delivery.ack()
    assert delivery.item == an_item()


async def test_an_item_published_to_a_waiting_owner_comes_at_once(bus: Bus) -> None:
    async with bus.work(SLOT, 1) as work, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(take(work))
        await bus.publish_work(an_item())
        await (await waiting).ack()
    assert waiting.result().item == an_item()


async def test_items_come_in_order_and_more_than_one_batch_of_them(bus: Bus) -> None:
    keys = [f"k{n}" for n in range(30)]
    for key in keys:
        await bus.publish_work(an_item(key))
    async with bus.work(SLOT, 1) as work:
        assert await take_keys(work, 30) == keys


async def test_an_acknowledged_item_does_not_come_again(bus: Bus) -> None:
    await bus.publish_work(an_item())
    async with bus.work(SLOT, 1) as work:
        await take_keys(work, 1)
    async with bus.work(SLOT, 2) as work:
        assert await nothing_comes(work)


async def test_what_was_not_acknowledged_comes_to_the_next_epoch(bus: Bus) -> None:
    await bus.publish_work(an_item())
    async with bus.work(SLOT, 1) as work:
        await take(work)
    async with bus.work(SLOT, 2) as work:
        assert (await take(work)).item == an_item()


async def test_a_key_published_twice_is_one_item(bus: Bus) -> None:
    for _ in range(2):
        await bus.publish_work(an_item())
    async with bus.work(SLOT, 1) as work:
        await take_keys(work, 1)
        assert await nothing_comes(work)


async def test_the_same_key_of_another_kind_is_another_item(bus: Bus) -> None:
    await bus.publish_work(an_item(kind="msg"))
    await bus.publish_work(an_item(kind="cmd"))
    async with bus.work(SLOT, 1) as work:
        kinds = {(await take(work)).item.kind for _ in range(2)}
    assert kinds == {"msg", "cmd"}


async def test_the_same_key_of_another_user_of_the_slot_is_another_item(bus: Bus) -> None:
    neighbour = next(
        user
        for user in (new_user_id(n.to_bytes(16, "big")) for n in range(100_000))
        if slot(user) == SLOT
    )
    await bus.publish_work(an_item())
    await bus.publish_work(an_item(user=neighbour))
    async with bus.work(SLOT, 1) as work:
        users = {(await take(work)).item.user for _ in range(2)}
    assert users == {ANN, neighbour}


async def test_another_slots_items_stay_unseen(bus: Bus) -> None:
    await bus.publish_work(an_item(user=BOB))
    async with bus.work(SLOT, 1) as work:
        assert await nothing_comes(work)


async def test_a_newer_epoch_takes_the_slot_and_the_older_learns_it(bus: Bus) -> None:
    async with bus.work(SLOT, 1) as old:
        await bus.publish_work(an_item())
        held = await take(old)
        async with bus.work(SLOT, 2) as new:
            with pytest.raises(FencedError):
                await take(old)
            with pytest.raises(FencedError):
                await held.ack()
            assert await take_keys(new, 1) == ["k1"]


async def test_leaving_as_the_old_owner_does_not_disturb_the_new_one(bus: Bus) -> None:
    old = bus.work(SLOT, 1)
    await old.__aenter__()
    async with bus.work(SLOT, 2) as new:
        await old.__aexit__(None, None, None)
        await bus.publish_work(an_item())
        assert await take_keys(new, 1) == ["k1"]


async def test_an_older_epoch_cannot_take_a_slot_back(bus: Bus) -> None:
    async with bus.work(SLOT, 7):
        with pytest.raises(FencedError):
            async with bus.work(SLOT, 6):
                pass


async def test_a_reader_that_was_cancelled_loses_nothing(bus: Bus) -> None:
    async with bus.work(SLOT, 1) as work:
        assert await nothing_comes(work)
        await bus.publish_work(an_item())
        assert await take_keys(work, 1) == ["k1"]


@pytest.mark.parametrize("kind", ["", "a.b", "*", ">", "a b", "ä"])
async def test_a_kind_that_would_change_the_address_is_refused(bus: Bus, kind: str) -> None:
    with pytest.raises(ValueError, match="kind"):
        await bus.publish_work(an_item(kind=kind))
    with pytest.raises(ValueError, match="kind"):
        await bus.publish_event(an_event(kind))


async def test_events_reach_all_pages_of_that_user_and_no_other(bus: Bus) -> None:
    async with bus.events(ANN) as one, bus.events(ANN) as two, bus.events(BOB) as other:
        await bus.publish_event(an_event())
        assert await take(one) == await take(two) == an_event()
        assert await nothing_comes(other)


async def test_a_slow_page_keeps_the_newest_256_events(bus: Bus) -> None:
    async with bus.events(ANN) as slow, bus.events(ANN) as quick:
        for number in range(300):
            await bus.publish_event(an_event(number=number))
            assert (await take(quick)).payload["number"] == number
        first = await take(slow)
    assert first.payload["number"] == 300 - 256


async def test_events_from_before_are_not_shown(bus: Bus) -> None:
    await bus.publish_event(an_event(number=1))
    async with bus.events(ANN) as events:
        await bus.publish_event(an_event(number=2))
        assert (await take(events)).payload == {"number": 2}


@pytest.mark.parametrize("payload", [{"x": "a" * 9000}, {"x": Decimal(1)}, {"x": float("nan")}])
async def test_an_event_too_large_or_not_plain_is_refused(
    bus: Bus, payload: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"event|JSON"):
        await bus.publish_event(LiveEvent(user=ANN, kind="intent", payload=payload))


async def test_an_open_bus_says_that_it_is_connected(bus: Bus) -> None:
    assert bus.is_connected()
