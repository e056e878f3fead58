"""Reading a channel's history as Telegram Desktop exports it."""

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.adapters.telegram.export import ExportError, read_export
from signalfleet.domain.signals.model import Span


def a_file(*messages: dict[str, Any], **fields: Any) -> str:
    whole = {
        "name": "Gold signals",
        "type": "private_channel",
        "id": 1234567890,
        "messages": list(messages),
        **fields,
    }
    return json.dumps(whole)


def a_post(number: int = 2, text: Any = "BUY GOLD", **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "type": "message",
        "date": "2026-03-01T13:00:00",
        "date_unixtime": "1772366400",
        "from": "Gold signals",
        "from_id": "channel1234567890",
        "text": text,
        **fields,
    }


SERVICE = {"id": 1, "type": "service", "date_unixtime": "1772366000", "action": "create_channel"}


def test_a_channel_with_its_posts() -> None:
    export = read_export(a_file(SERVICE, a_post(2), a_post(3, "close")))
    assert (export.chat, export.kind, export.title) == (
        -1_001_234_567_890,
        "channel",
        "Gold signals",
    )
    assert export.service_messages == 1
    assert [(m.message, m.text) for m in export.messages] == [(2, "BUY GOLD"), (3, "close")]
    first = export.messages[0]
    assert first.channel == export.chat
    assert first.posted_at == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert first.edited_at is None
    assert not first.forwarded


def test_formatted_pieces_become_one_text_and_struck_ones_are_marked() -> None:
    pieces = [
        "🔥 ",
        {"type": "bold", "text": "BUY GOLD"},
        "\n",
        {"type": "strikethrough", "text": "SL 2390"},
        {"type": "link", "text": " t.me/x"},
        "",
    ]
    message = read_export(a_file(a_post(text=pieces))).messages[0]
    assert message.text == "🔥 BUY GOLD\nSL 2390 t.me/x"
    assert message.struck == (Span(start=11, end=18),)
    assert message.text[11:18] == "SL 2390"


def test_a_file_with_text_entities_only_is_read_too() -> None:
    entry = a_post(text_entities=[{"type": "plain", "text": "BUY"}])
    del entry["text"]
    assert read_export(a_file(entry)).messages[0].text == "BUY"


def test_half_characters_become_question_marks() -> None:
    message = read_export(a_file(a_post(text=["\ud83d", "BUY \udd25"]))).messages[0]
    assert message.text == "?BUY ?"


def test_a_caption_keeps_its_kind_of_media() -> None:
    entries = [
        a_post(2, "chart", photo="photos/1.jpg", width=1, height=1),
        a_post(3, "", file="(File not included)", media_type="voice_message"),
        a_post(4, "", poll={"question": "up?"}),
        a_post(5, "just text"),
    ]
    found = [(m.text, m.media) for m in read_export(a_file(*entries)).messages]
    assert found == [("chart", "photo"), ("", "document"), ("", "poll"), ("just text", "")]


def test_edits_replies_and_forwards() -> None:
    entries = [
        a_post(2, edited="2026-03-01T13:05:00", edited_unixtime="1772366700"),
        a_post(3, reply_to_message_id=2),
        a_post(4, reply_to_message_id=2, reply_to_peer_id="channel5"),
        a_post(5, forwarded_from="Another"),
        a_post(6, forwarded_from=None),
    ]
    second, third, fourth, fifth, sixth = read_export(a_file(*entries)).messages
    assert second.edited_at == datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
    assert third.reply_to == 2
    assert fourth.reply_to is None
    assert fifth.forwarded
    assert sixth.forwarded


def test_a_forums_topic_is_no_reply() -> None:
    topic = {"id": 5, "type": "service", "action": "topic_created", "date_unixtime": "1"}
    entry = a_post(6, reply_to_message_id=5)
    message = read_export(a_file(topic, entry, type="public_supergroup")).messages[0]
    assert (message.reply_to, message.topic) == (None, 5)


def test_messages_come_in_order_and_once() -> None:
    export = read_export(a_file(a_post(9, "b"), a_post(3, "a"), a_post(9, "b again")))
    assert [m.text for m in export.messages] == ["a", "b again"]


@pytest.mark.parametrize(
    ("kind", "chat"),
    [
        ("public_channel", -1_001_234_567_890),
        ("private_supergroup", -1_001_234_567_890),
        ("private_group", -1_234_567_890),
        ("bot_chat", 1_234_567_890),
    ],
)
def test_every_kind_of_chat_gets_the_id_of_live_messages(kind: str, chat: int) -> None:
    assert read_export(a_file(type=kind)).chat == chat


def test_old_files_need_the_zone_of_the_exporter() -> None:
    entry = a_post()
    del entry["date_unixtime"]
    with pytest.raises(ExportError, match="zone"):
        read_export(a_file(entry))
    zone = timezone(timedelta(hours=1))
    message = read_export(a_file(entry), zone=zone).messages[0]
    assert message.posted_at == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("", "not JSON"),
        ("<html>", "Machine-readable JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not an export"),
        ('{"chats": {"list": []}}', "whole account"),
        ("{}", "no list of messages"),
        (a_file(type="personal_chat"), "chats with people"),
        (a_file(type=["channel"]), "chats with people"),
        (a_file(id="x"), "which channel"),
        (a_file(id=-5), "which channel"),
        (a_file(id=True), "which channel"),
        ('{"id": 1, "type": "private_channel", "messages": [5]}', "entry 1"),
        (a_file(a_post(0)), "entry 1"),
        (a_file(a_post(2, 5)), "message 2"),
        (a_file(a_post(2, [5])), "message 2"),
        (a_file(a_post(2, [{"type": "bold"}])), "message 2"),
        (a_file(a_post(2, date_unixtime="soon")), "unreadable time"),
        (a_file(a_post(2, date_unixtime="9" * 30)), "unreadable time"),
        (a_file(a_post(2, date_unixtime=None, date=None)), "no date"),
        (a_file(a_post(2, type="ad")), "unknown type"),
        (a_file(a_post(2, reply_to_message_id="x")), "message 2 replies"),
    ],
)
def test_a_bad_file_says_what_is_wrong(raw: str | bytes, words: str) -> None:
    with pytest.raises(ExportError, match=words):
        read_export(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from([*a_post(), "edited", "reply_to_message_id"]), JSON))
def test_any_entry_is_read_or_refused(entry: dict[str, Any]) -> None:
    with contextlib.suppress(ExportError):
        for message in read_export(a_file({**a_post(), **entry})).messages:
            assert message.text.encode() is not None


@given(st.text() | st.binary())
def test_any_file_is_read_or_refused(raw: str | bytes) -> None:
    with pytest.raises(ExportError):
        read_export(raw)
