"""From a post to settled orders, through one user's whole bot."""

import pytest

from kit.brokers import LOST, NEVER_CAME, NO_MONEY, REFUSED_CONNECTION, REQUOTE, Answer, late
from kit.builders import CHAT, USER
from kit.chat_script import a_message, posted
from kit.clock import settle_down, until
from kit.fleet import GOLD_BUY, GOLD_LIMIT, Fleet
from signalfleet.app.asks import open_asks
from signalfleet.domain.money import Price
from signalfleet.domain.trading.intents import IntentState
from signalfleet.domain.trading.records import CopyOutcome, TradeState
from signalfleet.ports.chat_source import ChatBatch, Edited, Origin, Posted
from signalfleet.ports.inbox import MessageState
from signalfleet.ports.store import CopyMode


async def outcome(fleet: Fleet, number: int) -> tuple[str | None, str | None]:
    (record,) = await fleet.signals(number)
    return record.outcome, record.reason


class TestEntries:
    async def test_a_signal_becomes_one_order_for_each_target(self, fleet: Fleet) -> None:
        number = await fleet.say(GOLD_BUY)
        assert [(str(o.lots), o.stop_loss, o.take_profit) for o in fleet.broker.entries] == [
            ("0.05", Price.of("2340"), Price.of("2360")),
            ("0.05", Price.of("2340"), Price.of("2370")),
        ]
        assert [t.state for t in await fleet.trades(number)] == [TradeState.OPEN] * 2
        assert await outcome(fleet, number) == (CopyOutcome.FILLED, None)
        assert [i.state for i in await fleet.intents()] == [IntentState.ACCEPTED] * 2
        assert (await fleet.message(number)).reason is None

    async def test_what_was_filled_is_known_after_the_next_look(self, fleet: Fleet) -> None:
        number = await fleet.say(GOLD_BUY, wait=1.5)
        assert [t.open_price for t in await fleet.trades(number)] == [Price.of("2350.00")] * 2

    async def test_a_pending_order_works_and_is_followed_when_it_fills(self, fleet: Fleet) -> None:
        number = await fleet.say(GOLD_LIMIT, wait=2)
        assert [t.state for t in await fleet.trades(number)] == [TradeState.PENDING]
        assert await outcome(fleet, number) == (CopyOutcome.WORKING, None)
        fleet.broker.price("2344.80", "2344.90")
        await settle_down(31)
        assert [t.state for t in await fleet.trades(number)] == [TradeState.OPEN]
        assert await outcome(fleet, number) == (CopyOutcome.FILLED, None)

    async def test_a_trade_that_hits_its_target_is_closed_with_its_result(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say(GOLD_BUY, wait=2)
        fleet.broker.price("2360.00", "2360.10")
        await settle_down(32)
        first, second = await fleet.trades(number)
        assert (first.state, first.close_reason) == (TradeState.CLOSED, "take_profit")
        assert first.profit == 50
        assert second.state is TradeState.OPEN

    async def test_a_pending_order_that_ends_between_looks_far_apart_is_found_in_the_history(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say(GOLD_LIMIT, wait=60)
        fleet.broker.unreadable = True
        (ticket,) = fleet.broker.book.orders
        await settle_down(1)
        fleet.broker.price("2344.80", "2344.90")
        fleet.broker.price("2334.00", "2334.10")
        assert ticket not in fleet.broker.book.orders
        await settle_down(1_800)
        fleet.broker.unreadable = False
        await settle_down(90)
        (trade,) = await fleet.trades(number)
        assert (trade.state, trade.close_reason) == (TradeState.CLOSED, "stop_loss")

    async def test_rejected_legs_leave_the_others_standing(self, fleet: Fleet) -> None:
        fleet.broker.answers.append(NO_MONEY)
        number = await fleet.say(GOLD_BUY, wait=2)
        states = [t.state for t in await fleet.trades(number)]
        assert sorted(states) == [TradeState.NEVER_OPENED, TradeState.OPEN]
        assert await outcome(fleet, number) == (CopyOutcome.FILLED, None)

    async def test_a_rejection_is_told_with_the_brokers_code(self, fleet: Fleet) -> None:
        fleet.broker.answers.extend([NO_MONEY, NO_MONEY])
        number = await fleet.say(GOLD_BUY, wait=2)
        assert await outcome(fleet, number) == (
            CopyOutcome.REJECTED,
            "TRADE_RETCODE_NO_MONEY",
        )
        assert len(fleet.broker.entries) == 2

    async def test_a_signal_refused_by_a_rule_is_recorded_with_its_checks(
        self, fleet: Fleet
    ) -> None:
        await fleet.set_rules(symbols_blocked=["XAUUSD"])
        number = await fleet.say(GOLD_BUY)
        assert await outcome(fleet, number) == (CopyOutcome.SKIPPED, "symbol_blocked")
        stages = [step.stage for step in await fleet.trace(number)]
        assert stages == ["received", "read", "checked", "decided"]
        assert fleet.broker.received == []

    async def test_a_signal_found_too_late_is_expired_and_sends_nothing(self, fleet: Fleet) -> None:
        number = await fleet.say(GOLD_BUY, age=600, origin=Origin.REPAIR)
        assert await outcome(fleet, number) == (CopyOutcome.EXPIRED, "too_old")
        assert fleet.broker.received == []

    @pytest.mark.parametrize("origin", [Origin.CONTEXT, Origin.BACKFILL])
    async def test_history_read_for_context_never_trades(
        self, fleet: Fleet, origin: Origin
    ) -> None:
        await fleet.say(GOLD_BUY, origin=origin, wait=40)
        assert fleet.broker.received == []

    async def test_two_signals_of_one_message_share_the_limits(self, fleet: Fleet) -> None:
        await fleet.set_rules(max_open_trades="1")
        number = await fleet.say(
            "BUY GOLD 2350\nSL 2340\nTP 2360\n\nBUY EURUSD 1.1000\nSL 1.0950\nTP 1.1100"
        )
        copies = await fleet.copies(number)
        assert sorted(str(copy.reason) for copy in copies) == ["None", "max_open"]
        assert len(fleet.broker.entries) == 1


class TestModes:
    async def test_a_paper_channel_never_trades_on_a_brokers_account(self, fleet: Fleet) -> None:
        await fleet.set_mode(CopyMode.PAPER)
        number = await fleet.say(GOLD_BUY, wait=5)
        assert fleet.broker.received == []
        assert (await fleet.message(number)).reason == "no_account"

    async def test_a_channel_that_asks_first_sends_nothing_unasked(self, fleet: Fleet) -> None:
        await fleet.set_mode(CopyMode.APPROVE)
        number = await fleet.say(GOLD_BUY, wait=5)
        assert fleet.broker.received == []
        assert (await fleet.message(number)).state is MessageState.NEW
        assert len(await open_asks(fleet.mine, fleet.clock.now())) == 1

    async def test_a_channel_switched_off_is_not_read(self, fleet: Fleet) -> None:
        await fleet.set_mode(CopyMode.OFF)
        number = await fleet.say(GOLD_BUY)
        assert (await fleet.message(number)).reason == "channel_off"


class TestDoubt:
    async def test_an_order_whose_answer_was_lost_is_found_and_not_sent_again(
        self, fleet: Fleet
    ) -> None:
        fleet.broker.answers.extend([LOST, LOST])
        number = await fleet.say(GOLD_BUY, wait=0.2)
        assert await outcome(fleet, number) == (CopyOutcome.UNKNOWN, "timeout")
        await settle_down(2)
        assert await outcome(fleet, number) == (CopyOutcome.FILLED, None)
        assert list(fleet.broker.opened().values()) == [1, 1]
        assert {i.evidence for i in await fleet.intents()} == {"seen in positions"}

    @pytest.mark.parametrize("seconds", [0.7, 10, 60, 89])
    async def test_an_order_executed_late_is_still_one_order(
        self, fleet: Fleet, seconds: float
    ) -> None:
        fleet.broker.answers.append(late(seconds))
        await fleet.say(GOLD_BUY, wait=300)
        assert sorted(fleet.broker.opened().values()) == [1, 1]
        assert len(fleet.broker.entries) == 2

    async def test_an_order_that_never_came_is_given_up_after_the_window(
        self, fleet: Fleet
    ) -> None:
        fleet.broker.answers.extend([NEVER_CAME, NEVER_CAME])
        number = await fleet.say(GOLD_BUY, wait=99)
        assert await outcome(fleet, number) == (CopyOutcome.UNKNOWN, "timeout")
        await settle_down(20)
        assert await outcome(fleet, number) == (CopyOutcome.EXPIRED, "absent_after_doubt")
        assert [t.state for t in await fleet.trades(number)] == [TradeState.NEVER_OPENED] * 2
        assert fleet.broker.opened() == {}
        assert len(fleet.broker.entries) == 2

    async def test_where_absence_is_proved_in_time_there_is_exactly_one_second_try(
        self, fleet: Fleet
    ) -> None:
        await fleet.set_rules(max_signal_age="300")
        fleet.broker.answers.append(NEVER_CAME)
        await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=200)
        first, second = fleet.broker.entries
        assert first.client_id.endswith("_E0")
        assert second.client_id.endswith("_E1")
        assert list(fleet.broker.opened().values()) == [1]

    async def test_each_further_try_follows_a_proof_and_ends_with_the_signals_age(
        self, fleet: Fleet
    ) -> None:
        await fleet.set_rules(max_signal_age="300")
        fleet.broker.answers.extend([NEVER_CAME] * 9)
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=600)
        operations = [order.client_id[-2:] for order in fleet.broker.entries]
        assert operations == ["E0", "E1", "E2"], "a fourth would be older than 300 seconds"
        assert await outcome(fleet, number) == (CopyOutcome.EXPIRED, "absent_after_doubt")

    async def test_brokers_that_rewrite_comments_do_not_lead_to_a_second_order(
        self, fleet: Fleet
    ) -> None:
        await fleet.set_rules(max_signal_age="300")
        fleet.broker.forgets_client_ids = True
        fleet.broker.answers.extend([LOST, LOST])
        number = await fleet.say(GOLD_BUY, wait=400)
        assert len(fleet.broker.entries) == 2
        assert await outcome(fleet, number) == (CopyOutcome.FILLED, None)
        for trade in await fleet.trades(number):
            held = fleet.broker.book.positions[int(trade.position_id or 0)]
            assert held.take_profit == trade.take_profit, "the levels tell the legs apart"

    async def test_a_leg_in_doubt_does_not_take_what_the_other_leg_has_closed(
        self, fleet: Fleet
    ) -> None:
        fleet.broker.forgets_client_ids = True
        fleet.broker.answers.extend([Answer(), NEVER_CAME])
        number = await fleet.say(GOLD_BUY, wait=20)
        fleet.broker.price("2360.00", "2360.10")
        await settle_down(200)
        states = [trade.state for trade in await fleet.trades(number)]
        assert states == [TradeState.CLOSED, TradeState.NEVER_OPENED]

    async def test_a_leg_in_doubt_takes_nothing_of_a_leg_that_is_being_changed(
        self, fleet: Fleet
    ) -> None:
        await fleet.set_rules(break_even="at_r 0.5")
        fleet.broker.forgets_client_ids = True
        fleet.broker.answers.extend([Answer(), NEVER_CAME, Answer(takes=20)])
        number = await fleet.say(GOLD_BUY, wait=5)
        fleet.broker.price("2356.00", "2356.10")
        await until(lambda: len(fleet.broker.received) > 2)
        fleet.broker.price("2349.90", "2350.00")
        await settle_down(200)
        states = [trade.state for trade in await fleet.trades(number)]
        assert states == [TradeState.CLOSED, TradeState.NEVER_OPENED]

    async def test_an_unknown_entry_holds_back_new_ones_in_its_symbol(self, fleet: Fleet) -> None:
        fleet.broker.answers.append(NEVER_CAME)
        await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=1)
        await fleet.say("BUY GOLD 2350 SL 2330 TP 2380", wait=5)
        assert len(fleet.broker.entries) == 1

    async def test_an_order_that_did_not_leave_is_sent_when_it_can(self, fleet: Fleet) -> None:
        fleet.broker.answers.extend([REFUSED_CONNECTION] * 3)
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=10)
        (order,) = fleet.broker.entries
        assert order.client_id.endswith("_E0")
        assert await outcome(fleet, number) == (CopyOutcome.FILLED, None)

    async def test_an_order_that_cannot_leave_in_time_expires(self, fleet: Fleet) -> None:
        fleet.broker.answers.extend([REFUSED_CONNECTION] * 1_000)
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=60)
        assert fleet.broker.entries == []
        assert await outcome(fleet, number) == (CopyOutcome.EXPIRED, "too_old")

    async def test_an_order_held_back_is_not_sent_at_a_price_that_has_moved(
        self, fleet: Fleet
    ) -> None:
        fleet.broker.answers.append(REFUSED_CONNECTION)
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=0)
        fleet.broker.price("2353.00", "2353.10")
        await settle_down(5)
        assert fleet.broker.entries == []
        assert await outcome(fleet, number) == (CopyOutcome.CANCELLED, "price_moved")

    async def test_an_order_held_back_is_not_sent_after_its_message_was_deleted(
        self, fleet: Fleet
    ) -> None:
        fleet.broker.answers.append(REFUSED_CONNECTION)
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=0)
        await fleet.delete(number, wait=5)
        assert fleet.broker.entries == []
        assert await outcome(fleet, number) == (CopyOutcome.CANCELLED, "deleted")

    async def test_a_requote_is_answered_by_one_more_try_after_a_full_look(
        self, fleet: Fleet
    ) -> None:
        fleet.broker.answers.extend([REQUOTE, REQUOTE])
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360", wait=20)
        assert len(fleet.broker.entries) == 2
        assert await outcome(fleet, number) == (
            CopyOutcome.REJECTED,
            "TRADE_RETCODE_REQUOTE",
        )


class TestDeliveries:
    async def test_one_revision_delivered_three_times_is_one_decision(self, fleet: Fleet) -> None:
        message = a_message(CHAT, 7, GOLD_BUY, fleet.clock.now())
        for _ in range(3):
            await fleet.bring(posted(message))
        await fleet.bring(posted(message, Origin.REPAIR))
        assert len(fleet.broker.entries) == 2
        repeats = fleet.metrics.counts["signalfleet_duplicate_deliveries_total", ()]
        assert repeats == 3

    async def test_a_storm_of_edits_is_one_entry(self, fleet: Fleet) -> None:
        number = await fleet.say(GOLD_BUY)
        for storm in range(75):
            await fleet.edit(number, f"{GOLD_BUY}\nGood luck {'!' * storm}", wait=0.05)
        await settle_down(60)
        assert len(fleet.broker.entries) == 2
        assert sorted(fleet.broker.opened().values()) == [1, 1]

    async def test_a_storm_of_edits_before_anything_was_decided_is_one_entry(
        self, fleet: Fleet
    ) -> None:
        now = fleet.clock.now()
        first = a_message(CHAT, 7, GOLD_BUY, now)
        items: list[Posted | Edited] = [Posted(message=first)]
        for storm in range(75):
            text = f"{GOLD_BUY}\nGood luck {'!' * storm}"
            edit = a_message(CHAT, 7, text, now, edited_at=fleet.clock.now())
            items.append(Edited(message=edit))
        await fleet.bring(ChatBatch(chat=CHAT, origin=Origin.LIVE, items=tuple(items)), 30)
        assert len(fleet.broker.entries) == 2

    async def test_an_edit_that_brings_the_levels_enters_once(self, fleet: Fleet) -> None:
        number = await fleet.say("BUY GOLD NOW")
        assert fleet.broker.entries == []
        await fleet.edit(number, "BUY GOLD NOW\nSL 2340\nTP 2360")
        assert len(fleet.broker.entries) == 1
        await fleet.edit(number, "BUY GOLD NOW\nSL 2340\nTP 2360\nGood luck")
        assert len(fleet.broker.entries) == 1

    async def test_an_edit_that_replaced_an_unread_text_is_read_as_the_first(
        self, fleet: Fleet
    ) -> None:
        now = fleet.clock.now()
        old = a_message(CHAT, 7, "BUY GOLD 2350 SL 2345 TP 2360", now)
        new = a_message(CHAT, 7, "BUY GOLD 2350 SL 2340 TP 2360", now, edited_at=now)
        items = (Posted(message=old), Edited(message=new))
        await fleet.bring(ChatBatch(chat=CHAT, origin=Origin.LIVE, items=items))
        assert [order.stop_loss for order in fleet.broker.entries] == [Price.of("2340")]

    async def test_a_flip_of_side_by_edit_opens_nothing(self, fleet: Fleet) -> None:
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2360")
        await fleet.edit(number, "SELL GOLD 2350 SL 2360 TP 2340", wait=5)
        assert len(fleet.broker.entries) == 1

    async def test_a_lost_wake_up_costs_time_but_no_signal(self, fleet: Fleet) -> None:
        message = a_message(CHAT, 7, GOLD_BUY, fleet.clock.now())
        epoch = fleet.manager.epoch_of(USER)
        await fleet.mine.inbox.add(posted(message), fleet.clock.now(), epoch)
        await settle_down(31)
        assert len(fleet.broker.entries) == 2

    async def test_the_same_idea_posted_again_is_not_copied_twice(self, fleet: Fleet) -> None:
        await fleet.say(GOLD_BUY, wait=2)
        again = await fleet.say(GOLD_BUY, wait=2)
        assert await outcome(fleet, again) == (CopyOutcome.SKIPPED, "repeat_of")

    async def test_a_poisonous_message_is_set_aside_and_the_next_one_is_handled(
        self, fleet: Fleet
    ) -> None:
        await fleet.set_rules(scope=f"channel:{CHAT}", risk_percent="no number")
        poisoned = await fleet.say(GOLD_BUY)
        await fleet.mine.settings.put(f"channel:{CHAT}", {}, 1)
        healthy = await fleet.say(GOLD_BUY)
        stored = await fleet.message(poisoned)
        assert (stored.state, stored.reason) == (MessageState.QUARANTINED, "DomainError")
        assert await outcome(fleet, healthy) == (CopyOutcome.FILLED, None)
        assert fleet.metrics.counts["signalfleet_messages_quarantined_total", ()] == 1
