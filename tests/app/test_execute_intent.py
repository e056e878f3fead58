"""One request for one intent: what is looked at directly before it."""

from dataclasses import replace

import pytest

from kit.builders import USER
from kit.fleet import Fleet
from signalfleet.app.execute_intent import ExecuteIntent
from signalfleet.domain.trading.intents import Intent, IntentState
from signalfleet.domain.trading.records import Settlement, TradeState

ONE_LEG = "BUY GOLD 2350 SL 2340 TP 2360"


async def second_try(fleet: Fleet) -> tuple[ExecuteIntent, Intent]:
    """Let an entry that the broker has executed be sent a second time, as after a wrong "no"."""
    await fleet.say(ONE_LEG)
    desk = fleet.manager.active_bots[USER]._desk
    (done,) = await fleet.intents()
    again = replace(done, state=IntentState.SENDING, attempt=2, settled_at=None, order_id=None)
    trade = await fleet.mine.journal.get_trade(done.trade)
    assert trade is not None
    opening = replace(trade, state=TradeState.OPENING, position_id=None, order_id=None)
    await fleet.mine.journal.settle(Settlement(intents=(again,), trades=(opening,)), desk.epoch)
    return ExecuteIntent(desk), again


async def test_a_second_try_finds_the_order_of_the_first(fleet: Fleet) -> None:
    execute, again = await second_try(fleet)
    settled = (await execute.run(again)).intent
    assert (settled.state, settled.evidence) == (IntentState.ACCEPTED, "seen in positions")
    assert len(fleet.broker.entries) == 1


@pytest.mark.parametrize("trouble", ["incomplete", "unreadable"])
async def test_a_second_try_does_not_go_out_unless_all_could_be_looked_at(
    fleet: Fleet, trouble: str
) -> None:
    execute, again = await second_try(fleet)
    for ticket in list(fleet.broker.book.positions):
        del fleet.broker.book.positions[ticket]
    fleet.broker.book.history.clear()
    fleet.broker.book.deals.clear()
    setattr(fleet.broker, trouble, True)
    settled = (await execute.run(again)).intent
    assert (settled.state, settled.reason) == (IntentState.HELD, "account_unreadable")
    assert len(fleet.broker.entries) == 1
    setattr(fleet.broker, trouble, False)


async def test_an_order_goes_out_without_a_look_the_first_time(fleet: Fleet) -> None:
    looks = len(fleet.broker.looks)
    await fleet.say(ONE_LEG, wait=0.1)
    assert len(fleet.broker.looks) == looks, "a look would cost the time that matters most"
