"""The inbox in Firebase. Its rows are fenced, so the owner reads, places and writes in peace."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Final

from signalfleet.adapters.firebase.client import Json, Query, Row
from signalfleet.adapters.firebase.database import Corner, at_once, whole
from signalfleet.adapters.firebase.paths import chat_key, path, post_key, revision_key
from signalfleet.adapters.firebase.rows import message_row, require_aware, stored_message
from signalfleet.domain.ids import ChannelId, MessageId, content_hash
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

_PAGE: Final = 200
_LAST: Final = "~"
"""Sorts behind every digit, so that a range of keys ends there."""


@dataclass(slots=True, kw_only=True)
class _Draft:
    """What is stored of the messages of a batch, and what the batch makes of it."""

    via: Origin
    at: datetime
    arrivals: int
    rows: dict[MessageKey, InboxRow]
    added: list[MessageKey] = field(default_factory=list)
    changed: set[MessageKey] = field(default_factory=set)

    def add_revision(self, message: ChannelMessage) -> None:
        content = content_hash(message.text, message.reply_to, message.media)
        known = [row.known for row in self._of(message.channel, message.message)]
        place = place_revision(known, message.edited_at, content)
        if place is not None:
            self._insert(message, content, place)

    def add_deletion(self, chat: ChannelId, message: MessageId) -> None:
        before = self._of(chat, message)
        place = place_deletion([row.known for row in before], self.at)
        if place is None:
            return
        for row in before:
            row.stored = replace(row.stored, deleted_at=self.at)
            self.changed.add(row.stored.key)
        posted_at = before[0].stored.message.posted_at if before else self.at
        empty = ChannelMessage(channel=chat, message=message, text="", posted_at=posted_at)
        self._insert(empty, TOMBSTONE, place)

    def _insert(self, message: ChannelMessage, content: str, place: Place) -> None:
        acts = self.via in (Origin.LIVE, Origin.REPAIR) and place.reason is None
        stored = StoredMessage(
            message=replace(message, version=place.rev),
            rev=place.rev,
            via=self.via,
            received_at=self.at,
            state=MessageState.NEW if acts else MessageState.DONE,
            reason=place.reason,
            deleted_at=place.deleted_at,
        )
        self.arrivals += 1
        self.rows[stored.key] = InboxRow(stored, content, self.arrivals)
        self.changed.add(stored.key)
        self.added.append(stored.key)

    def _of(self, chat: ChannelId, message: MessageId) -> list[InboxRow]:
        own = (row for key, row in self.rows.items() if (key.chat, key.message) == (chat, message))
        return sorted(own, key=lambda row: row.known.order)


@dataclass(frozen=True, slots=True)
class FirebaseInbox:
    _corner: Corner

    async def add(
        self, batch: ChatBatch, received_at: datetime, epoch: int
    ) -> tuple[MessageKey, ...]:
        require_aware(received_at)
        posts = tuple(dict.fromkeys(_posts(batch)))
        async with self._corner.writing():
            last = await self._corner.rows("inbox", Query(by="arrival", last=1))
            channel = await self._corner.row("channels", chat_key(batch.chat))
            known = await at_once(self._revisions(*post) for post in posts)
            draft = _Draft(
                via=batch.origin,
                at=received_at,
                arrivals=max((whole(row, "arrival") for row in last.values()), default=0),
                rows={row.stored.key: row for rows in known for row in rows},
            )
            for item in batch.items:
                match item:
                    case Posted(message=message) | Edited(message=message):
                        draft.add_revision(message)
                    case Deleted(chat=chat, messages=messages):
                        for one in messages:
                            draft.add_deletion(chat, one)
            values = _changes(draft, epoch)
            if channel is not None:
                values |= _marks(batch, channel)
            await self._corner.fenced(epoch, values)
        return tuple(draft.added)

    async def unread(self, limit: int = 200) -> tuple[StoredMessage, ...]:
        rows = await self._corner.rows("inbox", Query(by="new", start=1, first=limit))
        return tuple(map(stored_message, rows.values()))

    async def protective(self, limit: int = 200) -> tuple[StoredMessage, ...]:
        new: list[StoredMessage] = []
        start, is_last = 1, False
        while not is_last:  # The database cannot tell these apart: all are read, page by page.
            rows = await self._corner.rows("inbox", Query(by="new", start=start, first=_PAGE))
            new += map(stored_message, rows.values())
            start = 1 + max((whole(row, "arrival") for row in rows.values()), default=0)
            is_last = len(rows) < _PAGE
        return tuple(islice(protective_of(new), limit))

    async def revisions(self, chat: ChannelId, message: MessageId) -> tuple[StoredMessage, ...]:
        rows = await self._revisions(chat, message)
        return tuple(row.stored for row in sorted(rows, key=lambda row: row.known.order))

    async def recent(self, limit: int = 50) -> tuple[StoredMessage, ...]:
        rows = await self._corner.rows("inbox", Query(by="arrival", last=limit))
        return tuple(map(stored_message, reversed(rows.values())))

    async def quarantine(self, key: MessageKey, reason: str, epoch: int) -> None:
        async with self._corner.writing():
            row = await self._corner.row("inbox", revision_key(key))
            values: dict[str, Json] = {}
            if row is not None and row.get("state") == MessageState.NEW:
                values = left_new(key, row, MessageState.QUARANTINED, reason, epoch)
            await self._corner.fenced(epoch, values)

    async def _revisions(self, chat: ChannelId, message: MessageId) -> list[InboxRow]:
        first = post_key(chat, message) + "_r"
        rows = await self._corner.rows("inbox", Query(by=None, start=first, end=first + _LAST))
        return [
            InboxRow(stored_message(row), str(row.get("content", TOMBSTONE)), whole(row, "arrival"))
            for row in rows.values()
        ]


def left_new(
    key: MessageKey, row: Row, state: MessageState, reason: str | None, epoch: int
) -> dict[str, Json]:
    """Return the paths that write a revision which is not NEW any more."""
    stored = replace(stored_message(row), state=state, reason=reason)
    changed = message_row(stored, str(row.get("content", "")), whole(row, "arrival"), epoch)
    return {path("inbox", revision_key(key)): changed}


def _posts(batch: ChatBatch) -> Iterator[tuple[ChannelId, MessageId]]:
    for item in batch.items:
        match item:
            case Posted(message=message) | Edited(message=message):
                yield message.channel, message.message
            case Deleted(chat=chat, messages=messages):
                yield from ((chat, one) for one in messages)


def _changes(draft: _Draft, epoch: int) -> dict[str, Json]:
    return {
        path("inbox", revision_key(key)): message_row(
            draft.rows[key].stored, draft.rows[key].content, draft.rows[key].arrival, epoch
        )
        for key in draft.changed
    }


def _marks(batch: ChatBatch, channel: Mapping[str, Json]) -> dict[str, Json]:
    posts = [item.message.message for item in batch.items if not isinstance(item, Deleted)]
    checkpoint = max(whole(channel, "checkpoint"), batch.checkpoint or 0)
    stored = whole(channel, "pts_seen") if "pts_seen" in channel else None
    pts = [mark for mark in (stored, batch.pts_seen) if mark is not None]
    node = chat_key(batch.chat)
    marks: dict[str, Json] = {
        path("channels", node, "checkpoint"): checkpoint,
        path("channels", node, "seen_max"): max(whole(channel, "seen_max"), checkpoint, *posts),
    }
    if pts:
        marks[path("channels", node, "pts_seen")] = max(pts)
    return marks
