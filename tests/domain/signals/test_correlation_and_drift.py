from dataclasses import replace
from datetime import UTC, datetime, timedelta

from signalfleet.domain.ids import ChannelId, MessageId, SignalId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Price
from signalfleet.domain.signals.correlate import completed_call, find_targets
from signalfleet.domain.signals.drift import ChannelHabit, Seen, fingerprint, looks_like_signal
from signalfleet.domain.signals.model import (
    ChannelMessage,
    Close,
    Context,
    Doubt,
    FollowUp,
    Issue,
    KnownSignal,
    MoveStop,
    MoveTarget,
    PriceRange,
    SetTargets,
    Signal,
    SignalRef,
    TradeRef,
)
from signalfleet.domain.signals.parse import Parser

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def known(number: int, symbol: str = "XAUUSD", stop: str = "2340", hours: int = 1) -> KnownSignal:
    return KnownSignal(
        signal=SignalId(f"S{number}"),
        message=MessageId(number),
        side=Side.BUY,
        opened_at=NOW - timedelta(hours=hours),
        symbol=symbol,
        stop=Price.of(stop),
    )


def post(number: int = 9) -> ChannelMessage:
    return ChannelMessage(
        channel=ChannelId(-1), message=MessageId(number), text="...", posted_at=NOW
    )


GOLD, EURO = known(1), known(2, "EURUSD", "1.0800")


def test_the_replied_message_decides_whatever_is_newer() -> None:
    context = Context(replied=post(1), recent=(EURO, GOLD))
    assert find_targets(FollowUp(action=Close()), post(), context) == (GOLD,)


def test_a_named_symbol_finds_its_signals() -> None:
    follow_up = FollowUp(action=Close(), target=TradeRef(symbol="EURUSD"))
    assert find_targets(follow_up, post(), Context(recent=(GOLD, EURO))) == (EURO,)


def test_nothing_named_means_the_only_open_signal_if_it_is_young() -> None:
    follow_up = FollowUp(action=Close())
    assert find_targets(follow_up, post(), Context(recent=(GOLD,))) == (GOLD,)
    unclear = Doubt.TARGET_TRADE_UNCLEAR.value
    assert find_targets(follow_up, post(), Context(recent=(GOLD, EURO))) == unclear
    assert find_targets(follow_up, post(), Context(recent=(known(1, hours=20),))) == unclear


def test_a_level_of_another_size_never_lands_on_a_trade() -> None:
    follow_up = FollowUp(action=MoveStop(to=Price.of("1.2680")))
    found = find_targets(follow_up, post(), Context(recent=(GOLD,)))
    assert found == Doubt.TARGET_TRADE_UNCLEAR.value


def test_the_layout_does_not_depend_on_symbol_side_or_numbers(parser: Parser) -> None:
    one = parser.facts("XAUUSD BUY 2350\nSL 2340\nTP 2360")
    two = parser.facts("EURUSD SELL 1.0850\nSL 1.0890\nTP 1.0800")
    other = parser.facts("Buy gold now at 2350, stop 2340")
    assert fingerprint(one) == fingerprint(two) != fingerprint(other)
    assert looks_like_signal(one)
    assert not looks_like_signal(parser.facts("Good morning traders"))


def habit(seen: list[Seen]) -> ChannelHabit:
    state = ChannelHabit()
    for one in seen:
        state = state.after(one)
    return state


GOOD = Seen(layout="a", was_read=True, confidence=100)


def test_a_channel_that_keeps_its_habits_has_not_drifted() -> None:
    assert not habit([GOOD] * 100).has_drifted


def test_many_unread_signals_are_noticed() -> None:
    assert habit([GOOD] * 80 + [Seen(layout="a", was_read=False)] * 8).has_drifted


def test_new_layouts_are_noticed() -> None:
    fresh = [Seen(layout=f"n{number}", was_read=True, confidence=100) for number in range(3)]
    assert habit([GOOD] * 40 + fresh).has_drifted


def test_falling_confidence_is_noticed() -> None:
    weak = [Seen(layout="a", was_read=True, confidence=80)] * 5
    assert habit([GOOD] * 60 + weak).has_drifted


def test_a_channel_with_little_history_raises_no_alarm() -> None:
    assert not habit([Seen(layout=str(number), was_read=False) for number in range(10)]).has_drifted


def drifted() -> ChannelHabit:
    fresh = [Seen(layout=f"n{number}", was_read=True, confidence=100) for number in range(3)]
    return habit([GOOD] * 40 + fresh)


def test_after_a_change_only_the_new_layouts_are_strange_until_the_user_has_looked() -> None:
    changed = drifted()
    assert changed.alarm == 43
    assert [changed.is_strange(name) for name in ("a", "n0", "n2", "never")] == [
        False,
        True,
        True,
        True,
    ]
    later = changed
    for one in [GOOD] * 10:
        later = later.after(one)
    assert later.is_strange("n0")
    looked = later.checked(later.total)
    assert looked.alarm is None
    assert not looked.is_strange("n0")
    assert not looked.after(Seen(layout="n0", was_read=True, confidence=100)).has_drifted


def test_looking_at_an_older_state_does_not_end_a_newer_alarm() -> None:
    looked = drifted().checked(43)
    again = looked
    for name in ("o0", "o1", "o2"):
        again = again.after(Seen(layout=name, was_read=True, confidence=100))
    assert again.alarm == 46
    assert again.checked(43).alarm == 46


def test_the_layouts_that_are_kept_are_bounded_and_the_usual_one_stays() -> None:
    state = habit([GOOD] * 30)
    for number in range(500):
        state = state.after(Seen(layout=f"n{number}", was_read=True, confidence=100)).after(GOOD)
    assert len(state.layouts) == 200
    assert state.layouts["a"] == 1


CALL = Signal(side=Side.BUY, symbol="XAUUSD", issues=(Issue.STOP_MISSING,), confidence=90)
SOURCE = SignalRef(channel=ChannelId(-1), message=MessageId(9))


def test_a_call_is_completed_by_a_stop_and_keeps_its_own_entry() -> None:
    stop = FollowUp(action=MoveStop(to=Price.of("2340")), confidence=80)
    targets = FollowUp(action=SetTargets(prices=(Price.of("2360"), None)))
    assert completed_call(CALL, [targets], SOURCE) is None
    done = completed_call(CALL, [targets, stop], SOURCE)
    assert done is not None
    assert (done.stop, done.targets) == (Price.of("2340"), (Price.of("2360"), None))
    assert (done.issues, done.confidence, done.inherits) == ((), 80, SOURCE)
    numbered = FollowUp(action=MoveTarget(index=3, price=Price.of("2380")))
    more = completed_call(CALL, [targets, numbered, stop], SOURCE)
    assert more is not None
    assert more.targets == (Price.of("2360"), None, Price.of("2380"))


def test_levels_on_the_wrong_side_of_a_call_are_kept_and_named() -> None:
    stop = FollowUp(action=MoveStop(to=Price.of("2370")))
    targets = FollowUp(action=SetTargets(prices=(Price.of("2360"),)))
    done = completed_call(CALL, [stop, targets], SOURCE)
    assert done is not None
    assert (done.issues, done.confidence) == ((Issue.STOP_WRONG_SIDE,), 45)
    priced = replace(CALL, entry=PriceRange.of(Price.of("2365")))
    both = completed_call(priced, [stop, targets], SOURCE)
    assert both is not None
    assert both.issues == (Issue.STOP_WRONG_SIDE, Issue.TARGET_WRONG_SIDE)
