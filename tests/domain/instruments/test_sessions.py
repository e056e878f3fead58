"""The hours of a symbol: joined windows, and how long a closed market stays closed."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from signalfleet.domain.instruments.sessions import WEEK, TradeSessions

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
seconds = st.integers(0, WEEK - 1)
windows = st.lists(st.tuples(st.integers(0, WEEK), st.integers(0, WEEK)), max_size=8)


@given(windows, seconds)
def test_a_moment_is_open_exactly_where_one_of_the_windows_holds_it(
    given_windows: list[tuple[int, int]], at: int
) -> None:
    sessions = TradeSessions.of(given_windows)
    expected = any(start <= at < end for start, end in given_windows)
    assert sessions.is_open(MONDAY + timedelta(seconds=at)) is expected
    assert list(sessions.windows) == sorted(sessions.windows)


@given(windows, seconds)
def test_a_closed_market_opens_when_it_says_and_not_before(
    given_windows: list[tuple[int, int]], at: int
) -> None:
    sessions, moment = TradeSessions.of(given_windows), MONDAY + timedelta(seconds=at)
    opens = sessions.opens_in(moment)
    if opens is None:
        assert not sessions.windows
        return
    if sessions.is_open(moment):
        return
    assert sessions.is_open(moment + opens)
    assert not sessions.is_open(moment + opens - timedelta(seconds=1))
