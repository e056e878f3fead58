"""`signalfleet parse`: one message for a person, or lines of JSON for a program."""

import json
from pathlib import Path

import pytest

from kit.product_process import call_cli

SIGNAL = "GOLD BUY NOW 2650\nSL 2640\nTP1 2660\nTP2 2670"


def test_a_message_is_shown_with_what_was_understood(tmp_path: Path) -> None:
    ended = call_cli("parse", SIGNAL, cwd=tmp_path)
    assert ended.returncode == 0
    assert SIGNAL in ended.stdout
    assert "understood: buy XAUUSD market at 2650 stop 2640 targets 2660, 2670" in ended.stdout
    assert ended.stderr == ""


def test_a_message_may_come_from_standard_input(tmp_path: Path) -> None:
    ended = call_cli("parse", cwd=tmp_path, given=SIGNAL)
    assert "understood: buy XAUUSD" in ended.stdout


def test_a_message_that_asks_for_nothing_says_why(tmp_path: Path) -> None:
    ended = call_cli("parse", "Good morning traders", cwd=tmp_path)
    assert ended.returncode == 0
    assert "nothing to do: no_instruction" in ended.stdout


def test_a_reply_is_read_with_the_message_that_it_answers(tmp_path: Path) -> None:
    ended = call_cli("parse", "Move SL to entry", "--reply-to", SIGNAL, cwd=tmp_path)
    assert "break even" in ended.stdout.lower().replace("-", " ")


def test_marks_of_the_terminal_in_a_message_are_not_obeyed(tmp_path: Path) -> None:
    ended = call_cli("parse", "[red]BUY[/red] gold [link=http://x]", cwd=tmp_path)
    assert ended.returncode == 0
    assert "[red]BUY[/red] gold [link=http://x]" in ended.stdout


def test_control_characters_of_a_message_do_not_reach_the_terminal(tmp_path: Path) -> None:
    ended = call_cli("parse", "BUY gold\x1b]0;owned\x07\x1b[2J sl 2640", cwd=tmp_path)
    assert ended.returncode == 0
    assert "\x1b" not in ended.stdout


def test_lines_of_json_become_labels_in_the_same_order(tmp_path: Path) -> None:
    lines = [
        {"id": "a", "text": SIGNAL},
        {"id": "b", "text": "Good morning"},
        {"id": "c", "text": "SL to entry", "context": {"reply_to": SIGNAL}},
        {"id": "d", "text": SIGNAL, "context": {"edit_of": "GOLD BUY NOW 2650"}},
    ]
    given = "\n".join(json.dumps(line) for line in lines) + "\n\n"
    ended = call_cli("parse", "--jsonl", cwd=tmp_path, given=given)
    assert ended.returncode == 0
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["id"] for line in found] == ["a", "b", "c", "d"]
    kinds = [line["predict"][0]["kind"] for line in found]
    assert kinds == ["open", "none", "break_even", "modify"]
    assert found[0]["predict"][0]["tps"] == [2660.0, 2670.0]


BROKEN = (
    ("no JSON", b"broken"),
    ("no object", b"[1, 2]"),
    ("a number", b"17"),
    ("no text", b'{"id": "x"}'),
    ("no id", b'{"text": "BUY gold"}'),
    ("a text that is none", b'{"id": "x", "text": 5}'),
    ("a context that is none", b'{"id": "x", "text": "BUY gold", "context": 5}'),
    ("a reply that is none", b'{"id": "x", "text": "BUY gold", "context": {"reply_to": 5}}'),
    ("half a character", b'{"id": "x", "text": "BUY \\ud83d gold"}'),
    ("bytes that are no text", b'{"id": "x", "text": "BUY \xff\xfe gold"}'),
    ("far too deep", b"[" * 20_000),
    ("a number without end", b'{"id": ' + b"9" * 6_000 + b', "text": "x"}'),
)


def test_a_line_that_cannot_be_read_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    good = json.dumps({"id": "good", "text": SIGNAL}).encode()
    given = b"\n".join([*(line for _, line in BROKEN), good]) + b"\n"
    ended = call_cli("parse", "--jsonl", cwd=tmp_path, given=given)
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 1
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(found) == len(BROKEN) + 1
    assert found[-1]["id"] == "good"
    for number, line in enumerate(found[:-1], start=1):
        # Half a character can be read as a sign that nobody knows; all else is an error.
        assert "predict" in line or line["error"].startswith(f"line {number}: ")
    errors = [line for line in found if "error" in line]
    assert len(errors) >= len(BROKEN) - 2


@pytest.mark.parametrize("words", [("parse",), ("parse", "--jsonl")], ids=" ".join)
def test_nothing_at_all_is_no_failure(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = call_cli(*words, cwd=tmp_path, given="")
    assert ended.returncode == 0
    assert ended.stderr == ""
