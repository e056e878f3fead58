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


DONE = tuple(replace(one, state=IntentState.ACCEPTED) for one in INTENTS)
ENDED = Settlement(
    intents=DONE, trades=tuple(replace(one, state=TradeState.CLOSED) for one in TRADES)
)


def knows_nothing(known: Known) -> bool:
    """Tell whether nothing is held but which accounts were seen."""
    values = [value for name, value in vars(known).items() if name != "_accounts"]
    return not any(value for value in values if isinstance(value, dict | set))


@pytest.mark.parametrize("how", ["ended elsewhere", "ended here"])
def test_ended_trades_are_forgotten_with_all_that_hung_on_them(how: str) -> None:
    known = Known()
    known.apply(DECISION)
    known.saw_live_trades(ACCOUNT, TRADES, known.mark())
    if how == "ended elsewhere":
        known.apply(Settlement(intents=DONE))
        known.saw_live_trades(ACCOUNT, (), known.mark())
    else:
        known.apply(ENDED)
        assert known.trades_of([SIGNAL]) == ENDED.trades, "the store does not have it yet"
        known.stored(ENDED)
    assert knows_nothing(known)
    assert known.live_trades(ACCOUNT) == ()
    for asked in (
        lambda: known.trade(TRADES[0].trade_id),
        lambda: known.copies_of([SIGNAL]),
        lambda: known.trades_of([SIGNAL]),
        lambda: known.live_trades(OTHER_ACCOUNT),
    ):
        with pytest.raises(StoreUnavailableError):
            asked()


def test_what_the_file_held_is_forgotten_once_the_store_has_all() -> None:
    known = Known()
    known.apply(DECISION)
    known.apply(ENDED)
    known.stored()
    assert knows_nothing(known)


def test_what_ended_of_a_trade_that_was_never_read_is_forgotten_too() -> None:
    known = Known()
    known.apply(Settlement(intents=DONE))
    known.stored()
    assert knows_nothing(known)


def test_a_signal_is_kept_whole_until_its_last_trade_has_ended() -> None:
    known = Known()
    known.apply(DECISION)
    first = Settlement(intents=DONE[:1], trades=ENDED.trades[:1])
    known.apply(first)
    known.stored(first)
    assert known.trades_of([SIGNAL]) == (ENDED.trades[0], TRADES[1])
    assert known.copies_of([SIGNAL]) == DECISION.copies


def test_what_is_over_and_only_read_is_not_kept() -> None:
    known = Known()
    since = known.mark()
    known.saw_trades_of([SIGNAL], ENDED.trades, since)
    known.saw_intents_of([one.trade_id for one in TRADES], DONE, since)
    known.saw_copies_of([SIGNAL], DECISION.copies)
    known.saw_single(trades=ENDED.trades[:1], intents=DONE, since=since)
    known.saw_open_intents((), since)
    assert knows_nothing(known)


def test_a_read_that_began_before_something_was_forgotten_does_not_bring_it_back() -> None:
    known = Known()
    known.apply(DECISION)
    known.saw_live_trades(ACCOUNT, TRADES, known.mark())
    since = known.mark()
    known.apply(ENDED)
    known.stored(ENDED)
    ids = [trade.trade_id for trade in TRADES]
    known.saw_live_trades(ACCOUNT, TRADES, since)
    known.saw_open_intents(INTENTS, since)
    known.saw_trades_of([SIGNAL], TRADES, since)
    known.saw_intents_of(ids, INTENTS, since)
    known.saw_single(trades=TRADES, intents=INTENTS, since=since)
    assert knows_nothing(known)
    assert known.live_trades(ACCOUNT) == ()


def test_a_copy_is_replaced_by_what_became_of_it() -> None:
    known = Known()
    known.apply(DECISION)
    filled = replace(DECISION.copies[0], outcome=CopyOutcome.FILLED)
    known.apply(Settlement(copies=(filled,)))
    assert known.copies_of([SIGNAL]) == (filled,)
