"""From live updates to the sink: filter at once, queue in order, store, move the marks."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import takewhile
from typing import Any, Final

import structlog
from telethon import functions, types

from signalfleet.adapters.telegram.chats import ChatBook, ChatState, Marks, Sync
from signalfleet.adapters.telegram.limits import (
    CHANGE_BYTES,
    PACED_AT_ONCE,
    QUEUE_MAX,
    QUEUE_OVERFLOWS,
    UPDATES,
    WAITING_MAX,
)
from signalfleet.adapters.telegram.mapping import (
    Change,
    ChangeKind,
    change_of,
    chat_of,
    may_be_read,
)
from signalfleet.adapters.telegram.moves import moved_to
from signalfleet.adapters.telegram.repair import Repairer
from signalfleet.adapters.telegram.revisions import is_older, is_same
from signalfleet.domain.ids import ChannelId
from signalfleet.ports.chat_source import (
    ChatBatch,
    ChatItem,
    ChatSink,
    Deleted,
    Edited,
    Origin,
    Posted,
)
from signalfleet.ports.clock import Clock
from signalfleet.ports.errands import Errand
from signalfleet.ports.errors import StoreUnavailableError, TemporaryError
from signalfleet.ports.metrics import Metrics

log = structlog.get_logger()

_WITHOUT_CHAT: Final = (types.UpdateDeleteMessages,)
_OF_TAP: Final = (
    types.UpdateEditChannelMessage,
    types.UpdateDeleteChannelMessages,
    types.UpdateEditMessage,
    types.UpdateDeleteMessages,
)


class LiveFeed:
    """Takes what the library hands over and brings it to the sink, in order per chat."""

    def __init__(
        self,
        book: ChatBook,
        repairer: Repairer,
        clock: Clock,
        metrics: Metrics,
        *,
        follow_up_wait_s: float,
        wake: Callable[[], None],
    ) -> None:
        self._book = book
        self._repairer = repairer
        self._clock = clock
        self._metrics = metrics
        self._follow_up_wait_s = follow_up_wait_s
        self._wake = wake
        self._queue: list[Change] = []
        self._delivering = Errand("telegram_deliver", self._deliver)
        self._tasks: asyncio.TaskGroup | None = None
        self._sink: ChatSink | None = None

    # What the library calls; both must return at once.

    async def on_update(self, update: Any) -> None:
        self.take(update)

    def take(self, update: Any, *, is_late: bool = False) -> None:
        """Queue an update of a watched chat; everything else ends in the first lines."""
        chat = chat_of(update)
        if chat is None:
            kept = isinstance(update, _WITHOUT_CHAT) and self._has_small_chats()
        else:
            kept = may_be_read(chat) and self._book.get(chat) is not None
        self._metrics.count(UPDATES, kept="yes" if kept else "no")
        if not kept:
            return
        state = self._book.get(chat)
        if moved_to(getattr(update, "message", None)) is not None:
            # The repair follows it: its answers say how to get there.
            self._doubt(chat, "moved")
            return
        change = change_of(update, is_forum=state is not None and state.is_forum)
        if change is None:
            return
        if state is not None and change.message is not None and not state.is_read(change.message):
            change = replace(change, kind=ChangeKind.MARK, message=None)
        if len(self._queue) >= QUEUE_MAX:
            self._metrics.count(QUEUE_OVERFLOWS)
            self._doubt(chat, "overflow")
            return
        self._queue.append(change)
        self._delivering.ask()
        if is_late:
            self._doubt(chat, "difference")

    def tap(self, request: Any, answer: Any) -> None:
        """Look at the differences that the library fetches: it drops edits and deletions."""
        if isinstance(request, functions.updates.GetChannelDifferenceRequest):
            chat = ChannelId(_marked(request.channel.channel_id))
            self._tap_channel(chat, request.pts, answer)
        elif isinstance(request, functions.updates.GetDifferenceRequest):
            self._tap_account(answer)

    def _tap_channel(self, chat: ChannelId, pts: int, answer: Any) -> None:
        state = self._book.get(chat)
        if state is None:
            return
        if isinstance(answer, types.updates.ChannelDifferenceEmpty):
            if state.sync is Sync.SYNCED and pts <= (state.pts_seen or 0):
                state.move(Marks(pts_seen=answer.pts))
            return
        self._doubt(chat, "difference")
        for update in getattr(answer, "other_updates", ()):
            if isinstance(update, _OF_TAP):
                self.take(update, is_late=True)

    def _tap_account(self, answer: Any) -> None:
        if isinstance(answer, types.updates.DifferenceEmpty):
            return
        if isinstance(answer, types.updates.DifferenceTooLong):
            self._book.doubt_all("difference")
            self._wake()
            return
        self._doubt(None, "difference")
        for update in getattr(answer, "other_updates", ()):
            if isinstance(update, types.UpdateChannelTooLong):
                self._doubt(ChannelId(_marked(update.channel_id)), "difference")
            elif isinstance(update, _OF_TAP):
                self.take(update, is_late=True)

    def overflowed(self) -> None:
        """The library dropped what it could not hold: everything is compared again."""
        self._metrics.count(QUEUE_OVERFLOWS)
        self._book.doubt_all("overflow")
        self._wake()

    def footprint(self) -> int:
        """Return about how many bytes wait here."""
        chats = sum(state.footprint() for state in self._book)
        return len(self._queue) * CHANGE_BYTES + chats

    # Delivering

    def begin(self, tasks: asyncio.TaskGroup, sink: ChatSink) -> None:
        """Bring what comes to the sink from now on."""
        self._tasks, self._sink = tasks, sink
        self._delivering.begin(tasks)

    async def _deliver(self) -> None:
        tasks, sink = self._tasks, self._sink
        while self._queue and tasks is not None and sink is not None:
            change = self._queue.pop(0)
            for state, part in await self._targets(change, sink):
                if state.paced or (_is_post(part) and sink.pause_s() > 0):
                    self._put_off(state, part, tasks, sink)
                else:
                    await self._bring(state, part, tasks, sink)

    def _put_off(
        self, state: ChatState, change: Change, tasks: asyncio.TaskGroup, sink: ChatSink
    ) -> None:
        """Bring it when the sink takes posts again; other chats do not wait for it."""
        if len(state.paced) >= WAITING_MAX:
            self._metrics.count(QUEUE_OVERFLOWS)
            self._doubt(state.chat, "overflow")
            return
        state.paced.append(change)
        if len(state.paced) == 1:
            paced = self._bring_paced(state, tasks, sink)
            tasks.create_task(paced, name="telegram_paced")

    async def _bring_paced(
        self, state: ChatState, tasks: asyncio.TaskGroup, sink: ChatSink
    ) -> None:
        try:
            while state.paced:
                while _is_post(state.paced[0]) and (pause := sink.pause_s()) > 0:
                    await self._clock.sleep(timedelta(seconds=pause))
                posts = _posts_in_front(state.paced)
                if posts:
                    await self._store(state, posts, sink)
                else:
                    await self._bring(state, state.paced[0], tasks, sink)
                # Until now they stood in front, so that what came meanwhile queued up behind them.
                del state.paced[: max(len(posts), 1)]
        finally:
            # Left behind, it would hold back the chat of the next run; the repair reads it again.
            state.paced.clear()

    async def _bring(
        self, state: ChatState, change: Change, tasks: asyncio.TaskGroup, sink: ChatSink
    ) -> None:
        if await self._must_wait(state, change, sink):
            state.waiting.append(change)
            if not state.is_flushing:
                state.is_flushing = True
                tasks.create_task(self._flush(state, sink), name="telegram_follow_ups")
        else:
            await self._store(state, (change,), sink)

    async def _targets(self, change: Change, sink: ChatSink) -> list[tuple[ChatState, Change]]:
        """Return the chats that a change concerns, with their part of it."""
        if change.chat is not None:
            state = self._book.get(change.chat)
            return [] if state is None else [(state, change)]
        # Deletions in groups and bots come without their chat; ids of channels mean others.
        found = []
        for state in self._book:
            if not state.has_counter:
                ids = [n for n in change.ids if await sink.known_revision(state.chat, n)]
                if ids:
                    found.append((state, replace(change, chat=state.chat, ids=tuple(ids))))
        return found

    async def _must_wait(self, state: ChatState, change: Change, sink: ChatSink) -> bool:
        """Tell whether a follow-up comes before what it follows; entries never wait."""
        if change.kind in {ChangeKind.MARK, ChangeKind.MEMBERSHIP}:
            return False
        parent = change.message.reply_to if change.message else None
        is_follow_up = change.kind is not ChangeKind.NEW or parent is not None
        if not is_follow_up or len(state.waiting) >= WAITING_MAX:
            return False
        if state.waiting or state.is_flushing:
            return True
        if state.sync in {Sync.DIRTY, Sync.REPAIRING}:
            return True
        if parent is None or change.kind is not ChangeKind.NEW:
            return False
        return await sink.known_revision(state.chat, parent) is None

    async def _flush(self, state: ChatState, sink: ChatSink) -> None:
        """Deliver follow-ups when the chat is repaired, or after the longest wait."""
        try:
            if state.sync is not Sync.SYNCED:
                try:
                    async with asyncio.timeout(self._follow_up_wait_s):
                        await state.synced.wait()
                except TimeoutError:
                    pass
            while state.waiting:
                change = state.waiting.pop(0)
                message = change.message
                if message is not None and message.reply_to is not None:
                    await self._repairer.fetch_context(
                        state, [message.reply_to], sink, limit_s=self._follow_up_wait_s
                    )
                await self._store(state, (change,), sink)
        finally:
            state.is_flushing = False

    async def _store(self, state: ChatState, changes: Sequence[Change], sink: ChatSink) -> None:
        """Store one change, or several posts together."""
        try:
            async with state.lock:
                await self._store_locked(state, changes, sink)
        except (StoreUnavailableError, TemporaryError):
            self._doubt(state.chat, "store")

    async def _store_locked(
        self, state: ChatState, changes: Sequence[Change], sink: ChatSink
    ) -> None:
        if changes[0].kind is ChangeKind.MEMBERSHIP:
            self._doubt(state.chat, "membership")
            return
        items: list[ChatItem] = []
        kept: list[Change] = []
        for change in changes:
            found = await self._items(state, change, sink)
            if found and change.kind is not ChangeKind.DELETE and state.is_repeat(change):
                state.recheck.update(change.ids)
            else:
                items += found
                kept.append(change)
        marks = state.marks_after(*kept)
        if items:
            await sink.store(
                ChatBatch(
                    chat=state.chat,
                    origin=Origin.LIVE,
                    items=tuple(items),
                    checkpoint=marks.checkpoint if marks else None,
                    pts_seen=marks.pts_seen if marks else None,
                )
            )
        self._note(state, kept)
        if marks is None:
            state.recheck.update(number for change in kept for number in change.ids)
        else:
            state.move(marks)
        if marks is None or len(kept) < len(changes):
            self._doubt(state.chat, "gap")

    def _note(self, state: ChatState, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.kind is ChangeKind.DELETE:
                state.note_removed(change.ids)
            elif change.message is not None:
                state.note_stored(change.ids, self._clock.now())

    async def _items(
        self, state: ChatState, change: Change, sink: ChatSink
    ) -> tuple[ChatItem, ...]:
        if change.kind is ChangeKind.DELETE:
            gone = state.still_there(change.ids)
            return (Deleted(chat=state.chat, messages=gone),) if gone else ()
        message = change.message
        if message is None:
            return ()
        if change.kind is ChangeKind.NEW and int(message.message) > state.seen_max:
            return (Posted(message=message),)
        known = await sink.known_revision(state.chat, message.message)
        if known is None:
            is_post = change.kind is ChangeKind.NEW
            return (Posted(message=message) if is_post else Edited(message=message),)
        if is_same(known, message) or is_older(message, known):
            return ()
        return (Edited(message=message),)

    def _doubt(self, chat: ChannelId | None, reason: str) -> None:
        """Have a chat compared; without a chat, all that share the account's counter."""
        found = self._book.get(chat)
        doubtful = [found] if found is not None else []
        if chat is None:
            doubtful = [state for state in self._book if not state.has_counter]
        for state in doubtful:
            state.doubt(reason)
            self._wake()

    def _has_small_chats(self) -> bool:
        return any(not state.has_counter for state in self._book)


def _is_post(change: Change) -> bool:
    message = change.message
    return change.kind is ChangeKind.NEW and message is not None and message.reply_to is None


def _posts_in_front(waiting: Sequence[Change]) -> tuple[Change, ...]:
    """Return the posts that come first, as many as are stored together."""
    return tuple(takewhile(_is_post, waiting[:PACED_AT_ONCE]))


def _marked(channel_id: int) -> int:
    return -1_000_000_000_000 - channel_id
