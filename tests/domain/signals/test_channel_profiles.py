"""What a channel's profile changes in the reading of its messages."""

import pytest

from kit.signal_rules import message
from signalfleet.domain.money import Price
from signalfleet.domain.signals.model import NotASignal, Parsed, ParseResult, Signal
from signalfleet.domain.signals.parse import Parser
from signalfleet.domain.signals.profiles import ChannelProfile


def only_signal(result: ParseResult) -> Signal:
    assert isinstance(result, Parsed), result
    (reading,) = result.readings
    assert isinstance(reading, Signal)
    return reading


def test_a_channels_own_words_have_the_roles_it_gives_them(parser: Parser) -> None:
    text = "Yellowmetal hoppala 2345\nfloorz 2338\nskyz 2360"
    words = {
        "buy": ("hoppala",),
        "stop": ("floorz",),
        "target": ("skyz",),
        "XAUUSD": ("yellowmetal",),
    }
    assert isinstance(parser.parse(message(text)), NotASignal)
    signal = only_signal(parser.parse(message(text), profile=ChannelProfile(extra_words=words)))
    assert (signal.symbol, signal.side.value, signal.stop) == ("XAUUSD", "buy", Price.of(2338))
    assert signal.targets == (Price.of(2360),)
    # The words of one channel are unknown in all others.
    assert isinstance(parser.parse(message(text)), NotASignal)


def test_a_channels_meaning_of_a_known_word_wins(parser: Parser) -> None:
    text = "BUY GOLD 2345 SL 2338 TP 2360"
    profile = ChannelProfile(extra_words={"question": ("gold",), "XAUUSD": ("metal",)})
    assert isinstance(parser.parse(message(text), profile=profile), NotASignal)
    assert only_signal(parser.parse(message(text))).symbol == "XAUUSD"


@pytest.mark.parametrize(
    ("style", "number", "price"),
    [
        ("comma", "1,085", "1.085"),
        ("dot", "1.085", "1.085"),
        ("comma", "1.085,5", "1085.5"),
        ("dot", "2,350", "2350"),
        ("comma", "2.350", "2350"),
        ("comma", "2350,5", "2350.5"),
        ("", "2.350", "2350"),
    ],
)
def test_the_decimal_mark_of_a_channel_settles_a_number(
    parser: Parser, style: str, number: str, price: str
) -> None:
    # A symbol of unknown size, so that nothing but the style can settle the number.
    text = f"BUY FOOUSDT {number} SL 1 TP 9999"
    if not style:
        text = f"BUY GOLD {number} SL 2340 TP 2360"
    signal = only_signal(parser.parse(message(text), profile=ChannelProfile(number_style=style)))
    assert signal.entry is not None
    assert signal.entry.low == Price.of(price)
