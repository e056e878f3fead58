"""Until when a signal holds, where its text says so."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.signal_rules import AT, message
from signalfleet.bootstrap.language import load_expiry
from signalfleet.domain.errors import DomainError
from signalfleet.domain.signals.expiry import LONGEST, build_phrases, stated_expiry
from signalfleet.domain.signals.model import Parsed, Signal
from signalfleet.domain.signals.parse import Parser

ORDER = "BUY LIMIT GOLD 2345\nSL 2335\nTP 2360"
PHRASES = load_expiry()


def at(text: str) -> datetime | None:
    found = stated_expiry(text, AT, PHRASES)
    return None if found is None else found[0]


@pytest.mark.parametrize(
    ("said", "end", "words"),
    [
        ("Valid till 15:00 GMT", "2026-03-02T15:00", "Valid till 15:00 GMT"),
        ("valid until 9:45 pm (UTC+3)", "2026-03-02T18:45", "valid until 9:45 pm (UTC+3"),
        ("Order valid until 08:00 UTC", "2026-03-03T08:00", "valid until 08:00 UTC"),
        ("Valid for 2 hours", "2026-03-02T11:30", "Valid for 2 hours"),
        ("expires in 90min", "2026-03-02T11:00", "expires in 90min"),
        ("valid for 1.5h only", "2026-03-02T11:00", "valid for 1.5h"),
        ("good till cancelled today", "2026-03-03T00:00", "good till cancelled today"),
        ("Gültig bis 18:00 UTC", "2026-03-02T18:00", "Gültig bis 18:00 UTC"),
        ("Válido por 3 horas", "2026-03-02T12:30", "Válido por 3 horas"),
        ("действует 2 часа", "2026-03-02T11:30", "действует 2 часа"),
        ("有效期3小时", "2026-03-02T12:30", "有效期3小时"),
        ("صالح لمدة ٣ ساعات", "2026-03-02T12:30", "صالح لمدة ٣ ساعات"),
    ],
)
def test_a_stated_end_is_read_with_its_words(
    parser: Parser, said: str, end: str, words: str
) -> None:
    text = f"{ORDER}\n{said}"
    result = parser.parse(message(text))
    assert isinstance(result, Parsed)
    (signal,) = result.readings
    assert isinstance(signal, Signal)
    assert signal.expires_at == datetime.fromisoformat(end).replace(tzinfo=UTC)
    pieces = [text[one.start : one.end] for one in signal.spans if one.field == "expires"]
    assert pieces == [words]
    # The rest of the signal is what it is without the end.
    assert (signal.stop, signal.targets, signal.confidence) == _plain(parser)


def _plain(parser: Parser) -> tuple[object, object, int]:
    result = parser.parse(message(ORDER))
    assert isinstance(result, Parsed)
    signal = result.readings[0]
    assert isinstance(signal, Signal)
    assert signal.expires_at is None
    return signal.stop, signal.targets, signal.confidence


@pytest.mark.parametrize(
    "said",
    [
        "valid till 15:00",
        "valid till 15:00 GMT+3:30",
        "valid till 25:00 GMT",
        "valid till friday",
        "valid for a while",
        "valid for 0 hours",
        "valid for 99999 hours",
        "valid for 50 pips",
        "GTC",
        "next update at 15:00 GMT",
        "valid till\n15:00 GMT",
    ],
)
def test_what_cannot_be_placed_in_time_is_left_alone(said: str) -> None:
    assert at(said) is None


def test_the_earliest_of_several_ends_counts() -> None:
    assert at("valid for 3 hours, valid today only, valid for 1 hour") == AT + timedelta(hours=1)


def test_a_language_file_with_an_unknown_kind_is_refused() -> None:
    with pytest.raises(DomainError, match="no kind of expiry"):
        build_phrases({"en": {"untill": ["x"]}})
    with pytest.raises(DomainError, match="holds no word"):
        build_phrases({"en": {"until": [" "]}})


@given(
    st.text(
        alphabet=st.sampled_from("valid for til 0123456789:. GMTUC+-hours\ntoday()"), max_size=80
    )
)
def test_any_text_gives_no_end_or_one_after_the_post(text: str) -> None:
    found = stated_expiry(text, AT, PHRASES)
    if found is not None:
        end, span = found
        assert AT < end <= AT + LONGEST
        assert 0 <= span.start < span.end <= len(text)
