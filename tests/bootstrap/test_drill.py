"""Crash points are for drills: a production process refuses to start with them."""

from typing import Any, cast

import pytest

from signalfleet.bootstrap.drill import VARIABLE, CrashPlan, with_crash_points
from signalfleet.bootstrap.settings import ConfigurationError
from signalfleet.bots.services import BotServices

SERVICES = cast("BotServices", object())
POINT = "journal.decide:after:3"


def test_in_production_the_process_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, POINT)
    with pytest.raises(ConfigurationError, match=f"{VARIABLE}.*remove it in production"):
        with_crash_points(SERVICES, is_production=True)


@pytest.mark.parametrize("is_production", [True, False], ids=["production", "development"])
def test_without_the_variable_nothing_is_wrapped(
    monkeypatch: pytest.MonkeyPatch, *, is_production: bool
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert with_crash_points(SERVICES, is_production=is_production) is SERVICES


@pytest.mark.parametrize("text", ["", "x", "decide:", "journal.decide:after:x"])
def test_a_point_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match="must look like"):
        CrashPlan.parse(text)


def test_a_point_has_a_name_and_a_turn() -> None:
    plan: Any = CrashPlan.parse(POINT)
    assert (plan.point, plan.turn) == ("journal.decide:after", 3)
