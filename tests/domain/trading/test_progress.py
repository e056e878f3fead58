"""What the ends of intents make of trades and copies."""

from dataclasses import replace

import pytest

from kit.builders import a_place, a_trade, after, an_entry, an_intent
from signalfleet.domain.ids import AccountId
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.trading.intents import (
    AmendLeg,
    CancelLeg,
    CloseLeg,
    Command,
    IntentState,
    ProtectLeg,
    ReduceLeg,
)
from signalfleet.domain.trading.outcome_of import outcome_of, reason_of
from signalfleet.domain.trading.progress import (
    copy_outcome,
    copy_reason,
    is_ending,
    order_prices,
    supersedes,
    trade_after,
    trade_as_wanted,
)
from signalfleet.domain.trading.records import Copy, CopyOutcome, TradeState

T, I, C = TradeState, IntentState, CopyOutcome  # noqa: E741 - the table stays narrow
OPENING = a_trade(1, T.OPENING)


@pytest.mark.parametrize(
    ("trades", "entries", "expected"),
    [
        ([T.OPENING], [I.SENDING], None),
        ([T.OPENING], [I.HELD], None),
        ([T.OPENING], [I.UNKNOWN], C.UNKNOWN),
        ([T.OPEN, T.OPENING], [I.ACCEPTED, I.UNKNOWN], C.UNKNOWN),
        ([T.OPEN, T.OPENING], [I.ACCEPTED, I.SENDING], None),
        ([T.OPEN], [I.ACCEPTED], C.FILLED),
        ([T.CLOSED], [I.ACCEPTED], C.FILLED),
        ([T.OPEN, T.NEVER_OPENED], [I.ACCEPTED, I.REJECTED], C.FILLED),
        ([T.OPEN, T.PENDING], [I.ACCEPTED, I.ACCEPTED], C.FILLED),
        ([T.PENDING], [I.ACCEPTED], C.WORKING),
        ([T.PENDING, T.NEVER_OPENED], [I.ACCEPTED, I.REJECTED], C.WORKING),
        ([T.NEVER_OPENED], [I.REJECTED], C.REJECTED),
        ([T.NEVER_OPENED, T.NEVER_OPENED], [I.EXPIRED, I.REJECTED], C.REJECTED),
        ([T.NEVER_OPENED], [I.EXPIRED], C.EXPIRED),
        ([T.NEVER_OPENED], [I.CANCELLED], C.CANCELLED),
        ([T.NEVER_OPENED], [I.ACCEPTED], C.CANCELLED),
    ],
)
def test_a_copy_comes_out_as_its_legs_did(
    trades: list[TradeState], entries: list[IntentState], expected: CopyOutcome | None
) -> None:
    legs = [a_trade(at, state) for at, state in enumerate(trades, start=1)]
    intents = [an_entry(leg, state) for leg, state in zip(legs, entries, strict=True)]
    assert copy_outcome(legs, intents) is expected


def test_the_reason_of_a_copy_is_that_of_the_leg_that_decided_it() -> None:
    opened = an_entry(a_trade(1), I.ACCEPTED)
    refused = replace(an_entry(a_trade(2), I.REJECTED), reason="10019")
    assert copy_reason(C.REJECTED, [opened, refused]) == "10019"
    assert copy_reason(C.FILLED, [opened, refused]) is None
    assert copy_reason(None, [refused]) is None


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (I.ACCEPTED, T.OPEN),
        (I.REJECTED, T.NEVER_OPENED),
        (I.EXPIRED, T.NEVER_OPENED),
        (I.CANCELLED, T.NEVER_OPENED),
        (I.HELD, T.OPENING),
        (I.SENDING, T.OPENING),
        (I.UNKNOWN, T.OPENING),
    ],
)
def test_the_end_of_an_entry_decides_its_trade(state: IntentState, expected: TradeState) -> None:
    ended = replace(an_entry(OPENING, state), settled_at=after(1), reason="why")
    trade = trade_after(OPENING, ended)
    assert trade.state is expected
    if expected is T.OPEN:
        assert (trade.volume_open, trade.opened_at) == (OPENING.volume, after(1))
    if expected is T.NEVER_OPENED:
        assert (trade.close_reason, trade.closed_at) == ("why", after(1))


def test_an_accepted_pending_order_works_until_a_position_shows_up() -> None:
    accepted = replace(an_entry(OPENING, I.ACCEPTED, price="2345"), order_id="O9")
    assert trade_after(OPENING, accepted).state is T.PENDING
    assert trade_after(OPENING, accepted).order_id == "O9"
    filled = replace(accepted, position_id="P9")
    assert trade_after(OPENING, filled).state is T.OPEN


@pytest.mark.parametrize("state", [T.PENDING, T.OPEN, T.CLOSED, T.NEVER_OPENED])
def test_an_entrys_end_changes_only_a_trade_that_is_still_opening(state: TradeState) -> None:
    trade = a_trade(1, state)
    assert trade_after(trade, an_entry(trade, I.REJECTED)) == trade


def test_accepted_follow_ups_show_in_the_trade_at_once() -> None:
    trade = a_trade()
    stop, target = Price.of("2350"), Price.of("2375")
    protect = an_intent(trade, ProtectLeg(stop_loss=stop, take_profit=target), I.ACCEPTED)
    moved = trade_after(trade, protect)
    assert (moved.stop_loss, moved.take_profit) == (stop, target)
    reduce = an_intent(trade, ReduceLeg(remaining=Lots.of("0.04")), I.ACCEPTED)
    assert trade_after(trade, reduce).volume_open == Lots.of("0.04")


@pytest.mark.parametrize("state", [s for s in IntentState if s is not I.ACCEPTED])
def test_follow_ups_that_are_not_accepted_show_nothing(state: IntentState) -> None:
    trade = a_trade()
    intent = an_intent(trade, ReduceLeg(remaining=Lots.of("0.04")), state)
    assert trade_after(trade, intent) == trade


def test_what_is_under_way_is_laid_over_the_trade_in_order() -> None:
    trade = a_trade()
    low, high = Price.of("2345"), Price.of("2350")
    intents = [
        an_intent(trade, ProtectLeg(stop_loss=low, take_profit=None)),
        an_intent(trade, ProtectLeg(stop_loss=high, take_profit=None)),
        an_intent(trade, ReduceLeg(remaining=Lots.of("0.05"))),
        an_intent(trade, ReduceLeg(remaining=Lots.of("0.07"))),
    ]
    wanted = trade_as_wanted(trade, intents)
    assert (wanted.stop_loss, wanted.take_profit) == (high, None)
    assert wanted.volume_open == Lots.of("0.05")


def test_only_its_own_close_or_cancel_ends_a_trade() -> None:
    one, other = a_trade(1), a_trade(2)
    close = an_intent(other, CloseLeg())
    assert is_ending(other, [close])
    assert not is_ending(one, [close])
    assert is_ending(one, [an_intent(one, CancelLeg())])


def test_the_price_of_a_pending_order_is_the_one_it_was_moved_to_last() -> None:
    pending = a_trade(1, T.PENDING)
    entry = an_entry(pending, I.ACCEPTED, price="2345")
    moved = an_intent(pending, AmendLeg(price=Price.of("2344"), stop_loss=None, take_profit=None))
    assert order_prices([pending], [entry]) == {pending.trade_id: Price.of("2345")}
    assert order_prices([pending], [entry, moved]) == {pending.trade_id: Price.of("2344")}
    assert order_prices([a_trade(1)], [entry]) == {}


PROTECT = ProtectLeg(stop_loss=None, take_profit=None)
REDUCE = ReduceLeg(remaining=Lots.of("0.01"))


@pytest.mark.parametrize(
    ("newer", "older", "expected"),
    [
        (PROTECT, PROTECT, True),
        (REDUCE, REDUCE, True),
        (CloseLeg(), PROTECT, True),
        (CloseLeg(), REDUCE, True),
        (CancelLeg(), AmendLeg(price=Price.of(1), stop_loss=None, take_profit=None), True),
        (PROTECT, REDUCE, False),
        (REDUCE, PROTECT, False),
        (PROTECT, CloseLeg(), False),
        (CloseLeg(), CloseLeg(), False),
    ],
)
def test_a_newer_instruction_supersedes_what_it_makes_needless(
    newer: Command, older: Command, expected: bool
) -> None:
    trade = a_trade()
    late = an_intent(trade, newer, created_at=after(1))
    early = an_intent(trade, older, I.HELD)
    assert supersedes(late, early) is expected
    assert not supersedes(early, late)
    assert not supersedes(replace(late, state=I.REJECTED), early)


def a_copy(outcome: CopyOutcome | None, reason: str | None = None) -> Copy:
    return Copy(
        signal=a_place().signal_id,
        account=AccountId("a"),
        plan={},
        fresh_until=None,
        lots=Lots.of(0),
        budget=OPENING.volume.value,
        outcome=outcome,
        reason=reason,
    )


def test_a_signal_comes_out_as_its_best_copy() -> None:
    assert outcome_of([a_copy(C.SKIPPED), a_copy(C.FILLED)]) is C.FILLED
    assert outcome_of([a_copy(C.FILLED), a_copy(None)]) is None
    assert outcome_of([]) is None
    copies = [a_copy(C.REJECTED, "10019"), a_copy(C.SKIPPED, "spread")]
    assert (outcome_of(copies), reason_of(copies)) == (C.REJECTED, "10019")
    assert reason_of([a_copy(C.SKIPPED, "spread"), a_copy(C.SKIPPED, "news")]) is None
