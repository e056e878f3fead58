"""An order that was given up lands after the newer one: what the newer one set is set again."""

from kit.brokers import late
from kit.clock import settle_down
from kit.exchange import ACCOUNT as HOUSE_ACCOUNT
from kit.fleet import Fleet
from signalfleet.domain.exchange.model import SetLevels
from signalfleet.domain.money import Price
from signalfleet.domain.trading.intents import Intent

ONE_LEG = "BUY GOLD 2350 SL 2340 TP 2360"
UNDONE = ("signalfleet_levels_undone_total", ())


async def stops(fleet: Fleet) -> set[Price | None]:
    return {position.stop_loss for position in fleet.broker.book.positions.values()}


async def put_right(fleet: Fleet) -> list[Intent]:
    return [one for one in await fleet.intents() if one.cause.startswith("rec:undone:")]


async def given_up_and_replaced(fleet: Fleet, older: str, newer: str, after_s: float) -> int:
    """Ask for `older`, whose order lands that much later, and for `newer` at once after it."""
    number = await fleet.say(ONE_LEG, wait=5)
    fleet.broker.price("2355.00", "2355.10")
    fleet.broker.answers.append(late(after_s))
    await fleet.say(older, reply_to=number, wait=1)
    await fleet.say(newer, reply_to=number, wait=after_s - 5)
    return number


async def test_a_stop_that_a_late_order_took_back_is_set_again(fleet: Fleet) -> None:
    number = await given_up_and_replaced(fleet, "SL 2345", "SL 2348", 60)
    assert await stops(fleet) == {Price.of("2348")}
    await settle_down(6)
    assert await stops(fleet) == {Price.of("2345")}
    await settle_down(60)
    assert await stops(fleet) == {Price.of("2348")}
    (record,) = await put_right(fleet)
    (trade,) = await fleet.trades(number)
    assert trade.stop_loss == Price.of("2348")
    assert fleet.metrics.counts[UNDONE] == 1
    await settle_down(400)
    assert await put_right(fleet) == [record]


async def test_a_target_that_a_late_order_took_back_is_set_again(fleet: Fleet) -> None:
    await given_up_and_replaced(fleet, "TP 2365", "TP 2370", 60)
    await settle_down(66)
    (position,) = fleet.broker.book.positions.values()
    assert (position.stop_loss, position.take_profit) == (Price.of("2340"), Price.of("2370"))
    assert len(await put_right(fleet)) == 1


async def test_it_is_seen_also_by_the_owner_who_comes_after(fleet: Fleet) -> None:
    await given_up_and_replaced(fleet, "SL 2345", "SL 2348", 60)
    await fleet.kill()
    await settle_down(6)
    await fleet.start()
    await settle_down(10)
    assert await stops(fleet) == {Price.of("2348")}
    assert len(await put_right(fleet)) == 1


async def test_an_order_that_waits_is_put_back_where_the_newest_edit_wants_it(
    fleet: Fleet,
) -> None:
    number = await fleet.say("BUY LIMIT GOLD 2340 SL 2330 TP 2360", wait=5)
    fleet.broker.answers.append(late(60))
    await fleet.edit(number, "BUY LIMIT GOLD 2340 SL 2331 TP 2360", wait=1)
    await fleet.edit(number, "BUY LIMIT GOLD 2340 SL 2332 TP 2360", wait=55)
    (order,) = fleet.broker.book.orders.values()
    assert order.stop_loss == Price.of("2332")
    await settle_down(6)
    (order,) = fleet.broker.book.orders.values()
    assert order.stop_loss == Price.of("2331")
    await settle_down(40)
    (order,) = fleet.broker.book.orders.values()
    assert order.stop_loss == Price.of("2332")
    assert len(await put_right(fleet)) == 1


async def test_a_stop_that_the_user_moved_by_hand_stays(fleet: Fleet) -> None:
    await given_up_and_replaced(fleet, "SL 2345", "SL 2348", 60)
    (position,) = fleet.broker.book.positions.values()
    by_hand = SetLevels(
        position=position.ticket, stop_loss=Price.of("2343"), take_profit=position.take_profit
    )
    await settle_down(6)
    fleet.broker.exchange.execute(HOUSE_ACCOUNT, by_hand, fleet.clock.now())
    await settle_down(100)
    assert await stops(fleet) == {Price.of("2343")}
    assert await put_right(fleet) == []


async def test_where_each_order_had_its_answer_an_older_stop_is_the_users_own(
    fleet: Fleet,
) -> None:
    number = await fleet.say(ONE_LEG, wait=5)
    fleet.broker.price("2355.00", "2355.10")
    await fleet.say("SL 2345", reply_to=number, wait=1)
    await fleet.say("SL 2348", reply_to=number, wait=5)
    (position,) = fleet.broker.book.positions.values()
    by_hand = SetLevels(
        position=position.ticket, stop_loss=Price.of("2345"), take_profit=position.take_profit
    )
    fleet.broker.exchange.execute(HOUSE_ACCOUNT, by_hand, fleet.clock.now())
    await settle_down(100)
    assert await stops(fleet) == {Price.of("2345")}
    assert await put_right(fleet) == []
