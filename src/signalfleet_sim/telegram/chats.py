"""Channels, groups and bot chats: what was posted, edited and deleted, and in which order."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, Protocol, TypeAlias

from signalfleet_sim.telegram.errors import CityError

ChatKind = Literal["channel", "supergroup", "group", "bot"]
CHANNEL_KINDS: Final = ("channel", "supergroup")
MARKED_CHANNEL: Final = -1_000_000_000_000
ENTITY_KINDS: Final = frozenset(
    {
        "bold",
        "italic",
        "underline",
        "strike",
        "code",
        "pre",
        "spoiler",
        "url",
        "text_url",
        "mention",
        "hashtag",
        "cashtag",
        "blockquote",
    }
)
MIGRATED: Final = "migrated to "
Moment: TypeAlias = float | datetime


@dataclass(frozen=True, slots=True)
class Entity:
    """Formatting of a part of a text; offset and length count UTF-16 units, as on the wire."""

    kind: str
    offset: int
    length: int
    url: str | None = None


EntityLike: TypeAlias = "Entity | tuple[str, int, int] | Mapping[str, object]"


class EventKind(StrEnum):
    """What one step of a chat's history was."""

    POST = "post"
    EDIT = "edit"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimMessage:
    """A message as it stands now."""

    message_id: int
    date: int
    text: str = ""
    edit_date: int | None = None
    edit_hide: bool = False
    reply_to: int | None = None
    reply_chat: "SimChannel | None" = None
    quote: str | None = None
    topic: int | None = None
    entities: tuple[Entity, ...] = ()
    forwarded: bool = False
    media: str | None = None
    grouped_id: int | None = None
    ttl_s: int | None = None
    service: str | None = None
    to_user: int | None = None
    garbled: bool = False


@dataclass(frozen=True, slots=True)
class ChatEvent:
    """One step of a channel's history; `pts` is the counter after it."""

    kind: EventKind
    ids: tuple[int, ...]
    pts: int
    date: int

    @property
    def count(self) -> int:
        """Return by how much the step moved the counter."""
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class BoxEvent:
    """One step in an account's own box, which groups and bot chats share."""

    chat: "SimChannel"
    event: ChatEvent


class Member(Protocol):
    """An account, as far as chats are concerned with it."""

    user_id: int
    pts: int
    events: list[BoxEvent]
    chats: "dict[int, SimChannel]"


class City(Protocol):
    """What a chat needs from the world it is in."""

    def now(self) -> int:
        """Return the time in whole seconds."""

    def next_box_id(self) -> int:
        """Return the next id for messages that live in members' boxes."""

    def channel_changed(self, chat: "SimChannel", event: ChatEvent) -> None:
        """Take note of a step of a channel."""

    def box_changed(self, chat: "SimChannel", event: ChatEvent, user_id: int) -> None:
        """Take note of a step of one account's box."""

    def membership_changed(self, chat: "SimChannel", user_id: int) -> None:
        """Take note that a user is now in a chat, or no longer."""


class SimChannel:
    """A chat; made by `World.channel`. Its methods change state at once and tell the server."""

    def __init__(
        self,
        world: City,
        channel_id: int,
        title: str,
        *,
        kind: ChatKind,
        username: str | None,
        noforwards: bool,
        forum: bool,
        created_at: int,
    ) -> None:
        self._world = world
        self.channel_id = channel_id
        self.title = title
        self.kind = kind
        self.username = username
        self.noforwards = noforwards
        self.forum = forum
        self.created_at = created_at
        self.changed_at = created_at
        self.pts = 1
        self.difference_limit = 1000
        self.members: dict[int, Member] = {}
        self.banned: set[int] = set()
        self.messages: dict[int, SimMessage] = {}
        self.order: list[int] = []
        self.events: list[ChatEvent] = []
        self.topics: dict[int, str] = {}
        self.last_id = 0
        self.version = 0
        self.migrated_to: SimChannel | None = None
        if self.has_own_pts:
            self.last_id = 1
            self._keep(SimMessage(message_id=1, date=created_at, service="created"))

    def __repr__(self) -> str:
        return f"<SimChannel {self.chat_id} {self.title!r}>"

    @property
    def has_own_pts(self) -> bool:
        """Tell channels and supergroups from chats that live in the members' own boxes."""
        return self.kind in CHANNEL_KINDS

    @property
    def chat_id(self) -> int:
        """Return the marked id by which clients tell kinds of chats apart."""
        if self.has_own_pts:
            return MARKED_CHANNEL - self.channel_id
        return self.channel_id if self.kind == "bot" else -self.channel_id

    @property
    def top_message(self) -> int:
        """Return the newest id that still exists."""
        return self.order[-1] if self.order else 0

    def join(self, user: Member) -> None:
        """Make the user a member; nothing happens if they are one."""
        if user.user_id in self.members:
            return
        self.banned.discard(user.user_id)
        self.members[user.user_id] = user
        user.chats[self.chat_id] = self
        self._world.membership_changed(self, user.user_id)

    def leave(self, user: Member) -> None:
        """Take the user out of the chat."""
        if self.members.pop(user.user_id, None) is not None:
            del user.chats[self.chat_id]
            self._world.membership_changed(self, user.user_id)

    def ban(self, user: Member) -> None:
        """Take the user out and keep them out."""
        self.banned.add(user.user_id)
        self.leave(user)

    def post(  # noqa: PLR0913 - each is one property of a post
        self,
        text: str,
        *,
        reply_to: int | None = None,
        reply_chat: "SimChannel | None" = None,
        quote: str | None = None,
        topic: int | None = None,
        entities: Iterable[EntityLike] = (),
        forwarded: bool = False,
        media: str | None = None,
        grouped_id: int | None = None,
        ttl_s: int | None = None,
        at: Moment | None = None,
        to: Member | None = None,
    ) -> int:
        """Post a message and return its id; `at` sets its date, `to` shows it to one user only.

        The latter is for bot chats, which are a different conversation for each user.
        """
        formatting = tuple(map(_entity, entities))
        message = SimMessage(
            message_id=self._next_id(),
            date=self._world.now() if at is None else _seconds(at),
            text=text,
            reply_to=reply_to,
            reply_chat=reply_chat,
            quote=quote,
            topic=topic,
            entities=formatting,
            forwarded=forwarded,
            media=media,
            grouped_id=grouped_id,
            ttl_s=ttl_s,
            to_user=None if to is None else to.user_id,
        )
        return self._add(message)

    def service(self, action: str = "pinned") -> int:
        """Post a service message: it burns an id and says nothing."""
        message = SimMessage(message_id=self._next_id(), date=self._world.now(), service=action)
        return self._add(message)

    def topic(self, title: str) -> int:
        """Open a forum topic and return its id, which is that of its service message."""
        if not self.forum:
            raise CityError(f"{self!r} is not a forum: make it with forum=True")
        topic_id = self.service("topic")
        self.topics[topic_id] = title
        return topic_id

    def edit(
        self,
        message_id: int,
        text: str,
        *,
        hide: bool = False,
        entities: Iterable[EntityLike] = (),
        at: Moment | None = None,
    ) -> None:
        """Replace the text of a message; `hide` edits without showing an edit mark."""
        edited = replace(
            self.require(message_id),
            text=text,
            entities=tuple(map(_entity, entities)),
            edit_date=self._world.now() if at is None else _seconds(at),
            edit_hide=hide,
        )
        self.messages[message_id] = edited
        self._happened(EventKind.EDIT, (message_id,), edited.to_user)

    def delete(self, ids: int | Iterable[int]) -> None:
        """Delete messages; those already gone are passed over."""
        wanted = (ids,) if isinstance(ids, int) else tuple(ids)
        gone = tuple(sorted(set(wanted) & self.messages.keys()))
        readers: int | None = None
        for message_id in gone:
            readers = self.messages.pop(message_id).to_user
            del self.order[bisect_left(self.order, message_id)]
        if gone:
            self._happened(EventKind.DELETE, gone, readers)

    def garble(self, message_id: int) -> None:
        """Make a message one of a kind that no client knows yet; nobody is told."""
        self.messages[message_id] = replace(self.require(message_id), garbled=True)

    def require(self, message_id: int) -> SimMessage:
        """Return the message as it stands now."""
        try:
            return self.messages[message_id]
        except KeyError:
            raise CityError(f"{self!r} has no message {message_id} (any more)") from None

    def ids_for(self, user_id: int) -> list[int]:
        """Return the ids a user can see, oldest first."""
        if self.has_own_pts:
            return self.order
        return [i for i in self.order if self.messages[i].to_user in {None, user_id}]

    def events_after(self, pts: int) -> list[ChatEvent]:
        """Return the steps after a counter value, oldest first."""
        return self.events[bisect_right(self.events, pts, key=lambda event: event.pts) :]

    def _next_id(self) -> int:
        self.last_id = self._world.next_box_id() if not self.has_own_pts else self.last_id + 1
        return self.last_id

    def _keep(self, message: SimMessage) -> None:
        self.messages[message.message_id] = message
        self.order.append(message.message_id)

    def _add(self, message: SimMessage) -> int:
        self._keep(message)
        self._happened(EventKind.POST, (message.message_id,), message.to_user)
        return message.message_id

    def _happened(self, kind: EventKind, ids: tuple[int, ...], to_user: int | None) -> None:
        now = self._world.now()
        self.changed_at = max(now, self.changed_at)
        if self.has_own_pts:
            self.pts += len(ids)
            event = ChatEvent(kind, ids, self.pts, now)
            self.events.append(event)
            self._world.channel_changed(self, event)
            return
        for user in list(self.members.values()):
            if to_user not in {None, user.user_id}:
                continue
            user.pts += len(ids)
            event = ChatEvent(kind, ids, user.pts, now)
            user.events.append(BoxEvent(self, event))
            self._world.box_changed(self, event, user.user_id)


def _seconds(at: Moment) -> int:
    return int(at.timestamp() if isinstance(at, datetime) else at)


def _entity(given: EntityLike) -> Entity:
    if isinstance(given, Entity):
        return _known(given)
    url = None
    if isinstance(given, Mapping):
        kind, offset, length = (given.get(name) for name in ("kind", "offset", "length"))
        url = given.get("url")
    else:
        try:
            kind, offset, length = given
        except (TypeError, ValueError):
            kind = offset = length = None
    if not (isinstance(kind, str) and isinstance(offset, int) and isinstance(length, int)):
        raise CityError("an entity has a kind, an offset and a length in UTF-16 units")
    return _known(Entity(kind, offset, length, None if url is None else str(url)))


def _known(entity: Entity) -> Entity:
    if entity.kind not in ENTITY_KINDS:
        raise CityError(f"no entity is called {entity.kind}: {', '.join(sorted(ENTITY_KINDS))}")
    return entity
