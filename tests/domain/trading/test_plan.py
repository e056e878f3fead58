"""From a signal to the orders of a copy: each reason against it, and laws of every plan."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.builders import (
    GOLD,
    a_gate,
    a_place,
    a_question,
    a_quote,
    a_range,
    a_signal,
    account_facts,
    after,
    effective,
)
from kit.clock import START
from signalfleet.domain.ids import client_id_stem
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.checks import OpenCopy
from signalfleet.domain.risk.refusal import Refusal
from signalfleet.domain.signals.model import OrderKind, PriceRange
from signalfleet.domain.trading.before_prices import check_before_prices
from signalfleet.domain.trading.intents import IntentState, OpenLeg
from signalfleet.domain.trading.plan import PlanInput, TradePlan, plan_signal
from signalfleet.domain.trading.records import TradeState


def planned(question: PlanInput) -> TradePlan:
    plan = plan_signal(question)
    assert isinstance(plan, TradePlan), plan
    return plan


def a_copy(**changes: Any) -> OpenCopy:
    fields: dict[str, Any] = {
        "channel": a_place().chat,
        "message": 1,
        "symbol": "XAUUSD",
        "side": Side.BUY,
        "entry": a_range("2330"),
        "stop": Price.of("2300"),
        "risk": Decimal(10),
        "decided_at": START - timedelta(minutes=5),
        "is_live": True,
    }
    return OpenCopy(**(fields | changes))


def legs_of(plan: TradePlan) -> list[OpenLeg]:
    return [i.command for i in plan.intents if isinstance(i.command, OpenLeg)]


def targets_of(plan: TradePlan) -> list[Decimal]:
    return [leg.target.value for leg in plan.legs if leg.target is not None]


def test_a_plan_says_what_is_sent_by_ids_that_never_change() -> None:
    signal = a_signal(targets=(Price.of("2360"), Price.of("2370"), None))
    plan = planned(a_question(signal))
    assert [i.client_id for i in plan.intents] == [t.client_id for t in plan.trades]
    assert plan.intents[0].client_id == "S165_EJIQROFJUNEUDZLA_E0"
    assert plan.intents[0].intent_id == "i7EZCPFCS3G6WU6Z6RZ6I6PQA"
    assert {i.state for i in plan.intents} == {IntentState.SENDING}
    assert {t.state for t in plan.trades} == {TradeState.OPENING}
    assert [leg.take_profit for leg in legs_of(plan)] == [Price.of("2360"), Price.of("2370"), None]
    assert [leg.magic for leg in legs_of(plan)] == [1_645_231_676] * 3
    assert plan.fresh_until == START + timedelta(seconds=43)
    assert all(i.valid_until == plan.fresh_until for i in plan.intents)


def test_all_reasons_that_need_no_price_are_looked_at_together() -> None:
    question = a_question(
        gate=a_gate(halted=True, investor=True, posted_at=START - timedelta(minutes=5)),
        effective=effective(symbols_blocked=["XAUUSD"]),
    )
    refusal = plan_signal(question)
    assert isinstance(refusal, Refusal)
    failed = [check.code for check in refusal.checks if not check.passed]
    assert failed == ["halted", "investor_password", "symbol_blocked", "too_old"]


@pytest.mark.parametrize(
    ("copy", "change"),
    [
        ({"entry": a_range("2350"), "stop": Price.of("2340"), "channel": 5}, {}),
        ({"entry": a_range("2350"), "stop": Price.of("2338")}, {}),
        ({"entry": a_range("2350"), "stop": Price.of("2340")}, {"is_addition": True}),
        (
            {
                "entry": a_range("2350"),
                "stop": Price.of("2340"),
                "is_live": False,
                "decided_at": START - timedelta(minutes=241),
            },
            {},
        ),
    ],
)
def test_another_channel_another_idea_an_addition_and_long_ago_are_no_repeats(
    copy: dict[str, Any], change: dict[str, Any]
) -> None:
    rules = effective(cross_channel="allow")
    planned(a_question(a_signal(**change), copies=[a_copy(**copy)], effective=rules))


def test_an_idea_that_lives_is_a_repeat_however_old_it_is() -> None:
    copy = a_copy(
        entry=a_range("2350"), stop=Price.of("2340.5"), decided_at=START - timedelta(days=9)
    )
    refusal = plan_signal(a_question(copies=[copy]))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "repeat_of"


def test_the_age_is_allowed_one_second_of_telegrams_rounding() -> None:
    planned(a_question(gate=a_gate(posted_at=START - timedelta(seconds=46))))


@pytest.mark.parametrize("side", Side)
def test_stops_and_targets_in_pips_count_from_the_near_edge(side: Side) -> None:
    signal = a_signal(
        side,
        entry=a_range("2349", "2351"),
        stop=None,
        targets=(),
        stop_pips=Decimal(100),
        target_pips=(Decimal(50), Decimal(150)),
    )
    plan = planned(a_question(signal))
    near = Decimal(2351 if side is Side.BUY else 2349)
    assert plan.stop == Price(near - 10 * side.sign)
    assert targets_of(plan) == [near + 5 * side.sign, near + 15 * side.sign]


@pytest.mark.parametrize("side", Side)
def test_targets_in_multiples_of_the_risk_become_prices(side: Side) -> None:
    signal = a_signal(side, targets=(), target_r=(Decimal(1), Decimal("2.5")))
    plan = planned(a_question(signal))
    expected = [2350 + 10 * side.sign, 2350 + 25 * side.sign]
    assert targets_of(plan) == expected


def test_a_signal_without_targets_has_one_open_leg() -> None:
    (leg,) = legs_of(planned(a_question(a_signal(targets=()))))
    assert leg.take_profit is None


def test_a_pending_order_ends_with_the_signals_own_expiry_or_ours() -> None:
    quote = a_quote("2354", "2354.10")
    ours = planned(a_question(quote=quote))
    posted_at = a_question().gate.posted_at
    assert legs_of(ours)[0].expires_at == posted_at + timedelta(minutes=1440)
    theirs = planned(a_question(a_signal(expires_at=after(600)), quote=quote))
    assert legs_of(theirs)[0].expires_at == after(600)
    assert legs_of(planned(a_question()))[0].expires_at is None


def test_a_level_inside_the_brokers_distance_of_the_closing_price_is_refused() -> None:
    near = replace(GOLD, stops_level=1_000)
    at_the_limit = a_question(quote=a_quote("2350", "2350.10"), instrument=near)
    refusal = plan_signal(replace(at_the_limit, quote=a_quote("2349.99", "2350.09")))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "stops_level"


def test_a_pending_price_inside_the_brokers_distance_is_refused() -> None:
    signal = a_signal(order=OrderKind.LIMIT)
    question = a_question(signal, instrument=replace(GOLD, stops_level=50))
    refusal = plan_signal(replace(question, quote=a_quote("2350.30", "2350.40")))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "stops_level"
    planned(replace(question, quote=a_quote("2350.40", "2350.50")))


def test_levels_on_the_wrong_side_are_refused_although_the_reading_saw_nothing() -> None:
    buried = a_signal(order=OrderKind.LIMIT, entry=a_range("2330"), stop=Price.of("2340"))
    refusal = plan_signal(a_question(buried))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "stop_wrong_side"
    crossed = a_signal(targets=(Price.of("2360"), Price.of("2345")))
    refusal = plan_signal(a_question(crossed))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "target_wrong_side"


prices = st.decimals("2300", "2400", places=2)


distances = st.builds("{} {}".format, st.integers(1, 60), st.sampled_from(["pips", "points", "%"]))
documents = st.fixed_dictionaries(
    {
        "entry_policy": st.sampled_from(["market_if_near", "market_always", "pending_always"]),
        "below_min_lot": st.sampled_from(["refuse", "use_min"]),
        "risk_percent": st.decimals("0.1", 5, places=1).map(str),
        "zone_mode": st.sampled_from(["near", "middle", "far", "layers"]),
        "layers": st.integers(1, 10).map(str),
        "layer_weights": st.sampled_from(["even", "decreasing", "increasing", ["70", "30"]]),
        "stop_source": st.sampled_from(["provider", "custom", "provider_else_custom"]),
        "target_source": st.sampled_from(["provider", "custom", "provider_else_custom"]),
        "no_stop": st.sampled_from(["refuse", "wait", "custom"]),
        "custom_stop": st.just("none") | distances,
        "custom_targets": st.lists(distances | st.just("2 R"), max_size=3),
        "stop_padding": st.integers(0, 50).map(str),
        "targets_used": st.sampled_from(["all", ["1"], ["2", "3"]]),
        "target_weights": st.sampled_from(["equal", ["50", "30", "20"], ["0", "100"]]),
        "open_target": st.sampled_from(["runner", "drop", "3 R"]),
        "few_lots": st.sampled_from(["nearest_first", "farthest_first", "one_at 2"]),
        "max_deviation": st.sampled_from(["auto", "20"]),
        "copy_pending": st.booleans(),
        "reverse": st.booleans(),
        "stops_too_close": st.sampled_from(["refuse", "widen"]),
    }
)


@st.composite
def questions(draw: st.DrawFn) -> PlanInput:
    side = draw(st.sampled_from(Side))
    entry = draw(st.none() | st.tuples(prices, prices))
    signal = a_signal(
        side,
        order=draw(st.sampled_from([None, *OrderKind])),
        entry=None if entry is None else PriceRange.of(Price(entry[0]), Price(entry[1])),
        stop=draw(st.none() | prices.map(Price)),
        stop_pips=draw(st.none() | st.decimals(1, 500, places=1)),
        targets=tuple(draw(st.lists(st.none() | prices.map(Price), max_size=4))),
        target_pips=tuple(draw(st.lists(st.decimals(1, 500, places=1), max_size=3))),
        size_word=draw(st.sampled_from(["", "half"])),
    )
    bid = draw(prices)
    spread = draw(st.decimals(0, 2, places=2))
    doc = draw(documents)
    return a_question(
        signal,
        quote=a_quote(str(bid), str(bid + spread)),
        effective=effective(max_spread="1", min_r_left="0", **doc),
        account=account_facts(margin_mode=draw(st.sampled_from(["hedging", "netting"]))),
    )


@given(questions())
def test_every_plan_loses_at_its_stop_wins_at_its_targets_and_keeps_its_budget(
    question: PlanInput,
) -> None:
    plan = plan_signal(question)
    assert plan == plan_signal(question), "planned twice is the same plan"
    if isinstance(plan, Refusal):
        return
    is_reversed = question.effective.rules.reverse
    side = question.signal.side.opposite if is_reversed else question.signal.side
    sign, market = side.sign, question.quote.to_open(side)
    assert {trade.side for trade in plan.trades} == {side}
    total = Decimal(0)
    for leg in legs_of(plan):
        entry = leg.price or market
        assert leg.stop_loss is not None
        assert (entry.value - leg.stop_loss.value) * sign > 0
        if leg.take_profit is not None:
            assert (leg.take_profit.value - entry.value) * sign > 0
        for price in (leg.price, leg.stop_loss, leg.take_profit):
            assert price is None or price.value % GOLD.tick_size == 0
        assert leg.lots.value % GOLD.lot_step == 0
        assert leg.lots >= GOLD.min_lots
        loss = (entry.value - leg.stop_loss.value) * sign / GOLD.tick_size
        total += loss * question.quote.loss_tick_value * leg.lots.value
    budget = plan.sizing.asked_money * (Decimal("1.2") if "use_min" in plan.sizing.caps else 1)
    assert total <= budget
    assert len({client_id_stem(i.client_id) for i in plan.intents}) == len(plan.intents)
    assert sum(leg.lots.value for leg in plan.legs) == plan.sizing.lots.value
    assert len({trade.trade_id for trade in plan.trades}) == len(plan.trades)
    assert len(plan.legs) == len(plan.intents) == len(plan.trades)


@given(questions(), st.decimals(0, 1, places=2))
def test_a_refused_signal_stays_refused_with_less_money(
    question: PlanInput, share: Decimal
) -> None:
    if isinstance(plan_signal(question), TradePlan):
        return
    balance = question.account.balance * share
    poorer = replace(question, account=account_facts(balance=balance, equity=balance))
    assert isinstance(plan_signal(poorer), Refusal)


@given(questions(), st.decimals(0, 5, places=2))
def test_a_refused_signal_stays_refused_where_closing_costs_more(
    question: PlanInput, more: Decimal
) -> None:
    """The price that opens stays; the one that closes, and with it the spread, gets worse."""
    refused, side = plan_signal(question), question.signal.side
    if question.effective.rules.reverse or not isinstance(refused, Refusal):
        return
    if refused.code in ("stops_level", "target_wrong_side"):
        return  # A target's distance counts from the price that closes.
    closing = question.quote.to_close(side).value - more * side.sign
    worse = (
        replace(question.quote, bid=Price(closing))
        if side is Side.BUY
        else replace(question.quote, ask=Price(closing))
    )
    assert isinstance(plan_signal(replace(question, quote=worse)), Refusal)


class TestStopsTooClose:
    """The broker wants levels 20 dollars away; the signal's stop is 10 dollars away."""

    STRICT = replace(GOLD, stops_level=2_000)
    SIGNAL = a_signal(targets=(Price.of("2400"),))

    def question(self, **rules: str) -> PlanInput:
        return a_question(self.SIGNAL, instrument=self.STRICT, effective=effective(**rules))

    def test_by_default_nothing_is_sent(self) -> None:
        refusal = plan_signal(self.question())
        assert isinstance(refusal, Refusal)
        assert refusal.code == "stops_level"

    def test_a_wider_stop_is_paid_for_with_a_smaller_volume(self) -> None:
        narrow = planned(a_question(self.SIGNAL))
        wide = planned(self.question(stops_too_close="widen"))
        (leg,) = legs_of(wide)
        assert leg.stop_loss is not None
        room = a_quote().bid.value - leg.stop_loss.value
        assert room >= 20
        assert wide.stop == leg.stop_loss
        assert wide.sizing.lots < narrow.sizing.lots
        assert wide.sizing.got_money <= wide.sizing.asked_money

    def test_a_stop_that_is_far_enough_stays(self) -> None:
        far = replace(self.STRICT, stops_level=500)
        rules = effective(stops_too_close="widen")
        plan = planned(a_question(self.SIGNAL, instrument=far, effective=rules))
        assert plan.stop == Price.of("2340")

    def test_a_target_that_is_too_close_is_refused_all_the_same(self) -> None:
        near = a_signal(targets=(Price.of("2360"),))
        rules = effective(stops_too_close="widen")
        refusal = plan_signal(a_question(near, instrument=self.STRICT, effective=rules))
        assert isinstance(refusal, Refusal)
        assert refusal.code == "stops_level"


class TestOnePositionForEachSymbol:
    NETS = account_facts(margin_mode="netting")
    TARGETS = (Price.of("2360"), Price.of("2370"), Price.of("2380"))

    def test_there_is_one_leg_with_the_whole_volume_and_the_last_target(self) -> None:
        separate = planned(a_question(a_signal(targets=self.TARGETS)))
        one = planned(a_question(a_signal(targets=self.TARGETS), account=self.NETS))
        (leg,) = legs_of(one)
        assert leg.lots.value == sum(each.lots.value for each in legs_of(separate))
        assert leg.take_profit == Price.of("2380")
        assert [step.price for step in leg.steps] == list(self.TARGETS[:2])
        assert (one.trades[0].leg, one.trades[0].volume) == (3, leg.lots)
        assert one.sizing.got_money == separate.sizing.got_money

    def test_another_copy_in_the_symbol_stands_in_its_way(self) -> None:
        refusal = plan_signal(a_question(account=self.NETS, copies=[a_copy(stop=None)]))
        assert isinstance(refusal, Refusal)
        assert refusal.code == "netting_symbol_busy"

    def test_one_that_has_ended_does_not(self) -> None:
        ended = a_copy(stop=None, is_live=False)
        assert isinstance(plan_signal(a_question(account=self.NETS, copies=[ended])), TradePlan)

    def test_a_volume_that_no_single_order_may_have_is_refused(self) -> None:
        small = replace(GOLD, max_lots=Lots.of("0.05"))
        signal = a_signal(targets=self.TARGETS)
        refusal = plan_signal(a_question(signal, account=self.NETS, instrument=small))
        assert isinstance(refusal, Refusal)
        assert refusal.code == "over_max_lots"


def test_an_order_at_market_bears_the_last_price_that_is_good_enough() -> None:
    (leg,) = legs_of(planned(a_question()))
    assert (leg.worst, leg.first_target) == (Price.of("2352.50"), Price.of("2360"))


@pytest.mark.parametrize(
    ("seconds", "offset", "is_taken"),
    [(50, -9, True), (40, 9, False), (40, 0, True)],
    ids=["we-are-ahead", "we-are-behind", "in-step"],
)
def test_the_age_counts_by_the_clock_that_dates_messages(
    seconds: int, offset: int, *, is_taken: bool
) -> None:
    gate = a_gate(
        posted_at=START - timedelta(seconds=seconds), clock_offset=timedelta(seconds=offset)
    )
    assert isinstance(plan_signal(a_question(gate=gate)), TradePlan) is is_taken


@pytest.mark.parametrize("age", [1, 10_000])
def test_checks_that_were_made_before_the_prices_are_not_made_again(age: int) -> None:
    question = a_question()
    question = replace(
        question, gate=replace(question.gate, now=question.gate.posted_at + timedelta(seconds=age))
    )
    place = question.place
    checked = check_before_prices(
        question.signal, place.chat, question.gate, question.copies, question.effective
    )
    assert plan_signal(replace(question, checked=checked)) == plan_signal(question)
    told = (replace(checked[0], source="somebody else"), *checked[1:])
    assert plan_signal(replace(question, checked=told)).checks[0] == told[0]
