"""What is known of each watched chat: how far it was read without a hole (pure)."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from signalfleet.adapters.telegram.limits import (
    CHANGE_BYTES,
    GONE_RETRY,
    LOST_AFTER,
    LOST_RETRY,
    LOST_WITHIN,
    NUMBER_BYTES,
    REMOVED_MAX,
    TRACKED_FOR,
    TRACKED_MAX,
)
from signalfleet.adapters.telegram.mapping import (
    GENERAL_TOPIC,
    Change,
    ChangeKind,
    is_channel,
    message_of,
)
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.ports.chat_source import WatchedChat
from signalfleet.ports.errands import LightEvent


class Sync(StrEnum):
    DIRTY = "dirty"
    REPAIRING = "repairing"
    SYNCED = "synced"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How far a chat is read; None where a mark must not move."""

    checkpoint: int | None = None
    pts_seen: int | None = None


@dataclass(slots=True)
class ChatState:
    """One watched chat. `generation` rises with each doubt, so a repair sees what came meanwhile.

    `touched`: ids that changed live since the repair began to read; its pages may be older.
    `recheck`: ids of which something came late, so that only Telegram knows how they stand now.
    `paced`: what came live while the sink took no more posts, and all that came after it.
    """

    watched: WatchedChat
    checkpoint: int = 0
    seen_max: int = 0
    pts_seen: int | None = None
    sync: Sync = Sync.DIRTY
    generation: int = 0
    reason: str = "connected"
    tracked: dict[MessageId, datetime | None] = field(default_factory=dict)
    touched: set[MessageId] = field(default_factory=set)
    recheck: set[MessageId] = field(default_factory=set)
    waiting: list[Change] = field(default_factory=list)
    is_flushing: bool = False
    paced: list[Change] = field(default_factory=list)
    paused_until: float = 0.0
    failures: list[float] = field(default_factory=list)
    retry_at: float | None = None
    is_lost: bool = False
    is_forum: bool = False
    compared_at: float | None = None
    removed: dict[MessageId, None] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    synced: LightEvent = field(default_factory=LightEvent)

    @classmethod
    def of(cls, watched: WatchedChat) -> "ChatState":
        return cls(
            watched,
            checkpoint=watched.checkpoint,
            seen_max=max(watched.seen_max, watched.checkpoint),
            pts_seen=watched.pts_seen,
            tracked=dict.fromkeys(watched.tracked),
        )

    @property
    def chat(self) -> ChannelId:
        return self.watched.chat

    @property
    def has_counter(self) -> bool:
        """Channels and supergroups count their events; groups and bots share the account's."""
        return is_channel(self.watched)

    @property
    def is_new(self) -> bool:
        """Nothing was ever read, so nothing is replayed."""
        return self.checkpoint == 0

    def message_of(self, raw: Any) -> ChannelMessage | None:
        """Map one of this chat's messages; None for what is no message of anybody, or not read."""
        message = message_of(raw, self.chat, is_forum=self.is_forum)
        return message if message is None or self.is_read(message) else None

    def is_read(self, message: ChannelMessage) -> bool:
        """Tell whether the user reads the topic that a message stands in."""
        topics = self.watched.topics
        return not topics or (message.topic or GENERAL_TOPIC) in topics

    def doubt(self, reason: str) -> None:
        """Something may be missing: the chat is compared with Telegram again."""
        self.generation += 1
        self.reason = reason
        if reason == "membership":
            self.retry_at = None  # Perhaps just joined again: no need to wait out the breaker.
        if self.sync is Sync.SYNCED:
            self.sync = Sync.DIRTY
            self.synced.clear()

    def begin_repair(self) -> int:
        self.sync = Sync.REPAIRING
        self.touched.clear()
        return self.generation

    def end_repair(self, generation: int, *, complete: bool) -> bool:
        """Settle the chat; True when nothing raised a doubt while it was repaired."""
        done = complete and generation == self.generation
        self.sync = Sync.SYNCED if done else Sync.LOST if self.is_lost else Sync.DIRTY
        if complete:
            self.is_lost = False
            self.failures.clear()
            self.retry_at = None
        if done:
            self.synced.set()
        return done

    def marks_after(self, *changes: Change) -> Marks | None:
        """Return the marks that live changes may move; None: one of them follows no known event.

        Only a change right after the last one seen proves that nothing is missing before it. One
        that came first after an outage would hide the others.
        """
        checkpoint, pts_seen = self.checkpoint, self.pts_seen
        for change in changes:
            if self._is_seen(change, pts_seen):
                continue
            if self.sync is not Sync.SYNCED or change.pts == 0:
                return None
            if self.has_counter:
                if change.pts - change.pts_count != pts_seen:
                    return None
                pts_seen = change.pts
            if change.ids and self._adds_ids(change):
                checkpoint = max(checkpoint, *change.ids)
        return Marks(
            checkpoint=checkpoint if checkpoint > self.checkpoint else None,
            pts_seen=pts_seen if pts_seen != self.pts_seen else None,
        )

    def is_repeat(self, change: Change) -> bool:
        """Tell a change that a repair has overtaken: what it says may be outdated by now."""
        return self._is_seen(change, self.pts_seen)

    def _is_seen(self, change: Change, pts_seen: int | None) -> bool:
        if not self.has_counter or pts_seen is None or change.pts == 0:
            return False
        return change.pts <= pts_seen

    def move(self, marks: Marks) -> None:
        if marks.checkpoint is not None:
            self.checkpoint = max(self.checkpoint, marks.checkpoint)
            self.seen_max = max(self.seen_max, self.checkpoint)
        if marks.pts_seen is not None:
            self.pts_seen = max(self.pts_seen or 0, marks.pts_seen)

    def note_stored(self, ids: Iterable[MessageId], at: datetime) -> None:
        """Remember messages to compare again after the next gap."""
        for number in ids:
            self._touch(number)
            self.tracked[number] = at
            self.seen_max = max(self.seen_max, int(number))
        self._forget(at)

    def still_there(self, ids: Iterable[MessageId]) -> tuple[MessageId, ...]:
        """Return the ids whose deletion was not yet told."""
        return tuple(number for number in ids if number not in self.removed)

    def note_removed(self, ids: Iterable[MessageId]) -> None:
        for number in ids:
            self.tracked.pop(number, None)
            self._touch(number)
            self.removed[number] = None
        while len(self.removed) > REMOVED_MAX:
            del self.removed[next(iter(self.removed))]

    def footprint(self) -> int:
        """Return about how many bytes the chat's memory holds."""
        numbers = sum(map(len, (self.tracked, self.touched, self.recheck, self.removed)))
        return numbers * NUMBER_BYTES + (len(self.waiting) + len(self.paced)) * CHANGE_BYTES

    def _touch(self, number: MessageId) -> None:
        # It matters to a repair that is under way only; else it would grow for ever.
        if self.sync is Sync.REPAIRING:
            self.touched.add(number)

    def _forget(self, now: datetime) -> None:
        """Drop what is too old or too much; what the caller asked to track stays."""
        asked = set(self.watched.tracked)
        for number, seen in list(self.tracked.items()):
            too_many = len(self.tracked) > TRACKED_MAX
            too_old = seen is not None and seen < now - TRACKED_FOR
            if number not in asked and (too_old or too_many):
                del self.tracked[number]

    def note_failure(self, now: float) -> bool:
        """Count a chat that cannot be read; True when the breaker opens just now."""
        self.failures.append(now)
        while self.failures and self.failures[0] < now - LOST_WITHIN.total_seconds():
            del self.failures[0]
        was_lost = self.is_lost
        self.is_lost = was_lost or len(self.failures) >= LOST_AFTER
        self.sync = Sync.LOST if self.is_lost else Sync.DIRTY
        retry = LOST_RETRY if self.is_lost else GONE_RETRY
        self.retry_at = now + retry.total_seconds()
        return self.is_lost and not was_lost

    def may_be_asked(self, now: float) -> bool:
        return now >= max(self.retry_at or 0.0, self.paused_until)

    def renew(self, watched: WatchedChat) -> None:
        """Take over what the caller says now; marks never go back."""
        for number in watched.tracked:
            self.tracked.setdefault(number, None)
        self.watched = watched
        self.checkpoint = max(self.checkpoint, watched.checkpoint)
        self.seen_max = max(self.seen_max, watched.seen_max)

    @staticmethod
    def _adds_ids(change: Change) -> bool:
        return change.kind in {ChangeKind.NEW, ChangeKind.MARK}


class ChatBook:
    """The watched chats of one user."""

    def __init__(self) -> None:
        self._states: dict[ChannelId, ChatState] = {}

    def __iter__(self) -> Iterator[ChatState]:
        return iter(tuple(self._states.values()))

    def __len__(self) -> int:
        return len(self._states)

    def get(self, chat: ChannelId | None) -> ChatState | None:
        return None if chat is None else self._states.get(chat)

    def replace(self, chats: Sequence[WatchedChat]) -> None:
        """Watch these chats and no others; known ones go on where they are."""
        states: dict[ChannelId, ChatState] = {}
        for watched in chats:
            state = self._states.get(watched.chat)
            if state is None:
                state = ChatState.of(watched)
            else:
                state.renew(watched)
            states[watched.chat] = state
        self._states = states

    def add(self, watched: WatchedChat) -> None:
        """Watch one more chat."""
        self._states.setdefault(watched.chat, ChatState.of(watched))

    @property
    def has_open_trades(self) -> bool:
        return any(state.watched.tracked for state in self._states.values())

    def doubt_all(self, reason: str) -> None:
        for state in self:
            state.doubt(reason)

    def in_doubt(self, now: float) -> list[ChatState]:
        """Return the chats to repair, those with live trades first."""
        due = [
            state
            for state in self
            if state.sync in {Sync.DIRTY, Sync.LOST} and state.may_be_asked(now)
        ]
        return sorted(due, key=lambda state: not state.watched.tracked)

    def paused_s(self, now: float) -> float | None:
        """Return the seconds until a chat is to be repaired that had to wait; None if none has."""
        pauses = [
            state.paused_until - now
            for state in self
            if state.sync is Sync.DIRTY and state.paused_until > now
        ]
        return min(pauses, default=None)


def spread(every: timedelta, jitter: float, chance: float) -> timedelta:
    """Return `every` moved by up to `jitter` of itself; `chance` from -1 to 1."""
    return every * (1 + jitter * chance)
