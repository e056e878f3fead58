from datetime import UTC, datetime, timedelta

from signalfleet.domain.ids import ChannelId, MessageId, SignalId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Price
from signalfleet.domain.signals.correlate import find_targets
from signalfleet.domain.signals.drift import ChannelHabit, Seen, fingerprint, looks_like_signal
from signalfleet.domain.signals.model import (
    ChannelMessage,
    Close,
    Context,
    Doubt,
    FollowUp,
    KnownSignal,
    MoveStop,
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
