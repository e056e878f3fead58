"""Follow-ups, edits and deletions by the user's settings, through one user's whole bot."""

from dataclasses import replace
from typing import Any

import pytest

from kit.builders import CHAT
from kit.chat_script import a_message, posted
from kit.clock import settle_down
from kit.fleet import GOLD_BUY, GOLD_LIMIT, Fleet
from signalfleet.domain.exchange.model import MarginMode
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.trading.orders import ModifyPosition, OpenOrder
from signalfleet.domain.trading.records import TradeState
from signalfleet.ports.chat_source import Origin

ONE = "BUY GOLD 2350 SL 2340 TP 2380"
THREE = "BUY GOLD 2350 SL 2340 TP 2360 TP 2370 TP 2380"


@pytest.fixture
async def netting(fleet: Fleet) -> Fleet:
    fleet.broker.margin_mode = "netting"
    book = fleet.broker.book
    book.terms = replace(book.terms, mode=MarginMode.NETTING)
    await settle_down(601)
    return fleet


def levels(fleet: Fleet) -> list[tuple[str, str]]:
    def text(price: Price | None) -> str:
        return "none" if price is None else f"{price.value.normalize():f}"

    held = sorted(fleet.broker.book.positions.values(), key=lambda one: one.ticket)
    return [(text(one.stop_loss), text(one.take_profit)) for one in held]


async def reason(fleet: Fleet, number: int, rev: int = 0) -> str | None:
    return (await fleet.message(number, rev)).reason


class TestBreakEvenThatWaits:
    async def test_it_is_armed_and_set_as_soon_as_the_price_allows_it(self, fleet: Fleet) -> None:
        number = await fleet.say(ONE, wait=2)
        fleet.broker.price("2348.00", "2348.10")
        reply = await fleet.say("SL to BE", reply_to=number, wait=20)
        assert levels(fleet) == [("2340", "2380")]
        trace = str([step.facts for step in await fleet.trace(reply) if step.stage == "followed"])
        assert "as soon as the price allows it" in trace
        fleet.broker.price("2352.00", "2352.10")
        await settle_down(20)
        assert levels(fleet) == [("2350.1", "2380")]

    async def test_a_restart_does_not_disarm_it(self, fleet: Fleet) -> None:
        number = await fleet.say(ONE, wait=2)
        fleet.broker.price("2348.00", "2348.10")
        await fleet.say("SL to BE", reply_to=number, wait=20)
        await fleet.restart()
        fleet.broker.price("2352.00", "2352.10")
        await settle_down(20)
        assert levels(fleet) == [("2350.1", "2380")]
        moves = [o for o in fleet.broker.received if isinstance(o, ModifyPosition)]
        assert len(moves) == 1

    async def test_a_later_target_does_not_disarm_it(self, fleet: Fleet) -> None:
        number = await fleet.say(ONE, wait=2)
        fleet.broker.price("2348.00", "2348.10")
        await fleet.say("SL to BE\nTP 2375", reply_to=number, wait=20)
        fleet.broker.price("2352.00", "2352.10")
        await settle_down(40)
        assert levels(fleet) == [("2350.1", "2375")]


class TestStopsAndTrails:
    async def test_a_stop_that_is_passed_is_flagged_or_closes_by_the_users_wish(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say(ONE, wait=2)
        fleet.broker.price("2348.00", "2348.10")
        flagged = await fleet.say("Move SL to 2349", reply_to=number, wait=2)
        assert (await reason(fleet, flagged), len(levels(fleet))) == ("late_stop", 1)
        await fleet.set_rules(late_stop="close")
        far = await fleet.say("Move SL to 2365", reply_to=number, wait=2)
        assert (await reason(fleet, far), len(levels(fleet))) == ("late_stop", 1)
        old = await fleet.say("Move SL to 2349.5", reply_to=number, wait=2, origin=Origin.REPAIR)
        assert (await reason(fleet, old), len(levels(fleet))) == ("late_stop", 1)
        await fleet.say("Move SL to 2349", reply_to=number, wait=5)
        assert levels(fleet) == []

    async def test_a_message_may_let_the_stop_follow(self, fleet: Fleet) -> None:
        await fleet.set_rules(trailing_distance="500 points", break_even="message_only")
        number = await fleet.say(ONE, wait=20)
        fleet.broker.price("2356.00", "2356.10")
        await settle_down(20)
        assert levels(fleet) == [("2340", "2380")]
        await fleet.say("Trail your stop 30000 pips", reply_to=number, wait=20)
        assert levels(fleet) == [("2353", "2380")], "a pip of this house is 0.0001"
        fleet.broker.price("2360.00", "2360.10")
        await settle_down(20)
        assert levels(fleet) == [("2357", "2380")]

    async def test_a_wider_stop_goes_out_only_by_permission_and_stays(self, fleet: Fleet) -> None:
        await fleet.set_rules(allow_wider_stop=True)
        number = await fleet.say(ONE, wait=2)
        await fleet.say("Move SL to 2335", reply_to=number, wait=60)
        assert levels(fleet) == [("2335", "2380")]


class TestTargetsOfOnePosition:
    async def test_an_earlier_target_moves_and_is_taken_where_it_is_now(
        self, netting: Fleet
    ) -> None:
        number = await netting.say(THREE, wait=2)
        await netting.say("Move TP1 to 2364", reply_to=number, wait=5)
        netting.broker.price("2361.00", "2361.10")
        await settle_down(20)
        (held,) = netting.broker.book.positions.values()
        assert (held.lots, held.stop_loss) == (Lots.of("0.10"), Price.of("2340"))
        netting.broker.price("2364.10", "2364.20")
        await settle_down(30)
        (held,) = netting.broker.book.positions.values()
        assert (held.lots, held.stop_loss) == (Lots.of("0.06"), Price.of("2350.10"))

    async def test_one_that_is_passed_already_is_taken_at_once(self, netting: Fleet) -> None:
        number = await netting.say(THREE, wait=2)
        netting.broker.price("2356.00", "2356.10")
        await netting.say("Move TP1 to 2355", reply_to=number, wait=5)
        (held,) = netting.broker.book.positions.values()
        assert held.lots == Lots.of("0.06")

    async def test_a_part_close_leaves_the_share_that_was_named(self, netting: Fleet) -> None:
        number = await netting.say(THREE, wait=2)
        await netting.say("Close half", reply_to=number, wait=5)
        (held,) = netting.broker.book.positions.values()
        assert held.lots == Lots.of("0.05")


class TestPartsWithoutAShare:
    async def test_the_user_is_asked_how_much(self, fleet: Fleet) -> None:
        number = await fleet.say(GOLD_BUY, wait=2)
        part = await fleet.say("Take partials", reply_to=number, wait=2)
        assert (await reason(fleet, part), len(levels(fleet))) == ("fraction_unstated", 2)
        await fleet.set_rules(partial_default="0.5")
        await fleet.say("Take partials", reply_to=number, wait=2)
        assert len(levels(fleet)) == 1


class TestEdits:
    EDITED = "BUY GOLD 2350 SL 2345 TP 2360 TP 2375"

    async def edit(self, fleet: Fleet, text: str) -> list[tuple[str, str]]:
        number = await fleet.say(GOLD_BUY, wait=2)
        await settle_down(2)
        await fleet.edit(number, text, wait=5)
        return levels(fleet)

    async def test_they_amend_what_is_open(self, fleet: Fleet) -> None:
        assert await self.edit(fleet, self.EDITED) == [("2345", "2360"), ("2345", "2375")]

    async def test_a_target_more_or_less_moves_the_last_leg(self, fleet: Fleet) -> None:
        more = "BUY GOLD 2350 SL 2340 TP 2360 TP 2370 TP 2390"
        assert await self.edit(fleet, more) == [("2340", "2360"), ("2340", "2390")]
        assert len([o for o in fleet.broker.received if isinstance(o, OpenOrder)]) == 2

    async def test_or_only_protect_or_nothing(self, fleet: Fleet) -> None:
        await fleet.set_rules(edit_policy="protective_only")
        assert await self.edit(fleet, self.EDITED) == [("2345", "2360"), ("2345", "2370")]

    async def test_a_signal_turned_round_may_close_its_trades(self, fleet: Fleet) -> None:
        await fleet.set_rules(on_flip="close")
        assert await self.edit(fleet, "SELL GOLD 2350 SL 2360 TP 2340") == []
        assert len([o for o in fleet.broker.received if isinstance(o, OpenOrder)]) == 2

    async def test_a_first_entry_by_an_edit_is_the_users_choice(self, fleet: Fleet) -> None:
        await fleet.set_rules(entry_on_edit=False)
        number = await fleet.say("Watching gold now, stay tuned", wait=2)
        await fleet.edit(number, GOLD_BUY, wait=2)
        assert (await reason(fleet, number, 1), levels(fleet)) == ("entry_on_edit_off", [])


class TestDeletions:
    @pytest.mark.parametrize(
        ("policy", "left", "why"),
        [
            ("ignore", [("2340", "2380")], "deleted"),
            ("cancel_pending", [("2340", "2380")], "nothing_pending"),
            ("break_even", [("2350.1", "2380")], None),
            ("close", [], None),
            ("ask", [("2340", "2380")], "delete_asks"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_an_open_trade_is_treated_by_the_policy(
        self, fleet: Fleet, policy: str, left: list[Any], why: str | None
    ) -> None:
        await fleet.set_rules(delete_policy=policy)
        number = await fleet.say(ONE, wait=2)
        fleet.broker.price("2355.00", "2355.10")
        await settle_down(2)
        await fleet.delete(number, wait=5)
        assert levels(fleet) == left
        assert await reason(fleet, number, 1) == why

    @pytest.mark.parametrize("policy", ["cancel_pending", "break_even", "close", "ask"])
    async def test_an_order_that_waits_is_cancelled(self, fleet: Fleet, policy: str) -> None:
        await fleet.set_rules(delete_policy=policy)
        number = await fleet.say(GOLD_LIMIT, wait=2)
        await fleet.delete(number, wait=5)
        assert fleet.broker.book.orders == {}
        assert [t.state for t in await fleet.trades(number)] == [TradeState.NEVER_OPENED]


class TestAfterAGap:
    async def test_of_several_changes_of_a_level_only_the_last_goes_out(self, fleet: Fleet) -> None:
        number = await fleet.say(ONE, wait=2)
        texts = ("Move SL to 2343", "TP 2375", "Move SL to 2346", "SL to 2347 now", "TP 2372")
        now = fleet.clock.now()
        batch = [
            a_message(CHAT, number + at, text, now, reply_to=number)
            for at, text in enumerate(texts, start=1)
        ]
        first = posted(batch[0], Origin.REPAIR)
        items = tuple(item for one in batch for item in posted(one, Origin.REPAIR).items)
        await fleet.bring(replace(first, items=items), wait=10)
        assert levels(fleet) == [("2347", "2372")]
        moves = [o for o in fleet.broker.received if isinstance(o, ModifyPosition)]
        assert len(moves) == 2
        assert [await reason(fleet, number + at) for at in range(1, 6)] == [
            "superseded_by_newer", "superseded_by_newer", "superseded_by_newer", None, None,
        ]  # fmt: skip

    async def test_what_came_live_is_carried_out_one_by_one(self, fleet: Fleet) -> None:
        number = await fleet.say(ONE, wait=2)
        await fleet.say("Move SL to 2343", reply_to=number, wait=0.01)
        await fleet.say("Move SL to 2346", reply_to=number, wait=5)
        assert levels(fleet) == [("2346", "2380")]


async def test_a_signal_out_of_the_window_is_not_meant_by_a_message_without_a_name(
    fleet: Fleet,
) -> None:
    await fleet.set_rules(follow_up_window="1")
    await fleet.say(ONE, wait=3700)
    fleet.broker.price("2355.00", "2355.10")
    late = await fleet.say("Move SL to 2345", wait=5)
    assert await reason(fleet, late) == "target_trade_unclear"
    await fleet.set_rules(follow_up_window="2")
    await fleet.say("Move SL to 2345", wait=5)
    assert levels(fleet) == [("2345", "2380")]
