"""Short forms of the drills that guard the promise of one order a leg, with real processes."""

import pytest

from drills.d1_kill import SHORT_POINTS, kill_often
from drills.d2_answer_lost import lose_answers
from drills.d4_duplicates import repeat_updates

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(120)]


async def test_a_process_that_is_killed_sends_no_leg_twice_and_loses_none() -> None:
    result = await kill_often(kills=2, points=SHORT_POINTS, seed=1)
    assert result.ok, dict(result.figures)


async def test_an_order_whose_answer_is_lost_is_found_and_not_sent_again() -> None:
    result = await lose_answers(signals=3, seed=2)
    assert result.ok, dict(result.figures)


async def test_updates_that_come_several_times_open_each_leg_once() -> None:
    result = await repeat_updates(signals=6, seed=4)
    assert result.ok, dict(result.figures)
