"""The product is killed again and again while signals arrive: no order twice, none lost."""

import pytest

from drills.d1_kill import kill_often

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]

KILLS = 20
SEED = 4_711


async def test_twenty_kills_leave_each_leg_exactly_once_at_the_broker() -> None:
    result = await kill_often(kills=KILLS, points=(), seed=SEED)
    figures = dict(result.figures)
    assert result.ok, figures
    assert figures["kills"] == KILLS
    assert (figures["legs_doubled"], figures["legs_missing"], figures["open_intents"]) == (0, 0, 0)
    assert figures["legs_given_up"] == 0, figures
    assert isinstance(figures["signals"], int)
    assert figures["signals"] >= KILLS


async def test_a_kill_between_the_brokers_yes_and_our_record_of_it_opens_nothing_twice() -> None:
    result = await kill_often(kills=0, points=("broker.submit:after:1",), seed=SEED + 1)
    figures = dict(result.figures)
    assert result.ok, figures
    assert figures["points_reached"] == 1
    assert (figures["legs_doubled"], figures["legs_missing"]) == (0, 0)
    assert figures["legs_given_up"] == 0
