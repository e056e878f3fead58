"""Numbers, times, spans and changes as they are shown."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.builders import a_trade, an_intent
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Price
from signalfleet.domain.signals.model import OrderKind, PriceRange, Signal, Span
from signalfleet.domain.trading.intents import ProtectLeg
from signalfleet.web.present import formats
from signalfleet.web.present.detail import changes
from signalfleet.web.present.formats import Times, one_line
from signalfleet.web.present.orders import command_line
from signalfleet.web.present.reading import cut, signal_line
from signalfleet.web.present.trace import note_line
from signalfleet.web.present.words import Words

WORDS = Words.english()
NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("10482.15", "10\u202f482.15"),
        ("-1234567.5", "\u22121\u202f234\u202f567.50"),
        ("0", "0.00"),
        ("999.999", "1\u202f000.00"),
    ],
)
def test_amounts_are_grouped(value: str, shown: str) -> None:
    assert formats.amount(Decimal(value)) == shown


@pytest.mark.parametrize(
    ("value", "shown", "tone"),
    [
        ("91.2", "+91.20", "up"),
        ("-3", "\u22123.00", "down"),
        ("0", "0.00", "flat"),
        ("-0.001", "0.00", "flat"),
        ("0.004", "0.00", "flat"),
        ("-0.005", "\u22120.01", "down"),
    ],
)
def test_won_and_lost_money_has_a_sign_and_zero_has_none(value: str, shown: str, tone: str) -> None:
    assert formats.signed(Decimal(value)) == shown
    assert formats.tone(Decimal(value)) == tone


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.414, "0.41 s"),
        (12.34, "12.3 s"),
        (184, "3 min 04 s"),
        (7_500, "2 h 05 min"),
        (180_000, "2 d 2 h"),
    ],
)
def test_durations_have_the_units_that_matter(seconds: float, shown: str) -> None:
    assert formats.seconds(timedelta(seconds=seconds)) == shown


def test_times_are_the_users_and_the_hover_is_utc() -> None:
    times = Times("Europe/Berlin", NOON)
    assert times.at(NOON).shown == "12:00:00"
    assert times.at(NOON).utc == "2026-03-02T11:00:00Z"
    assert times.at(NOON - timedelta(days=1)).shown == "1 Mar 12:00"
    assert times.midnight == datetime(2026, 3, 1, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["", "Nowhere/Land", "../../etc/passwd", "\0"])
def test_an_odd_time_zone_is_utc(zone: str) -> None:
    assert Times(zone, NOON).name == "UTC"


@given(st.text())
def test_a_line_is_one_line_without_controls(text: str) -> None:
    line = one_line(text, 50)
    assert len(line) <= 50
    assert line == line.strip()
    assert not set(line) & formats.BIDI_CONTROLS
    assert "\n" not in line


@given(
    st.text(max_size=40),
    st.lists(st.tuples(st.integers(-5, 50), st.integers(-5, 50), st.text(max_size=5))),
)
def test_whatever_the_spans_are_the_text_stays_whole(
    text: str, spans: list[tuple[int, int, str]]
) -> None:
    made = [Span(start=start, end=end, field=field) for start, end, field in spans]
    assert "".join(piece.text for piece in cut(text, made, WORDS)) == text


def test_spans_count_code_points() -> None:
    text = "🚀 GOLD 🚀 BUY"
    pieces = cut(text, [Span(start=2, end=6, field="symbol")], WORDS)
    assert [(one.text, one.label) for one in pieces] == [
        ("🚀 ", ""),
        ("GOLD", "Symbol"),
        (" 🚀 BUY", ""),
    ]


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_comparison_keeps_both_texts(before: str, after: str) -> None:
    found = changes(before, after)
    assert "".join(one.text for one in found if one.kind != "ins") == before
    assert "".join(one.text for one in found if one.kind != "del") == after


def test_an_entry_is_said_in_one_line() -> None:
    signal = Signal(
        side=Side.BUY,
        symbol="XAUUSD",
        order=OrderKind.LIMIT,
        entry=PriceRange.of(Price.of("2349"), Price.of("2350.1")),
        stop=Price.of("2340"),
        targets=(Price.of("2360.50"), None),
        risk_percent=Decimal("1.0"),
    )
    assert signal_line(signal) == (
        "BUY LIMIT XAUUSD 2349\u20132350.1, S/L 2340, T/P 2360.50 / open, risk 1 %"
    )
    bare = Signal(side=Side.SELL, stop_pips=Decimal(30), target_pips=(Decimal(20), Decimal(50)))
    assert signal_line(bare) == "SELL no symbol at market, S/L 30 pips, T/P 20 / 50 pips"


def test_a_legs_note_is_said_in_words() -> None:
    assert note_line("leg 2: late_stop (price 5, stop 6)", WORDS) == (
        "Leg 2: The price had already passed the new stop, so it was not sent (price 5, stop 6)."
    )
    assert note_line("anything else", WORDS) == "Anything else"


def test_levels_that_are_set_again_say_why() -> None:
    command = ProtectLeg(stop_loss=Price.of("2348"), take_profit=None)
    told = command_line(an_intent(a_trade(), command, cause="msg:1:2:0:0"))
    again = command_line(an_intent(a_trade(), command, cause="rec:undone:iABC:0"))
    assert told == "stop to 2348, target \N{EN DASH}"
    assert again == f"{told} once more, as an older order came late and took it back"
