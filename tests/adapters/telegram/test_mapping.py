"""From the library's objects to domain values."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telethon import types

from signalfleet.adapters.telegram.mapping import (
    ChangeKind,
    change_of,
    chat_of,
    input_peer,
    may_be_read,
    message_of,
    struck_spans,
)
from signalfleet.domain.ids import ChannelId
from signalfleet.domain.signals.model import Span
from signalfleet.ports.chat_source import WatchedChat

MARKED = ChannelId(-1_001_234_567_890)
CHANNEL = types.PeerChannel(1_234_567_890)
WHEN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


NOWHERE = types.MessageEmpty(id=1, peer_id=None)


def a_message(**fields: Any) -> Any:
    given = {"id": 7, "peer_id": CHANNEL, "date": WHEN, "message": "BUY GOLD", **fields}
    return types.Message(**given)


def test_a_plain_post() -> None:
    message = message_of(a_message())
    assert message is not None
    assert (message.channel, message.message, message.text) == (MARKED, 7, "BUY GOLD")
    assert message.posted_at == WHEN
    assert message.edited_at is None
    assert not message.forwarded
    assert (message.has_media, message.media) == (False, "")


def test_an_edit_keeps_both_times() -> None:
    later = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
    message = message_of(a_message(edit_date=later))
    assert message is not None
    assert (message.posted_at, message.edited_at) == (WHEN, later)


@pytest.mark.parametrize(
    ("header", "reply_to", "topic"),
    [
        (None, None, None),
        (types.MessageReplyHeader(reply_to_msg_id=3), 3, None),
        (types.MessageReplyHeader(reply_to_msg_id=3, quote=True, quote_text="x"), 3, None),
        (types.MessageReplyHeader(reply_to_msg_id=3, reply_to_peer_id=CHANNEL), None, None),
        (types.MessageReplyHeader(forum_topic=True, reply_to_msg_id=5), None, 5),
        (
            types.MessageReplyHeader(forum_topic=True, reply_to_msg_id=9, reply_to_top_id=5),
            9,
            5,
        ),
        (types.MessageReplyStoryHeader(peer=CHANNEL, story_id=3), None, None),
    ],
)
def test_replies_and_topics(header: Any, reply_to: int | None, topic: int | None) -> None:
    message = message_of(a_message(reply_to=header))
    assert message is not None
    assert (message.reply_to, message.topic) == (reply_to, topic)


@pytest.mark.parametrize(
    ("media", "kind"),
    [
        (types.MessageMediaPhoto(), "photo"),
        (types.MessageMediaDocument(), "document"),
        (types.MessageMediaUnsupported(), "unsupported"),
        (types.MessageMediaWebPage(types.WebPageEmpty(1)), ""),
        (types.MessageMediaEmpty(), ""),
    ],
)
def test_media_is_one_word_and_a_link_preview_is_none(media: Any, kind: str) -> None:
    message = message_of(a_message(media=media))
    assert message is not None
    assert (message.media, message.has_media) == (kind, bool(kind))


def test_a_forward_is_marked() -> None:
    message = message_of(a_message(fwd_from=types.MessageFwdHeader(date=WHEN)))
    assert message is not None
    assert message.forwarded


def test_a_long_text_is_cut() -> None:
    message = message_of(a_message(message="x" * 5_000))
    assert message is not None
    assert len(message.text) == 4_096


@pytest.mark.parametrize(
    "raw",
    [
        types.MessageService(
            id=7, peer_id=CHANNEL, date=WHEN, action=types.MessageActionPinMessage()
        ),
        types.MessageEmpty(id=7, peer_id=CHANNEL),
        None,
        types.Message(id=7, peer_id=types.PeerUser(55), date=WHEN, message="mine", out=True),
    ],
)
def test_what_is_no_message_of_the_channel_is_left_out(raw: Any) -> None:
    assert message_of(raw) is None


def test_struck_pieces_are_counted_in_code_points() -> None:
    text = "🔥🔥 SL 2390 TP"
    entity = types.MessageEntityStrike(offset=5, length=7)
    assert struck_spans(text, [entity]) == (Span(start=3, end=10),)
    assert text[3:10] == "SL 2390"


@given(st.text(max_size=60), st.integers(-5, 200), st.integers(-5, 200))
def test_any_entity_gives_spans_inside_the_text(text: str, offset: int, length: int) -> None:
    for span in struck_spans(text, [types.MessageEntityStrike(offset, length)]):
        assert 0 <= span.start < span.end <= len(text)


@given(st.text(min_size=1, max_size=60), st.data())
def test_spans_are_the_inverse_of_utf16(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    units = [len(text[:i].encode("utf-16-le", "surrogatepass")) // 2 for i in (start, end)]
    entity = types.MessageEntityStrike(units[0], units[1] - units[0])
    assert struck_spans(text, [entity]) == (Span(start=start, end=end),)


def test_channel_updates_carry_their_counter() -> None:
    change = change_of(types.UpdateNewChannelMessage(a_message(), pts=12, pts_count=1))
    assert change is not None
    assert (change.kind, change.chat, change.ids) == (ChangeKind.NEW, MARKED, (7,))
    assert (change.pts, change.pts_count) == (12, 1)


def test_a_deletion_in_a_channel_names_it_and_others_do_not() -> None:
    told = change_of(types.UpdateDeleteChannelMessages(1_234_567_890, [1, 2], 5, 2))
    untold = change_of(types.UpdateDeleteMessages([1, 2], 5, 2))
    assert told is not None
    assert untold is not None
    assert (told.chat, told.ids, told.kind) == (MARKED, (1, 2), ChangeKind.DELETE)
    assert (untold.chat, untold.ids) == (None, (1, 2))


def test_a_service_message_only_moves_the_marks() -> None:
    raw = types.MessageService(
        id=8, peer_id=CHANNEL, date=WHEN, action=types.MessageActionPinMessage()
    )
    change = change_of(types.UpdateNewChannelMessage(raw, pts=13, pts_count=1))
    assert change is not None
    assert (change.kind, change.ids, change.message) == (ChangeKind.MARK, (8,), None)


def test_the_short_form_of_small_groups_and_bots_is_unfolded() -> None:
    group = types.UpdateShortChatMessage(
        id=5, from_id=1, chat_id=77, message="hi", pts=3, pts_count=1, date=WHEN
    )
    bot = types.UpdateShortMessage(id=6, user_id=88, message="hello", pts=4, pts_count=1, date=WHEN)
    for update, chat, text in ((group, -77, "hi"), (bot, 88, "hello")):
        change = change_of(update)
        assert chat_of(update) == chat
        assert change is not None
        assert change.message is not None
        assert (change.chat, change.message.text) == (chat, text)


def test_an_update_without_a_chat_is_nobodys() -> None:
    assert chat_of(types.UpdateDeleteMessages([1], 1, 1)) is None
    assert chat_of(types.UpdateNewChannelMessage(NOWHERE, 1, 1)) is None
    assert change_of(types.UpdateNewChannelMessage(NOWHERE, 1, 1)) is None


def test_telegrams_own_accounts_are_never_read() -> None:
    assert not may_be_read(ChannelId(777_000))
    assert not may_be_read(ChannelId(489_000))
    assert may_be_read(MARKED)


@pytest.mark.parametrize(
    ("kind", "chat", "expected"),
    [
        ("channel", MARKED, types.InputPeerChannel(1_234_567_890, 9)),
        ("supergroup", MARKED, types.InputPeerChannel(1_234_567_890, 9)),
        ("group", ChannelId(-77), types.InputPeerChat(77)),
        ("bot", ChannelId(88), types.InputPeerUser(88, 9)),
    ],
)
def test_each_kind_of_chat_has_its_peer(kind: str, chat: ChannelId, expected: Any) -> None:
    watched = WatchedChat(chat=chat, kind=kind, access_hash=9, title="")
    assert input_peer(watched).to_dict() == expected.to_dict()
