"""The inbox in memory."""

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from signalfleet.adapters.memory.state import State, UserRows, require_aware
from signalfleet.domain.ids import ChannelId, MessageId, UserId, content_hash
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.domain.signals.revisions import (
    TOMBSTONE,
    Place,
    place_deletion,
    place_revision,
)
from signalfleet.domain.trading.records import MessageKey
from signalfleet.ports.chat_source import ChatBatch, Deleted, Edited, Origin, Posted
from signalfleet.ports.inbox import MessageState, StoredMessage
from signalfleet.ports.inbox_rows import InboxRow, protective_of


@dataclass(slots=True)
class MemoryInbox:
    _state: State
    _user: UserId

    async def add(
        self, batch: ChatBatch, received_at: datetime, epoch: int
    ) -> tuple[MessageKey, ...]:
        require_aware(received_at)
        rows = self._state.write_fenced(self._user, epoch)
        added: list[MessageKey] = []
        for item in batch.items:
            match item:
                case Posted(message=message) | Edited(message=message):
                    added += _add_revision(rows, message, batch.origin, received_at)
                case Deleted(chat=chat, messages=messages):
                    for one in messages:
                        added += _add_deletion(rows, (chat, one), batch.origin, received_at)
        _move_marks(rows, batch)
        return tuple(added)

    async def unread(self, limit: int = 200) -> tuple[StoredMessage, ...]:
        return tuple(self._new()[:limit])

    async def protective(self, limit: int = 200) -> tuple[StoredMessage, ...]:
        return tuple(islice(protective_of(self._new()), limit))

    async def revisions(self, chat: ChannelId, message: MessageId) -> tuple[StoredMessage, ...]:
        rows = self._state.read(self._user).revisions(chat, message)
        return tuple(row.stored for row in rows)

    async def recent(self, limit: int = 50) -> tuple[StoredMessage, ...]:
        rows = self._state.read(self._user).messages.values()
        return tuple(row.stored for row in sorted(rows, key=_arrival, reverse=True)[:limit])

    async def quarantine(self, key: MessageKey, reason: str, epoch: int) -> None:
        row = self._state.write_fenced(self._user, epoch).messages.get(key)
        if row is not None and row.stored.state is MessageState.NEW:
            row.stored = replace(row.stored, state=MessageState.QUARANTINED, reason=reason)

    def _new(self) -> list[StoredMessage]:
        rows = self._state.read(self._user).messages.values()
        new = (row for row in rows if row.stored.state is MessageState.NEW)
        return [row.stored for row in sorted(new, key=_arrival)]


def _arrival(row: InboxRow) -> int:
    return row.arrival


def _add_revision(
    rows: UserRows, message: ChannelMessage, via: Origin, at: datetime
) -> list[MessageKey]:
    require_aware(message.posted_at, message.edited_at)
    content = content_hash(message.text, message.reply_to, message.media)
    known = [row.known for row in rows.revisions(message.channel, message.message)]
    place = place_revision(known, message.edited_at, content)
    return _insert(rows, message, content, via, at, place) if place else []


def _add_deletion(
    rows: UserRows, address: tuple[ChannelId, MessageId], via: Origin, at: datetime
) -> list[MessageKey]:
    chat, message = address
    before = rows.revisions(chat, message)
    place = place_deletion([row.known for row in before], at)
    if place is None:
        return []
    for row in before:
        row.stored = replace(row.stored, deleted_at=at)
    posted_at = before[0].stored.message.posted_at if before else at
    empty = ChannelMessage(channel=chat, message=message, text="", posted_at=posted_at)
    return _insert(rows, empty, TOMBSTONE, via, at, place)


def _insert(
    rows: UserRows, message: ChannelMessage, content: str, via: Origin, at: datetime, place: Place
) -> list[MessageKey]:
    acts = via in (Origin.LIVE, Origin.REPAIR) and place.reason is None
    stored = StoredMessage(
        message=replace(message, version=place.rev),
        rev=place.rev,
        via=via,
        received_at=at,
        state=MessageState.NEW if acts else MessageState.DONE,
        reason=place.reason,
        deleted_at=place.deleted_at,
    )
    rows.arrivals += 1
    rows.messages[stored.key] = InboxRow(stored=stored, content=content, arrival=rows.arrivals)
    return [stored.key]


def _move_marks(rows: UserRows, batch: ChatBatch) -> None:
    channel = rows.channels.get(batch.chat)
    if channel is None:
        return
    posts = [item.message.message for item in batch.items if not isinstance(item, Deleted)]
    checkpoint = max(channel.checkpoint, batch.checkpoint or 0)
    pts = [mark for mark in (channel.pts_seen, batch.pts_seen) if mark is not None]
    rows.channels[batch.chat] = replace(
        channel,
        checkpoint=checkpoint,
        seen_max=max(channel.seen_max, checkpoint, *posts),
        pts_seen=max(pts, default=None),
    )
