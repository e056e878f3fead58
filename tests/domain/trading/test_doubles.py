"""Which of the openings that bear one leg's client id are too many."""

from dataclasses import replace

import pytest

from kit.builders import a_look, a_trade, after, an_entry, deal_of, order_of, position_of
from signalfleet.domain.trading.doubles import Extra, extras_of, was_in_doubt
from signalfleet.domain.trading.intents import CloseLeg, Intent, IntentState
from signalfleet.domain.trading.matching import facts_of
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.reports import Deal, Position, WorkingOrder

TRADE = a_trade(1, position_id="P1")
PENDING = a_trade(1, TradeState.PENDING)
FIRST = position_of(TRADE)
SECOND = position_of(TRADE, position_id="P2", opened_at=after(9))


def extras(trade: Trade, *facts: Position | WorkingOrder | Deal) -> tuple[Extra, ...]:
    return extras_of(trade, facts_of(trade, a_look(*facts)))


def test_one_position_is_as_it_should_be() -> None:
    assert extras(TRADE, FIRST, deal_of(TRADE, is_exit=False)) == ()


def test_of_two_the_leg_s_own_stays() -> None:
    (extra,) = extras(TRADE, SECOND, FIRST)
    assert (extra.position_id, extra.is_open) == ("P2", True)


def test_where_none_is_known_the_older_one_stays() -> None:
    opening = replace(TRADE, position_id=None)
    (extra,) = extras(opening, SECOND, FIRST)
    assert extra.position_id == "P2"


def test_what_is_left_after_the_leg_s_own_has_ended_is_told_and_not_closed() -> None:
    gone = deal_of(TRADE, is_exit=False), deal_of(TRADE, is_exit=True)
    (extra,) = extras(TRADE, SECOND, *gone)
    assert (extra.position_id, extra.is_open) == ("P2", False)


def test_of_two_orders_the_known_one_stays() -> None:
    own = order_of(PENDING)
    other = order_of(PENDING, order_id="O9", placed_at=after(9))
    (extra,) = extras(PENDING, other, own)
    assert (extra.order_id, extra.is_open) == ("O9", True)


def test_a_position_and_another_order_are_two() -> None:
    (extra,) = extras(TRADE, FIRST, order_of(TRADE, order_id="O9"))
    assert extra.order_id == "O9"


def test_what_is_left_of_an_order_that_was_filled_in_part_is_no_double() -> None:
    part = replace(TRADE, order_id="O1")
    assert extras(part, FIRST, order_of(part, order_id="O1")) == ()


def test_two_orders_in_one_position_of_a_netting_account_are_told() -> None:
    entries = [
        deal_of(TRADE, is_exit=False, deal_id=f"D{n}", order_id=f"O{n}", at=after(n))
        for n in (1, 2)
    ]
    (extra,) = extras(TRADE, FIRST, *entries)
    assert (extra.order_id, extra.is_merged, extra.is_open) == ("O2", True, False)


def test_pieces_of_one_order_are_one() -> None:
    pieces = [
        deal_of(TRADE, is_exit=False, deal_id=f"D{n}", order_id="O1", lots="0.05") for n in (1, 2)
    ]
    assert extras(TRADE, FIRST, *pieces) == ()


def test_one_order_that_waits_is_as_it_should_be() -> None:
    assert extras(replace(PENDING, order_id=None), order_of(PENDING)) == ()


DONE = replace(an_entry(TRADE, IntentState.ACCEPTED), settled_at=after(5), evidence="reply DONE")


@pytest.mark.parametrize(
    ("intent", "doubtful"),
    [
        (DONE, False),
        (replace(DONE, evidence="seen in positions"), True),
        (replace(DONE, attempt=2), True),
        (replace(DONE, state=IntentState.EXPIRED, reason="absent_after_doubt"), True),
        (replace(DONE, state=IntentState.EXPIRED, reason="too_old"), False),
        (replace(DONE, evidence="seen in positions", settled_at=None), False),
        (replace(DONE, evidence="seen in positions", command=CloseLeg()), False),
    ],
    ids="reply looked-up second-try given-up stale open protective".split(),
)
def test_only_entries_that_were_ever_in_doubt_are_searched_again(
    intent: Intent, doubtful: bool
) -> None:
    assert was_in_doubt(intent) is doubtful
