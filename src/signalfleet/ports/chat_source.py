"""A user's own Telegram: signing in, choosing chats, and reading what is posted."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
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
    `tracked`: ids of messages with live trades, compared again after a gap.
    """

    chat: ChannelId
    kind: str
    access_hash: int
    title: str
    checkpoint: int = 0
    seen_max: int = 0
    pts_seen: int | None = None
    tracked: tuple[MessageId, ...] = ()


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


class ChatSink(Protocol):
    """Takes what the source reads; implemented by the bot."""

    async def store(self, batch: ChatBatch) -> None:
        """Make the batch durable; when it returns, nothing of it can be lost."""
        ...

    async def known_revision(self, chat: ChannelId, message: MessageId) -> ChannelMessage | None:
        """Return the newest stored revision, for telling edits from repeats."""
        ...

    async def link_changed(self, health: LinkHealth) -> None: ...


class ChatSource(Protocol):
    """One user's reader; one live instance per session, ever."""

    async def run(self, sink: ChatSink) -> None:
        """Connect, repair, listen, until cancelled. Raises SignInRequiredError when it is over."""
        ...

    async def watch(self, chats: Sequence[WatchedChat]) -> None:
        """Replace the set of watched chats; new ones start at their newest message."""
        ...

    def health(self) -> LinkHealth: ...

    async def aclose(self) -> None:
        """Close in a bounded time; afterwards no socket exists."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatListing:
    """A chat of the user's account, for the picker."""

    chat: ChannelId
    kind: str
    access_hash: int
    title: str
    username: str | None
    is_protected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSent:
    """Where Telegram sent the code: app, sms, call, email or other."""

    delivery: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A finished sign-in; `session` is the whole account: seal it at once, never show it."""

    telegram_id: int
    display_name: str
    session: str

    def __repr__(self) -> str:
        return f"SignedIn(telegram_id={self.telegram_id}, session=***)"


class ChatSignIn(Protocol):
    """One attempt to sign in by phone code.

    Errors: RefusedError with words for the user, TemporaryError with `retry_after` on a flood wait.
    """

    async def send_code(self, phone: str) -> CodeSent: ...

    async def enter_code(self, code: str) -> SignedIn: ...

    async def aclose(self) -> None: ...


class ChatDirectory(Protocol):
    """Lists the chats of a signed-in account."""

    def list_chats(self) -> AsyncIterator[ChatListing]: ...
