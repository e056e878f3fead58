"""Lists the chats of a signed-in account, finds others by their links; for the picker."""

import functools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

from telethon import errors, functions, types, utils

from signalfleet.adapters.telegram.gate import ConnectGate
from signalfleet.adapters.telegram.guard import Role
from signalfleet.adapters.telegram.limits import DIALOG_PAGES_MAX, PAGE
from signalfleet.adapters.telegram.mapping import chat_of_peer, may_be_read
from signalfleet.adapters.telegram.sessions import short_connection
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.ports.chat_source import ChatListing, ChatPost, ChatTopic
from signalfleet.ports.clock import Chance, Clock
from signalfleet.ports.errors import RefusedError, TemporaryError
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import Secret

Ask = Callable[[Any], Awaitable[Any]]
POST_CHARS: Final = 300
_LINK: Final = re.compile(
    r"(?:(?:https?://)?(?:t|telegram)\.me/|@)?(?:(?:\+|joinchat/)(?P<invite>[\w-]{8,64})"
    r"|(?P<name>[A-Za-z][A-Za-z0-9_]{3,31}))/?"
)
_NOT_FOUND: Final = (
    errors.UsernameNotOccupiedError,
    errors.UsernameInvalidError,
    errors.InviteHashInvalidError,
    errors.InviteHashExpiredError,
    errors.InviteHashEmptyError,
)
_ASKED: Final = (
    "you asked to join; somebody has to let you in. Choose the chat here when you are in it"
)
_FULL: Final = "your account is in too many channels; leave one in Telegram first"
_NOT_JOINED: Final[dict[type[BaseException], str]] = {
    errors.UserAlreadyParticipantError: "",
    errors.InviteRequestSentError: _ASKED,
    errors.ChannelsTooMuchError: _FULL,
    errors.UserChannelsTooMuchError: _FULL,
    errors.UsersTooMuchError: "this chat is full",
    errors.InviteHashExpiredError: "this invitation has expired",
    errors.ChannelPrivateError: "you were removed from this chat, so you cannot join it again",
}
"""What Telegram says to a join; nothing to say means that it is as good as done."""


def listing_of(entity: Any, newest: Any = None) -> ChatListing | None:
    """Map a chat that can be watched; None for people, left chats and Telegram's own accounts."""
    return None if getattr(entity, "left", False) else _listing(entity, newest)


def _listing(entity: Any, newest: Any = None) -> ChatListing | None:
    kind = _kind(entity)
    if kind is None:
        return None
    chat = ChannelId(utils.get_peer_id(entity))
    if not may_be_read(chat):
        return None
    title = entity.first_name if kind == "bot" else entity.title
    return ChatListing(
        chat=chat,
        kind=kind,
        access_hash=getattr(entity, "access_hash", None) or 0,
        title=title or "",
        username=_username(entity),
        is_protected=bool(getattr(entity, "noforwards", False)),
        members=getattr(entity, "participants_count", None),
        has_photo=isinstance(
            getattr(entity, "photo", None), (types.ChatPhoto, types.UserProfilePhoto)
        ),
        join="open" if getattr(entity, "left", False) else "joined",
        is_forum=bool(getattr(entity, "forum", False)),
        last_post=_text_of(newest)[:POST_CHARS],
        last_post_at=None if newest is None else getattr(newest, "date", None),
    )


def _text_of(message: Any) -> str:
    return str(getattr(message, "message", "") or "")


def _kind(entity: Any) -> str | None:
    if isinstance(entity, types.Channel):
        if entity.min or entity.access_hash is None:
            return None
        return "supergroup" if entity.megagroup or entity.gigagroup else "channel"
    if isinstance(entity, types.Chat):
        return None if entity.deactivated or entity.migrated_to else "group"
    if isinstance(entity, types.User):
        return "bot" if entity.bot and not entity.deleted and entity.access_hash else None
    return None


def _username(entity: Any) -> str | None:
    name = getattr(entity, "username", None)
    if name:
        return str(name)
    for one in getattr(entity, "usernames", None) or ():
        if one.active:
            return str(one.username)
    return None


async def list_dialogs(ask: Ask) -> AsyncIterator[ChatListing]:
    """Ask page by page; the newest conversations come first, each chat once."""
    told: set[ChannelId] = set()
    offset_date, offset_id, offset_peer = None, 0, types.InputPeerEmpty()
    for _ in range(DIALOG_PAGES_MAX):
        answer = await ask(
            functions.messages.GetDialogsRequest(
                offset_date=offset_date,
                offset_id=offset_id,
                offset_peer=offset_peer,
                limit=PAGE,
                hash=0,
            )
        )
        entities = {utils.get_peer_id(one): one for one in (*answer.chats, *answer.users)}
        newest = {(chat_of_peer(m.peer_id), m.id): m for m in answer.messages if m.peer_id}
        for dialog in answer.dialogs:
            marked = chat_of_peer(dialog.peer)
            listing = listing_of(entities.get(marked), newest.get((marked, dialog.top_message)))
            if listing is not None and listing.chat not in told:
                told.add(listing.chat)
                yield listing
        last = _last(answer, entities)
        is_whole = isinstance(answer, types.messages.Dialogs)
        if is_whole or len(answer.dialogs) < PAGE or last is None:
            return
        offset_date, offset_id, offset_peer = last


def _last(answer: Any, entities: dict[int, Any]) -> tuple[Any, int, Any] | None:
    """Return where the next page starts: the last dialog whose newest message is known."""
    dates = {(chat_of_peer(m.peer_id), m.id): m.date for m in answer.messages if m.peer_id}
    for dialog in reversed(answer.dialogs):
        marked = chat_of_peer(dialog.peer)
        date = dates.get((marked, dialog.top_message))
        entity = entities.get(marked) if marked is not None else None
        if date is not None and entity is not None:
            return date, dialog.top_message, utils.get_input_peer(entity)
    return None


async def find_chat(ask: Ask, link: str) -> ChatListing:
    """Look a chat up by what people share: @name, t.me/name, t.me/+invitation."""
    match = _LINK.fullmatch(link.strip())
    if match is None:
        raise RefusedError("give a link like t.me/name or t.me/+AbCd, or a name like @name")
    try:
        if match["invite"]:
            return await _by_invitation(ask, match["invite"])
        answer = await ask(functions.contacts.ResolveUsernameRequest(match["name"]))
    except TemporaryError as error:
        if isinstance(error.__cause__, _NOT_FOUND):
            raise RefusedError("there is no chat under this link, or it has expired") from None
        raise
    wanted = utils.get_peer_id(answer.peer)
    entities = {utils.get_peer_id(one): one for one in (*answer.chats, *answer.users)}
    listing = _listing(entities.get(wanted))
    if listing is None:
        raise RefusedError("this is a person, or a chat that cannot be read")
    return listing


async def _by_invitation(ask: Ask, invite: str) -> ChatListing:
    answer = await ask(functions.messages.CheckChatInviteRequest(invite))
    if isinstance(answer, types.ChatInvite):
        # Telegram does not say which chat it is before somebody has joined.
        return ChatListing(
            chat=ChannelId(0),
            kind="channel" if answer.broadcast else "supergroup",
            access_hash=0,
            title=answer.title,
            username=None,
            is_protected=False,
            members=answer.participants_count,
            has_photo=isinstance(answer.photo, types.Photo),
            join="by_request" if answer.request_needed else "open",
        )
    listing = _listing(answer.chat)
    if listing is None:
        raise RefusedError("this chat cannot be read")
    return listing


async def join_chat(ask: Ask, ask_by_click: Ask, link: str) -> ChatListing:
    """Join what the link leads to, and return it as it is then.

    RefusedError in words for the user; where somebody must let the user in, that was asked for.
    """
    found = await find_chat(ask, link)
    if found.join == "joined":
        return found
    match = _LINK.fullmatch(link.strip())
    invite = match["invite"] if match is not None else None
    request: Any
    if invite:
        request = functions.messages.ImportChatInviteRequest(invite)
    else:
        number, _ = utils.resolve_id(found.chat)
        request = functions.channels.JoinChannelRequest(
            types.InputChannel(number, found.access_hash)
        )
    try:
        await ask_by_click(request)
    except (TemporaryError, RefusedError) as error:
        cause = error.__cause__
        words = None if cause is None else _NOT_JOINED.get(type(cause))
        if words is None:
            raise
        if words:
            raise RefusedError(words) from None
    joined = await find_chat(ask, link)
    if joined.join != "joined" or not joined.access_hash:
        raise RefusedError(_ASKED)
    return joined


async def forum_topics(ask: Ask, chat: ChatListing) -> Sequence[ChatTopic]:
    """Read the newest topics of a forum."""
    if not chat.is_forum:
        return ()
    answer = await ask(
        functions.messages.GetForumTopicsRequest(
            peer=_input_peer(chat),
            offset_date=None,
            offset_id=0,
            offset_topic=0,
            limit=PAGE,
        )
    )
    return [
        ChatTopic(topic=one.id, title=str(one.title))
        for one in answer.topics
        if isinstance(one, types.ForumTopic)
    ]


async def latest_posts(ask: Ask, chat: ChatListing, limit: int) -> Sequence[ChatPost]:
    """Read the newest posts with a text, newest first."""
    answer = await ask(
        functions.messages.GetHistoryRequest(
            peer=_input_peer(chat),
            offset_id=0,
            offset_date=None,
            add_offset=0,
            limit=min(max(limit * 2, 1), PAGE),
            max_id=0,
            min_id=0,
            hash=0,
        )
    )
    posts = [
        ChatPost(message=MessageId(one.id), posted_at=one.date, text=_text_of(one)[:POST_CHARS])
        for one in answer.messages
        if _text_of(one) and not chat.is_protected
    ]
    return posts[:limit]


def _input_peer(chat: ChatListing) -> Any:
    peer_id, kind = utils.resolve_id(chat.chat)
    if kind is types.PeerChannel:
        return types.InputPeerChannel(peer_id, chat.access_hash)
    if kind is types.PeerChat:
        return types.InputPeerChat(peer_id)
    return types.InputPeerUser(peer_id, chat.access_hash)


class TelethonChatDirectory:
    """Looks over a connection of its own: only while nothing else uses the session."""

    def __init__(
        self,
        session: Secret,
        settings: TelegramSettings,
        *,
        clock: Clock,
        chance: Chance,
        metrics: Metrics,
        gate: ConnectGate,
    ) -> None:
        self._open = functools.partial(
            short_connection,
            session,
            settings,
            role=Role.PICKER,
            clock=clock,
            chance=chance,
            metrics=metrics,
            gate=gate,
        )

    async def list_chats(self) -> AsyncIterator[ChatListing]:
        async with self._open() as asker:
            await asker.ask(functions.updates.GetStateRequest())
            async for listing in list_dialogs(asker.ask):
                yield listing

    async def find(self, link: str) -> ChatListing:
        async with self._open() as asker:
            return await find_chat(asker.ask, link)

    async def topics(self, chat: ChatListing) -> Sequence[ChatTopic]:
        async with self._open() as asker:
            return await forum_topics(asker.ask, chat)

    async def join(self, link: str) -> ChatListing:
        async with self._open() as asker:
            return await join_chat(asker.ask, asker.ask_by_click, link)

    async def latest(self, chat: ChatListing, limit: int = 3) -> Sequence[ChatPost]:
        async with self._open() as asker:
            return await latest_posts(asker.ask, chat, limit)
