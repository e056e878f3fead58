"""The inbox in SQL."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from signalfleet.adapters.sql.codec import to_micros
from signalfleet.adapters.sql.database import Database
from signalfleet.adapters.sql.rows import (
    Params,
    key_params,
    known_revision,
    message_params,
    stored_message,
)
from signalfleet.adapters.sql.session import Session, is_long
from signalfleet.adapters.sql.texts import Statement
from signalfleet.domain.ids import ChannelId, MessageId, UserId, content_hash
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.domain.signals.revisions import (
    TOMBSTONE,
    KnownRevision,
    Place,
    place_deletion,
    place_revision,
)
from signalfleet.domain.trading.records import MessageKey
from signalfleet.ports.chat_source import ChatBatch, Deleted, Edited, Origin, Posted
from signalfleet.ports.inbox import MessageState, StoredMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrival:
    """A delivered version, or with `content` empty a deletion, before it has its place."""

    message: ChannelMessage
    content: str
    via: Origin
    at: datetime

    @property
    def is_deletion(self) -> bool:
        return self.content == TOMBSTONE

    def place(self, known: list[KnownRevision]) -> Place | None:
        if self.is_deletion:
            return place_deletion(known, self.at)
        return place_revision(known, self.message.edited_at, self.content)

    def stored(self, place: Place, known: list[KnownRevision]) -> StoredMessage:
        acts = self.via in (Origin.LIVE, Origin.REPAIR) and place.reason is None
        message = replace(self.message, version=place.rev)
        if self.is_deletion and known:
            message = replace(message, posted_at=known[0].posted_at)
        return StoredMessage(
            message=message,
            rev=place.rev,
            via=self.via,
            received_at=self.at,
            state=MessageState.NEW if acts else MessageState.DONE,
            reason=place.reason,
            deleted_at=place.deleted_at,
        )


@dataclass(frozen=True, slots=True)
class SqlInbox:
    _database: Database
    _user: UserId

    async def add(
        self, batch: ChatBatch, received_at: datetime, epoch: int
    ) -> tuple[MessageKey, ...]:
        arrivals = list(_arrivals(batch, received_at))

        async def operation(session: Session) -> tuple[MessageKey, ...]:
            keys = [await self._insert(session, arrival, epoch) for arrival in arrivals]
            await self._move_marks(session, batch)
            return tuple(key for key in keys if key is not None)

        return await self._database.write_fenced(self._user, epoch, operation)

    async def unread(self, limit: int = 200) -> tuple[StoredMessage, ...]:
        return await self._list(self._database.sql.unread, {"limit": limit})

    async def protective(self, limit: int = 200) -> tuple[StoredMessage, ...]:
        return await self._list(self._database.sql.protective, {"limit": limit})

    async def revisions(self, chat: ChannelId, message: MessageId) -> tuple[StoredMessage, ...]:
        address = {"chat_id": chat, "msg_id": message}
        mine = {"user_id": self._user, **address}
        sql = self._database.sql.revisions
        rows = await self._database.rows(sql, mine)
        return tuple(map(stored_message, sorted(rows, key=lambda row: known_revision(row).order)))

    async def recent(self, limit: int = 50) -> tuple[StoredMessage, ...]:
        return await self._list(self._database.sql.recent_messages, {"limit": limit})

    async def quarantine(self, key: MessageKey, reason: str, epoch: int) -> None:
        params = key_params(self._user, key) | {
            "state": MessageState.QUARANTINED,
            "reason": reason,
        }
        sql = self._database.sql.leave_new
        await self._database.write_fenced(
            self._user, epoch, lambda session: session.run(sql, params)
        )

    async def _list(self, sql: Statement, params: Params) -> tuple[StoredMessage, ...]:
        mine = {"user_id": self._user, **params}
        rows = await self._database.rows(sql, mine, is_long=is_long(params))
        return tuple(map(stored_message, rows))

    async def _insert(self, session: Session, arrival: _Arrival, epoch: int) -> MessageKey | None:
        sql = self._database.sql
        address: Params = {
            "user_id": self._user,
            "chat_id": arrival.message.channel,
            "msg_id": arrival.message.message,
        }
        known = [known_revision(row) for row in await session.rows(sql.revisions, address)]
        known.sort(key=lambda one: one.order)
        place = arrival.place(known)
        if place is None:
            return None
        if arrival.is_deletion:
            await session.run(sql.mark_deleted, address | {"deleted_at": to_micros(arrival.at)})
        stored = arrival.stored(place, known)
        await session.run(
            sql.add_message, message_params(self._user, stored, arrival.content, epoch)
        )
        return stored.key

    async def _move_marks(self, session: Session, batch: ChatBatch) -> None:
        sql = self._database.sql
        address: Params = {"user_id": self._user, "chat_id": batch.chat}
        row = await session.row(sql.get_channel, address)
        if row is None:
            return
        posts = [item.message.message for item in batch.items if not isinstance(item, Deleted)]
        checkpoint = max(row["checkpoint"], batch.checkpoint or 0)
        pts = [mark for mark in (row["pts_seen"], batch.pts_seen) if mark is not None]
        marks = {
            "checkpoint": checkpoint,
            "seen_max": max(row["seen_max"], checkpoint, *posts),
            "pts_seen": max(pts, default=None),
        }
        await session.run(sql.move_marks, address | marks)


def _arrivals(batch: ChatBatch, at: datetime) -> Iterator[_Arrival]:
    for item in batch.items:
        match item:
            case Posted(message=message) | Edited(message=message):
                content = content_hash(message.text, message.reply_to, message.media)
                yield _Arrival(message=message, content=content, via=batch.origin, at=at)
            case Deleted(chat=chat, messages=messages):
                for one in messages:
                    empty = ChannelMessage(channel=chat, message=one, text="", posted_at=at)
                    yield _Arrival(message=empty, content=TOMBSTONE, via=batch.origin, at=at)
