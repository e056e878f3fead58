"""Bots as users wish them: started, stopped, halted, fenced, signed out, drained."""

import asyncio
from datetime import timedelta

import pytest

from kit.brokers import REFUSED_CONNECTION, Answer
from kit.builders import CHAT, USER
from kit.clock import settle_down, until
from kit.fleet import CELL, GOLD_BUY, Fleet, a_fleet
from signalfleet.app.claim_slots import claim_slots
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import ChannelId, slot
from signalfleet.domain.trading.intents import IntentState
from signalfleet.domain.trading.records import CopyOutcome
from signalfleet.ports.bus import WorkItem
from signalfleet.ports.errors import SignInRequiredError, TemporaryError
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import Channel, CopyMode

ONE_LEG = "BUY GOLD 2350 SL 2340 TP 2360"


async def stored_state(fleet: Fleet) -> BotState:
    return (await fleet.mine.bot.status()).state


async def outcome(fleet: Fleet, number: int) -> tuple[str | None, str | None]:
    (record,) = await fleet.signals(number)
    return record.outcome, record.reason


async def test_a_bot_is_started_and_stopped_as_it_is_wished(fleet: Fleet) -> None:
    assert await stored_state(fleet) is BotState.RUNNING
    await fleet.mine.bot.set_wish(on=False, by="test")
    await settle_down(6)
    assert await stored_state(fleet) is BotState.OFF
    assert fleet.manager.active_bots == {}
    assert (fleet.source.running, fleet.source.closed) == (0, 1)
    await fleet.mine.bot.set_wish(on=True, by="test")
    await settle_down(6)
    assert await stored_state(fleet) is BotState.RUNNING


async def test_a_command_on_the_bus_is_followed_at_once(fleet: Fleet) -> None:
    await fleet.mine.bot.set_halted(halted=True)
    await fleet.bus.publish_work(WorkItem(user=USER, kind="cmd", key="c1"))
    await settle_down(0.1)
    number = await fleet.say(ONE_LEG)
    assert await outcome(fleet, number) == (CopyOutcome.SKIPPED, "halted")


async def test_a_wake_up_by_the_bus_leads_to_the_same_order() -> None:
    async with a_fleet(wake_by_bus=True) as fleet:
        await fleet.say(ONE_LEG)
        assert len(fleet.broker.entries) == 1


async def test_without_the_bus_the_bot_wakes_itself() -> None:
    async with a_fleet(wake_by_bus=True) as fleet:
        fleet.bus.set_connected(False)
        await fleet.say(ONE_LEG)
        assert len(fleet.broker.entries) == 1


class TestStop:
    async def test_is_read_again_every_few_seconds(self, fleet: Fleet) -> None:
        await fleet.mine.bot.set_halted(halted=True)
        await settle_down(5.1)
        number = await fleet.say(ONE_LEG)
        assert await outcome(fleet, number) == (CopyOutcome.SKIPPED, "halted")

    async def test_refuses_an_entry_at_the_gate(self, fleet: Fleet) -> None:
        fleet.broker.answers.append(REFUSED_CONNECTION)
        number = await fleet.say(ONE_LEG, wait=0)
        await fleet.mine.bot.set_halted(halted=True)
        await fleet.bus.publish_work(WorkItem(user=USER, kind="cmd", key="c1"))
        await settle_down(5)
        assert fleet.broker.entries == []
        assert await outcome(fleet, number) == (CopyOutcome.CANCELLED, "halted")

    async def test_lets_protective_instructions_through(self, fleet: Fleet) -> None:
        number = await fleet.say(ONE_LEG, wait=2)
        await fleet.mine.bot.set_halted(halted=True)
        await settle_down(6)
        await fleet.say("Close now", reply_to=number, wait=2)
        assert fleet.broker.book.positions == {}

    async def test_does_not_bring_back_what_it_ended(self, fleet: Fleet) -> None:
        fleet.broker.answers.append(REFUSED_CONNECTION)
        await fleet.say(ONE_LEG, wait=0)
        await fleet.mine.bot.set_halted(halted=True)
        await fleet.manager.check_wishes()
        await settle_down(6)
        await fleet.mine.bot.set_halted(halted=False)
        await settle_down(30)
        assert fleet.broker.entries == []


async def test_a_bot_whose_slot_has_a_new_owner_ends_and_writes_nothing(fleet: Fleet) -> None:
    await claim_slots(fleet.store.fleet, CELL, [slot(USER)], "w2")
    await fleet.bring(TemporaryError("gap"), wait=0)
    await settle_down(60)
    assert fleet.manager.active_bots == {}
    assert fleet.source.running == 0
    assert fleet.broker.received == []


async def test_a_fenced_bot_sends_no_order(fleet: Fleet) -> None:
    await claim_slots(fleet.store.fleet, CELL, [slot(USER)], "w2")
    await fleet.say(GOLD_BUY, wait=40)
    assert fleet.broker.received == []
    assert fleet.manager.active_bots == {}


class TestSignIn:
    async def test_is_asked_for_when_telegram_ends_the_session(self, fleet: Fleet) -> None:
        number = await fleet.say(ONE_LEG, wait=2)
        await fleet.bring(SignInRequiredError("gone", reason="session_revoked"), wait=5)
        status = await fleet.mine.bot.status()
        assert (status.state, status.reason) == (BotState.SIGN_IN_NEEDED, "session_revoked")
        fleet.broker.price("2360.00", "2360.10")
        await settle_down(40)
        (trade,) = await fleet.trades(number)
        assert trade.close_reason == "take_profit", "open trades are followed all the same"

    async def test_brings_the_bot_back(self, fleet: Fleet) -> None:
        await fleet.credentials.delete(USER, "telegram_session")
        await fleet.bring(SignInRequiredError("gone", reason="session_revoked"), wait=5)
        await fleet.credentials.put(USER, "telegram_session", Secret("new"))
        await fleet.mine.bot.set_wish(on=True, by="sign-in")
        await until(lambda: fleet.state is BotState.RUNNING)
        await settle_down(1)
        await fleet.say(ONE_LEG)
        assert len(fleet.broker.entries) == 1

    async def test_is_asked_for_where_no_session_was_ever_stored(self) -> None:
        async with a_fleet(started=False) as fleet:
            await fleet.credentials.delete(USER, "telegram_session")
            await fleet.start(wait=False)
            await settle_down(5)
            status = await fleet.mine.bot.status()
            assert (status.state, status.reason) == (BotState.SIGN_IN_NEEDED, "never_signed_in")


class TestTrouble:
    async def test_outside_is_waited_out(self, fleet: Fleet) -> None:
        await fleet.bring(TemporaryError("network"), wait=1)
        assert await stored_state(fleet) is BotState.RETRYING
        await settle_down(10)
        assert await stored_state(fleet) is BotState.RUNNING

    async def test_of_our_own_sets_the_bot_aside_after_five_times(self, fleet: Fleet) -> None:
        for _ in range(5):
            await fleet.bring(KeyError("bug"), wait=1)
            await settle_down(90)
        status = await fleet.mine.bot.status()
        assert (status.state, status.reason) == (BotState.QUARANTINED, "KeyError")
        assert fleet.metrics.counts["signalfleet_bot_crashes_total", ()] == 5
        await fleet.mine.bot.set_wish(on=True, by="user")
        await settle_down(10)
        assert await stored_state(fleet) is BotState.RUNNING

    async def test_of_the_store_pauses_bots_and_ends_by_itself(self, fleet: Fleet) -> None:
        fleet.store.is_down = True
        await settle_down(60)
        assert fleet.task is not None
        assert not fleet.task.done(), "the worker itself goes on"
        fleet.store.is_down = False
        await settle_down(700)
        assert await stored_state(fleet) is BotState.RUNNING
        await fleet.say(ONE_LEG)
        assert len(fleet.broker.entries) == 1

    async def test_of_the_broker_holds_back_entries_and_loses_none_that_are_fresh(
        self, fleet: Fleet
    ) -> None:
        await fleet.set_rules(max_signal_age="300")
        fleet.broker.unreadable = True
        await settle_down(70)
        await fleet.say(ONE_LEG, wait=20)
        assert fleet.broker.entries == []
        fleet.broker.unreadable = False
        await settle_down(100)
        assert len(fleet.broker.entries) <= 1

    async def test_at_the_start_no_entry_goes_out_before_the_first_look(self) -> None:
        async with a_fleet(started=False) as fleet:
            fleet.broker.unreadable = True
            await fleet.start(wait=False)
            await settle_down(5)
            await fleet.say(ONE_LEG, wait=5)
            assert fleet.broker.received == []
            fleet.broker.unreadable = False
            await settle_down(20)
            assert len(fleet.broker.entries) == 1


class TestEnds:
    async def test_draining_lets_orders_settle_and_hands_back_the_rest(self) -> None:
        targets = " ".join(f"TP {price}" for price in (2360, 2365, 2370, 2375, 2380))
        async with a_fleet() as fleet:
            fleet.broker.answers.extend([Answer(takes=2)] * 3)
            await fleet.say(f"BUY GOLD 2350 SL 2340 {targets}", wait=0.1)
            await fleet.manager.drain()
            assert len(fleet.broker.entries) == 3
            states = [intent.state for intent in await fleet.intents()]
            assert sorted(states) == [IntentState.ACCEPTED] * 3 + [IntentState.HELD] * 2
            await fleet.restart()
            await settle_down(5)
            assert sorted(fleet.broker.opened().values()) == [1] * 5

    async def test_draining_is_bounded(self, fleet: Fleet) -> None:
        fleet.broker.answers.append(Answer(takes=1_000))
        await fleet.say(ONE_LEG, wait=0.1)
        begun = fleet.clock.monotonic()
        await fleet.manager.drain()
        assert fleet.clock.monotonic() - begun < 20

    @pytest.mark.parametrize("after", [0, 0.001, 0.05, 0.3, 1, 5, 31])
    async def test_cancelling_at_any_moment_leaves_no_task(self, after: float) -> None:
        async with a_fleet(started=False) as fleet:
            before = asyncio.all_tasks()
            await fleet.start(wait=False)
            await asyncio.sleep(after)
            if fleet.sources:
                await fleet.say(GOLD_BUY, wait=after)
            await fleet.kill()
            await settle_down()
            assert asyncio.all_tasks() == before
            assert all(source.running == 0 for source in fleet.sources)

    async def test_a_stopped_user_keeps_nobody_else_waiting(self, fleet: Fleet) -> None:
        fleet.broker.answers.append(Answer(takes=30))
        await fleet.say(ONE_LEG, wait=0.1)
        await fleet.mine.bot.set_wish(on=False, by="test")
        begun = fleet.clock.monotonic()
        await fleet.manager.check_wishes()
        assert fleet.clock.monotonic() - begun < 1

    async def test_a_wish_that_comes_back_while_the_bot_stops_is_followed(
        self, fleet: Fleet
    ) -> None:
        fleet.broker.answers.append(Answer(takes=5))
        await fleet.say(ONE_LEG, wait=0.1)
        await fleet.mine.bot.set_wish(on=False, by="test")
        await fleet.manager.check_wishes()
        await settle_down(1)
        await fleet.mine.bot.set_wish(on=True, by="test")
        await settle_down(30)
        assert await stored_state(fleet) is BotState.RUNNING

    async def test_a_full_worker_takes_no_more(self) -> None:
        async with a_fleet(started=False, max_bots=0) as fleet:
            await fleet.start(wait=False)
            await settle_down(10)
            assert fleet.manager.active_bots == {}


async def test_a_channel_chosen_later_is_watched_soon(fleet: Fleet) -> None:
    assert [chat.chat for chat in fleet.source.watched[-1]] == [CHAT]
    later = ChannelId(-100777)
    channel = Channel(chat=later, kind="channel", title="Later", access_hash=2, mode=CopyMode.ON)
    await fleet.mine.channels.put(channel)
    await settle_down(6)
    assert {chat.chat for chat in fleet.source.watched[-1]} == {CHAT, later}
    await fleet.set_mode(CopyMode.OFF)
    await settle_down(6)
    assert {chat.chat for chat in fleet.source.watched[-1]} == {later}


async def test_pages_are_told_of_signals_trades_and_the_account(fleet: Fleet) -> None:
    kinds: set[str] = set()

    async def listen() -> None:
        async with fleet.bus.events(USER) as events:
            async for event in events:
                kinds.add(event.kind)

    listening = asyncio.create_task(listen())
    await settle_down()
    await fleet.say(ONE_LEG, wait=2)
    listening.cancel()
    await asyncio.wait([listening])
    assert {"signal", "trade", "account"} <= kinds


async def test_an_idle_account_is_looked_at_rarely_and_one_with_trades_often(
    fleet: Fleet,
) -> None:
    begun = len(fleet.broker.looks)
    await settle_down(timedelta(minutes=9).total_seconds())
    assert len(fleet.broker.looks) - begun <= 1
    await fleet.say(ONE_LEG, wait=60)
    begun = len(fleet.broker.looks)
    await settle_down(300)
    assert 9 <= len(fleet.broker.looks) - begun <= 12
