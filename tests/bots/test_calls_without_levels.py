"""A call without levels waits two minutes for them, and nothing is sent meanwhile."""

from datetime import timedelta

import pytest

from kit.builders import CHAT
from kit.fleet import GOLD_BUY, Fleet
from signalfleet.domain.money import Price
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.intents import IntentState
from signalfleet.domain.trading.records import CopyOutcome
from signalfleet.ports.inbox import MessageState
from signalfleet.ports.store import CopyMode

CALL = "GOLD BUY NOW"
LEVELS = "SL 2340\nTP 2360\nTP 2370"
STOP = Price.of("2340")


def sent(fleet: Fleet) -> list[tuple[OrderKind, Price | None, Price | None]]:
    return [(order.kind, order.stop_loss, order.take_profit) for order in fleet.broker.entries]


TWO_LEGS = [
    (OrderKind.MARKET, STOP, Price.of("2360")),
    (OrderKind.MARKET, STOP, Price.of("2370")),
]


async def test_a_call_stays_unread_and_sends_nothing(fleet: Fleet) -> None:
    number = await fleet.say(CALL, wait=60)
    stored = await fleet.message(number)
    assert (stored.state, stored.reason) == (MessageState.NEW, None)
    assert fleet.broker.received == []
    assert await fleet.signals(number) == ()


@pytest.mark.parametrize("is_reply", [True, False], ids=["reply", "next message"])
async def test_the_levels_of_a_later_message_open_the_call(
    fleet: Fleet,
    is_reply: bool,
) -> None:
    call = await fleet.say(CALL, wait=70)
    levels = await fleet.say(LEVELS, reply_to=call if is_reply else None, wait=2)
    assert sent(fleet) == TWO_LEGS
    (record,) = await fleet.signals(call)
    assert (record.outcome, record.reading.entry) == (CopyOutcome.FILLED, None)
    # The orders are fresh by the time of the levels, not of the call.
    posted = (await fleet.message(levels)).message.posted_at
    entries = await fleet.in_state(IntentState.ACCEPTED)
    assert {intent.valid_until for intent in entries} == {posted + timedelta(seconds=45)}
    assert (await fleet.message(levels)).reason == "completed_call"
    assert len(fleet.broker.received) == 2
    assert "awaited" in [step.stage for step in await fleet.trace(call)]


async def test_an_edit_that_brings_the_levels_opens_the_call(fleet: Fleet) -> None:
    number = await fleet.say(CALL, wait=70)
    await fleet.edit(number, f"{CALL}\n{LEVELS}", wait=2)
    assert sent(fleet) == TWO_LEGS
    assert (await fleet.message(number)).reason == "superseded"


async def test_levels_that_never_come_are_recorded(fleet: Fleet) -> None:
    number = await fleet.say(CALL, wait=160)
    stored = await fleet.message(number)
    assert (stored.state, stored.reason) == (MessageState.DONE, "levels_never_came")
    (record,) = await fleet.signals(number)
    assert (record.outcome, record.reason) == (CopyOutcome.EXPIRED, "levels_never_came")
    await fleet.say(LEVELS, reply_to=number, wait=5)
    await fleet.edit(number, f"{CALL}\n{LEVELS}", wait=5)
    assert fleet.broker.received == []


async def test_a_waiting_call_holds_nothing_back(fleet: Fleet) -> None:
    await fleet.set_rules(symbols_blocked=["EURUSD"])
    call = await fleet.say(CALL)
    other = await fleet.say("SELL EURUSD 1.1000 SL 1.1050 TP 1.0900", wait=2)
    assert len(await fleet.signals(other)) == 1
    assert (await fleet.message(call)).state is MessageState.NEW


async def test_a_stop_without_targets_is_enough_and_targets_alone_are_not(fleet: Fleet) -> None:
    call = await fleet.say(CALL)
    await fleet.say("TP 2360", reply_to=call, wait=1)
    assert fleet.broker.received == []
    await fleet.say("SL 2340", reply_to=call, wait=3)
    assert sent(fleet) == TWO_LEGS[:1]


@pytest.mark.parametrize(
    ("text", "is_reply"),
    [("SL 1.0950 TP 1.1100", False), ("EURUSD SL 1.0950", True), ("Good luck everyone", True)],
    ids=["other size", "other symbol", "chatter"],
)
async def test_what_speaks_of_something_else_completes_no_call(
    fleet: Fleet,
    text: str,
    is_reply: bool,
) -> None:
    call = await fleet.say(CALL)
    await fleet.say(text, reply_to=call if is_reply else None, wait=5)
    assert fleet.broker.received == []
    assert (await fleet.message(call)).state is MessageState.NEW


async def test_after_another_signal_only_a_reply_brings_the_levels(fleet: Fleet) -> None:
    call = await fleet.say(CALL)
    await fleet.say("SELL US30 NOW", wait=1)
    await fleet.say(LEVELS, wait=2)
    assert fleet.broker.received == []
    await fleet.say(LEVELS, reply_to=call, wait=2)
    assert sent(fleet) == TWO_LEGS


async def test_a_call_that_is_taken_back_is_not_opened(fleet: Fleet) -> None:
    call = await fleet.say(CALL)
    await fleet.say("Cancel this trade", reply_to=call, wait=1)
    await fleet.say(LEVELS, reply_to=call, wait=5)
    assert (await fleet.message(call)).reason == "call_withdrawn"
    assert fleet.broker.received == []


async def test_a_deleted_call_is_not_opened(fleet: Fleet) -> None:
    call = await fleet.say(CALL)
    await fleet.delete(call, wait=1)
    await fleet.say(LEVELS, reply_to=call, wait=5)
    assert fleet.broker.received == []


async def test_a_call_that_is_posted_again_in_full_opens_once(fleet: Fleet) -> None:
    call = await fleet.say(CALL)
    again = await fleet.say(GOLD_BUY, wait=2)
    assert len(fleet.broker.entries) == 2
    assert (await fleet.message(call)).reason == "posted_again"
    assert len(await fleet.signals(again)) == 1


async def test_a_price_that_ran_away_since_the_call_opens_nothing(fleet: Fleet) -> None:
    call = await fleet.say(CALL)
    fleet.broker.price("2356.00", "2356.10")
    await fleet.say("SL 2340\nTP 2390", reply_to=call, wait=2)
    (record,) = await fleet.signals(call)
    assert (record.outcome, record.reason) == (CopyOutcome.SKIPPED, "price_moved")
    assert fleet.broker.received == []


async def test_levels_on_the_wrong_side_open_nothing(fleet: Fleet) -> None:
    call = await fleet.say(CALL)
    await fleet.say("SL 2360\nTP 2340", reply_to=call, wait=2)
    (record,) = await fleet.signals(call)
    assert record.reason == "stop_wrong_side"
    assert fleet.broker.received == []


async def test_a_restart_forgets_no_call(fleet: Fleet) -> None:
    call = await fleet.say(CALL, wait=20)
    await fleet.restart()
    await fleet.say(LEVELS, reply_to=call, wait=3)
    assert sent(fleet) == TWO_LEGS


async def test_levels_that_are_found_late_open_nothing(fleet: Fleet) -> None:
    call = await fleet.say(CALL, wait=70)
    await fleet.say(LEVELS, reply_to=call, age=60, wait=2)
    assert fleet.broker.received == []
    (record,) = await fleet.signals(call)
    assert record.outcome is CopyOutcome.EXPIRED


async def test_a_naked_part_of_a_message_with_two_signals_does_not_hold_the_other(
    fleet: Fleet,
) -> None:
    await fleet.set_rules(symbols_blocked=["EURUSD"])
    number = await fleet.say(
        "BUY EURUSD 1.1000\nSL 1.0950\nTP 1.1100\n\nBUY GOLD 2350\nTP 2360", wait=5
    )
    assert (await fleet.message(number)).state is MessageState.DONE


async def test_a_channel_that_asks_first_is_not_asked_by_a_call(fleet: Fleet) -> None:
    await fleet.set_mode(CopyMode.APPROVE, CHAT)
    call = await fleet.say(CALL)
    await fleet.say(LEVELS, reply_to=call, wait=2)
    assert fleet.broker.received == []
