"""What we do ourselves for trades: expiry, ideas that are over, earlier targets of one position."""

from dataclasses import replace

import pytest

from kit.brokers import LOST, Answer, open_by_hand
from kit.clock import settle_down
from kit.exchange import XAUUSD
from kit.fleet import GOLD_LIMIT, Fleet
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.exchange.model import MarginMode
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.trading.intents import IntentState
from signalfleet.domain.trading.orders import CancelOrder, ReducePosition
from signalfleet.domain.trading.outcomes import Accepted, Rejected
from signalfleet.domain.trading.records import CopyOutcome, TradeState

THREE = "BUY GOLD 2350 SL 2340 TP 2360 TP 2370 TP 2380"
CLOSED_MARKET = Answer(
    says=Rejected(code="TRADE_RETCODE_MARKET_CLOSED", text="market closed"), executes=False
)


def cancels(fleet: Fleet) -> int:
    return sum(isinstance(order, CancelOrder) for order in fleet.broker.received)


async def outcome(fleet: Fleet, number: int) -> tuple[str | None, str | None]:
    (record,) = await fleet.signals(number)
    return record.outcome, record.reason


class TestPendingOrders:
    async def test_one_whose_time_is_over_is_cancelled_where_the_broker_keeps_no_times(
        self, fleet: Fleet
    ) -> None:
        await fleet.set_rules(pending_expiry="10")
        number = await fleet.say(GOLD_LIMIT, wait=580)
        assert fleet.broker.entries[0].expires_at is not None, "the broker is told too"
        assert len(fleet.broker.book.orders) == 1
        await settle_down(40)
        assert fleet.broker.book.orders == {}
        assert await outcome(fleet, number) == (CopyOutcome.CANCELLED, None)

    async def test_one_that_the_broker_has_ended_itself_is_over_as_well(self, fleet: Fleet) -> None:
        """The cancel that may cross it is answered by "no such order", and history tells why."""
        await fleet.set_rules(pending_expiry="10")
        number = await fleet.say(GOLD_LIMIT, wait=597)
        fleet.broker.exchange.expire(fleet.clock.now().replace(year=2030))
        await settle_down(60)
        (trade,) = await fleet.trades(number)
        assert (trade.state, trade.close_reason) == (TradeState.NEVER_OPENED, "expired")
        assert cancels(fleet) <= 1

    async def test_an_idea_that_worked_out_without_us_is_not_entered_later(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say(GOLD_LIMIT, wait=5)
        fleet.broker.price("2360.00", "2360.10")
        await settle_down(20)
        assert fleet.broker.book.orders == {}
        (trade,) = await fleet.trades(number)
        assert trade.state is TradeState.NEVER_OPENED
        stored = await fleet.mine.notices.recent()
        (notice,) = [n.notice for n in stored if n.notice.kind is NoticeKind.ORDER_CANCELLED]
        assert "reached the target 2360" in str(notice.facts["text"])

    async def test_a_user_may_leave_such_an_order_waiting(self, fleet: Fleet) -> None:
        await fleet.set_rules(cancel_if_target_first=False)
        await fleet.say(GOLD_LIMIT, wait=5)
        fleet.broker.price("2360.00", "2360.10")
        await settle_down(60)
        assert len(fleet.broker.book.orders) == 1

    async def test_an_order_whose_stop_is_passed_first_is_cancelled(self, fleet: Fleet) -> None:
        await fleet.say("BUY STOP GOLD 2355 SL 2348 TP 2370", wait=5)
        assert len(fleet.broker.book.orders) == 1
        fleet.broker.price("2347.00", "2347.10")
        await settle_down(20)
        assert fleet.broker.book.orders == {}

    async def test_a_refused_cancel_is_asked_for_again_ever_more_rarely(self, fleet: Fleet) -> None:
        await fleet.say(GOLD_LIMIT, wait=5)
        fleet.broker.answers.extend([CLOSED_MARKET] * 2)
        fleet.broker.price("2360.00", "2360.10")
        await settle_down(30)
        assert cancels(fleet) == 1
        await settle_down(60)
        assert cancels(fleet) == 2
        await settle_down(150)
        assert (cancels(fleet), fleet.broker.book.orders) == (3, {})


class TestOnePositionForEachSymbol:
    @pytest.fixture
    async def netting(self, fleet: Fleet) -> Fleet:
        fleet.broker.margin_mode = "netting"
        book = fleet.broker.book
        book.terms = replace(book.terms, mode=MarginMode.NETTING)
        await settle_down(601)
        return fleet

    async def test_all_targets_share_one_order_with_the_last_target(self, netting: Fleet) -> None:
        await netting.say(THREE, wait=2)
        (order,) = netting.broker.entries
        assert (order.take_profit, order.stop_loss) == (Price.of("2380"), Price.of("2340"))
        assert order.lots == Lots.of("0.10")

    async def test_earlier_targets_are_taken_by_us(self, netting: Fleet) -> None:
        number = await netting.say(THREE, wait=2)
        (held,) = netting.broker.book.positions.values()
        assert held.lots == Lots.of("0.10")
        netting.broker.price("2360.00", "2360.10")
        await settle_down(10)
        (held,) = netting.broker.book.positions.values()
        assert held.lots == Lots.of("0.06")
        netting.broker.price("2370.50", "2370.60")
        await settle_down(10)
        (held,) = netting.broker.book.positions.values()
        assert held.lots == Lots.of("0.03")
        await settle_down(60)
        netting.broker.price("2380.00", "2380.10")
        await settle_down(60)
        (trade,) = await netting.trades(number)
        assert (trade.state, trade.close_reason) == (TradeState.CLOSED, "take_profit")

    async def test_targets_passed_at_once_are_taken_by_one_order(self, netting: Fleet) -> None:
        await netting.say(THREE, wait=2)
        netting.broker.price("2375.00", "2375.10")
        await settle_down(30)
        reduced = [o for o in netting.broker.received if isinstance(o, ReducePosition)]
        assert [str(order.lots) for order in reduced] == ["0.07"]

    async def test_a_target_is_taken_after_a_restart_too(self, netting: Fleet) -> None:
        await netting.say(THREE, wait=2)
        await netting.kill()
        netting.broker.price("2360.00", "2360.10")
        await netting.start()
        await settle_down(20)
        (held,) = netting.broker.book.positions.values()
        assert held.lots == Lots.of("0.06")

    async def test_a_target_whose_order_is_in_doubt_is_not_taken_twice(
        self, netting: Fleet
    ) -> None:
        await netting.say(THREE, wait=2)
        netting.broker.answers.append(LOST)
        netting.broker.price("2360.00", "2360.10")
        await settle_down(60)
        (held,) = netting.broker.book.positions.values()
        assert held.lots == Lots.of("0.06")

    async def test_a_second_copy_in_the_symbol_is_refused(self, netting: Fleet) -> None:
        await netting.say(THREE, wait=2)
        number = await netting.say("BUY GOLD 2350 SL 2330 TP 2390", wait=2)
        assert await outcome(netting, number) == (CopyOutcome.SKIPPED, "netting_symbol_busy")
        assert len(netting.broker.entries) == 1

    async def test_so_is_a_copy_beside_a_position_of_somebody_else(self, netting: Fleet) -> None:
        open_by_hand(netting.broker)
        await settle_down(601)
        number = await netting.say(THREE, wait=2)
        assert await outcome(netting, number) == (CopyOutcome.SKIPPED, "netting_symbol_busy")

    async def test_what_is_said_of_the_first_target_is_not_done_to_the_last(
        self, netting: Fleet
    ) -> None:
        number = await netting.say(THREE, wait=2)
        await netting.say("Move TP1 to 2362", reply_to=number, wait=5)
        (held,) = netting.broker.book.positions.values()
        assert held.take_profit == Price.of("2380")


async def test_a_level_inside_the_freeze_level_is_not_touched(fleet: Fleet) -> None:
    number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=5)
    fleet.broker.board.put_instrument(replace(XAUUSD, freeze_level=200))
    fleet.broker.price("2358.50", "2358.60")
    reply = await fleet.say("SL to BE", reply_to=number, wait=5)
    assert (await fleet.message(reply)).reason is None
    (held,) = fleet.broker.book.positions.values()
    assert held.stop_loss == Price.of("2340"), "it is armed"
    fleet.broker.price("2357.50", "2357.60")
    await settle_down(20)
    (held,) = fleet.broker.book.positions.values()
    assert held.stop_loss == Price.of("2350.10")


async def test_a_closed_market_is_told_and_the_entry_is_not_sent_again(fleet: Fleet) -> None:
    fleet.broker.answers.append(CLOSED_MARKET)
    number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=60)
    assert await outcome(fleet, number) == (CopyOutcome.REJECTED, "TRADE_RETCODE_MARKET_CLOSED")
    assert len(fleet.broker.entries) == 1
    assert [i.state for i in await fleet.intents()] == [IntentState.REJECTED]


async def test_what_was_filled_in_part_counts_as_the_broker_shows_it(fleet: Fleet) -> None:
    done = Accepted(code="TRADE_RETCODE_DONE_PARTIAL", position_id="1")
    fleet.broker.answers.append(Answer(says=done))
    number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=0.2)
    (held,) = fleet.broker.book.positions.values()
    fleet.broker.book.put_position(replace(held, lots=Lots.of("0.04")))
    await settle_down(5)
    (trade,) = await fleet.trades(number)
    assert (trade.volume, trade.volume_open) == (Lots.of("0.10"), Lots.of("0.04"))
    await fleet.say("Close half", reply_to=number, wait=5)
    (held,) = fleet.broker.book.positions.values()
    assert held.lots == Lots.of("0.02")
