"""Reads the `result.json` that Telegram Desktop writes when a channel's history is exported.

Pure: text in, messages out. The file is a person's upload, so anything may be in it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, NoReturn

from signalfleet.adapters.telegram.limits import MESSAGE_LENGTH_MAX
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.model import ChannelMessage, Span
from signalfleet.ports.errors import RefusedError

MARKED_CHANNEL: Final = -1_000_000_000_000
MESSAGES_MAX: Final = 1_000_000
ID_MAX: Final = 2**52

_CHANNELS: Final = {
    "public_channel": "channel",
    "private_channel": "channel",
    "public_supergroup": "supergroup",
    "private_supergroup": "supergroup",
}
_OTHERS: Final = {"private_group": "group", "bot_chat": "bot"}
_MEDIA: Final = {
    "photo": "photo",
    "file": "document",
    "poll": "poll",
    "contact_information": "contact",
    "location_information": "geo",
    "venue_title": "venue",
    "game_title": "game",
    "invoice_information": "invoice",
    "dice": "dice",
    "story_data": "story",
    "giveaway_information": "giveaway",
    "todo_list": "todo",
}
"""Fields of a message that carry media, and the kind by which live messages call the same."""


class ExportError(RefusedError):
    """The file is not a usable export; the text says what is wrong and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelExport:
    """One chat's exported history, oldest first. Service messages are counted, not kept."""

    chat: ChannelId
    kind: str
    title: str
    messages: tuple[ChannelMessage, ...]
    service_messages: int


def read_export(raw: str | bytes, *, zone: tzinfo | None = None) -> ChannelExport:
    """Read an export of one chat.

    `zone`: where it was exported; needed only for files of old versions, whose times say no zone.
    Raises `ExportError`.
    """
    try:
        whole = json.loads(raw)
    except (ValueError, RecursionError):
        _refuse("the file is not JSON; export the channel as 'Machine-readable JSON'")
    if not isinstance(whole, dict):
        _refuse("the file is not an export of Telegram Desktop")
    if "chats" in whole or "left_chats" in whole:
        _refuse(
            "this is an export of the whole account; open the channel in Telegram Desktop and "
            "choose 'Export chat history' there"
        )
    if not isinstance(whole.get("messages"), list):
        _refuse("the file has no list of messages; choose result.json of an exported channel")
    if len(whole["messages"]) > MESSAGES_MAX:
        _refuse(f"the file has more than {MESSAGES_MAX} messages; export a shorter time")
    chat, kind = _chat_of(whole)
    return _read_messages(whole, chat, kind, zone)


def _read_messages(
    whole: Mapping[str, Any], chat: ChannelId, kind: str, zone: tzinfo | None
) -> ChannelExport:
    topics: set[int] = set()
    found: dict[MessageId, ChannelMessage] = {}
    service = 0
    for place, entry in enumerate(whole["messages"], start=1):
        if not isinstance(entry, dict):
            _refuse(f"entry {place} of the messages is not a message")
        number = _number(entry.get("id"), f"entry {place} of the messages has no valid id")
        if entry.get("type") == "service":
            service += 1
            if entry.get("action") == "topic_created":
                topics.add(number)
        elif entry.get("type") == "message":
            message = _message(entry, MessageId(number), chat, zone, topics)
            found[message.message] = message
        else:
            _refuse(f"message {number} is of an unknown type; export with a current version")
    title = whole.get("name")
    return ChannelExport(
        chat=chat,
        kind=kind,
        title=_whole(title) if isinstance(title, str) else "",
        messages=tuple(found[number] for number in sorted(found)),
        service_messages=service,
    )


def _chat_of(whole: Mapping[str, Any]) -> tuple[ChannelId, str]:
    number = _number(whole.get("id"), "the file does not say which channel it is of")
    kind = whole.get("type")
    if isinstance(kind, str) and kind in _CHANNELS:
        return ChannelId(MARKED_CHANNEL - number), _CHANNELS[kind]
    if not isinstance(kind, str) or kind not in _OTHERS:
        _refuse("this is no channel, group or bot; chats with people cannot be used")
    return ChannelId(-number if kind == "private_group" else number), _OTHERS[kind]


def _message(
    entry: Mapping[str, Any],
    number: MessageId,
    chat: ChannelId,
    zone: tzinfo | None,
    topics: set[int],
) -> ChannelMessage:
    text, struck = _flatten(entry, number)
    media = _media_of(entry)
    reply_to, topic = _reply_of(entry, number, topics)
    posted_at = _time(entry, "date", number, zone)
    if posted_at is None:
        _refuse(f"message {number} has no date")
    return ChannelMessage(
        channel=chat,
        message=number,
        text=text,
        posted_at=posted_at,
        struck=struck,
        edited_at=_time(entry, "edited", number, zone),
        reply_to=reply_to,
        topic=topic,
        forwarded="forwarded_from" in entry or "forwarded_from_id" in entry,
        has_media=bool(media),
        media=media,
    )


def _flatten(entry: Mapping[str, Any], number: int) -> tuple[str, tuple[Span, ...]]:
    """Join the pieces of a text; it is one string, or a list of strings and formatted pieces."""
    pieces = entry.get("text")
    if pieces is None or pieces == "":
        pieces = entry.get("text_entities", "")
    if isinstance(pieces, str):
        return _whole(pieces)[:MESSAGE_LENGTH_MAX], ()
    if not isinstance(pieces, list):
        _refuse(f"the text of message {number} is neither a text nor a list")
    text = ""
    struck: list[Span] = []
    for piece in pieces:
        words = piece.get("text") if isinstance(piece, dict) else piece
        if not isinstance(words, str):
            _refuse(f"the text of message {number} has a piece that is no text")
        start, text = len(text), text + _whole(words)
        end = min(len(text), MESSAGE_LENGTH_MAX)
        if isinstance(piece, dict) and piece.get("type") == "strikethrough" and start < end:
            struck.append(Span(start=start, end=end))
    return text[:MESSAGE_LENGTH_MAX], tuple(struck)


def _whole(words: str) -> str:
    """Replace halves of characters, which JSON can hold but nothing can store."""
    return words.encode("utf-8", "replace").decode() if not words.isascii() else words


def _media_of(entry: Mapping[str, Any]) -> str:
    return next((kind for name, kind in _MEDIA.items() if entry.get(name) is not None), "")


def _reply_of(
    entry: Mapping[str, Any], number: int, topics: Iterable[int]
) -> tuple[MessageId | None, int | None]:
    """Return the parent in the same chat, and the forum topic."""
    parent = entry.get("reply_to_message_id")
    if parent is None or "reply_to_peer_id" in entry:
        return None, None
    parent = _number(parent, f"message {number} replies to something that is no message")
    if parent in topics:
        return None, parent  # Every message of a topic points to its first one.
    return MessageId(parent), None


def _time(entry: Mapping[str, Any], name: str, number: int, zone: tzinfo | None) -> datetime | None:
    seconds = entry.get(f"{name}_unixtime")
    local = entry.get(name)
    try:
        if seconds is not None:
            return datetime.fromtimestamp(int(seconds), UTC)
        if local is None:
            return None
        moment = datetime.fromisoformat(local)
    except (ValueError, TypeError, OverflowError, OSError):
        _refuse(f"message {number} has an unreadable time in '{name}'")
    if moment.tzinfo is None:
        if zone is None:
            _refuse(
                "the times of this file do not say their zone; export again with a current "
                "version of Telegram Desktop"
            )
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(UTC)


def _number(value: object, complaint: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < ID_MAX:
        _refuse(complaint)
    return value


def _refuse(words: str) -> NoReturn:
    raise ExportError(words) from None
