"""Follow-ups, edits and deletions, through one user's whole bot."""

from datetime import timedelta

from kit.brokers import LOST, NEVER_CAME, REFUSED_CONNECTION, REQUOTE, Answer
from kit.builders import CHAT
from kit.chat_script import a_message, deleted, posted
from kit.clock import settle_down, until
from kit.exchange import ACCOUNT as HOUSE_ACCOUNT
from kit.fleet import GOLD_BUY, GOLD_LIMIT, Fleet
from signalfleet.domain.exchange.model import ClosePosition as CloseByHand
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.trading.intents import Action, IntentState
from signalfleet.domain.trading.orders import (
    CancelOrder,
    ClosePosition,
    ModifyOrder,
    ModifyPosition,
    ReducePosition,
)
from signalfleet.domain.trading.records import TradeState
from signalfleet.ports.inbox import MessageState


def kinds(fleet: Fleet) -> list[str]:
    return [type(order).__name__ for order in fleet.broker.received]


class TestFollowUps:
    async def test_break_even_moves_the_stop_of_every_leg_and_keeps_its_target(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say(GOLD_BUY, wait=2)
        fleet.broker.price("2355.00", "2355.10")
        await fleet.say("Move SL to BE", reply_to=number, wait=2)
        held = fleet.broker.book.positions.values()
        assert {p.stop_loss for p in held} == {Price.of("2350.10")}, "the spread is paid too"
        assert {p.take_profit for p in held} == {Price.of("2360"), Price.of("2370")}
        assert kinds(fleet)[2:] == ["ModifyPosition"] * 2

    async def test_close_half_closes_the_nearest_leg_and_twice_a_half_of_the_rest(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say(GOLD_BUY, wait=2)
        await fleet.say("Close half now", reply_to=number, wait=0.2)
        (left,) = fleet.broker.book.positions.values()
        assert left.lots == Lots.of("0.05")
        await fleet.say("Close half", reply_to=number, wait=2)
        (left,) = fleet.broker.book.positions.values()
        assert left.lots == Lots.of("0.02")
        assert kinds(fleet)[2:] == ["ClosePosition", "ReducePosition"]

    async def test_a_part_close_whose_answer_was_lost_closes_no_second_part(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        fleet.broker.answers.append(LOST)
        await fleet.say("Close half", reply_to=number, wait=200)
        (left,) = fleet.broker.book.positions.values()
        assert left.lots == Lots.of("0.05")
        reductions = [o for o in fleet.broker.received if isinstance(o, ReducePosition)]
        assert len(reductions) == 1

    async def test_close_ends_all_legs_and_cancels_what_is_pending(self, fleet: Fleet) -> None:
        number = await fleet.say(GOLD_BUY, wait=2)
        await fleet.say("Close all now", reply_to=number, wait=2)
        assert fleet.broker.book.positions == {}
        assert [t.state for t in await fleet.trades(number)] == [TradeState.CLOSED] * 2
        pending = await fleet.say(GOLD_LIMIT, wait=2)
        await fleet.say("Close", reply_to=pending, wait=2)
        assert fleet.broker.book.orders == {}
        assert isinstance(fleet.broker.received[-1], CancelOrder)
        assert [t.state for t in await fleet.trades(pending)] == [TradeState.NEVER_OPENED]

    async def test_a_close_whose_answer_was_lost_is_looked_for_and_not_repeated(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        fleet.broker.answers.append(LOST)
        await fleet.say("Close now", reply_to=number, wait=20)
        closes = [o for o in fleet.broker.received if isinstance(o, ClosePosition)]
        assert len(closes) == 1
        assert await fleet.in_state(IntentState.UNKNOWN) == []

    async def test_a_close_that_never_came_is_sent_again_until_it_is_done(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        fleet.broker.answers.extend([NEVER_CAME, REFUSED_CONNECTION, REQUOTE])
        await fleet.say("Close now", reply_to=number, wait=60)
        assert fleet.broker.book.positions == {}
        assert [t.state for t in await fleet.trades(number)] == [TradeState.CLOSED]

    async def test_move_stop_goes_to_the_named_price(self, fleet: Fleet) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        await fleet.say("Move SL to 2345", reply_to=number, wait=2)
        (held,) = fleet.broker.book.positions.values()
        assert held.stop_loss == Price.of("2345")

    async def test_a_stop_is_never_moved_to_more_risk(self, fleet: Fleet) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        follow_up = await fleet.say("Move SL to 2330", reply_to=number, wait=2)
        (held,) = fleet.broker.book.positions.values()
        assert held.stop_loss == Price.of("2340")
        assert (await fleet.message(follow_up)).reason == "wider_stop"

    async def test_two_instructions_of_one_message_do_not_undo_each_other(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        fleet.broker.price("2355.00", "2355.10")
        await fleet.say("SL to BE\nTP 2375", reply_to=number, wait=3)
        (held,) = fleet.broker.book.positions.values()
        assert (held.stop_loss, held.take_profit) == (Price.of("2350.10"), Price.of("2375"))

    async def test_a_second_message_builds_on_the_first_before_any_look(self, fleet: Fleet) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        fleet.broker.answers.append(Answer(takes=0.5))
        fleet.broker.price("2355.00", "2355.10")
        await fleet.say("SL to BE", reply_to=number, wait=0.1)
        await fleet.say("Move TP to 2375", reply_to=number, wait=3)
        (held,) = fleet.broker.book.positions.values()
        assert (held.stop_loss, held.take_profit) == (Price.of("2350.10"), Price.of("2375"))

    async def test_a_look_that_began_before_an_instruction_does_not_show_it_undone(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        looks = len(fleet.broker.looks)
        fleet.broker.look_takes = 5
        await until(lambda: len(fleet.broker.looks) > looks)
        fleet.broker.look_takes = 0
        await fleet.say("Move SL to 2345", reply_to=number, wait=1)
        fleet.broker.unreadable = True
        await settle_down(10)
        (trade,) = await fleet.trades(number)
        assert trade.stop_loss == Price.of("2345")

    async def test_an_account_that_cannot_be_read_is_asked_seldom_though_looks_were_due(
        self, fleet: Fleet
    ) -> None:
        await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        fleet.broker.unreadable = True
        looks = len(fleet.broker.looks)
        await settle_down(60)
        assert 3 <= len(fleet.broker.looks) - looks <= 12

    async def test_an_older_instruction_that_waits_does_not_undo_a_newer_one(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        fleet.broker.price("2355.00", "2355.10")
        fleet.broker.answers.append(REQUOTE)
        await fleet.say("Move SL to 2345", reply_to=number, wait=0.1)
        await fleet.say("Move SL to 2350", reply_to=number, wait=30)
        (held,) = fleet.broker.book.positions.values()
        assert held.stop_loss == Price.of("2350")
        assert [i.reason for i in await fleet.in_state(IntentState.CANCELLED)] == ["superseded"]

    async def test_a_close_before_the_position_is_listed_closes_it_all_the_same(
        self, fleet: Fleet
    ) -> None:
        fleet.broker.lag = timedelta(seconds=0.5)
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=0.1)
        await fleet.say("Close now", reply_to=number, wait=5)
        assert fleet.broker.book.positions == {}

    async def test_a_cancel_before_the_order_is_listed_cancels_it_all_the_same(
        self, fleet: Fleet
    ) -> None:
        fleet.broker.lag = timedelta(seconds=0.5)
        number = await fleet.say(GOLD_LIMIT, wait=0.1)
        await fleet.say("Cancel", reply_to=number, wait=5)
        assert fleet.broker.book.orders == {}

    async def test_an_instruction_waits_for_the_entry_it_speaks_of(self, fleet: Fleet) -> None:
        fleet.broker.answers.append(Answer(takes=3))
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=0.5)
        follow_up = await fleet.say("Close now", reply_to=number, wait=0.5)
        assert (await fleet.message(follow_up)).state is MessageState.NEW
        await settle_down(5)
        assert fleet.broker.book.positions == {}

    async def test_an_instruction_for_an_entry_that_never_opened_ends_with_it(
        self, fleet: Fleet
    ) -> None:
        fleet.broker.answers.append(NEVER_CAME)
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=0.5)
        follow_up = await fleet.say("Close now", reply_to=number, wait=120)
        assert (await fleet.message(follow_up)).reason == "no_open_trade"
        assert kinds(fleet) == ["OpenOrder"]

    async def test_an_instruction_about_another_symbol_does_nothing(self, fleet: Fleet) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        await fleet.say("EURUSD close now", reply_to=number, wait=2)
        assert len(fleet.broker.book.positions) == 1

    async def test_an_edit_moves_the_levels_of_what_is_open(self, fleet: Fleet) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        await fleet.edit(number, "BUY GOLD 2350 SL 2345 TP 2365", wait=3)
        (held,) = fleet.broker.book.positions.values()
        assert (held.stop_loss, held.take_profit) == (Price.of("2345"), Price.of("2365"))

    async def test_an_edit_moves_the_levels_of_what_is_pending(self, fleet: Fleet) -> None:
        number = await fleet.say(GOLD_LIMIT, wait=2)
        await fleet.edit(number, "BUY LIMIT GOLD 2345 SL 2338 TP 2362", wait=3)
        (order,) = fleet.broker.book.orders.values()
        assert (order.stop_loss, order.take_profit) == (Price.of("2338"), Price.of("2362"))
        assert any(isinstance(sent, ModifyOrder) for sent in fleet.broker.received)

    async def test_an_edited_instruction_is_not_carried_out_again(self, fleet: Fleet) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        half = await fleet.say("Close half", reply_to=number, wait=2)
        await fleet.edit(half, "Close half!", wait=2)
        await fleet.edit(half, "Close half, well done all", wait=2)
        (held,) = fleet.broker.book.positions.values()
        assert held.lots == Lots.of("0.05")

    async def test_a_deleted_message_takes_its_pending_orders_with_it(self, fleet: Fleet) -> None:
        number = await fleet.say(GOLD_LIMIT, wait=2)
        await fleet.delete(number, wait=2)
        assert fleet.broker.book.orders == {}
        assert [t.state for t in await fleet.trades(number)] == [TradeState.NEVER_OPENED]

    async def test_a_deleted_message_leaves_open_trades_their_stop(self, fleet: Fleet) -> None:
        number = await fleet.say(GOLD_BUY, wait=2)
        await fleet.delete(number, wait=2)
        assert {p.stop_loss for p in fleet.broker.book.positions.values()} == {Price.of("2340")}

    async def test_a_deletion_that_comes_first_keeps_the_message_dead(self, fleet: Fleet) -> None:
        await fleet.bring(deleted(CHAT, 7))
        await fleet.bring(posted(a_message(CHAT, 7, GOLD_BUY, fleet.clock.now())), 5)
        assert fleet.broker.received == []

    async def test_a_trade_closed_by_the_user_is_seen_and_left_alone(self, fleet: Fleet) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        (ticket,) = fleet.broker.book.positions
        fleet.broker.exchange.execute(
            HOUSE_ACCOUNT, CloseByHand(position=ticket), fleet.clock.now()
        )
        await settle_down(40)
        assert [t.state for t in await fleet.trades(number)] == [TradeState.CLOSED]
        follow_up = await fleet.say("Close now", reply_to=number, wait=2)
        assert (await fleet.message(follow_up)).reason == "no_open_trade"

    async def test_protective_requests_set_stop_and_target_together(self, fleet: Fleet) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=2)
        await fleet.say("Move SL to 2345", reply_to=number, wait=2)
        (sent,) = [o for o in fleet.broker.received if isinstance(o, ModifyPosition)]
        assert (sent.stop_loss, sent.take_profit) == (Price.of("2345"), Price.of("2360"))
        protects = [i for i in await fleet.intents() if i.action is Action.PROTECT]
        assert [i.state for i in protects] == [IntentState.ACCEPTED]
