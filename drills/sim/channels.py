"""The simulated Telegram: what was posted, and readers that get it late, twice, shuffled or never.

What a reader misses is found by its repair, which sees only the newest version of a message.
"""

import asyncio
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from drills.sim.life import Life
from drills.sim.loop import VirtualClock
from drills.sim.plan import Faults
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.ports.chat_source import (
    ChatBatch,
    ChatItem,
    ChatSink,
    Deleted,
    Edited,
    LinkHealth,
    LinkState,
    Origin,
    Posted,
)

REPAIR_EVERY_S: Final = (20.0, 90.0)


@dataclass(slots=True)
class Happening:
    """One thing that happened in a channel. `stored`: the product has it for good."""

    item: ChatItem
    chat: ChannelId
    message: MessageId
    stored: bool = False


@dataclass(slots=True)
class Post:
    """A message as it is now, and when it was posted and edited."""

    newest: ChannelMessage
    posted_at: datetime
    edits: list[datetime] = field(default_factory=list)
    deleted_at: datetime | None = None


class Channels:
    """The truth of all channels. `faults` may be replaced while it runs."""

    def __init__(
        self,
        rng: random.Random,
        faults: Faults,
        clock: VirtualClock,
        note: Callable[[str], None],
    ) -> None:
        self.faults = faults
        self.posts: dict[tuple[ChannelId, MessageId], Post] = {}
        self.happenings: list[Happening] = []
        self.rng = rng
        self._clock = clock
        self._note = note
        self._readers: list[SimChatSource] = []
        self._numbers: dict[ChannelId, int] = {}

    def post(self, chat: ChannelId, text: str, reply_to: MessageId | None = None) -> MessageId:
        number = MessageId(self._numbers.get(chat, 0) + 1)
        self._numbers[chat] = number
        now = self._whole_second()
        message = ChannelMessage(
            channel=chat, message=number, text=text, posted_at=now, reply_to=reply_to
        )
        self.posts[chat, number] = Post(newest=message, posted_at=now)
        self._happen(Posted(message=message), chat, number)
        return number

    def edit(self, chat: ChannelId, number: MessageId, text: str) -> None:
        post = self.posts[chat, number]
        if post.deleted_at is not None or post.newest.text == text:
            return
        now = self._whole_second()
        post.newest = replace(post.newest, text=text, edited_at=now)
        post.edits.append(now)
        self._happen(Edited(message=post.newest), chat, number)

    def delete(self, chat: ChannelId, number: MessageId) -> None:
        post = self.posts[chat, number]
        if post.deleted_at is None:
            post.deleted_at = self._clock.now()
            self._happen(Deleted(chat=chat, messages=(number,)), chat, number)

    @property
    def missing(self) -> int:
        """Count what the product has not stored yet."""
        return sum(1 for happening in self.happenings if not happening.stored)

    def join(self, reader: "SimChatSource") -> None:
        self._readers.append(reader)

    def leave(self, reader: "SimChatSource") -> None:
        if reader in self._readers:
            self._readers.remove(reader)

    def newest(self, happening: Happening) -> ChatItem:
        """Return what a look at the channel shows now instead of what happened then."""
        post = self.posts[happening.chat, happening.message]
        if post.deleted_at is not None:
            return Deleted(chat=happening.chat, messages=(happening.message,))
        return Posted(message=post.newest)

    def _happen(self, item: ChatItem, chat: ChannelId, number: MessageId) -> None:
        self._note(f"channel {chat}: {item}")
        happening = Happening(item=item, chat=chat, message=number)
        self.happenings.append(happening)
        for reader in self._readers:
            reader.push(happening)

    def _whole_second(self) -> datetime:
        return self._clock.now().replace(microsecond=0)


class SimChatSource:
    """Implements ports.chat_source.ChatSource for one life."""

    def __init__(self, channels: Channels, life: Life, clock: VirtualClock) -> None:
        self._channels = channels
        self._life = life
        self._clock = clock
        self._rng = channels.rng
        self._due: list[tuple[float, int, Happening]] = []
        self._sequence = 0
        self._pushed = asyncio.Event()

    async def run(self, sink: ChatSink) -> None:
        self._channels.join(self)
        try:
            await sink.link_changed(self.health())
            await self._repair(sink)
            next_repair = self._next_repair()
            while True:
                until = min([next_repair, *(due[0] for due in self._due[:1])])
                await self._wait(until - self._clock.monotonic())
                now = self._clock.monotonic()
                while self._due and self._due[0][0] <= now:
                    happening = heapq.heappop(self._due)[2]
                    await self._store(sink, Origin.LIVE, [happening], [happening.item])
                if now >= next_repair:
                    await self._repair(sink)
                    next_repair = self._next_repair()
        finally:
            self._channels.leave(self)

    async def watch(self, chats: object) -> None:
        del chats

    def health(self) -> LinkHealth:
        return LinkHealth(state=LinkState.LIVE, since=self._clock.now(), clock_offset=timedelta(0))

    def allow_connecting(self, *, allowed: bool) -> None:
        del allowed

    def footprint(self) -> int:
        return 0

    def trim(self) -> None: ...

    def break_off(self) -> None:
        self._channels.leave(self)

    async def history(
        self, chat: ChannelId, *, before: MessageId | None, limit: int
    ) -> tuple[ChannelMessage, ...]:
        del chat, before, limit
        return ()

    async def aclose(self) -> None:
        self._channels.leave(self)

    def push(self, happening: Happening) -> None:
        """Deliver later, perhaps several times, perhaps never."""
        faults = self._channels.faults
        if self._rng.random() < faults.lost_update:
            return
        for _ in range(self._rng.randint(1, faults.repeats)):
            at = self._clock.monotonic() + self._rng.uniform(0.05, faults.delivery_s)
            self._sequence += 1
            heapq.heappush(self._due, (at, self._sequence, happening))
        self._pushed.set()

    async def _repair(self, sink: ChatSink) -> None:
        """Fetch what is not stored, in its newest version, chat by chat."""
        chats = dict.fromkeys(h.chat for h in self._channels.happenings)
        for chat in chats:
            missing = [h for h in self._channels.happenings if h.chat == chat and not h.stored]
            items = {h.message: self._channels.newest(h) for h in missing}
            if items:
                await self._store(sink, Origin.REPAIR, missing, list(items.values()))

    async def _store(
        self, sink: ChatSink, origin: Origin, happenings: list[Happening], items: list[ChatItem]
    ) -> None:
        chat = happenings[0].chat
        await sink.store(ChatBatch(chat=chat, origin=origin, items=tuple(items)))
        for happening in happenings:
            happening.stored = True

    async def _wait(self, seconds: float) -> None:
        self._pushed.clear()
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._pushed.wait()
        except TimeoutError:
            return

    def _next_repair(self) -> float:
        return self._clock.monotonic() + self._rng.uniform(*REPAIR_EVERY_S)
