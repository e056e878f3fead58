"""Probation: when a channel goes a stage up, when it goes back, and what it lacks."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.domain.errors import DomainError
from signalfleet.domain.risk.probation import (
    ChannelRecord,
    Probation,
    Stage,
    check_probation,
    closed_of,
    progress_of,
    reduced,
)
from signalfleet.domain.settings.catalogue import DEFAULTS
from signalfleet.domain.settings.resolve import Level, resolve

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
LATER = START + timedelta(days=3)


def record(*results: str, taken: int | None = None) -> ChannelRecord:
    closed = closed_of([(START + timedelta(minutes=n), Decimal(r)) for n, r in enumerate(results)])
    return ChannelRecord(taken=len(results) if taken is None else taken, closed=closed)


def at(stage: Stage) -> Probation:
    return Probation(stage=stage, since=START, why="")


def test_a_channel_on_paper_goes_on_after_twenty_signals_or_two_weeks() -> None:
    paper = Probation.begun(START)
    few = progress_of(paper, record(taken=19), DEFAULTS, LATER)
    assert few.next is None
    assert few.missing == ("1 more signals on paper, to 20; or time, until 16 March",)
    assert progress_of(paper, record(taken=20), DEFAULTS, LATER).next is Stage.REDUCED
    late = START + timedelta(days=14)
    assert progress_of(paper, record(taken=0), DEFAULTS, late).next is Stage.REDUCED


def test_a_channel_that_loses_on_paper_stays_there_however_long() -> None:
    found = progress_of(
        Probation.begun(START), record(*["-0.5"] * 20), DEFAULTS, START + timedelta(days=99)
    )
    assert found.next is None
    assert found.missing == ("its last 20 closed signals lost 0.50 R each on average: it must win",)


def test_a_reduced_channel_goes_on_when_its_results_and_their_fall_allow_it() -> None:
    reduced_stage = at(Stage.REDUCED)
    assert progress_of(reduced_stage, record(*["0.1"] * 20), DEFAULTS, LATER).next is Stage.FULL
    few = progress_of(reduced_stage, record("1", "1"), DEFAULTS, LATER)
    assert (few.next, few.missing) == (None, ("18 more closed signals, to 20",))
    fell = progress_of(reduced_stage, record(*["-1"] * 11, *["2"] * 9), DEFAULTS, LATER)
    assert fell.next is None
    assert fell.missing == ("a largest fall of 10 R or less: it was 11.00 R",)


@pytest.mark.parametrize(
    ("stage", "back"),
    [(Stage.FULL, Stage.REDUCED), (Stage.REDUCED, Stage.PAPER)],
    ids=["full", "reduced"],
)
def test_twenty_signals_that_lost_take_a_channel_one_stage_back(stage: Stage, back: Stage) -> None:
    found = progress_of(at(stage), record(*["5"] * 3, *["-0.1"] * 20), DEFAULTS, LATER)
    assert found.next is back
    assert found.why == "its last 20 closed signals lost 0.10 R each on average"
    assert progress_of(at(stage), record(*["-1"] * 19), DEFAULTS, LATER).next is None


def test_what_was_kept_is_read_back_and_nonsense_is_refused() -> None:
    kept = Probation.begun(START).moved(Stage.REDUCED, "20 signals", LATER)
    assert Probation.of_document(kept.document()) == kept
    doc = kept.document()
    for wrong in ({}, {**doc, "stage": "gold"}, {**doc, "since": "2026-01-01"}):
        with pytest.raises(DomainError):
            Probation.of_document(wrong)


def test_only_a_paper_account_takes_signals_of_a_channel_on_paper() -> None:
    assert check_probation(Stage.PAPER, is_paper=True).passed
    assert not check_probation(Stage.PAPER, is_paper=False).passed
    assert check_probation(Stage.REDUCED, is_paper=False).passed


def test_a_reduced_size_multiplies_the_users_own_and_says_so() -> None:
    mine = resolve([Level(source="your default", doc={"size_factor": "2"})])
    found = reduced(mine, Stage.REDUCED)
    assert found.rules.size_factor == Decimal("0.5")
    assert found.source("size_factor") == "probation, 0.25 of 2 from your default"
    assert reduced(mine, Stage.FULL) == mine


RESULTS = st.lists(st.decimals(-3, 3, places=2), max_size=60)


@given(results=RESULTS, taken=st.integers(0, 60), days=st.integers(0, 30))
def test_no_channel_is_let_up_by_more_losses(results: list[Decimal], taken: int, days: int) -> None:
    now = START + timedelta(days=days)
    rank = [Stage.PAPER, Stage.REDUCED, Stage.FULL]
    for stage in Stage:
        good = progress_of(at(stage), record(*map(str, results), taken=taken), DEFAULTS, now)
        worse = [str(one - 1) for one in results]
        bad = progress_of(at(stage), record(*worse, taken=taken), DEFAULTS, now)
        assert rank.index(bad.next or stage) <= rank.index(good.next or stage)
        for found in (good, bad):
            assert abs(rank.index(found.next or stage) - rank.index(stage)) <= 1
