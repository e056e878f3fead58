"""From the library's objects to domain values; pure, so recorded payloads test all of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from telethon import types, utils

from signalfleet.adapters.telegram.limits import MESSAGE_LENGTH_MAX, SERVICE_ACCOUNTS
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.model import ChannelMessage, Span
from signalfleet.ports.chat_source import WatchedChat

CHANNEL_KINDS: Final = frozenset({"channel", "supergroup"})
UTF16_WIDE: Final = 0xFFFF
GENERAL_TOPIC: Final = 1  # Its messages carry no header; core.telegram.org/api/forum

UPDATE_TYPES: Final = (
    types.UpdateNewChannelMessage,
    types.UpdateEditChannelMessage,
    types.UpdateDeleteChannelMessages,
    types.UpdateChannelWebPage,
    types.UpdatePinnedChannelMessages,
    types.UpdateNewMessage,
    types.UpdateEditMessage,
    types.UpdateDeleteMessages,
    types.UpdateShortMessage,
    types.UpdateShortChatMessage,
    types.UpdateChannel,
)
_NEW: Final = (types.UpdateNewChannelMessage, types.UpdateNewMessage)
_EDIT: Final = (types.UpdateEditChannelMessage, types.UpdateEditMessage)
_SHORT: Final = (types.UpdateShortMessage, types.UpdateShortChatMessage)


class ChangeKind(StrEnum):
    NEW = "new"
    EDIT = "edit"
    DELETE = "delete"
    MARK = "mark"
    """Only the counters moved."""
    MEMBERSHIP = "membership"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One live update in plain fields. `chat` is None where Telegram does not say it.

    `pts` 0: taken out of a difference, so it says nothing about what came before it.
    """

    kind: ChangeKind
    chat: ChannelId | None
    ids: tuple[MessageId, ...] = ()
    message: ChannelMessage | None = None
    pts: int = 0
    pts_count: int = 0


def chat_of(update: Any) -> ChannelId | None:
    """Return the chat of an update: the first thing that is looked at, and often the only one."""
    message = getattr(update, "message", None)
    if isinstance(update, types.UpdateShortMessage):
        return ChannelId(update.user_id)
    if isinstance(update, types.UpdateShortChatMessage):
        return ChannelId(-update.chat_id)
    peer = getattr(message, "peer_id", None)
    if peer is not None:
        return chat_of_peer(peer)
    channel = getattr(update, "channel_id", None)
    return None if channel is None else chat_of_peer(types.PeerChannel(channel))


def may_be_read(chat: ChannelId) -> bool:
    """Telegram's own accounts send sign-in codes; nothing of them is ever looked at."""
    return int(chat) not in SERVICE_ACCOUNTS


def change_of(update: Any, *, is_forum: bool = False) -> Change | None:
    """Map an update; None for what carries nothing that is read."""
    chat = chat_of(update)
    pts, count = getattr(update, "pts", 0) or 0, getattr(update, "pts_count", 0) or 0
    if isinstance(update, (*_NEW, *_EDIT)):
        return _message_change(update, chat, pts, count, is_forum=is_forum)
    if isinstance(update, _SHORT):
        message = message_of(_unfolded(update), chat)
        if message is None:
            return None
        return Change(
            kind=ChangeKind.NEW,
            chat=chat,
            ids=(message.message,),
            message=message,
            pts=pts,
            pts_count=count,
        )
    if isinstance(update, (types.UpdateDeleteChannelMessages, types.UpdateDeleteMessages)):
        ids = tuple(MessageId(number) for number in update.messages)
        return Change(kind=ChangeKind.DELETE, chat=chat, ids=ids, pts=pts, pts_count=count)
    if isinstance(update, types.UpdateChannel):
        return Change(kind=ChangeKind.MEMBERSHIP, chat=chat)
    return Change(kind=ChangeKind.MARK, chat=chat, pts=pts, pts_count=count)


def _message_change(
    update: Any, chat: ChannelId | None, pts: int, count: int, *, is_forum: bool
) -> Change | None:
    raw = update.message
    if raw is None or chat is None:
        return None
    message = message_of(raw, chat, is_forum=is_forum)
    kind = ChangeKind.EDIT if isinstance(update, _EDIT) else ChangeKind.NEW
    return Change(
        kind=kind if message is not None else ChangeKind.MARK,
        chat=chat,
        ids=(MessageId(raw.id),),
        message=message,
        pts=pts,
        pts_count=count,
    )


def _unfolded(update: Any) -> Any:
    """Make the full message of the short form in which private chats and small groups come."""
    if isinstance(update, types.UpdateShortMessage):
        peer: Any = types.PeerUser(update.user_id)
    else:
        peer = types.PeerChat(update.chat_id)
    return types.Message(
        id=update.id,
        peer_id=peer,
        date=update.date,
        message=update.message,
        out=update.out,
        fwd_from=update.fwd_from,
        reply_to=update.reply_to,
        entities=update.entities,
    )


def message_of(
    raw: Any, chat: ChannelId | None = None, *, is_forum: bool = False
) -> ChannelMessage | None:
    """Map a message; None for service messages, empty ones and our own in a bot's chat."""
    if not isinstance(raw, types.Message) or isinstance(
        raw, (types.MessageService, types.MessageEmpty)
    ):
        return None
    peer = getattr(raw, "peer_id", None)
    channel = chat if chat is not None else (None if peer is None else chat_of_peer(peer))
    if channel is None or raw.date is None or (channel > 0 and raw.out):
        return None
    whole = raw.message or ""
    media = media_kind(raw.media)
    reply_to, topic = reply_of(raw.reply_to)
    return ChannelMessage(
        channel=channel,
        message=MessageId(raw.id),
        text=whole[:MESSAGE_LENGTH_MAX],
        posted_at=_utc(raw.date),
        struck=struck_spans(whole, raw.entities or ()),
        edited_at=None if raw.edit_date is None else _utc(raw.edit_date),
        reply_to=reply_to,
        topic=GENERAL_TOPIC if is_forum and topic is None else topic,
        forwarded=raw.fwd_from is not None,
        has_media=bool(media),
        media=media,
    )


def reply_of(header: Any) -> tuple[MessageId | None, int | None]:
    """Return what a message replies to in its own chat, and the forum topic it stands in."""
    if not isinstance(header, types.MessageReplyHeader):
        return None, None
    reply = header.reply_to_msg_id
    topic = None
    if header.forum_topic:
        topic = header.reply_to_top_id or header.reply_to_msg_id
        if not header.reply_to_top_id:
            reply = None  # Every message of a topic points to its first one.
    if header.reply_to_peer_id is not None:
        reply = None
    return (None if reply is None else MessageId(reply)), topic


def media_kind(media: Any) -> str:
    """Return one word for what is attached. A link's preview is not: it comes and goes."""
    if media is None or isinstance(media, (types.MessageMediaEmpty, types.MessageMediaWebPage)):
        return ""
    return type(media).__name__.removeprefix("MessageMedia").lower()


def struck_spans(text: str, entities: Any) -> tuple[Span, ...]:
    """Return the struck-through pieces in code points; Telegram counts UTF-16 units."""
    struck = [entity for entity in entities if isinstance(entity, types.MessageEntityStrike)]
    if not struck:
        return ()
    units = [0]
    for character in text[:MESSAGE_LENGTH_MAX]:
        units.append(units[-1] + (2 if ord(character) > UTF16_WIDE else 1))
    spans = []
    for entity in struck:
        start = _code_point(units, entity.offset)
        end = _code_point(units, entity.offset + entity.length)
        if start < end:
            spans.append(Span(start=start, end=end))
    return tuple(spans)


def _code_point(units: list[int], offset: int) -> int:
    for index, unit in enumerate(units):
        if unit >= offset:
            return index
    return len(units) - 1


def input_peer(chat: WatchedChat) -> Any:
    """Return the peer for requests about any kind of chat."""
    number, _ = utils.resolve_id(chat.chat)
    if chat.kind in CHANNEL_KINDS:
        return types.InputPeerChannel(number, chat.access_hash)
    if chat.kind == "group":
        return types.InputPeerChat(number)
    return types.InputPeerUser(number, chat.access_hash)


def input_channel(chat: WatchedChat) -> Any:
    number, _ = utils.resolve_id(chat.chat)
    return types.InputChannel(number, chat.access_hash)


def is_channel(chat: WatchedChat) -> bool:
    """Tell whether the chat has an event counter of its own."""
    return chat.kind in CHANNEL_KINDS


def chat_of_peer(peer: Any) -> ChannelId | None:
    """Return the marked id that names a chat everywhere in the product."""
    try:
        return ChannelId(utils.get_peer_id(peer))
    except TypeError:
        return None


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
