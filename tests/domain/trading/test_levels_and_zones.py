"""Whose stop and targets a copy has, and at which prices of a zone it enters."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from kit.builders import (
    GOLD,
    a_place,
    a_question,
    a_quote,
    a_range,
    a_signal,
    account_facts,
    after,
    effective,
    rules,
)
from kit.clock import START
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.checks import OpenCopy
from signalfleet.domain.risk.refusal import Refusal
from signalfleet.domain.risk.shares import layer_shares
from signalfleet.domain.signals.model import OrderKind, Signal
from signalfleet.domain.trading.entry import against_entry
from signalfleet.domain.trading.intents import OpenLeg
from signalfleet.domain.trading.legs import target_of
from signalfleet.domain.trading.plan import PlanInput, TradePlan, plan_signal

NO_STOP = a_signal(stop=None)


def planned(question: PlanInput) -> TradePlan:
    plan = plan_signal(question)
    assert isinstance(plan, TradePlan), plan
    return plan


def refused(question: PlanInput) -> str:
    refusal = plan_signal(question)
    assert isinstance(refusal, Refusal), refusal
    return refusal.code


def legs_of(plan: TradePlan) -> list[OpenLeg]:
    return [i.command for i in plan.intents if isinstance(i.command, OpenLeg)]


def shown(price: Price | None) -> str | None:
    return None if price is None else f"{price.value.normalize():f}"


def asked(signal: Signal | None = None, **doc: object) -> PlanInput:
    return a_question(signal, effective=effective(**doc))


class TestStops:
    def test_the_users_own_stop_replaces_the_signals(self) -> None:
        plan = planned(asked(stop_source="custom", custom_stop="50 pips"))
        assert plan.stop == Price.of("2345")
        assert plan.levels.stop_from == "custom_stop from your default"

    def test_the_users_own_stop_stands_in_only_where_none_is_stated(self) -> None:
        doc: dict[str, Any] = {"stop_source": "provider_else_custom", "custom_stop": "1 %"}
        assert planned(asked(**doc)).stop == Price.of("2340")
        assert planned(asked(NO_STOP, **doc)).stop == Price.of("2326.50")

    @pytest.mark.parametrize("policy", ["refuse", "wait"])
    def test_a_signal_without_a_stop_is_refused_by_the_plan(self, policy: str) -> None:
        assert refused(asked(NO_STOP, no_stop=policy)) == "no_stop"

    def test_an_own_stop_that_is_not_set_is_no_stop(self) -> None:
        assert refused(asked(NO_STOP, no_stop="custom")) == "no_stop"

    def test_a_missing_stop_may_be_the_users_own(self) -> None:
        plan = planned(asked(NO_STOP, no_stop="custom", custom_stop="800 points"))
        assert plan.stop == Price.of("2342")

    def test_without_a_stop_fixed_lots_go_out_and_count_as_the_assumed_loss(self) -> None:
        doc: dict[str, Any] = {"no_stop": "allow", "size_mode": "fixed_lots", "fixed_lots": "0.02"}
        plan = planned(asked(NO_STOP, **doc, assumed_loss_percent="3"))
        (leg,) = legs_of(plan)
        assert (leg.stop_loss, leg.lots) == (None, Lots.of("0.02"))
        assert plan.sizing.got_money == 300
        assert refused(asked(NO_STOP, **doc, assumed_loss_percent="6")) == "open_risk"
        assert refused(asked(NO_STOP, no_stop="allow")) == "no_stop"

    def test_padding_moves_the_stop_away_and_makes_the_trade_smaller(self) -> None:
        plan = planned(asked(stop_padding="100"))
        assert plan.stop == Price.of("2330")
        assert plan.sizing.lots == Lots.of("0.05")

    @pytest.mark.parametrize(
        ("doc", "passes"),
        [
            ({"min_stop_distance": "101 pips"}, False),
            ({"min_stop_distance": "100 pips"}, True),
            ({"max_stop_distance": "99 pips"}, False),
            ({"max_stop_distance": "0.5 %"}, True),
        ],
    )
    def test_stops_nearer_or_farther_than_the_user_wants_are_refused(
        self, doc: dict[str, Any], passes: bool
    ) -> None:
        result = plan_signal(asked(**doc))
        assert isinstance(result, TradePlan) is passes
        if isinstance(result, Refusal):
            assert result.code == "stop_distance"


class TestTargets:
    SIGNAL = a_signal(targets=tuple(Price.of(price) for price in ("2360", "2370", "2380")))

    def test_the_users_own_targets_are_distances_and_multiples_of_the_risk(self) -> None:
        plan = planned(asked(target_source="custom", custom_targets=["1 R", "150 pips", "1 %"]))
        assert [shown(leg.take_profit) for leg in legs_of(plan)] == ["2360", "2365", "2373.5"]

    def test_only_the_targets_that_are_used_get_a_leg_with_the_channels_number(self) -> None:
        plan = planned(asked(self.SIGNAL, targets_used=["1", "3"]))
        assert [trade.leg for trade in plan.trades] == [1, 3]
        assert refused(asked(self.SIGNAL, targets_used=["7"])) == "no_target"

    def test_the_size_is_shared_by_weight(self) -> None:
        plan = planned(asked(self.SIGNAL, target_weights=["70", "20", "10"]))
        assert [str(trade.volume) for trade in plan.trades] == ["0.07", "0.02", "0.01"]

    def test_a_target_beyond_the_weights_is_not_used(self) -> None:
        plan = planned(asked(self.SIGNAL, target_weights=["50", "50"]))
        assert [trade.leg for trade in plan.trades] == [1, 2]

    @pytest.mark.parametrize(
        ("policy", "last"), [("runner", None), ("3 R", "2380"), ("drop", "2360")]
    )
    def test_an_open_target_runs_on_is_dropped_or_gets_a_price(
        self, policy: str, last: str | None
    ) -> None:
        signal = a_signal(targets=(Price.of("2360"), None))
        plan = planned(asked(signal, open_target=policy))
        assert shown(legs_of(plan)[-1].take_profit) == last


class TestReverse:
    def test_the_side_turns_and_stop_and_first_target_change_places(self) -> None:
        plan = planned(asked(reverse=True))
        (leg,) = legs_of(plan)
        assert (leg.side, leg.stop_loss) == (Side.SELL, Price.of("2360"))
        assert leg.take_profit == Price.of("2340")

    def test_without_a_target_there_is_nothing_to_turn(self) -> None:
        assert refused(asked(a_signal(targets=()), reverse=True)) == "no_target"

    def test_a_limit_becomes_the_stop_order_of_the_other_side(self) -> None:
        signal = a_signal(
            order=OrderKind.LIMIT,
            entry=a_range("2340"),
            stop=Price.of("2330"),
            targets=(Price.of("2360"),),
        )
        (leg,) = legs_of(planned(asked(signal, reverse=True)))
        assert (leg.kind, leg.side, leg.price) == (OrderKind.STOP, Side.SELL, Price.of("2340"))

    def test_an_earlier_reversed_trade_of_the_same_side_is_no_conflict(self) -> None:
        earlier = OpenCopy(
            channel=a_place().chat,
            message=1,
            symbol="XAUUSD",
            side=Side.BUY,
            entry=a_range("2300"),
            stop=Price.of("2290"),
            risk=Decimal(10),
            decided_at=START,
            is_live=True,
            is_reversed=True,
        )
        planned(replace(asked(reverse=True), copies=[earlier]))
        plain = replace(earlier, is_reversed=False)
        assert refused(replace(asked(reverse=True), copies=[plain])) == "opposite_open"


class TestZones:
    """A buy zone from 2344 to 2350; the price comes from above."""

    SIGNAL = a_signal(entry=a_range("2344", "2350"), targets=(Price.of("2380"),))
    ABOVE = a_quote("2355", "2355.10")
    INSIDE = a_quote("2346.90", "2347")

    def orders(self, question: PlanInput) -> list[tuple[str, str | None]]:
        return [(leg.kind.value, shown(leg.price)) for leg in legs_of(planned(question))]

    @pytest.mark.parametrize(
        ("mode", "price"), [("near", "2350"), ("middle", "2347"), ("far", "2344")]
    )
    def test_the_order_waits_at_the_chosen_depth(self, mode: str, price: str) -> None:
        question = replace(asked(self.SIGNAL, zone_mode=mode), quote=self.ABOVE)
        assert self.orders(question) == [("limit", price)]

    def test_inside_the_zone_a_deeper_price_is_still_waited_for(self) -> None:
        far = replace(asked(self.SIGNAL, zone_mode="far"), quote=self.INSIDE)
        assert self.orders(far) == [("limit", "2344")]
        near = replace(asked(self.SIGNAL), quote=self.INSIDE)
        assert self.orders(near) == [("market", None)]

    def test_layers_share_one_budget_from_near_to_far(self) -> None:
        question = replace(
            asked(self.SIGNAL, zone_mode="layers", layers="4", risk_percent="2"), quote=self.ABOVE
        )
        plan = planned(question)
        assert self.orders(question) == [
            ("limit", "2350"),
            ("limit", "2348"),
            ("limit", "2346"),
            ("limit", "2344"),
        ]
        assert [trade.leg for trade in plan.trades] == [1, 101, 201, 301]
        assert {target_of(trade.leg) for trade in plan.trades} == {1}
        assert plan.sizing.got_money <= 200

    def test_layers_that_the_price_has_reached_go_at_market_together(self) -> None:
        question = replace(
            asked(self.SIGNAL, zone_mode="layers", layers="4"), quote=a_quote("2346.90", "2347")
        )
        assert self.orders(question) == [
            ("market", None),
            ("limit", "2346"),
            ("limit", "2344"),
        ]
        plan = planned(question)
        assert [choice.share for choice in plan.choices] == [
            Decimal("0.5"),
            Decimal("0.25"),
            Decimal("0.25"),
        ]

    def test_each_layer_is_split_over_the_targets(self) -> None:
        signal = replace(self.SIGNAL, targets=(Price.of("2380"), Price.of("2390")))
        question = replace(asked(signal, zone_mode="layers", layers="2"), quote=self.ABOVE)
        assert [trade.leg for trade in planned(question).trades] == [1, 2, 101, 102]

    def test_a_netting_account_gets_one_order(self) -> None:
        question = replace(
            asked(self.SIGNAL, zone_mode="layers"),
            quote=self.ABOVE,
            account=account_facts(margin_mode="netting"),
        )
        assert self.orders(question) == [("limit", "2350")]

    def test_a_waiting_layer_may_leave_while_its_price_is_not_reached(self) -> None:
        question = replace(asked(self.SIGNAL, zone_mode="layers"), quote=self.INSIDE)
        deepest = legs_of(planned(question))[-1]
        entry = self.SIGNAL.entry
        assert against_entry(deepest, entry, self.INSIDE, rules()) is None
        through = a_quote("2343", "2343.10")
        assert against_entry(deepest, entry, through, rules()) == "price_moved"

    def test_decreasing_layers_halve_each_time(self) -> None:
        shares = [f"{share * 100:.3f}" for share in layer_shares("decreasing", 4)]
        assert shares == ["53.333", "26.667", "13.333", "6.667"]


def test_the_users_deviation_bounds_the_last_price_of_an_order_at_market() -> None:
    (leg,) = legs_of(planned(asked(max_deviation="50")))
    assert leg.worst == Price.of("2350.50")
    (auto,) = legs_of(planned(asked()))
    assert auto.worst == Price.of("2352.50")


def test_a_plan_keeps_the_id_of_its_settings() -> None:
    one, other = planned(asked()), planned(asked(risk_percent="0.5"))
    assert one.settings == planned(asked()).settings != other.settings


def test_a_broker_that_wants_room_gets_near_layers_at_market() -> None:
    question = replace(
        asked(TestZones.SIGNAL, zone_mode="layers", layers="4"),
        quote=TestZones.INSIDE,
        instrument=replace(GOLD, stops_level=150),
    )
    kinds = [leg.kind for leg in legs_of(planned(question))]
    assert kinds == [OrderKind.MARKET, OrderKind.LIMIT]


def test_a_stated_expiry_ends_each_layer() -> None:
    signal = replace(TestZones.SIGNAL, expires_at=after(600))
    question = replace(asked(signal, zone_mode="layers"), quote=TestZones.ABOVE)
    assert {leg.expires_at for leg in legs_of(planned(question))} == {after(600)}
