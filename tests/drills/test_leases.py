"""The protocol of leases in simulation: its laws hold, and they notice when a guard is missing."""

import pytest

from drills.d0_leases import CUT_OFF, DEAF, FROZEN
from drills.leases.cell import Sabotage
from drills.leases.plan import BEGIN_S, TTL_S, Event, Fault, Script
from drills.leases.run import NOTHING, SeedReport, run_seed


def a_script(*events: Event, workers: int = 3, has_watchdog: bool = False) -> Script:
    return Script(
        workers=workers,
        events=events,
        has_watchdog=has_watchdog,
        slow=0.0,
        rates=(1.0, 0.99, 1.01),
        weights=dict.fromkeys(range(12), 1),
    )


def an_event(fault: Fault, *, after: float = 0.0, lasts: float = 0.0, place: int = 0) -> Event:
    return Event(at=BEGIN_S + after, fault=fault, place=place, lasts=lasts)


def play(script: Script, sabotage: Sabotage = NOTHING, seeds: int = 3) -> list[SeedReport]:
    return [run_seed(seed, sabotage, script) for seed in range(1, seeds + 1)]


def broken(reports: list[SeedReport]) -> set[str]:
    return {line.split(maxsplit=2)[1] for report in reports for line in report.broken}


@pytest.mark.parametrize("first", [1, 4, 7, 10])
def test_no_law_is_broken_by_drawn_faults(first: int) -> None:
    reports = [run_seed(seed) for seed in range(first, first + 3)]
    assert [line for report in reports for line in report.broken] == []
    assert all(report.orders for report in reports)


@pytest.mark.parametrize("fault", [pytest.param(one, id=one.value) for one in Fault])
def test_each_fault_alone_is_outlived(fault: Fault) -> None:
    script = a_script(an_event(fault, lasts=1.2 * TTL_S))
    assert broken(play(script, seeds=1)) == set()


def test_the_same_seed_is_the_same_story() -> None:
    assert run_seed(5).lines == run_seed(5).lines


def test_a_frozen_worker_sends_nothing_when_it_wakes() -> None:
    assert broken(play(FROZEN)) == set()


def test_without_the_look_at_the_lease_a_woken_worker_is_caught_sending() -> None:
    assert "L3" in broken(play(FROZEN, Sabotage(no_gate=True), seeds=6))


def test_a_cut_off_worker_has_no_late_effect() -> None:
    assert broken(play(CUT_OFF)) == set()


def test_without_epochs_in_the_store_a_late_write_is_caught() -> None:
    assert "L4" in broken(play(CUT_OFF, Sabotage(no_epoch_check=True)))


def test_a_deaf_observer_takes_nothing_from_the_living() -> None:
    assert broken(play(DEAF)) == set()


def test_burying_without_a_look_at_the_revision_is_caught() -> None:
    assert "L2" in broken(play(DEAF, Sabotage(blind_burial=True)))


@pytest.mark.parametrize("seed", [99, 318, 498])
def test_a_seed_that_broke_a_law_once_breaks_none(seed: int) -> None:
    assert run_seed(seed).broken == ()
