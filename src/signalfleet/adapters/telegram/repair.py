"""Finding and fetching what no update told: heads, pages of history, and tracked messages."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from telethon import types

from signalfleet.adapters.telegram.chats import ChatBook, ChatState, Marks, Sync
from signalfleet.adapters.telegram.errors import ChatGoneError, FloodError
from signalfleet.adapters.telegram.fetch import UNREADABLE, Fetcher, Pages
from signalfleet.adapters.telegram.heads import Head, Heads, is_behind
from signalfleet.adapters.telegram.limits import (
    CHAT_NOTICES,
    FEW_POSTS,
    GAP_REPAIRS,
    PAGE,
    PUT_OFF_LEAST_S,
    REPAIR_ROUNDS_MAX,
    REPAIR_TIME,
    REPAIRED_MESSAGES,
)
from signalfleet.adapters.telegram.mapping import may_be_read
from signalfleet.adapters.telegram.moves import moved_to, new_home
from signalfleet.adapters.telegram.requests import Asker
from signalfleet.adapters.telegram.revisions import is_older, is_same
from signalfleet.domain.ids import MessageId
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.ports.chat_source import (
    ChatBatch,
    ChatItem,
    ChatNotice,
    ChatNoticeKind,
    ChatSink,
    Deleted,
    Edited,
    Origin,
    Posted,
)
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import StoreUnavailableError, TemporaryError
from signalfleet.ports.metrics import Metrics

log = structlog.get_logger()

_KIND: Final = {Posted: "posted", Edited: "edited", Deleted: "deleted"}


@dataclass(slots=True)
class _Job:
    """The repair of one chat, once."""

    state: ChatState
    generation: int
    head: Head
    pts: int | None = None
    pages: Pages = field(default_factory=Pages)
    is_complete: bool = True


class Repairer:
    """Brings chats that are in doubt up to date. One at a time works on one user's chats."""

    def __init__(
        self,
        book: ChatBook,
        asker: Asker,
        clock: Clock,
        metrics: Metrics,
        on_server_time: Callable[[datetime], None],
    ) -> None:
        self._book = book
        self._fetch = Fetcher(asker)
        self._heads = Heads(asker, clock, on_server_time)
        self._clock = clock
        self._metrics = metrics

    async def run(self, sink: ChatSink) -> None:
        """Repair all chats in doubt. TemporaryError: some are left, try again later."""
        start = self._clock.monotonic()
        worked = False
        for _ in range(REPAIR_ROUNDS_MAX):
            chats = self._book.in_doubt(self._clock.monotonic())
            if not chats:
                break
            worked = True
            await self._round(chats, sink)
        if worked:
            self._metrics.observe(REPAIR_TIME, self._clock.monotonic() - start)

    async def _round(self, chats: list[ChatState], sink: ChatSink) -> None:
        begun = {state.chat: state.begin_repair() for state in chats}
        jobs: list[_Job] = []
        try:
            heads = await self._heads.of(chats)
            for state in chats:
                head = heads.get(state.chat)
                if head is not None and not self._is_put_off(state, head, sink):
                    jobs.append(_Job(state, begun[state.chat], head))
            trouble: TemporaryError | StoreUnavailableError | None = None
            for step in (self._fetch_posts, self._compare_tracked):
                for job in jobs:
                    if job.is_complete:
                        trouble = await self._try(step, job, sink) or trouble
            for job in jobs:
                was_lost = job.state.is_lost
                job.state.end_repair(job.generation, complete=job.is_complete)
                self._metrics.count(GAP_REPAIRS, reason=job.state.reason)
                if was_lost and job.is_complete:
                    await self._notice(sink, job.state, ChatNoticeKind.BACK)
            await self._tell_lost(sink)
            if trouble is not None:
                raise trouble
        finally:
            for state in chats:
                if state.sync is Sync.REPAIRING:
                    state.end_repair(state.generation, complete=False)

    def _is_put_off(self, state: ChatState, head: Head, sink: ChatSink) -> bool:
        """Tell a chat with so many new posts that the sink has to take a rest first."""
        is_much = not state.is_new and (head.top or 0) - state.checkpoint > FEW_POSTS
        pause = sink.pause_s() if is_much else 0.0
        if pause > 0:
            state.paused_until = self._clock.monotonic() + max(pause, PUT_OFF_LEAST_S)
        return pause > 0

    async def _try(
        self, step: Any, job: _Job, sink: ChatSink
    ) -> TemporaryError | StoreUnavailableError | None:
        """Do one step for one chat; its trouble must not keep the others from theirs."""
        try:
            await step(job, sink)
        except FloodError:
            raise
        except ChatGoneError:
            job.is_complete = False
            self._heads.lost(job.state)
        except (TemporaryError, StoreUnavailableError) as error:
            job.is_complete = False
            return error
        return None

    # Sweep

    async def sweep(self, settle: timedelta, compare_every: timedelta) -> bool:
        """Compare all chats with what Telegram says of them; True: some are in doubt."""
        now = self._clock.monotonic()
        chats = [state for state in self._book if state.sync is Sync.SYNCED]
        heads = await self._heads.of(chats)
        if self._heads.newly_lost:
            return True  # The next repair tells it.
        behind = [state for state in chats if is_behind(state, heads.get(state.chat))]
        if behind:
            await self._clock.sleep(settle)  # The update may be on its way.
        for state in behind:
            if is_behind(state, heads.get(state.chat)):
                state.doubt("sweep")
        for state in chats:
            oldest = now - compare_every.total_seconds()
            if not state.has_counter and (state.compared_at or 0) < oldest:
                state.doubt("sweep")
        return bool(self._book.in_doubt(now))

    # Posts

    async def _fetch_posts(self, job: _Job, sink: ChatSink) -> None:
        state, head = job.state, job.head
        job.pts = head.pts
        if state.is_new:
            await self._start(job, sink)
            return
        has_pts = head.pts is not None or not state.has_counter
        if head.top is not None and head.top <= state.checkpoint and has_pts:
            return
        await self._read(job, sink)
        found = job.pages.messages
        if not found:
            return
        fresh = [
            message
            for number, raw in sorted(found.items())
            if number > state.checkpoint and (message := state.message_of(raw)) is not None
        ]
        known = {message.message for message in fresh}
        parents = [
            message.reply_to
            for message in fresh
            if message.reply_to is not None and message.reply_to not in known
        ]
        await self.fetch_context(state, parents, sink)
        async with state.lock:
            items = [
                item
                for message in fresh
                if (item := await self._difference(state, message, sink)) is not None
            ]
            # The head counts too: what stands there may be gone, or cannot be read.
            marks = Marks(checkpoint=max(*found, head.top or 0))
            await self._commit(state, items, marks, sink, always=True)

    async def _start(self, job: _Job, sink: ChatSink) -> None:
        """Begin a chat at its newest message; nothing before it is replayed."""
        state = job.state
        top = job.head.top
        if top is None or (job.pts is None and state.has_counter):
            job.pages = await self._fetch.newest(state.watched, down_to=0, at_most=1)
            job.pts = job.pts or job.pages.pts
            top = max(job.pages.messages, default=top or 0)
        # An empty chat starts at 1: Telegram counts from there, and 0 means never read.
        marks = Marks(checkpoint=max(top, 1), pts_seen=job.pts)
        async with state.lock:
            await self._commit(state, [], marks, sink, always=True)

    async def _read(self, job: _Job, sink: ChatSink) -> None:
        """Read what was missed, and tell what could not be read of it."""
        state = job.state
        job.pages = pages = await self._fetch.newest(state.watched, down_to=state.checkpoint)
        if job.pts is None and state.has_counter:
            job.pts = pages.pts
        for raw in pages.messages.values():
            channel = moved_to(raw)
            if channel is not None:
                await self.follow(state, channel, pages.chats, sink)
        if pages.unreadable:
            log.error("telegram_messages_unreadable", chat=int(state.chat), count=pages.unreadable)
            await self._notice(sink, state, ChatNoticeKind.UNREADABLE, count=pages.unreadable)
        if pages.is_cut:
            log.warning("telegram_gap_too_long", chat=int(state.chat), read=len(pages.messages))
            oldest = min(pages.messages, default=None)
            await self._notice(sink, state, ChatNoticeKind.HOLE, first=oldest)

    async def follow(
        self, state: ChatState, channel: int, entities: Sequence[Any], sink: ChatSink
    ) -> None:
        """Go on in the supergroup that a group has become."""
        home = new_home(state.watched, channel, entities)
        if home is None or self._book.get(home.chat) is not None:
            return
        log.info("telegram_group_moved", chat=int(state.chat), to=int(home.chat))
        await self._notice(sink, state, ChatNoticeKind.MOVED, moved_to=home)
        self._book.add(home)

    async def _tell_lost(self, sink: ChatSink) -> None:
        while self._heads.newly_lost:
            await self._notice(sink, self._heads.newly_lost.pop(), ChatNoticeKind.LOST)

    async def _notice(
        self, sink: ChatSink, state: ChatState, kind: ChatNoticeKind, **details: Any
    ) -> None:
        self._metrics.count(CHAT_NOTICES, kind=kind.value)
        await sink.chat_noticed(ChatNotice(chat=state.chat, kind=kind, **details))

    async def _difference(
        self, state: ChatState, message: ChannelMessage, sink: ChatSink
    ) -> ChatItem | None:
        if message.message in state.touched:
            return None  # It came or changed live after the page was read.
        known = await sink.known_revision(state.chat, message.message)
        if known is None:
            return Posted(message=message)
        if is_same(known, message) or is_older(message, known):
            return None
        return Edited(message=message)

    # Tracked messages

    async def _compare_tracked(self, job: _Job, sink: ChatSink) -> None:
        state = job.state
        recheck = set(state.recheck)
        if job.pts is not None and job.pts == state.pts_seen and not recheck:
            return
        wanted = sorted({*state.tracked, *recheck})
        read = job.pages.messages
        found = read | await self._fetch.by_id(state, [n for n in wanted if n not in read])
        async with state.lock:
            items = await self._changes(state, wanted, found, sink)
            await self._commit(state, items, Marks(pts_seen=job.pts), sink)
        # What came while this one asked was not compared: it is, in the round that it caused.
        state.recheck -= recheck - state.touched
        state.compared_at = self._clock.monotonic()

    async def _changes(
        self,
        state: ChatState,
        wanted: Sequence[MessageId],
        found: dict[MessageId, Any],
        sink: ChatSink,
    ) -> list[ChatItem]:
        items: list[ChatItem] = []
        gone: list[MessageId] = []
        for number in wanted:
            raw = found.get(number)
            known = await sink.known_revision(state.chat, number)
            if number in state.touched or raw is UNREADABLE:
                continue
            message = state.message_of(raw)
            if known is None:
                if message is not None and number in state.recheck:
                    items.append(Posted(message=message))
            elif raw is None or isinstance(raw, types.MessageEmpty):
                gone.append(number)
            elif message and not is_same(known, message) and not is_older(message, known):
                items.append(Edited(message=message))
        gone = [*state.still_there(gone)]
        if gone:
            items.append(Deleted(chat=state.chat, messages=tuple(gone)))
        return items

    async def fetch_context(
        self,
        state: ChatState,
        parents: Sequence[MessageId],
        sink: ChatSink,
        *,
        limit_s: float | None = None,
    ) -> None:
        """Fetch what replies point to and the inbox does not have; never opens a trade.

        Ids above the checkpoint are left to the repair: as context they could not be traded.
        """
        missing = sorted(
            {
                number
                for number in parents
                if number <= state.checkpoint
                and await sink.known_revision(state.chat, number) is None
            }
        )[:PAGE]
        if not missing or not may_be_read(state.chat):
            return
        try:
            async with asyncio.timeout(limit_s):
                found = await self._fetch.by_id(state, missing)
        except (TemporaryError, ChatGoneError, TimeoutError):
            return  # A reply without its parent is still a message; it must not wait.
        items = [
            Posted(message=message)
            for number in missing
            if (message := state.message_of(found.get(number))) is not None
        ]
        if items:
            await sink.store(ChatBatch(chat=state.chat, origin=Origin.CONTEXT, items=tuple(items)))

    async def _commit(
        self,
        state: ChatState,
        items: Sequence[ChatItem],
        marks: Marks,
        sink: ChatSink,
        *,
        always: bool = False,
    ) -> None:
        moves = marks.pts_seen is not None and marks.pts_seen != state.pts_seen
        if items or moves or always:
            await sink.store(
                ChatBatch(
                    chat=state.chat,
                    origin=Origin.REPAIR,
                    items=tuple(items),
                    checkpoint=marks.checkpoint,
                    pts_seen=marks.pts_seen,
                )
            )
        state.move(marks)
        stored = [item.message.message for item in items if isinstance(item, (Posted, Edited))]
        if stored:
            touched = set(state.touched)
            state.note_stored(stored, self._clock.now())
            state.touched = touched
        for item in items:
            if isinstance(item, Deleted):
                state.note_removed(item.messages)
            self._metrics.count(REPAIRED_MESSAGES, kind=_KIND[type(item)])
