"""Levels that a late order took back: what may be one, and what is somebody's own doing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.builders import a_look, a_trade, after, an_entry, an_intent, order_of, position_of
from signalfleet.domain.money import Price
from signalfleet.domain.trading.intents import (
    AmendLeg,
    CloseLeg,
    Command,
    Intent,
    IntentState,
    OpenLeg,
    ProtectLeg,
)
from signalfleet.domain.trading.reconcile import LookInput, reconcile
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.settle import SettleRules
from signalfleet.domain.trading.undone import Undone

TRADE = a_trade()
ENTRY = an_entry(TRADE, IntentState.ACCEPTED, created_at=after(-60), settled_at=after(-60))
TARGET = Price.of("2360")
RULES = SettleRules()


def levels(stop: str, **more: Any) -> ProtectLeg:
    return ProtectLeg(**{"stop_loss": Price.of(stop), "take_profit": TARGET, **more})


def given_up(command: Command, trade: Trade = TRADE, **changes: Any) -> Intent:
    """An instruction whose answer was lost; ten seconds later a newer one replaced it."""
    fields = {"cause": "msg:older", "settled_at": after(10), "reason": "superseded"}
    return an_intent(trade, command, IntentState.CANCELLED, **(fields | changes))


def answered(command: Command, trade: Trade = TRADE, **changes: Any) -> Intent:
    fields = {
        "cause": "msg:newer",
        "created_at": after(2),
        "sending_at": after(2),
        "settled_at": after(3),
        "evidence": "reply TRADE_RETCODE_DONE",
    }
    return an_intent(trade, command, IntentState.ACCEPTED, **(fields | changes))


def seen(
    stop: str,
    *intents: Intent,
    target: Price = TARGET,
    at: float = 60,
    complete: bool = True,
) -> Undone | None:
    position = position_of(TRADE, stop_loss=Price.of(stop), take_profit=target)
    return found(TRADE, a_look(position, at=at, complete=complete), (ENTRY, *intents))


def found(trade: Trade, snapshot: Any, intents: tuple[Intent, ...]) -> Undone | None:
    looked = LookInput(
        trades=[trade],
        intents=[],
        snapshot=snapshot,
        now=snapshot.begun_at,
        rules=RULES,
        first_absent={},
        orders={trade.trade_id: intents},
    )
    return next(iter(reconcile(looked).undone), None)


OLDER, NEWER = given_up(levels("2345")), answered(levels("2348"))


def test_the_newest_instruction_is_to_be_sent_again() -> None:
    undone = seen("2345", OLDER, NEWER)
    assert undone is not None
    assert undone.command == NEWER.command
    assert undone.cause == f"rec:undone:{OLDER.intent_id}:0"


def test_what_it_said_of_the_trades_care_is_not_said_again() -> None:
    newer = answered(levels("2348", steps=()))
    undone = seen("2345", OLDER, newer)
    assert undone is not None
    assert undone.command == levels("2348")


def test_a_wider_stop_that_was_wanted_comes_back_too() -> None:
    older, newer = given_up(levels("2348")), answered(levels("2342", widens=True))
    undone = seen("2348", older, newer)
    assert undone is not None
    assert undone.command == newer.command


def test_a_stop_that_went_with_an_older_target_is_known_again() -> None:
    """When it was sent the position had a tighter stop than it asked for."""
    first = answered(levels("2345"), cause="msg:first", created_at=after(-9), settled_at=after(-8))
    older = given_up(levels("2343", take_profit=Price.of("2365")))
    undone = seen("2345", first, older, NEWER, target=Price.of("2365"))
    assert undone is not None


def test_an_order_that_waits_has_a_price_too() -> None:
    trade = a_trade(1, TradeState.PENDING)
    older, newer = (
        AmendLeg(price=Price.of(price), stop_loss=Price.of("2330"), take_profit=TARGET)
        for price in ("2341", "2342")
    )
    intents = (given_up(older, trade), answered(newer, trade))
    for price, is_undone in (("2341", True), ("2342", False), ("2343", False)):
        order = order_of(trade, price, stop_loss=Price.of("2330"))
        assert (found(trade, a_look(order, at=60), intents) is not None) is is_undone


@pytest.mark.parametrize(
    "older",
    [
        given_up(levels("2345")),
        given_up(levels("2345"), attempt=2, sending_at=None),
        # A look took it for done, and may have seen the levels of another one.
        answered(
            levels("2345"),
            cause="msg:older",
            created_at=after(0),
            settled_at=after(9),
            evidence="levels are set",
        ),
        # Its second sending was answered, its first one never.
        answered(levels("2345"), cause="msg:older", created_at=after(0), attempt=2),
    ],
)
def test_what_had_no_answer_may_land_late(older: Intent) -> None:
    assert seen("2345", older, NEWER) is not None


@pytest.mark.parametrize(
    "older",
    [
        answered(levels("2345"), cause="msg:older", created_at=after(0)),
        given_up(levels("2345"), sending_at=None),
        given_up(levels("2345"), attempt=0, sending_at=None),
        given_up(levels("2344")),
        given_up(levels("2345", take_profit=Price.of("2361"))),
        given_up(levels("2345"), created_at=after(5)),
    ],
)
def test_what_was_answered_never_sent_or_another_is_not_it(older: Intent) -> None:
    assert seen("2345", older, NEWER) is None


def test_levels_that_are_as_the_newest_wants_them_are_right() -> None:
    assert seen("2348", OLDER, NEWER) is None
    assert seen("2349", given_up(levels("2349")), NEWER) is None


def test_a_look_that_is_not_complete_tells_nothing() -> None:
    assert seen("2345", OLDER, NEWER, complete=False) is None


@pytest.mark.parametrize("command", [levels("2350"), CloseLeg()])
@pytest.mark.parametrize("state", [IntentState.HELD, IntentState.SENDING, IntentState.UNKNOWN])
def test_it_waits_for_what_is_under_way(command: Command, state: IntentState) -> None:
    going = an_intent(TRADE, command, state, cause="msg:now", created_at=after(50))
    assert seen("2345", OLDER, NEWER, going) is None


@given(at=st.floats(min_value=10, max_value=1000))
def test_it_may_land_until_the_window_is_over_and_a_routine_look_has_seen_it(at: float) -> None:
    assert (seen("2345", OLDER, NEWER, at=at) is not None) is (at <= 10 + 100 + 60)


@given(attempts=st.integers(1, 4), before=st.integers(0, 6))
def test_it_is_put_right_as_often_as_it_was_sent(attempts: int, before: int) -> None:
    older = given_up(levels("2345"), attempt=attempts)
    again = [
        answered(
            levels("2348"), cause=f"rec:undone:{older.intent_id}:{n}", created_at=after(20 + n)
        )
        for n in range(before)
    ]
    undone = seen("2345", older, NEWER, *again)
    assert (undone is not None) is (before < attempts)
    assert undone is None or undone.cause.endswith(f":{before}")


@given(
    stop=st.sampled_from(["2341", "2345", "2348", "2349"]),
    stops=st.lists(st.sampled_from(["2345", "2348", "2349"]), min_size=1, max_size=4),
)
def test_where_each_order_had_its_answer_nothing_is_ever_sent_again(
    stop: str, stops: list[str]
) -> None:
    """What differs then was done by the user or the broker."""
    intents = [
        answered(levels(one), cause=f"msg:{n}", created_at=after(n), settled_at=after(n + 1))
        for n, one in enumerate(stops)
    ]
    assert seen(stop, *intents) is None


def test_the_entrys_levels_may_come_back_with_an_older_target() -> None:
    assert isinstance(ENTRY.command, OpenLeg)
    older = given_up(levels("2335", take_profit=Price.of("2365")))
    assert seen("2340", older, NEWER, target=Price.of("2365")) is not None
