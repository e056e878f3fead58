"""Books of losses: when days begin, what a limit counts from, and what stays after a restart."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.builders import rules
from signalfleet.domain.errors import DomainError
from signalfleet.domain.risk.losses import LossBook, Period, day_start, week_start

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
MIDNIGHT = time(0, 0)
MOMENTS = st.datetimes(datetime(2020, 1, 3), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ZONES = st.sampled_from([UTC, BERLIN, NEW_YORK, ZoneInfo("Asia/Kolkata"), ZoneInfo("Asia/Tokyo")])
TIMES = st.times().map(lambda one: one.replace(second=0, microsecond=0))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "zone", "reset", "expected"),
    [
        ("2026-03-29T12:00", BERLIN, MIDNIGHT, "2026-03-28T23:00"),
        ("2026-03-30T12:00", BERLIN, MIDNIGHT, "2026-03-29T22:00"),
        ("2026-03-29T12:00", BERLIN, time(2, 30), "2026-03-29T01:30"),
        ("2026-10-25T12:00", BERLIN, time(2, 30), "2026-10-25T00:30"),
        ("2026-10-25T00:15", BERLIN, time(2, 30), "2026-10-24T00:30"),
        ("2026-11-01T12:00", NEW_YORK, time(17, 0), "2026-10-31T21:00"),
        ("2026-11-01T22:30", NEW_YORK, time(17, 0), "2026-11-01T22:00"),
    ],
    ids=[
        "spring day",
        "day after spring",
        "time left out",
        "time that comes twice",
        "before it",
        "new york before",
        "new york after",
    ],
)
def test_a_day_begins_at_the_reset_time_also_where_clocks_change(
    now: str, zone: ZoneInfo, reset: time, expected: str
) -> None:
    assert day_start(at(now), zone, reset) == at(expected)


@given(now=MOMENTS, zone=ZONES, reset=TIMES)
def test_a_day_has_begun_and_is_not_over(now: datetime, zone: ZoneInfo, reset: time) -> None:
    start = day_start(now, zone, reset)
    assert start <= now
    assert now - start <= timedelta(hours=26)
    assert day_start(start, zone, reset) == start
    week = week_start(now, zone, reset)
    assert week <= start
    assert now - week <= timedelta(days=7, hours=2)


def test_an_anchor_is_kept_within_its_day_and_over_a_restart() -> None:
    monday = at("2026-03-02T10:00")
    book = LossBook().rolled(monday, UTC, MIDNIGHT, Decimal(1000), Decimal(1100))
    later = book.rolled(at("2026-03-02T23:59"), UTC, MIDNIGHT, Decimal(500), Decimal(400))
    assert later == book
    assert LossBook.of_document(book.document()) == book
    tuesday = book.rolled(at("2026-03-03T00:00"), UTC, MIDNIGHT, Decimal(500), Decimal(400))
    assert tuesday.anchors[Period.DAY].balance == 500
    assert tuesday.anchors[Period.WEEK].balance == 1000
    assert tuesday.anchors[Period.TOTAL].balance == 1000


@pytest.mark.parametrize(
    ("anchor", "floor"),
    [("balance", "950"), ("equity", "1045"), ("higher_of_both", "1045")],
    ids=["balance", "equity", "higher"],
)
def test_what_a_limit_counts_from_is_chosen(anchor: str, floor: str) -> None:
    book = LossBook().rolled(at("2026-03-02T10:00"), UTC, MIDNIGHT, Decimal(1000), Decimal(1100))
    (line,) = book.lines(rules(daily_loss="5", loss_anchor=anchor))
    assert line.floor == Decimal(floor)


def test_four_fifths_warn_once_and_the_limit_stays_reached_until_its_period_is_over() -> None:
    limits = rules(daily_loss="10", weekly_loss="50")
    now = at("2026-03-02T10:00")
    book = LossBook().rolled(now, UTC, MIDNIGHT, Decimal(1000), Decimal(1000))
    book, crossed = book.seen(Decimal(921), limits)
    assert crossed == ()
    book, crossed = book.seen(Decimal(920), limits)
    assert [one.is_reached for one in crossed] == [False]
    book, crossed = book.seen(Decimal(915), limits)
    assert crossed == ()
    book, crossed = book.seen(Decimal(900), limits)
    assert [one.is_reached for one in crossed] == [True]
    book, crossed = book.seen(Decimal(1200), limits)
    assert crossed == ()
    assert [line.reached for line in book.lines(limits)] == [True, False]
    book = book.rolled(now + timedelta(days=1), UTC, MIDNIGHT, Decimal(900), Decimal(900))
    assert [line.reached for line in book.lines(limits)] == [False, False]


def test_a_new_day_opens_only_what_the_day_had_closed() -> None:
    limits = rules(daily_loss="10", weekly_loss="10")
    now = at("2026-03-02T10:00")
    book = LossBook().rolled(now, UTC, MIDNIGHT, Decimal(1000), Decimal(1000))
    book, _ = book.seen(Decimal(900), limits)
    tuesday = book.rolled(now + timedelta(days=1), UTC, MIDNIGHT, Decimal(900), Decimal(900))
    assert [(line.key, line.reached) for line in tuesday.lines(limits)] == [
        ("daily_loss", False),
        ("weekly_loss", True),
    ]


@pytest.mark.parametrize(
    "doc",
    [
        {"anchors": {"day": {"start": "x", "balance": "1", "equity": "1"}}},
        {"anchors": {"day": {"start": "2026-01-01T00:00:00+00:00", "balance": "NaN"}}},
        {"anchors": [], "reached": []},
        {"reached": ["never"]},
    ],
    ids=["time", "amount", "shape", "period"],
)
def test_a_record_that_cannot_be_read_is_an_error_and_no_new_beginning(
    doc: dict[str, object],
) -> None:
    with pytest.raises(DomainError):
        LossBook.of_document(doc)
