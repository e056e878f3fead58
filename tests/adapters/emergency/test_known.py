"""What is known of trades is what was written or read last, also where a read was overtaken."""

from dataclasses import replace

import pytest

from kit.store_rows import ACCOUNT, ME, OTHER_ACCOUNT, Rows
from signalfleet.adapters.emergency.known import Known
from signalfleet.domain.trading.intents import IntentState
from signalfleet.domain.trading.records import CopyOutcome, Settlement, TradeState
from signalfleet.ports.errors import StoreUnavailableError

DECISION = Rows(user=ME).decision(1, legs=2)
TRADES, INTENTS = DECISION.trades, DECISION.intents
SIGNAL = DECISION.signals[0].signal_id


def test_what_was_decided_here_is_known_whole() -> None:
    known = Known()
    known.apply(DECISION)
    assert known.trades_of([SIGNAL]) == TRADES
    assert known.copies_of([SIGNAL]) == DECISION.copies
    assert known.intents_of([trade.trade_id for trade in TRADES]) == INTENTS
    assert known.intents([INTENTS[1].intent_id]) == INTENTS[1:]


def test_a_read_that_began_before_a_write_does_not_hide_it() -> None:
    known = Known()
    since = known.mark()
    known.apply(DECISION)
    known.saw_open_intents((), since)
    known.saw_live_trades(ACCOUNT, (), since)
    assert known.open_intents() == INTENTS
    assert known.live_trades(ACCOUNT) == TRADES
    closed = replace(TRADES[0], state=TradeState.CLOSED)
    since = known.mark()
    known.apply(Settlement(trades=(closed,)))
    known.saw_single(trades=TRADES[:1], since=since)
    assert known.trade(closed.trade_id) == closed


def test_what_ended_elsewhere_is_not_taken_for_open() -> None:
    known = Known()
    known.apply(DECISION)
    known.saw_open_intents(INTENTS[:1], known.mark())
    assert known.open_intents() == INTENTS[:1]
    with pytest.raises(StoreUnavailableError):
        known.intents_of([TRADES[1].trade_id])


def test_ended_trades_are_forgotten_with_all_that_hung_on_them() -> None:
    known = Known()
    known.apply(DECISION)
    done = tuple(replace(one, state=IntentState.ACCEPTED) for one in INTENTS)
    known.apply(Settlement(intents=done))
    known.saw_live_trades(ACCOUNT, (), known.mark())
    assert known.live_trades(ACCOUNT) == ()
    for asked in (
        lambda: known.trade(TRADES[0].trade_id),
        lambda: known.copies_of([SIGNAL]),
        lambda: known.trades_of([SIGNAL]),
        lambda: known.live_trades(OTHER_ACCOUNT),
    ):
        with pytest.raises(StoreUnavailableError):
            asked()


def test_a_copy_is_replaced_by_what_became_of_it() -> None:
    known = Known()
    known.apply(DECISION)
    filled = replace(DECISION.copies[0], outcome=CopyOutcome.FILLED)
    known.apply(Settlement(copies=(filled,)))
    assert known.copies_of([SIGNAL]) == (filled,)
