"""The page of scenarios lists each of them, and the runner notices what is not so."""

import pytest

from kit.scenario_book import difference, expected
from kit.scenario_page import PAGE, rendered
from kit.scenario_player import NotSoError, play
from kit.scenario_script import Scenario, ScriptError, load_scenarios, scenario_of

LEAST = 40


def one(script: str, **more: object) -> Scenario:
    return scenario_of("own", {"name": "own", "shows": "Something.", "script": script, **more})


def test_the_page_shows_every_scenario() -> None:
    assert PAGE.read_text(encoding="utf-8") == rendered(), (
        "write it again: PYTHONPATH=src:tests python -m kit.scenario_page"
    )


def test_there_are_enough_on_hedging_and_on_netting_accounts() -> None:
    scenarios = load_scenarios()
    assert len(scenarios) >= LEAST
    assert sum(scenario.netting for scenario in scenarios) >= LEAST // 8


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("!! positions", "no step"),
        ("wait 1s", "expects nothing"),
    ],
    ids=["unreadable", "pointless"],
)
def test_a_script_that_means_nothing_is_refused(script: str, complaint: str) -> None:
    with pytest.raises(ScriptError, match=complaint):
        one(script)


def test_a_field_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ScriptError, match="nobody knows nettting"):
        one("expect positions: none", nettting=True)


@pytest.mark.parametrize(
    ("wanted", "differs"),
    [
        ("XAUUSD buy 0.05 sl 2340 tp 2360", False),
        ("XAUUSD buy 0.05 at 2350.1 sl 2340.0 tp 2360", False),
        ("XAUUSD buy 0.05 tp 2360", True),
        ("XAUUSD buy 0.06 sl 2340 tp 2360", True),
        ("none", True),
        ("XAUUSD buy 0.05 sl 2340 tp 2360; XAUUSD buy 0.05 sl 2340 tp 2360", True),
    ],
    ids=["same", "with_more_detail", "a_stop_too_many", "other_lots", "too_many", "too_few"],
)
def test_positions_are_compared_whole(wanted: str, *, differs: bool) -> None:
    found = expected("XAUUSD buy 0.05 at 2350.10 sl 2340 tp 2360")
    assert (difference(expected(wanted), found) is not None) is differs


@pytest.mark.loopback
async def test_an_expectation_that_is_not_so_fails_with_its_line() -> None:
    with pytest.raises(NotSoError, match=r"own: expect positions: none\n.*the broker has symbol"):
        await play(one("post call: BUY GOLD NOW // SL 2340 // TP 2365\nexpect positions: none"))
