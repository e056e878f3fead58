"""A chat source that brings what a test tells it to, and the test's own post office."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

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
    WatchedChat,
)
from signalfleet.ports.clock import Clock


@dataclass(slots=True)
class ScriptedChatSource:
    """Hands batches to the sink in order; an exception in the queue ends the run with it."""

    clock: Clock
    brought: asyncio.Queue[ChatBatch | Exception] = field(default_factory=asyncio.Queue)
    watched: list[tuple[WatchedChat, ...]] = field(default_factory=list)
    closed: int = 0
    running: int = 0
    trimmed: int = 0
    broken_off: int = 0
    may_connect: bool = True
    clock_offset: timedelta | None = timedelta(0)

    async def run(self, sink: ChatSink) -> None:
        self.running += 1
        try:
            await sink.link_changed(self.health())
            while True:
                batch = await self.brought.get()
                if isinstance(batch, Exception):
                    raise batch
                if _has_posts(batch):
                    while (pause := sink.pause_s()) > 0:
                        await self.clock.sleep(timedelta(seconds=pause))
                await sink.store(batch)
        finally:
            self.running -= 1

    async def watch(self, chats: Sequence[WatchedChat]) -> None:
        self.watched.append(tuple(chats))

    def health(self) -> LinkHealth:
        return LinkHealth(
            state=LinkState.LIVE, since=self.clock.now(), clock_offset=self.clock_offset
        )

    def allow_connecting(self, *, allowed: bool) -> None:
        self.may_connect = allowed

    def break_off(self) -> None:
        self.broken_off += 1

    async def history(
        self, chat: ChannelId, *, before: MessageId | None, limit: int
    ) -> Sequence[ChannelMessage]:
        return ()

    def footprint(self) -> int:
        return self.brought.qsize() * 1_000

    def trim(self) -> None:
        self.trimmed += 1

    async def aclose(self) -> None:
        self.closed += 1


def _has_posts(batch: ChatBatch) -> bool:
    return any(isinstance(one, Posted) and one.message.reply_to is None for one in batch.items)


def a_message(
    chat: ChannelId,
    number: int,
    text: str,
    posted_at: datetime,
    *,
    edited_at: datetime | None = None,
    reply_to: int | None = None,
) -> ChannelMessage:
    return ChannelMessage(
        channel=chat,
        message=MessageId(number),
        text=text,
        posted_at=posted_at,
        edited_at=edited_at,
        reply_to=None if reply_to is None else MessageId(reply_to),
    )


def batch_of(item: ChatItem, chat: ChannelId, origin: Origin = Origin.LIVE) -> ChatBatch:
    return ChatBatch(chat=chat, origin=origin, items=(item,))


def posted(message: ChannelMessage, origin: Origin = Origin.LIVE) -> ChatBatch:
    return batch_of(Posted(message=message), message.channel, origin)


def edited(message: ChannelMessage) -> ChatBatch:
    return batch_of(Edited(message=message), message.channel)


def deleted(chat: ChannelId, *numbers: int) -> ChatBatch:
    item = Deleted(chat=chat, messages=tuple(MessageId(number) for number in numbers))
    return batch_of(item, chat)
