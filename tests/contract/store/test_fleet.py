"""Slots and epochs, users, wishes and sessions; and the store's own life."""

import asyncio
from dataclasses import replace

import pytest

from kit.store_rows import (
    CELL,
    ME,
    NOW,
    World,
    a_batch,
    a_channel,
    a_post,
    a_profile,
    after,
    an_account,
)
from signalfleet.app.claim_slots import claim_slots
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import FencedError, RefusedError, StoreUnavailableError
from signalfleet.ports.fleet_rows import WebSession
from signalfleet.ports.store import Store

ZOE = UserId("u_" + "z" * 26)


async def test_an_installation_keeps_its_id(world: World) -> None:
    first = await world.store.fleet.installation()
    assert first.startswith("in_")
    assert await world.store.fleet.installation() == first


async def test_each_claim_of_a_slot_has_a_higher_epoch(world: World) -> None:
    fleet = world.store.fleet
    first = await claim_slots(fleet, CELL, [1, 2, 3], "w1")
    second = await claim_slots(fleet, CELL, [3, 4], "w2")
    assert first < second
    assert await fleet.slot_epochs(CELL, [1, 3, 4, 5]) == {1: first, 3: second, 4: second, 5: 0}
    assert await claim_slots(fleet, "elsewhere", [1], "w1") == 1


async def test_claims_at_once_have_different_epochs(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        claims = [
            group.create_task(claim_slots(world.store.fleet, CELL, [1, 2], f"w{number}"))
            for number in range(16)
        ]
    assert len({claim.result() for claim in claims}) == 16


async def test_one_look_tells_whose_rows_have_changed(world: World) -> None:
    """A store may leave users out; then they are looked at one by one."""
    fleet, number = world.store.fleet, a_profile(ME).slot
    marks = [await fleet.marks(CELL, [number])]
    if not marks[0]:
        return
    for change in (
        world.mine.bot.set_halted(halted=True),
        world.mine.settings.put("states", {"user": "off"}, 0),
        world.mine.channels.put(a_channel()),
        world.mine.accounts.put(an_account()),
        fleet.set_tier(ME, "PREMIUM"),
    ):
        await change
        marks.append(await fleet.marks(CELL, [number]))
        assert marks[-1][ME].rev != marks[-2][ME].rev
    for often in ("hold:telegram", "habit:-1001"):
        await world.mine.settings.put(often, {"by": "me"}, 0)
    assert await fleet.marks(CELL, [number]) == marks[-1]
    assert not marks[-1][ME].has_unread
    await world.mine.inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    assert (await fleet.marks(CELL, range(512)))[ME].has_unread
    assert ME not in await fleet.marks(CELL, [number + 1])
    assert ME not in await fleet.marks("elsewhere", [number])


async def test_a_fence_only_rises(world: World) -> None:
    fleet = world.store.fleet
    assert await fleet.raise_fences(CELL, {1: 5, 2: 9}, "w1") == {1, 2}
    assert await fleet.raise_fences(CELL, {1: 5, 2: 8, 3: 1}, "w2") == {3}
    assert await fleet.raise_fences(CELL, {1: 6}, "w2") == {1}
    assert await fleet.raise_fences(CELL, {}, "w2") == frozenset()
    assert await fleet.slot_epochs(CELL, [1, 2, 3]) == {1: 6, 2: 9, 3: 1}
    assert await fleet.slot_epochs("elsewhere", [1]) == {1: 0}


async def test_of_claims_under_one_epoch_one_takes_the_slot(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        claims = [
            group.create_task(world.store.fleet.raise_fences(CELL, {1: 7, 2: 7}, f"w{number}"))
            for number in range(8)
        ]
    taken = [claim.result() for claim in claims]
    assert sorted(slot for slots in taken for slot in slots) == [1, 2]


async def test_who_lost_a_slot_to_a_higher_epoch_writes_nothing(world: World) -> None:
    mine = a_profile(world.user).slot
    taken = await world.store.fleet.raise_fences(CELL, {mine: world.epoch + 3}, "w2")
    assert taken == {mine}
    with pytest.raises(FencedError):
        await world.mine.inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    assert await world.mine.inbox.add(a_batch(a_post(1)), NOW, world.epoch + 3)


async def test_only_the_newest_owner_writes(world: World) -> None:
    newer = await world.claim_mine()
    with pytest.raises(FencedError):
        await world.mine.inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    assert await world.mine.inbox.add(a_batch(a_post(1)), NOW, newer)


async def test_a_claim_in_another_cell_fences_nobody_here(world: World) -> None:
    await claim_slots(world.store.fleet, "elsewhere", [a_profile(world.user).slot], "w9")
    assert await world.mine.inbox.add(a_batch(a_post(1)), NOW, world.epoch)


async def test_a_user_is_stored_once_per_telegram_account(world: World) -> None:
    fleet = world.store.fleet
    zoe = a_profile(ZOE, telegram_id=2**40)
    assert await fleet.add_user(zoe) == zoe
    again = replace(zoe, user_id=UserId("u_" + "y" * 26))
    assert await fleet.add_user(again) == zoe
    assert await fleet.get_user(again.user_id) is None
    assert await fleet.get_user(ZOE) == zoe
    assert await fleet.user_by_telegram(2**40) == zoe
    assert await fleet.user_by_telegram(404) is None


async def test_users_without_telegram_are_told_apart_by_their_id(world: World) -> None:
    fleet = world.store.fleet
    first = a_profile(ZOE)
    second = a_profile(UserId("u_" + "y" * 26))
    assert await fleet.add_user(first) == first
    assert await fleet.add_user(second) == second
    assert await fleet.add_user(replace(first, display_name="Other")) == first


async def test_a_users_plan_is_changed_and_nothing_else_of_them(world: World) -> None:
    fleet = world.store.fleet
    before = await fleet.get_user(world.user)
    both = await fleet.users_of_slots(CELL, range(512))
    neighbours = [await fleet.get_user(one) for one in both if one != world.user]
    assert before is not None
    after_it = replace(before, tier="PREMIUM")
    assert await fleet.set_tier(world.user, "PREMIUM") == after_it
    assert await fleet.get_user(world.user) == after_it
    assert await fleet.add_user(before) == after_it
    assert [await fleet.get_user(one) for one in both if one != world.user] == neighbours


async def test_nobody_gets_a_plan(world: World) -> None:
    with pytest.raises(RefusedError, match="no such user"):
        await world.store.fleet.set_tier(ZOE, "PREMIUM")
    assert await world.store.fleet.get_user(ZOE) is None


async def test_users_are_found_by_slot(world: World) -> None:
    fleet = world.store.fleet
    mine = a_profile(world.user).slot
    assert await fleet.users_of_slots(CELL, [mine]) == (world.user,)
    assert len(await fleet.users_of_slots(CELL, range(512))) == 2
    assert await fleet.users_of_slots(CELL, []) == ()
    assert await fleet.users_of_slots("elsewhere", range(512)) == ()


async def test_a_change_of_wish_or_halt_is_found_by_its_number(world: World) -> None:
    fleet = world.store.fleet
    ((neighbour, start),) = await fleet.wishes_since(0)
    await world.mine.bot.set_wish(on=True, by="user")
    ((user, rev),) = await fleet.wishes_since(start)
    assert (user, rev > start) == (world.user, True)
    await world.mine.bot.set_halted(halted=True)
    ((_, newest),) = await fleet.wishes_since(rev)
    assert await fleet.wishes_since(0) == ((neighbour, start), (world.user, newest))
    assert await fleet.wishes_since(0, limit=1) == ((neighbour, start),)
    assert await fleet.wishes_since(newest) == ()


async def test_a_session_lives_until_it_is_deleted(world: World) -> None:
    fleet = world.store.fleet
    session = WebSession(user_id=world.user, created_at=NOW, expires_at=after(3600))
    await fleet.put_session("hash", session)
    assert await fleet.session("hash") == session
    longer = replace(session, expires_at=after(7200))
    await fleet.put_session("hash", longer)
    assert await fleet.session("hash") == longer
    await fleet.delete_session("hash")
    await fleet.delete_session("hash")
    assert await fleet.session("hash") is None


async def test_a_session_needs_a_user(world: World) -> None:
    session = WebSession(user_id=ZOE, created_at=NOW, expires_at=after(3600))
    with pytest.raises(RefusedError):
        await world.store.fleet.put_session("hash", session)


async def test_a_closed_store_says_so(store: Store) -> None:
    await store.ready()
    await store.aclose()
    await store.aclose()
    with pytest.raises(StoreUnavailableError):
        await store.ready()
    with pytest.raises(StoreUnavailableError):
        await store.fleet.add_user(a_profile(ZOE))
    with pytest.raises(StoreUnavailableError):
        await store.fleet.get_user(ZOE)
