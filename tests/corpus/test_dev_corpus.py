"""The gate: what the parser reads of the labelled corpus may not get worse."""

from typing import Any

import pytest

from kit.signal_corpus import Row, corpus_folder, is_set_aside, read_rows, score_rows
from signalfleet.domain.signals.parse import Parser

OPEN_FLOOR = 0.97
FOLLOW_UP_FLOOR = 0.95
INERT_FLOOR = 0.98


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    file = corpus_folder() / "dev.jsonl"
    if not file.is_file():
        pytest.skip(
            f"THE PARSER WAS NOT SCORED: no labelled corpus at {file}; "
            "set SIGNALFLEET_CORPUS to its folder"
        )
    return read_rows(file)


def test_the_corpus_is_read_at_least_as_well_as_the_committed_floor(
    rows: list[Row], parser: Parser, show: Any
) -> None:
    score = score_rows(rows, parser)
    show.score("dev corpus", score)
    assert score.share("open") >= OPEN_FLOOR, score.missed
    assert score.share("follow-up") >= FOLLOW_UP_FLOOR, score.missed
    assert score.share("inert") >= INERT_FLOOR, score.missed


def test_nothing_is_opened_that_the_corpus_does_not_open(rows: list[Row], parser: Parser) -> None:
    score = score_rows(rows, parser)
    assert score.false_opens == []
    assert score.wrong_sides == []


def test_the_families_set_aside_are_scored_apart(
    rows: list[Row], parser: Parser, show: Any
) -> None:
    score = score_rows((row for row in rows if is_set_aside(row["family"])), parser)
    show.score("families set aside", score)
    assert score.false_opens == []
    assert score.wrong_sides == []
    assert score.share("open") >= 0.9
    assert score.share("follow-up") >= 0.85
