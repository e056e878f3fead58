"""The laws of allowances: nobody gets more than comes in, and what was used was used."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.domain.accounts.budgets import (
    HEAVY_STEP_S,
    THROTTLED_MAX_S,
    BotLimits,
    Recycles,
    Throttle,
    TokenBucket,
)

START = datetime(2026, 3, 2, tzinfo=UTC)
LIMITS = BotLimits()
amounts = st.floats(0, 1000)
pauses = st.floats(0, 10_000)
moves = st.lists(st.tuples(pauses, amounts), max_size=60)


def bucket() -> TokenBucket:
    return TokenBucket.full(2.0, 50.0, 0.0)


class TestTokenBucket:
    @given(moves)
    def test_never_holds_more_than_its_burst(self, moves: list[tuple[float, float]]) -> None:
        one, now = bucket(), 0.0
        for pause, amount in moves:
            now += pause
            one.spend(amount, now)
            assert one.level <= one.burst

    @given(moves)
    def test_who_waits_as_told_never_takes_more_than_came_in(
        self, moves: list[tuple[float, float]]
    ) -> None:
        one, now, taken = bucket(), 0.0, 0.0
        for pause, amount in moves:
            now += pause
            one.spend(amount, now)
            taken += amount
            now += one.wait_s(now)
            assert taken <= one.burst + one.rate * now + 1e-6 * (1 + taken)

    @given(moves)
    def test_the_wait_is_long_enough_and_not_longer(self, moves: list[tuple[float, float]]) -> None:
        one, now = bucket(), 0.0
        for pause, amount in moves:
            now += pause
            one.spend(amount, now)
            wait = one.wait_s(now)
            if wait > 0:
                one.refill(now + wait / 2)
                assert one.level < 0
                now += wait
                one.refill(now)
                assert one.level == pytest.approx(0, abs=1e-6)

    @given(st.floats(0, 40), st.floats(0, 100))
    def test_a_clock_that_steps_back_gives_nothing(self, spent: float, back: float) -> None:
        one = bucket()
        one.spend(spent, 100.0)
        level = one.level
        one.refill(100.0 - back)
        assert one.level == level
        one.refill(100.0)
        assert one.level == level, "the same second is not paid twice"

    @given(moves, pauses)
    def test_refilling_often_is_refilling_once(
        self, moves: list[tuple[float, float]], last: float
    ) -> None:
        often, once, now = bucket(), bucket(), 0.0
        often.spend(1000, 0)
        once.spend(1000, 0)
        for pause, _ in moves:
            now += pause
            often.refill(now)
        now += last
        often.refill(now)
        once.refill(now)
        assert often.level == pytest.approx(once.level, abs=1e-6)


class TestThrottle:
    def test_five_percent_for_ever_is_never_slowed_down(self) -> None:
        throttle = Throttle.of(LIMITS, 0.0)
        for second in range(1, 3600):
            assert throttle.charge(0.0499, (), second) is None
            assert not throttle.is_on

    def test_two_seconds_at_once_are_allowed_and_the_next_is_not(self) -> None:
        throttle = Throttle.of(LIMITS, 0.0)
        throttle.charge(1.99, (), 0.0)
        assert not throttle.is_on
        throttle.charge(0.05, (), 0.1)
        assert throttle.is_on

    def test_it_ends_when_a_tenth_is_there_again_and_not_sooner(self) -> None:
        throttle = Throttle.of(LIMITS, 0.0)
        throttle.charge(2.0, (), 0.0)
        lifted = next(now for now in range(1, 100) if not _on_after(throttle, now))
        assert lifted == 4, "0.2 s of allowance at 50 ms a second"

    def test_too_much_for_five_minutes_is_the_end(self) -> None:
        throttle = Throttle.of(LIMITS, 0.0)
        reasons = [throttle.charge(1.0, (), float(now)) for now in range(400)]
        assert throttle.since is not None
        ended = reasons.index("cpu_limit")
        assert ended - throttle.since == pytest.approx(THROTTLED_MAX_S + 1)

    def test_three_long_steps_are_the_end_and_two_are_not(self) -> None:
        throttle = Throttle.of(LIMITS, 0.0)
        long = [HEAVY_STEP_S + 0.01]
        assert throttle.charge(0.0, long, 1.0) is None
        assert throttle.charge(0.0, [HEAVY_STEP_S], 2.0) is None, "exactly a second is none"
        assert throttle.charge(0.0, long, 3.0) is None
        assert throttle.charge(0.0, long, 4.0) == "long_steps"

    def test_long_steps_of_a_while_ago_are_forgiven(self) -> None:
        throttle = Throttle.of(LIMITS, 0.0)
        throttle.charge(0.0, [2.0, 2.0], 1.0)
        assert throttle.charge(0.0, [2.0], 700.0) is None

    @given(st.floats(0.1, 100))
    def test_whatever_the_limit_a_use_below_it_is_free(self, percent: float) -> None:
        limits = BotLimits(cpu_percent=percent)
        throttle = Throttle.of(limits, 0.0)
        for second in range(1, 200):
            throttle.charge(limits.cpu_rate * 0.99, (), second)
            assert not throttle.is_on


def _on_after(throttle: Throttle, now: float) -> bool:
    throttle.charge(0.0, (), now)
    return throttle.is_on


class TestRecycles:
    def test_the_third_within_an_hour_is_one_too_many(self) -> None:
        recycles = Recycles()
        assert [recycles.add(START + timedelta(minutes=29 * n)) for n in range(3)] == [
            *(False, False, True)
        ]

    def test_one_a_day_goes_on_for_ever(self) -> None:
        recycles = Recycles()
        assert not any(recycles.add(START + timedelta(days=n)) for n in range(50))
        assert recycles.count == 1
