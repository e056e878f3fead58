"""The inbox: every revision of a message that a bot was told, until it has decided on it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.domain.trading.records import MessageKey
from signalfleet.ports.chat_source import ChatBatch, Origin


class MessageState(StrEnum):
    NEW = "NEW"
    DONE = "DONE"
    QUARANTINED = "QUARANTINED"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """One revision in the inbox. A tombstone has `deleted_at` and, if it came first, no text."""

    message: ChannelMessage
    rev: int
    via: Origin
    received_at: datetime
    state: MessageState
    reason: str | None = None
    deleted_at: datetime | None = None

    @property
    def key(self) -> MessageKey:
        return MessageKey(chat=self.message.channel, message=self.message.message, rev=self.rev)

    @property
    def may_protect(self) -> bool:
        """Tell an edit, an answer or a deletion: it may close or protect an open trade."""
        is_changed = self.message.edited_at is not None or self.deleted_at is not None
        return is_changed or self.message.reply_to is not None


class Inbox(Protocol):
    async def add(
        self, batch: ChatBatch, received_at: datetime, epoch: int
    ) -> tuple[MessageKey, ...]:
        """Write new revisions and the chat's marks in one transaction; return the new keys.

        A revision is known by (chat, message, edited_at, content); a repeat is dropped. Content
        equal to the newest revision is dropped even with a later edit time. A deletion marks all
        revisions of the message and makes one NEW revision with `deleted_at` set and empty text;
        one that comes before its message keeps a later copy from becoming NEW.
        CONTEXT and BACKFILL rows are stored as DONE, and so is a revision that comes after a newer
        one or after the deletion (reason older_revision, deleted); their keys are returned too.
        The number of a revision is also its message's `version`.
        """
        ...

    async def unread(self, limit: int = 200) -> tuple[StoredMessage, ...]:
        """Return NEW revisions in order of arrival."""
        ...

    async def protective(self, limit: int = 200) -> tuple[StoredMessage, ...]:
        """Return NEW revisions that may close or protect a trade, in order of arrival.

        Left out is what came after a NEW one of its chat that may not, unless it answers a message
        older than all of those: a close must not overtake the entry that it closes.
        """
        ...

    async def revisions(self, chat: ChannelId, message: MessageId) -> tuple[StoredMessage, ...]:
        """Return all revisions of a message, oldest first."""
        ...

    async def recent(self, limit: int = 50) -> tuple[StoredMessage, ...]:
        """Return the newest revisions over all chats, newest first."""
        ...

    async def quarantine(self, key: MessageKey, reason: str, epoch: int) -> None: ...
