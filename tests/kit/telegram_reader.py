"""What tests of the Telegram adapter share: a sink that keeps everything, and its settings."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Any

from kit.canaries import planted
from kit.telegram_city import eventually
from kit.wall_clock import WallClock
from signalfleet.adapters.telegram.gate import ConnectGate
from signalfleet.adapters.telegram.limits import Pace
from signalfleet.adapters.telegram.reader import TelethonChatSource
from signalfleet.adapters.telegram.session import StoredSession
from signalfleet.adapters.telegram.settings import OwnServer, TelegramSettings
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.ports.chat_source import (
    ChatBatch,
    ChatNotice,
    Deleted,
    LinkHealth,
    LinkState,
    Origin,
    Posted,
    WatchedChat,
)
from signalfleet.ports.errors import StoreUnavailableError
from signalfleet.ports.secrets import Secret
from signalfleet_sim.telegram import SimChannel, SimUser, TelegramServer, World

QUICK = Pace(
    ping_every=timedelta(seconds=0.2),
    ping_limit_s=0.4,
    sweep_every=timedelta(seconds=60),
    sweep_settle=timedelta(seconds=0.05),
    requests_per_s=200.0,
    requests_burst=50,
    request_limit_s=3.0,
    start_limit_s=3.0,
    follow_up_wait_s=1.0,
    close_limit_s=1.0,
)


class EagerChance:
    """Near the low end of what chance may bring: how long to back off has tests of its own."""

    def __init__(self) -> None:
        self._random = Random(1)

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * 0.05 * self._random.random()


class CountingMetrics:
    """Keeps what was counted, so that a test can ask."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, tuple[str, ...]]] = Counter()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        self.counts[name, tuple(labels.values())] += int(amount)

    def gauge(self, name: str, value: float, **labels: str) -> None: ...

    def observe(self, name: str, seconds: float, **labels: str) -> None: ...

    def distribution(self, name: str, values: Sequence[float]) -> None: ...

    def of(self, name: str, *labels: str) -> int:
        return self.counts[name, labels]


class Inbox:
    """A sink that remembers all revisions and marks, as the store does."""

    def __init__(self) -> None:
        self.batches: list[ChatBatch] = []
        self.messages: dict[tuple[int, int], list[ChannelMessage]] = {}
        self.deleted: list[tuple[int, int]] = []
        self.checkpoints: dict[int, int] = {}
        self.pts: dict[int, int] = {}
        self.health: list[LinkHealth] = []
        self.notices: list[ChatNotice] = []
        self.fails = 0
        self.pause = 0.0
        self.gate = asyncio.Event()
        self.gate.set()

    async def store(self, batch: ChatBatch) -> None:
        await self.gate.wait()
        if self.fails:
            self.fails -= 1
            raise StoreUnavailableError("the disk is full")
        self.batches.append(batch)
        for item in batch.items:
            if isinstance(item, Deleted):
                self.deleted += [(item.chat, number) for number in item.messages]
            else:
                key = (item.message.channel, item.message.message)
                self.messages.setdefault(key, []).append(item.message)
        if batch.checkpoint is not None:
            self.checkpoints[batch.chat] = batch.checkpoint
        if batch.pts_seen is not None:
            self.pts[batch.chat] = batch.pts_seen

    def pause_s(self) -> float:
        return self.pause

    async def known_revision(self, chat: ChannelId, message: MessageId) -> ChannelMessage | None:
        revisions = self.messages.get((chat, message))
        return revisions[-1] if revisions else None

    async def link_changed(self, health: LinkHealth) -> None:
        self.health.append(health)

    async def chat_noticed(self, notice: ChatNotice) -> None:
        self.notices.append(notice)

    # Asking

    def items(self, *origins: Origin) -> list[tuple[str, int, str]]:
        """Return (kind, id, text) of everything stored, in order."""
        found = []
        for batch in self.batches:
            if origins and batch.origin not in origins:
                continue
            for item in batch.items:
                if isinstance(item, Deleted):
                    found += [("deleted", int(number), "") for number in item.messages]
                else:
                    kind = "posted" if isinstance(item, Posted) else "edited"
                    found.append((kind, int(item.message.message), item.message.text))
        return found

    def posted(self, *origins: Origin) -> list[str]:
        return [text for kind, _, text in self.items(*origins) if kind == "posted"]

    def edited(self) -> list[str]:
        return [text for kind, _, text in self.items() if kind == "edited"]

    def now(self, chat: int) -> dict[int, str]:
        """Return the newest text of each message that was not deleted."""
        return {
            int(number): revisions[-1].text
            for (where, number), revisions in self.messages.items()
            if where == chat and (where, number) not in self.deleted
        }

    def states(self) -> list[LinkState]:
        return [health.state for health in self.health]


def watched(chat: SimChannel, user: SimUser, world: World, **marks: Any) -> WatchedChat:
    return WatchedChat(
        chat=ChannelId(chat.chat_id),
        kind=chat.kind,
        access_hash=world.access_hash(user, chat.channel_id),
        title=chat.title,
        **marks,
    )


def settings_for(server: TelegramServer, pace: Pace = QUICK) -> TelegramSettings:
    host, port = server.address
    return TelegramSettings(
        api_id=1,
        api_hash=Secret(planted("api-hash")),
        server=OwnServer(dc=server.dc, host=host, port=port, public_key_pem=server.public_key_pem),
        pace=pace,
    )


def session_for(world: World, user: SimUser) -> Secret:
    dc, host, port, key = world.premade_session(user)
    stored = StoredSession(dc=dc, host=host, port=port, key=key, telegram_user_id=user.user_id)
    return Secret(stored.dump())


class Reading:
    """A source at work, and what it brought."""

    def __init__(self, source: TelethonChatSource, inbox: Inbox, metrics: CountingMetrics) -> None:
        self.source = source
        self.inbox = inbox
        self.metrics = metrics

    async def until_live(self) -> None:
        await eventually(lambda: self.source.health().state is LinkState.LIVE)


def source_for(
    settings: TelegramSettings, session: Secret, metrics: CountingMetrics
) -> TelethonChatSource:
    clock = WallClock()
    return TelethonChatSource(
        session,
        settings,
        clock=clock,
        chance=EagerChance(),
        metrics=metrics,
        gate=ConnectGate(clock, connects_per_s=100.0),
    )


@asynccontextmanager
async def reading(
    settings: TelegramSettings,
    session: Secret,
    chats: list[WatchedChat],
    inbox: Inbox | None = None,
) -> AsyncIterator[Reading]:
    """Run a source until the block ends, then close it."""
    metrics = CountingMetrics()
    source = source_for(settings, session, metrics)
    inbox = inbox or Inbox()
    await source.watch(chats)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(source.run(inbox), name="run")
        try:
            yield Reading(source, inbox, metrics)
        finally:
            await source.aclose()
