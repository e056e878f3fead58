"""Stops that move without a message, through one user's whole bot."""

from dataclasses import replace
from typing import Any

import pytest

from kit.brokers import LOST, NEVER_CAME, Answer
from kit.clock import settle_down
from kit.fleet import GOLD_BUY, GOLD_LIMIT, Fleet
from signalfleet.domain.exchange.model import MarginMode
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.trading.orders import ModifyPosition
from signalfleet.domain.trading.outcomes import Rejected
from signalfleet.domain.trading.records import TradeState

EVEN = Price.of("2350.10")
THREE = "BUY GOLD 2350 SL 2340 TP 2360 TP 2370 TP 2380"

CLOSED_MARKET = Answer(
    says=Rejected(code="TRADE_RETCODE_MARKET_CLOSED", text="market closed"), executes=False
)


def stops(fleet: Fleet) -> list[str]:
    held = sorted(fleet.broker.book.positions.values(), key=lambda one: one.ticket)
    return [f"{one.stop_loss.value.normalize():f}" if one.stop_loss else "none" for one in held]


def changes(fleet: Fleet) -> list[ModifyPosition]:
    return [order for order in fleet.broker.received if isinstance(order, ModifyPosition)]


@pytest.fixture
async def netting(fleet: Fleet) -> Fleet:
    fleet.broker.margin_mode = "netting"
    book = fleet.broker.book
    book.terms = replace(book.terms, mode=MarginMode.NETTING)
    await settle_down(601)
    return fleet


class TestBreakEvenByItself:
    async def test_after_the_first_target_the_other_legs_can_lose_no_more(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say(THREE, wait=2)
        fleet.broker.price("2360.20", "2360.30")
        await settle_down(10)
        assert stops(fleet) == ["2350.1", "2350.1"]
        assert {order.take_profit for order in changes(fleet)} == {
            Price.of("2370"),
            Price.of("2380"),
        }
        causes = {i.cause for i in await fleet.intents() if i.cause != "entry"}
        assert causes == {"rule:be_after_tp1"}
        fleet.broker.price("2350.00", "2350.10")
        await settle_down(40)
        assert {t.state for t in await fleet.trades(number)} == {TradeState.CLOSED}

    async def test_a_target_between_two_looks_counts_by_what_the_broker_did(
        self, fleet: Fleet
    ) -> None:
        await fleet.say(GOLD_BUY, wait=12)
        fleet.broker.price("2360.20", "2360.30")
        fleet.broker.price("2354.00", "2354.10")
        await settle_down(45)
        assert stops(fleet) == ["2350.1"]

    async def test_it_happens_after_a_restart_too_and_once(self, fleet: Fleet) -> None:
        await fleet.say(GOLD_BUY, wait=2)
        await fleet.kill()
        fleet.broker.price("2360.20", "2360.30")
        await fleet.start()
        await settle_down(40)
        await fleet.restart()
        await settle_down(40)
        assert (stops(fleet), len(changes(fleet))) == (["2350.1"], 1)

    async def test_an_answer_that_is_lost_is_looked_for(self, fleet: Fleet) -> None:
        await fleet.say(GOLD_BUY, wait=12)
        fleet.broker.answers.append(LOST)
        fleet.broker.price("2360.20", "2360.30")
        await settle_down(60)
        assert (stops(fleet), len(changes(fleet))) == (["2350.1"], 1)

    async def test_a_request_that_never_came_is_sent_again(self, fleet: Fleet) -> None:
        await fleet.say(GOLD_BUY, wait=12)
        fleet.broker.answers.append(NEVER_CAME)
        fleet.broker.price("2360.20", "2360.30")
        await settle_down(60)
        assert (stops(fleet), len(changes(fleet))) == (["2350.1"], 2)

    async def test_a_user_may_wish_for_another_moment_or_for_none(self, fleet: Fleet) -> None:
        await fleet.set_rules(break_even="message_only")
        await fleet.say(GOLD_BUY, wait=2)
        fleet.broker.price("2365.00", "2365.10")
        await settle_down(60)
        assert stops(fleet) == ["2340"]
        await fleet.set_rules(break_even="at_r 0.2")
        await settle_down(60)
        assert stops(fleet) == ["2340"], "an open trade keeps what it was opened with"

    async def test_one_position_for_all_targets_is_reduced_and_protected(
        self, netting: Fleet
    ) -> None:
        await netting.say(THREE, wait=2)
        netting.broker.price("2360.20", "2360.30")
        await settle_down(20)
        (left,) = netting.broker.book.positions.values()
        assert (left.lots, left.stop_loss) == (Lots.of("0.06"), EVEN)
        assert left.take_profit == Price.of("2380")

    async def test_a_filled_order_is_protected_like_a_trade_at_market(self, fleet: Fleet) -> None:
        await fleet.say("BUY LIMIT GOLD 2345 SL 2335 TP 2355 TP 2365", wait=5)
        fleet.broker.price("2344.90", "2345.00")
        await settle_down(40)
        fleet.broker.price("2355.20", "2355.30")
        await settle_down(40)
        assert stops(fleet) == ["2345.1"]

    async def test_a_stop_that_somebody_tightened_meanwhile_is_not_loosened(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2380", wait=12)
        (held,) = fleet.broker.book.positions.values()
        fleet.broker.book.put_position(replace(held, stop_loss=Price.of("2349")))
        await fleet.say("TP 2375", reply_to=number, wait=1)
        (held,) = fleet.broker.book.positions.values()
        assert (held.stop_loss, held.take_profit) == (Price.of("2349"), Price.of("2375"))


TRAILING: dict[str, Any] = {
    "break_even": "off",
    "trailing": "distance",
    "trailing_distance": "500 points",
    "trailing_step": "100 points",
}


class TestTrailing:
    async def test_the_stop_follows_and_never_goes_back(self, fleet: Fleet) -> None:
        await fleet.set_rules(**TRAILING)
        await fleet.say("BUY GOLD 2350 SL 2340 TP 2400", wait=5)
        seen = []
        for price in ("2356", "2362", "2357.5", "2358"):
            fleet.broker.price(price, f"{price}1" if "." in price else f"{price}.10")
            await settle_down(30)
            seen += stops(fleet)
        assert seen == ["2351", "2357", "2357", "2357"]

    async def test_a_leg_is_changed_at_most_once_in_fifteen_seconds(self, fleet: Fleet) -> None:
        await fleet.set_rules(**TRAILING)
        await fleet.say("BUY GOLD 2350 SL 2340 TP 2400", wait=20)
        before = len(changes(fleet))
        for step in range(60):
            fleet.broker.price(f"{2352 + step / 2}", f"{2352.5 + step / 2}")
            await settle_down(1)
        assert 3 <= len(changes(fleet)) - before <= 5

    async def test_it_goes_on_after_a_restart(self, fleet: Fleet) -> None:
        await fleet.set_rules(**TRAILING)
        await fleet.say("BUY GOLD 2350 SL 2340 TP 2400", wait=5)
        fleet.broker.price("2360", "2360.10")
        await settle_down(30)
        await fleet.restart()
        fleet.broker.price("2357", "2357.10")
        await settle_down(30)
        assert stops(fleet) == ["2355"]
        fleet.broker.price("2366", "2366.10")
        await settle_down(30)
        assert stops(fleet) == ["2361"]

    async def test_it_follows_on_one_position_for_each_symbol(self, netting: Fleet) -> None:
        await netting.set_rules(**TRAILING)
        await netting.say(THREE, wait=2)
        netting.broker.price("2361", "2361.10")
        await settle_down(40)
        (left,) = netting.broker.book.positions.values()
        assert (left.lots, left.stop_loss) == (Lots.of("0.06"), Price.of("2356"))


class TestWhereTheBrokersSideMovesStops:
    @pytest.fixture
    async def served(self, fleet: Fleet) -> Fleet:
        fleet.broker.moves_stops = True
        return fleet

    async def test_it_is_told_once_after_the_fill(self, served: Fleet) -> None:
        await served.say(GOLD_BUY, wait=120)
        (order,) = changes(served)
        assert order.take_profit == Price.of("2370"), "the first leg ends where this would begin"
        assert order.trailing is not None
        (step,) = order.trailing.steps
        assert (step.reached, step.stop_loss) == (Price.of("2360"), EVEN)
        assert order.stop_loss == Price.of("2340")
        await served.restart()
        await settle_down(60)
        assert len(changes(served)) == 1

    async def test_a_trade_with_one_target_costs_no_call_beside_its_order(
        self, served: Fleet
    ) -> None:
        await served.say("BUY GOLD 2350 SL 2340 TP 2360", wait=10)
        asked = served.broker.quotes
        await settle_down(300)
        assert changes(served) == []
        assert served.broker.quotes == asked

    async def test_it_is_told_again_after_a_message_changed_the_levels(self, served: Fleet) -> None:
        number = await served.say("BUY GOLD 2350 SL 2340 TP 2360 TP 2370", wait=30)
        await served.say("Move SL to 2345", reply_to=number, wait=30)
        told = [order.trailing is not None for order in changes(served)]
        assert told == [True, False, False, True]
        assert stops(served) == ["2345", "2345"]

    async def test_what_it_does_not_do_in_time_is_done_by_us(self, served: Fleet) -> None:
        await served.say(GOLD_BUY, wait=30)
        served.broker.price("2360.20", "2360.30")
        await settle_down(15)
        assert stops(served) == ["2340"], "the broker's side is given time"
        await settle_down(60)
        assert stops(served) == ["2350.1"]

    async def test_a_refusal_is_asked_again_ever_more_rarely(self, served: Fleet) -> None:
        await served.set_rules(break_even="at_r 0.5")
        await served.say("BUY GOLD 2350 SL 2340 TP 2360", wait=0.05)
        served.broker.answers.extend([CLOSED_MARKET] * 20)
        await settle_down(400)
        assert 2 <= len(changes(served)) <= 4


async def test_a_trade_is_closed_when_it_has_lasted_long_enough(fleet: Fleet) -> None:
    await fleet.set_rules(max_trade_age="1", break_even="off")
    number = await fleet.say(GOLD_BUY, wait=3500)
    assert len(fleet.broker.book.positions) == 2
    await settle_down(150)
    assert fleet.broker.book.positions == {}
    assert {t.state for t in await fleet.trades(number)} == {TradeState.CLOSED}
    causes = [i.cause for i in await fleet.intents() if i.cause != "entry"]
    assert causes == ["rule:max_age"] * 2


async def test_an_order_that_waits_is_not_moved_by_rules(fleet: Fleet) -> None:
    await fleet.set_rules(cancel_if_target_first=False)
    await fleet.say(GOLD_LIMIT, wait=5)
    fleet.broker.price("2362.00", "2362.10")
    await settle_down(40)
    assert (changes(fleet), len(fleet.broker.book.orders)) == ([], 1)
