"""An account without trades rests: nothing of it runs, and a signal wakes it without a delay."""

import asyncio

from kit.builders import USER
from kit.clock import settle_down
from kit.fleet import Fleet
from signalfleet.domain.trading.records import TradeState

ONE_LEG = "BUY GOLD 2350 SL 2340 TP 2360"
HELPERS = ("dispatch:", "watch:", "stops:", "end:")


def helpers() -> list[str]:
    """Return the names of tasks that look after an account."""
    names = (task.get_name() for task in asyncio.all_tasks())
    return [name for name in names if name.startswith(HELPERS)]


async def test_an_account_that_has_no_trade_rests_after_its_first_look(fleet: Fleet) -> None:
    await settle_down(10)
    assert helpers() == []
    assert len(fleet.broker.looks) == 1
    own = [one.get_name() for one in asyncio.all_tasks() if one.get_name().endswith(USER)]
    assert len(own) <= 12, own


async def test_a_signal_wakes_it_at_once_and_without_a_look_before(fleet: Fleet) -> None:
    await settle_down(60)
    looks = len(fleet.broker.looks)
    begun = fleet.clock.monotonic()
    await fleet.say(ONE_LEG, wait=0.05)
    assert len(fleet.broker.entries) == 1
    assert fleet.clock.monotonic() - begun < 0.1
    await settle_down(60)
    assert len(fleet.broker.looks) > looks, "from then on it is looked after"
    (trade,) = await fleet.trades(fleet.last_message)
    assert trade.state is TradeState.OPEN


async def test_it_rests_again_ten_minutes_after_its_last_trade(fleet: Fleet) -> None:
    number = await fleet.say(ONE_LEG, wait=30)
    await fleet.say("Close now", reply_to=number, wait=30)
    assert fleet.broker.book.positions == {}
    await settle_down(8 * 60)
    assert helpers() != []
    await settle_down(4 * 60)
    assert helpers() == []
    again = await fleet.say("SELL GOLD 2350 SL 2360 TP 2340", wait=5)
    assert len(await fleet.trades(again)) == 1


async def test_it_never_rests_while_a_trade_lives(fleet: Fleet) -> None:
    await fleet.say(ONE_LEG, wait=30)
    looks = len(fleet.broker.looks)
    await settle_down(3600)
    assert helpers() != []
    assert len(fleet.broker.looks) - looks > 100


async def test_it_never_rests_while_the_broker_does_not_answer(fleet: Fleet) -> None:
    await fleet.say(ONE_LEG, wait=30)
    fleet.broker.unreadable = True
    await settle_down(3600)
    assert helpers() != []
    fleet.broker.unreadable = False
    fleet.broker.price("2360.00", "2360.10")
    await settle_down(120)
    (trade,) = await fleet.trades(fleet.last_message)
    assert trade.close_reason == "take_profit"


async def test_at_rest_it_is_looked_at_now_and_then(fleet: Fleet) -> None:
    await settle_down(3600)
    assert 5 <= len(fleet.broker.looks) <= 14


async def test_a_wish_to_close_all_is_followed_though_the_account_rests(fleet: Fleet) -> None:
    await settle_down(60)
    assert helpers() == []
    follower = next(iter(fleet.manager.active_bots[USER]._followers.values()))
    follower.states_changed()
    await settle_down(0.1)
    assert helpers() != []
