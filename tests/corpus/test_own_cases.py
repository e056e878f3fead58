"""Our own messages, in the notation of the corpus: each bug becomes one."""

from pathlib import Path
from typing import Any

import pytest

from kit.signal_corpus import ACTIONS, Row, as_list, matches, read_rows, score_rows
from signalfleet.domain.signals.labels import parse_line
from signalfleet.domain.signals.parse import Parser

FOLDER = Path(__file__).parent / "cases"
ROWS = [row for file in sorted(FOLDER.glob("*.jsonl")) for row in read_rows(file)]


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_each_own_case_is_read_as_labelled(row: Row, parser: Parser) -> None:
    given = {"id": row["id"], "text": row["text"], "context": row["context"]}
    predicted = [one for one in parse_line(parser, given)["predict"] if one["kind"] in ACTIONS]
    wanted = [one for one in as_list(row["expect"]) if one["kind"] in ACTIONS]
    assert matches(wanted, predicted), predicted


def test_the_own_cases_together_open_nothing_false(parser: Parser, show: Any) -> None:
    score = score_rows(ROWS, parser)
    show.score("own cases", score)
    assert score.false_opens == []
    assert score.wrong_sides == []
