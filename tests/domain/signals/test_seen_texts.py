"""A text that many users get at once is taken apart once, and read the same by each of them."""

from datetime import UTC, datetime

from signalfleet.bootstrap.language import load_parser
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.finder import KEPT
from signalfleet.domain.signals.model import ChannelMessage, Context

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
TEXTS = (
    "BUY EURUSD NOW\nSL 1.0800\nTP 1.1000",
    "SELL GOLD 2350 - 2352 SL 2360 TP1 2340 TP2 2330",
    "good morning traders",
)


def _message(text: str, number: int = 1) -> ChannelMessage:
    return ChannelMessage(
        channel=ChannelId(-100), message=MessageId(number), text=text, posted_at=AT
    )


def test_the_second_reading_is_like_the_first() -> None:
    parser = load_parser()
    for text in TEXTS:
        first = load_parser().parse(_message(text), Context())
        assert [parser.parse(_message(text, n), Context()) for n in (1, 2, 3)] == [first] * 3


def test_what_is_kept_has_an_end() -> None:
    parser = load_parser()
    kept = parser.facts("good morning 0")
    assert parser.facts("good morning 0") is kept
    for number in range(1, KEPT + 1):
        parser.facts(f"good morning {number}")
    assert parser.facts("good morning 0") is not kept
