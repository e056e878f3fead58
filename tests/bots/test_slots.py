"""Slots come and go: bots start where they are owned, hand over in order, or end at once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from kit.brokers import Answer
from kit.builders import USER
from kit.clock import settle_down, until
from kit.fleet import CELL, Fleet, a_fleet
from kit.slot_hands import add_user, hands, slots_of, status
from signalfleet.app.claim_slots import claim_slots
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import slot
from signalfleet.domain.trading.intents import IntentState
from signalfleet.ports.bus import Plain, owner_address
from signalfleet.ports.errors import FencedError, TemporaryError

ONE_LEG = "BUY GOLD 2350 SL 2340 TP 2360"


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    async with a_fleet(started=False) as opened:
        yield opened


async def test_only_bots_of_slots_that_were_taken_run(fleet: Fleet) -> None:
    other = await add_user(fleet, 1)
    async with hands(fleet) as one:
        await one.take(USER)
        assert one.running() == {USER}
        await one.take(other)
        assert one.running() == {USER, other}
        assert one.load() == dict.fromkeys(slots_of([USER, other]), 1)
        assert one.manager.owns(other)


class TestRelease:
    async def test_lets_orders_settle_and_another_worker_go_on(self, fleet: Fleet) -> None:
        async with hands(fleet) as one, hands(fleet, worker="w2") as two:
            await one.take(USER)
            await until(lambda: bool(fleet.broker.looks))
            fleet.broker.answers.append(Answer(takes=2))
            await fleet.say(ONE_LEG, wait=0.1)
            await one.release(USER)
            assert one.load() == {}
            assert one.running() == set()
            assert (fleet.source.running, fleet.source.closed) == (0, 1)
            (intent,) = await fleet.intents()
            assert intent.state is IntentState.ACCEPTED
            known = await status(fleet, USER)
            assert (known.state, known.reason) == (BotState.OFF, "moving")
            await two.take(USER)
            assert two.running() == {USER}
            await settle_down(60)
            assert len(fleet.broker.entries) == 1

    async def test_does_not_end_bots_of_other_slots(self, fleet: Fleet) -> None:
        other = await add_user(fleet, 1)
        async with hands(fleet) as one:
            await one.take(USER, other)
            await one.release(USER)
            assert one.running() == {other}
            assert one.load() == {slot(other): 1}
            # A wish that changes now is the next owner's.
            await fleet.mine.bot.set_wish(on=True, by="test")
            await settle_down(6)
            assert one.running() == {other}


class TestDrop:
    async def test_breaks_telegram_off_within_a_second(self, fleet: Fleet) -> None:
        async with hands(fleet) as one:
            await one.take(USER)
            begun = fleet.clock.monotonic()
            await one.drop(USER)
            assert fleet.clock.monotonic() - begun <= 1
            assert (fleet.source.running, fleet.source.broken_off) == (0, 1)
            assert one.load() == {}
            assert one.running() == set()

    async def test_sends_no_order_any_more_and_waits_for_none(self, fleet: Fleet) -> None:
        targets = " ".join(f"TP {price}" for price in (2360, 2365, 2370, 2375, 2380))
        async with hands(fleet) as one:
            await one.take(USER)
            await until(lambda: bool(fleet.broker.looks))
            fleet.broker.answers.extend([Answer(takes=30)] * 5)
            await fleet.say(f"BUY GOLD 2350 SL 2340 {targets}", wait=0.1)
            sent = len(fleet.broker.received)
            await one.drop(USER)
            await settle_down(120)
            assert len(fleet.broker.received) == sent

    async def test_writes_nothing_any_more(self, fleet: Fleet) -> None:
        async with hands(fleet) as one:
            await one.take(USER)
            await one.drop(USER)
            await settle_down(20)
            # The next owner says how the bot is.
            assert (await status(fleet, USER)).state is BotState.RUNNING

    async def test_of_slots_that_are_being_released_ends_them_too(self, fleet: Fleet) -> None:
        async with hands(fleet) as one:
            await one.take(USER)
            await until(lambda: bool(fleet.broker.looks))
            fleet.broker.answers.append(Answer(takes=30))
            await fleet.say(ONE_LEG, wait=0.1)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(one.release(USER))
                await settle_down(1)
                begun = fleet.clock.monotonic()
                await one.drop(USER)
                assert fleet.clock.monotonic() - begun <= 1
                assert fleet.source.running == 0

    async def test_of_slots_never_taken_does_nothing(self, fleet: Fleet) -> None:
        async with hands(fleet) as one:
            await one.drop(USER)
            assert one.load() == {}

    async def test_a_slot_may_come_back_at_once(self, fleet: Fleet) -> None:
        async with hands(fleet) as one:
            first = await one.take(USER)
            await one.drop(USER)
            assert await one.take(USER) > first
            assert one.running() == {USER}
            assert fleet.source.running == 1


async def test_a_fence_ends_the_bots_of_its_slot_only(fleet: Fleet) -> None:
    other = await add_user(fleet, 1)
    async with hands(fleet) as one:
        await one.take(USER, other)
        await claim_slots(fleet.store.fleet, CELL, [slot(USER)], "w2")
        for source in list(fleet.sources):
            source.brought.put_nowait(TemporaryError("gap"))
        await settle_down(60)
        assert one.load() == {slot(other): 1}
        assert one.running() == {other}


async def test_a_session_that_somebody_took_is_no_lost_slot(fleet: Fleet) -> None:
    async with hands(fleet) as one:
        await one.take(USER)
        await fleet.bring(FencedError("another process uses this Telegram session"), wait=1)
        known = await status(fleet, USER)
        assert (known.state, known.reason) == (BotState.RETRYING, "session_taken")
        await settle_down(30)
        assert one.running() == {USER}


async def test_wishes_that_could_not_be_read_are_followed_later(fleet: Fleet) -> None:
    async with hands(fleet) as one:
        epoch = await claim_slots(fleet.store.fleet, CELL, [slot(USER)], "w1")
        fleet.store.is_down = True
        await one.manager.take({slot(USER): epoch})
        await settle_down(1)
        assert one.running() == set()
        fleet.store.is_down = False
        await settle_down(6)
        assert one.running() == {USER}


async def test_questions_are_answered_by_the_owner_alone(fleet: Fleet) -> None:
    async def first(question: Plain) -> Plain:
        return {"by": "first", **question}

    async def second(question: Plain) -> Plain:
        return {"by": "second", **question}

    async def ask() -> object:
        return (await fleet.bus.request(owner_address(CELL, USER), {"op": "x"}))["by"]

    async with hands(fleet, answer=first) as one, hands(fleet, answer=second) as two:
        with pytest.raises(TemporaryError, match="in a moment"):
            await ask()
        await one.take(USER)
        assert await ask() == "first"
        await one.release(USER)
        with pytest.raises(TemporaryError, match="in a moment"):
            await ask()
        await two.take(USER)
        assert await ask() == "second"
        await two.drop(USER)
        with pytest.raises(TemporaryError, match="in a moment"):
            await ask()


class TestPlaces:
    async def test_go_to_who_pays_and_then_to_who_waits_longest(self, fleet: Fleet) -> None:
        await fleet.mine.bot.set_wish(on=False, by="test")
        users = [await add_user(fleet, number) for number in (1, 2, 3)]
        async with hands(fleet, max_bots=1) as one:
            for user in users:
                await one.take(user)
            paying = await add_user(fleet, 4, tier="PREMIUM")
            await one.take(paying)
            await settle_down(6)
            assert one.running() == {users[0]}
            order = [paying, users[1], users[2]]
            for place, user in enumerate(order, start=1):
                known = await status(fleet, user)
                assert (known.state, known.reason) == (BotState.QUEUED, f"in_line:{place}")
            for before, after in zip([users[0], *order], order, strict=False):
                await fleet.store.user(before).bot.set_wish(on=False, by="test")
                await settle_down(12)
                assert one.running() == {after}
            assert (await status(fleet, users[2])).state is BotState.RUNNING

    async def test_in_the_line_are_kept_when_the_bot_moves(self, fleet: Fleet) -> None:
        first = await add_user(fleet, 1)
        waiting = await add_user(fleet, 2)
        async with hands(fleet, max_bots=1) as one, hands(fleet, worker="w2", max_bots=1) as two:
            await fleet.mine.bot.set_wish(on=False, by="test")
            await one.take(first)
            await one.take(waiting)
            await settle_down(100)
            later = await add_user(fleet, 3)
            await two.take(later)
            newest = await add_user(fleet, 4)
            await two.take(newest)
            await one.release(waiting)
            assert (await status(fleet, waiting)).state is BotState.QUEUED
            await two.take(waiting)
            await settle_down(6)
            assert (await status(fleet, waiting)).reason == "in_line:1"
            assert (await status(fleet, newest)).reason == "in_line:2"

    async def test_a_bot_without_a_place_can_be_stopped(self, fleet: Fleet) -> None:
        async with hands(fleet, max_bots=0) as one:
            await one.take(USER)
            assert (await status(fleet, USER)).state is BotState.QUEUED
            await fleet.mine.bot.set_wish(on=False, by="test")
            await settle_down(6)
            assert (await status(fleet, USER)).state is BotState.OFF
            assert one.load() == {slot(USER): 0}


async def test_a_bot_that_keeps_crashing_does_not_do_so_on_the_next_worker(fleet: Fleet) -> None:
    async with hands(fleet) as one, hands(fleet, worker="w2") as two:
        await one.take(USER)
        for _ in range(5):
            await fleet.bring(KeyError("bug"), wait=1)
            await settle_down(90)
        assert (await status(fleet, USER)).state is BotState.QUARANTINED
        await one.release(USER)
        assert (await status(fleet, USER)).state is BotState.QUARANTINED
        await two.take(USER)
        await settle_down(60)
        assert two.running() == set()
        await fleet.mine.bot.set_wish(on=True, by="user")
        await settle_down(6)
        assert two.running() == {USER}


async def test_quarantine_ends_by_itself_after_a_move_and_an_hour(fleet: Fleet) -> None:
    async with hands(fleet) as one:
        await one.take(USER)
        for _ in range(5):
            await fleet.bring(KeyError("bug"), wait=1)
            await settle_down(90)
        await one.release(USER)
        await settle_down(timedelta(hours=1).total_seconds())
        await one.take(USER)
        assert one.running() == {USER}
