"""A misread message becomes a regression case by one command."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tools.corpus_add import main

SIGNAL = "XAUUSD BUY 2345 SL 2338 TP 2360"
OPEN = '{"kind": "open", "symbol": "XAUUSD", "side": "buy", "entry": [2345, 2345]}'


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def run(text: str, *arguments: str) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        return main(["drops", *arguments], tmp_path)

    return run


def rows(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "drops.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_label_that_names_only_what_it_expects_is_completed(add: Any, tmp_path: Path) -> None:
    assert add(SIGNAL + "\n", "--expect", OPEN, "--note", "why") == 0
    (row,) = rows(tmp_path)
    assert (row["id"], row["family"], row["text"]) == ("own.drops-01", "own.drops", SIGNAL)
    assert row["expect"]["tps"] == []
    assert row["expect"]["entry"] == [2345, 2345]
    assert (row["context"], row["note"]) == (None, "why")


def test_the_reviewed_reading_may_be_kept_with_its_context(add: Any, tmp_path: Path) -> None:
    assert add(SIGNAL, "--as-read") == 0
    assert add("SL to BE", "--as-read", "--reply-to", SIGNAL, "--lang", "en") == 0
    first, second = rows(tmp_path)
    assert first["expect"]["sl"] == 2338.0
    assert second["id"] == "own.drops-02"
    assert second["expect"]["kind"] == "break_even"
    assert second["context"] == {"reply_to": SIGNAL}


@pytest.mark.parametrize(
    ("text", "expect", "why"),
    [
        (SIGNAL, "{", "no JSON"),
        (SIGNAL, "[]", "a label or a list"),
        (SIGNAL, '{"kind": "jump"}', "none of"),
        (SIGNAL, '{"kind": "close", "tps": [1]}', "has no tps"),
        (SIGNAL, '{"kind": "open"}', "needs its side"),
    ],
)
def test_a_case_that_makes_no_sense_is_not_kept(
    add: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    expect: str,
    why: str,
) -> None:
    assert add(text, "--expect", expect) == 2
    assert why in capsys.readouterr().err
    assert not (tmp_path / "drops.jsonl").exists()


def test_without_a_message_nothing_is_kept(add: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        add(" \n", "--as-read")
    assert not (tmp_path / "drops.jsonl").exists()


def test_a_message_is_kept_once(add: Any, tmp_path: Path) -> None:
    assert add(SIGNAL, "--as-read") == 0
    assert add(SIGNAL, "--expect", '{"kind": "none"}') == 2
    assert len(rows(tmp_path)) == 1
