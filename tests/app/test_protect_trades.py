"""Which open trades are looked at again and again for their stops."""

from kit.builders import ACCOUNT, USER
from kit.clock import settle_down
from kit.fleet import Fleet
from signalfleet.app.protect_trades import EVERY, ProtectTrades
from signalfleet.app.take_duties import Watch

ONE_TARGET = "BUY GOLD 2350 SL 2340 TP 2360"
TWO_TARGETS = "BUY GOLD 2350 SL 2340 TP 2360 TP 2370"


async def look(fleet: Fleet) -> Watch:
    desk = fleet.manager.active_bots[USER]._desk
    return await ProtectTrades(desk, desk.accounts[ACCOUNT]).run()


async def test_a_trade_that_no_price_can_move_is_left_alone(fleet: Fleet) -> None:
    """Its stop goes to break-even at the target at which it ends."""
    await fleet.say(ONE_TARGET, wait=2)
    assert (await look(fleet)).again_in is None


async def test_one_whose_stop_moves_at_an_earlier_target_is_looked_at(fleet: Fleet) -> None:
    await fleet.say(TWO_TARGETS, wait=2)
    assert (await look(fleet)).again_in == EVERY


async def test_a_stop_that_a_message_asked_for_has_it_looked_at_until_it_is_there(
    fleet: Fleet,
) -> None:
    number = await fleet.say(ONE_TARGET, wait=2)
    await fleet.say("SL to breakeven", reply_to=number, wait=2)
    assert (await look(fleet)).again_in == EVERY
    fleet.broker.price("2358.20", "2358.30")
    await settle_down(10)
    (held,) = fleet.broker.book.positions.values()
    assert held.stop_loss is not None
    assert f"{held.stop_loss.value.normalize():f}" == "2350.1"
