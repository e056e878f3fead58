"""`signalfleet replay`: an export of Telegram Desktop, read as if it had come live."""

import json
from pathlib import Path
from typing import Any

import pytest

from kit.product_process import call_cli

START = 1_760_000_000


def message(number: int, text: object, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "type": "message",
        "date": "2025-10-09T08:53:20",
        "date_unixtime": str(START + 60 * number),
        "from": "Harbour Gold Room",
        "from_id": "channel1234567890",
        "text": text,
        "text_entities": [],
        **more,
    }


MESSAGES = [
    {
        "id": 1,
        "type": "service",
        "date": "2025-10-09T08:53:20",
        "date_unixtime": str(START),
        "actor": "Harbour Gold Room",
        "action": "create_channel",
        "title": "Harbour Gold Room",
        "text": "",
        "text_entities": [],
    },
    message(2, "Good morning, traders"),
    message(
        3,
        [
            {"type": "bold", "text": "XAUUSD BUY"},
            " 2350\n",
            {"type": "italic", "text": "SL"},
            ": 2344\nTP: ",
            {"type": "code", "text": "2358"},
        ],
    ),
    message(4, "Move SL to entry", reply_to_message_id=3),
    message(5, "Nice chart, no?", forwarded_from="Another Room"),
    message(
        6,
        "EURUSD sell 1.0850 sl 1.0870 tp 1.0810",
        photo="photos/photo_1.jpg",
        width=800,
        height=600,
    ),
    message(
        7,
        "GBPUSD buy 1.2500 sl 1.2470 tp 1.2560",
        edited="2025-10-09T09:30:00",
        edited_unixtime=str(START + 900),
    ),
    message(8, "Close EURUSD now"),
    message(9, "[red]Marks[/red] of \x1b[2J a terminal \u202e are text"),
    message(10, "", sticker_emoji="x", media_type="sticker", file="sticker.webp"),
]


def export(folder: Path, messages: list[dict[str, Any]] = MESSAGES, **more: Any) -> Path:
    whole = {
        "name": "Harbour Gold Room",
        "type": "public_channel",
        "id": 1_234_567_890,
        "messages": messages,
        **more,
    }
    path = folder / "result.json"
    path.write_text(json.dumps(whole, ensure_ascii=False), encoding="utf-8")
    return path


def outcomes(printed: str) -> dict[int, dict[str, Any]]:
    return {line["message"]: line for line in map(json.loads, printed.splitlines())}


def test_each_message_has_its_outcome_as_json(tmp_path: Path) -> None:
    ended = call_cli("replay", str(export(tmp_path)), "--json", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    found = outcomes(ended.stdout)
    assert found.keys() == {2, 3, 4, 5, 6, 7, 8, 9, 10}, "the service message is not one"
    assert {number: line["outcome"] for number, line in found.items()} == {
        2: "nothing",
        3: "copied",
        4: "followed",
        5: "nothing",
        6: "copied",
        7: "copied",
        8: "followed",
        9: "nothing",
        10: "nothing",
    }
    assert "XAUUSD" in found[3]["understood"]
    assert "2344" in found[3]["understood"]
    assert found[4]["understood"].endswith("on message 3")
    assert found[8]["understood"].endswith("on message 6")
    assert found[3]["posted_at"].startswith("2025-10-09T08:56:20")


def test_a_person_gets_a_table_with_a_sum_and_what_it_leaves_out(tmp_path: Path) -> None:
    ended = call_cli("replay", str(export(tmp_path)), cwd=tmp_path)
    assert ended.returncode == 0
    assert "Harbour Gold Room: what would have been done" in ended.stdout
    assert "9 readings:" in ended.stdout
    assert "1 service message" in ended.stdout
    assert "Prices, spread and your limits are not part of this" in ended.stdout
    assert "[red]Marks[/red]" in ended.stdout
    assert "\x1b" not in ended.stdout
    assert "\u202e" not in ended.stdout


def test_the_folder_of_an_export_will_do(tmp_path: Path) -> None:
    export(tmp_path)
    ended = call_cli("replay", ".", "--json", cwd=tmp_path)
    assert outcomes(ended.stdout).keys() >= {2, 3}


def test_a_limit_shows_the_first_and_says_that_more_follow(tmp_path: Path) -> None:
    path = str(export(tmp_path))
    ended = call_cli("replay", path, "--limit", "2", cwd=tmp_path)
    assert "2 readings:" in ended.stdout
    assert "More follow" in ended.stdout
    everything = call_cli("replay", path, "--limit", "9", cwd=tmp_path)
    assert "More follow" not in everything.stdout


def test_an_export_without_messages_is_no_failure(tmp_path: Path) -> None:
    ended = call_cli("replay", str(export(tmp_path, [])), cwd=tmp_path)
    assert ended.returncode == 0
    assert "0 readings." in ended.stdout


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[]", "not an export"),
        ('{"chats": {"list": []}}', "Export chat history"),
        ('{"name": "x", "type": "public_channel", "id": 5}', "no list of messages"),
        ('{"type": "personal_chat", "id": 5, "messages": []}', "chats with people"),
        ('{"type": "public_channel", "id": 5, "messages": [7]}', "is not a message"),
        (
            '{"type": "public_channel", "id": 5, "messages": [{"id": 1, "type": "message"}]}',
            "has no date",
        ),
        ("[" * 100_000, "not JSON"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_file_that_is_no_export_is_refused_in_one_sentence(
    tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "result.json"
    path.write_text(content)
    ended = call_cli("replay", str(path), cwd=tmp_path)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    ended = call_cli("replay", "nowhere.json", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == "nowhere.json cannot be read: No such file or directory\n"
