"""What a trade needs by itself: its order's end, its idea's end, its nearer targets."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.builders import GOLD, a_quote, a_trade, after, an_entry, an_intent
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.sizing import LegSize
from signalfleet.domain.trading.intents import (
    CancelLeg,
    Intent,
    IntentState,
    OpenLeg,
    ReduceLeg,
    TargetStep,
)
from signalfleet.domain.trading.legs import draft_legs, widened_stop
from signalfleet.domain.trading.levels import Target
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.timers import (
    LONGEST_RETRY,
    cause_of,
    expiry_of,
    needs_watching,
    passed_before_entry,
    step_reached,
)

PENDING = a_trade(1, TradeState.PENDING)
STEPS = (
    TargetStep(price=Price.of("2360"), remaining=Lots.of("0.06")),
    TargetStep(price=Price.of("2370"), remaining=Lots.of("0.03")),
)


def entry(trade: Trade = PENDING, **changes: Any) -> OpenLeg:
    command = an_entry(trade, price="2345").command
    assert isinstance(command, OpenLeg)
    return replace(command, **changes)


def at(price: str) -> object:
    return a_quote(price, price)


def test_an_order_ends_with_its_time_and_no_sooner() -> None:
    command = entry(expires_at=after(60))
    assert expiry_of(PENDING, command, after(59)) is None
    due = expiry_of(PENDING, command, after(60))
    assert due is not None
    assert due.command == CancelLeg()
    assert expiry_of(a_trade(), command, after(61)) is None, "it was filled"
    assert expiry_of(PENDING, entry(), after(10**6)) is None


@pytest.mark.parametrize(
    ("price", "rule"),
    [
        ("2359.99", None),
        ("2360", "target_first"),
        ("2365", "target_first"),
        ("2340.01", None),
        ("2340", "stop_first"),
    ],
)
def test_an_idea_is_over_at_its_first_target_or_stop(price: str, rule: str | None) -> None:
    due = passed_before_entry(PENDING, entry(), a_quote(price, price), is_amended=False)
    assert (due.rule if due else None) == rule


def test_of_several_legs_the_nearest_target_counts_until_the_order_is_moved() -> None:
    second = replace(PENDING, take_profit=Price.of("2370"))
    command = entry(first_target=Price.of("2360"))
    quote = a_quote("2361", "2361")
    assert passed_before_entry(second, command, quote, is_amended=False) is not None
    assert passed_before_entry(second, command, quote, is_amended=True) is None


def test_a_sell_is_mirrored() -> None:
    sell = replace(
        PENDING, side=Side.SELL, stop_loss=Price.of("2360"), take_profit=Price.of("2340")
    )
    due = passed_before_entry(sell, entry(sell), a_quote("2339.90", "2340"), is_amended=False)
    assert due is not None
    assert due.rule == "target_first"


def test_the_farthest_target_that_is_reached_says_what_stays() -> None:
    trade = a_trade()
    command = entry(trade, steps=STEPS)
    assert step_reached(trade, command, a_quote("2359.99", "2360.10")) is None
    first = step_reached(trade, command, a_quote("2360", "2360.10"))
    both = step_reached(trade, command, a_quote("2371", "2371.10"))
    assert first is not None
    assert both is not None
    assert first.command == ReduceLeg(remaining=Lots.of("0.06"))
    assert both.command == ReduceLeg(remaining=Lots.of("0.03"))
    assert first.rule != both.rule


def test_what_was_closed_by_hand_is_not_closed_again() -> None:
    smaller = a_trade(volume_open=Lots.of("0.05"))
    assert step_reached(smaller, entry(steps=STEPS), a_quote("2361", "2361")) is None


@pytest.mark.parametrize(
    ("trade", "changes", "early", "watched"),
    [
        (PENDING, {}, True, True),
        (PENDING, {}, False, False),
        (PENDING, {"expires_at": after(9)}, False, True),
        (a_trade(), {}, True, False),
        (a_trade(), {"steps": STEPS}, False, True),
        (a_trade(volume_open=Lots.of("0.03")), {"steps": STEPS}, False, False),
        (a_trade(1, TradeState.CLOSED), {"steps": STEPS}, True, False),
    ],
    ids="early patient expiring open steps done closed".split(),
)
def test_only_what_needs_it_is_watched(
    trade: Trade, changes: dict[str, Any], early: bool, watched: bool
) -> None:
    assert needs_watching(trade, entry(**changes), cancels_early=early) is watched


def _refused(number: int) -> Intent:
    cause = "rule:expiry" if number == 0 else f"rule:expiry#{number}"
    return an_intent(
        PENDING,
        CancelLeg(),
        IntentState.REJECTED,
        cause=cause,
        created_at=after(number),
        settled_at=after(number),
    )


def test_a_duty_is_done_once_and_tried_again_only_after_a_refusal() -> None:
    due = expiry_of(PENDING, entry(expires_at=after(0)), after(1))
    assert due is not None
    assert cause_of(due, [], after(1)) == "rule:expiry"
    for state in set(IntentState) - {IntentState.REJECTED}:
        under_way = an_intent(PENDING, CancelLeg(), state, cause="rule:expiry", settled_at=after(0))
        assert cause_of(due, [under_way], after(10**6)) is None
    assert cause_of(due, [_refused(0)], after(59)) is None
    assert cause_of(due, [_refused(0)], after(60)) == "rule:expiry#1"


@given(st.integers(1, 60))
def test_pauses_grow_to_an_hour_and_no_further(count: int) -> None:
    due = expiry_of(PENDING, entry(expires_at=after(0)), after(1))
    assert due is not None
    before = [_refused(number) for number in range(count)]
    last = after(count - 1)
    assert cause_of(due, before, last + timedelta(seconds=59)) is None
    assert cause_of(due, before, last + LONGEST_RETRY) == f"rule:expiry#{count}"


def test_a_leg_of_another_rule_is_another_duty() -> None:
    due = expiry_of(PENDING, entry(expires_at=after(0)), after(1))
    assert due is not None
    other = an_intent(PENDING, CancelLeg(), cause="rule:expiry_of_another")
    assert cause_of(due, [other], after(1)) == "rule:expiry"


TARGETS = st.lists(st.decimals("2351", "2500", places=2), min_size=1, max_size=10, unique=True)


@given(TARGETS, st.data())
def test_one_position_takes_the_same_shares_as_separate_legs(
    prices: list[Decimal], data: st.DataObject
) -> None:
    targets = [
        Target(number=number, price=Price(price))
        for number, price in enumerate(sorted(prices), start=1)
    ]
    sizes = [
        LegSize(
            layer=0,
            slot=slot,
            lots=Lots.of(f"0.{data.draw(st.integers(1, 99)):02}"),
            loss=Decimal(1),
        )
        for slot in range(len(targets))
    ]
    (one,) = draft_legs(sizes, targets, nets=True)
    many = draft_legs(sizes, targets, nets=False)
    assert one.lots.value == sum(leg.lots.value for leg in many)
    assert (one.number, one.target) == (many[-1].number, many[-1].target)
    left = one.lots.value
    for step, leg in zip(one.steps, many, strict=False):
        assert step.price == leg.target
        left -= leg.lots.value
        assert step.remaining.value == left
    assert left == many[-1].lots.value


@given(
    st.sampled_from(Side),
    st.integers(0, 500),
    st.decimals("0.01", "20", places=2),
    st.decimals("0", "1", places=2),
)
def test_a_widened_stop_is_far_enough_and_only_ever_farther(
    side: Side, level: int, distance: Decimal, spread: Decimal
) -> None:
    instrument = replace(GOLD, stops_level=level)
    touching = Price.of("2350")
    sign = side.sign
    stop = Price(touching.value - distance * sign)
    quote = a_quote("2350", str(2350 + spread))
    wide = widened_stop(stop, touching, side, instrument, quote)
    gap = (touching.value - wide.value) * sign
    assert gap >= level * GOLD.point
    assert gap >= (touching.value - stop.value) * sign
    assert wide == wide.rounded(GOLD.tick_size)
