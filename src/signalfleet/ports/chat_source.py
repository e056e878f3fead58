"""A user's own Telegram: choosing chats, and reading what is posted."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeAlias

from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.model import ChannelMessage


class Origin(StrEnum):
    """How a message reached us; CONTEXT and BACKFILL can never open a trade."""

    LIVE = "LIVE"
    REPAIR = "REPAIR"
    CONTEXT = "CONTEXT"
    BACKFILL = "BACKFILL"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedChat:
    """A chat to read. `kind`: channel, supergroup, group or bot.

    `checkpoint`: nothing at or below it is missing; 0 means never read, so nothing is replayed.
    `tracked`: ids of messages with live trades, compared again after a gap. `topics`: those of a
    forum that are read; without any all are.
    """

    chat: ChannelId
    kind: str
    access_hash: int
    title: str
    checkpoint: int = 0
    seen_max: int = 0
    pts_seen: int | None = None
    tracked: tuple[MessageId, ...] = ()
    topics: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    message: ChannelMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    message: ChannelMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    chat: ChannelId
    messages: tuple[MessageId, ...]


ChatItem: TypeAlias = Posted | Edited | Deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatBatch:
    """What one chat brought. The marks move in the same transaction as the rows are written.

    `checkpoint` and `pts_seen` are None where this batch must not move them.
    """

    chat: ChannelId
    origin: Origin
    items: tuple[ChatItem, ...]
    checkpoint: int | None = None
    pts_seen: int | None = None


class ChatNoticeKind(StrEnum):
    """What the user must know of a chat besides its messages."""

    LOST = "lost"
    """The account can no longer read it: left, banned or deleted. Tried again now and then."""
    BACK = "back"
    HOLE = "hole"
    """More was missed than is read after a gap; posts older than `first` were not read."""
    UNREADABLE = "unreadable"
    """Telegram sent messages that this version cannot read; they were passed over."""
    MOVED = "moved"
    """A group became a supergroup, which is a new chat: it is read instead of the old one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatNotice:
    chat: ChannelId
    kind: ChatNoticeKind
    first: MessageId | None = None
    count: int = 0
    moved_to: WatchedChat | None = None


class LinkState(StrEnum):
    OFFLINE = "offline"
    CONNECTING = "connecting"
    PROBING = "probing"
    REPAIRING = "repairing"
    LIVE = "live"
    FLOODED = "flooded"
    SIGN_IN_NEEDED = "sign_in_needed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkHealth:
    """The state of the connection on evidence; LIVE needs a probe, a repair and a fresh pong."""

    state: LinkState
    since: datetime
    reason: str | None = None
    last_pong_at: datetime | None = None
    last_update_at: datetime | None = None
    repaired_at: datetime | None = None
    clock_offset: timedelta | None = None
    """Telegram's clock minus ours, to about a second; None before the first answer."""


class ChatSink(Protocol):
    """Takes what the source reads; implemented by the bot."""

    async def store(self, batch: ChatBatch) -> None:
        """Make the batch durable; when it returns, nothing of it can be lost."""
        ...

    def pause_s(self) -> float:
        """Return for how many seconds to bring no new posts: the reader takes in no more now.

        Answers, edits and deletions may close or protect a trade and come nevertheless, but for
        those of a chat whose own posts wait.
        """
        ...

    async def known_revision(self, chat: ChannelId, message: MessageId) -> ChannelMessage | None:
        """Return the newest stored revision, for telling edits from repeats."""
        ...

    async def link_changed(self, health: LinkHealth) -> None: ...

    async def chat_noticed(self, notice: ChatNotice) -> None:
        """Take note; of MOVED it returns when the new chat's messages can be stored."""
        ...


class ChatSource(Protocol):
    """One user's reader; one live instance per session, ever."""

    async def run(self, sink: ChatSink) -> None:
        """Connect, repair, listen, until cancelled. Raises SignInRequiredError when it is over."""
        ...

    async def watch(self, chats: Sequence[WatchedChat]) -> None:
        """Replace the set of watched chats; new ones start at their newest message."""
        ...

    def health(self) -> LinkHealth: ...

    def allow_connecting(self, *, allowed: bool) -> None:
        """Park every new connection while not allowed: the hold on the user's slot is in doubt.

        An open connection stays until `aclose`.
        """
        ...

    def break_off(self) -> None:
        """Reset the open connection at once and open none any more; `run` has still to be ended."""
        ...

    async def history(
        self, chat: ChannelId, *, before: MessageId | None, limit: int
    ) -> Sequence[ChannelMessage]:
        """Return older messages of a watched chat, newest first, through the live connection.

        RefusedError if the chat is not watched; TemporaryError while the connection is not up.
        """
        ...

    def footprint(self) -> int:
        """Return about how many bytes its queues and caches hold, by number and usual size."""
        ...

    def trim(self) -> None:
        """Drop what is kept for speed alone."""
        ...

    async def aclose(self) -> None:
        """Close in a bounded time; afterwards no socket exists."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatListing:
    """A chat of the user's account, for the picker.

    `join`: joined, open (anybody may join), by_request (somebody must let the user in).
    `members` is None where Telegram does not say; `last_post` is the newest message's text.
    """

    chat: ChannelId
    kind: str
    access_hash: int
    title: str
    username: str | None
    is_protected: bool
    members: int | None = None
    has_photo: bool = False
    join: str = "joined"
    last_post: str = ""
    last_post_at: datetime | None = None
    is_forum: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTopic:
    topic: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatPost:
    """A message for looking at only; it never reaches a bot."""

    message: MessageId
    posted_at: datetime
    text: str


class ChatDirectory(Protocol):
    """Looks at the chats of a signed-in account."""

    def list_chats(self) -> AsyncIterator[ChatListing]:
        """List what can be watched, the newest conversation first."""
        ...

    async def find(self, link: str) -> ChatListing:
        """Find a chat by @name, t.me/name or an invitation; RefusedError in words for the user."""
        ...

    async def join(self, link: str) -> ChatListing:
        """Join it and return it; called for a click of the account's owner and nothing else.

        RefusedError in words for the user, also where somebody has to let the user in first.
        """
        ...

    async def topics(self, chat: ChatListing) -> Sequence[ChatTopic]:
        """Return the topics of a forum, the newest first; none of any other chat."""
        ...

    async def latest(self, chat: ChatListing, limit: int = 3) -> Sequence[ChatPost]:
        """Return the newest posts with a text, newest first."""
        ...
