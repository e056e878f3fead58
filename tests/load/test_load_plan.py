"""What a load is made of: who is where, what is posted, and how orders find their posts."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.bots import _uneven
from bench.growth import growth
from bench.load.crew import together
from bench.load.latency import latencies
from bench.load.plan import EVERYDAY, SIGNALS_ONLY, LoadPlan, Posted, Writer, moments
from bench.load.towns import Order
from kit.chat_script import a_message
from signalfleet.bootstrap.language import load_parser
from signalfleet.domain.ids import ChannelId
from signalfleet.domain.signals.model import Context, Parsed, Signal

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


@given(
    users=st.integers(1, 3_000),
    rooms_each=st.integers(1, 4),
    room_size=st.integers(1, 20),
)
def test_every_user_is_in_rooms_that_exist(users: int, rooms_each: int, room_size: int) -> None:
    plan = LoadPlan(users=users, rooms_each=rooms_each, room_size=room_size)
    for user in {0, users // 2, users - 1}:
        rooms = plan.rooms_of(user)
        assert rooms
        assert set(rooms) <= set(range(plan.rooms))
    assert LoadPlan.load(plan.dump()) == plan


def test_rooms_are_as_large_as_asked_and_overlap() -> None:
    plan = LoadPlan(users=100, rooms_each=2, room_size=5)
    sizes = Counter(room for user in range(100) for room in plan.rooms_of(user))
    assert set(sizes.values()) == {5}
    first, second = (
        {user for user in range(100) if room in plan.rooms_of(user)} for room in plan.rooms_of(0)
    )
    assert first & second == {0}


def test_no_two_signals_of_a_run_can_be_mistaken() -> None:
    writer = Writer(Random(1))
    signals = [writer.signal() for _ in range(6_000)]
    assert len({one.key for one in signals}) == len(signals)


def test_each_text_is_read_as_the_signal_that_was_meant() -> None:
    parser, writer = load_parser(), Writer(Random(2))
    for number in range(40):
        meant = writer.signal()
        message = a_message(ChannelId(-100), number + 1, meant.text, AT)
        result = parser.parse(message, Context())
        assert isinstance(result, Parsed)
        (reading,) = result.readings
        assert isinstance(reading, Signal)
        assert (reading.symbol, reading.side.value) == (meant.symbol, meant.side)
        assert reading.stop is not None
        assert reading.stop.value == meant.stop


def test_a_mix_posts_only_what_it_holds() -> None:
    rng = Random(3)
    assert {SIGNALS_ONLY.choose(rng) for _ in range(100)} == {"signal"}
    assert {EVERYDAY.choose(rng) for _ in range(1_000)} == {
        "signal",
        "follow_up",
        "edit",
        "chatter",
    }


@given(
    per_minute=st.floats(-50, 50),
    start=st.floats(0, 1e6),
    times=st.lists(st.floats(0, 3_600), min_size=2, max_size=30, unique=True),
)
def test_a_straight_line_grows_as_it_does(
    per_minute: float, start: float, times: list[float]
) -> None:
    if max(times) - min(times) >= 1:
        line = [(at, start + per_minute * at / 60) for at in times]
        assert growth(line) == pytest.approx(per_minute, abs=1e-3)


def test_a_rate_is_kept_from_the_beginning() -> None:
    assert list(moments(2.0, 1.5)) == [0.0, 0.5, 1.0]


def test_an_order_is_counted_from_its_own_post() -> None:
    writer = Writer(Random(4))
    first, second = writer.signal(), writer.signal()
    posted = [
        Posted(kind="signal", room=0, message=1, at=100.0, members=2, signal=first),
        Posted(kind="chatter", room=0, message=2, at=100.5, members=2),
    ]
    orders = [_order(first.key, 100.02), _order(first.key, 100.03), _order(second.key, 100.04)]
    assert latencies(posted, orders) == [pytest.approx(0.02), pytest.approx(0.03)]
    assert [Posted.load(one.dump()) for one in posted] == posted


def test_costs_are_flat_when_each_bot_costs_the_same() -> None:
    assert _uneven({100: 1_000.0, 500: 5_000.0, 1_000: 10_000.0}) == pytest.approx(0.0)
    assert _uneven({100: 1_000.0, 500: 5_000.0, 1_000: 20_000.0}) == pytest.approx(1.1111, abs=1e-3)
    assert _uneven({100: 1_000.0, 500: 5_000.0}) is None


def _order(key: tuple[str, str, Decimal], at: float) -> Order:
    symbol, side, stop = key
    return Order(
        account="a", symbol=symbol, side=side, stop=stop, received_at=at, executed_at=at + 0.01
    )


def test_answers_of_several_processes_are_put_together() -> None:
    one = {"cpu_s": 1.5, "at": 7.0, "states": {"RUNNING": 2}, "stages": {"planned": [[1, 2]]}}
    other = {"cpu_s": 2.0, "at": 6.0, "states": {"RUNNING": 3, "OFF": 1}, "stages": {}, "pid": 4}
    assert together([one, other]) == {
        "cpu_s": 3.5,
        "at": 7.0,
        "states": {"RUNNING": 5, "OFF": 1},
        "stages": {"planned": [[1, 2]]},
        "pid": 4,
    }
    assert together([one]) == one
