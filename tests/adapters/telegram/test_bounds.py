"""What one connection may hold and read has an end; what is left out is read again."""

import time
from datetime import timedelta

import pytest

from kit.clock import START
from kit.telegram_city import eventually
from kit.telegram_reader import CountingMetrics, reading, source_for, watched
from signalfleet.adapters.telegram.chats import ChatState, Sync
from signalfleet.adapters.telegram.client import GuardedClient, _Updates
from signalfleet.adapters.telegram.guard import Role
from signalfleet.adapters.telegram.limits import (
    ENTITY_BYTES,
    PACKETS_BURST,
    PACKETS_PER_S,
    QUEUE_OVERFLOWS,
    UPDATE_BYTES,
    UPDATES_MAX,
)
from signalfleet.adapters.telegram.session import FleetSession, load_session
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.ports.chat_source import WatchedChat
from signalfleet.ports.secrets import Secret
from signalfleet_sim.telegram import SimChannel, SimUser, World


async def test_updates_that_nobody_looks_at_are_dropped_at_the_bound_and_told_of() -> None:
    told: list[int] = []
    queue = _Updates()
    queue.overflowed = lambda: told.append(queue.qsize())
    for number in range(UPDATES_MAX):
        queue.put_nowait(number)
    assert told == []
    queue.put_nowait("one more")
    assert told == [0]
    assert await queue.get() == "one more"


@pytest.mark.loopback
async def test_the_librarys_own_queue_is_the_bounded_one(
    settings: TelegramSettings, session: Secret
) -> None:
    metrics = CountingMetrics()
    source = source_for(settings, session, metrics)
    stored = FleetSession.of(load_session(session), settings)
    client = GuardedClient(stored, settings, source._link, metrics, role=Role.READER)
    assert client._sender._updates_queue is client._updates_queue
    client._updates_queue.put_nowait("update")
    assert client.footprint() == UPDATE_BYTES + len(client._mb_entity_cache) * ENTITY_BYTES
    await client.close(source._link, 1)


@pytest.mark.loopback
async def test_after_an_overflow_every_chat_is_compared_again(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        repairs = now.metrics.of("signalfleet_telegram_gap_repairs_total", "overflow")
        now.source._feed.overflowed()
        await eventually(
            lambda: now.metrics.of("signalfleet_telegram_gap_repairs_total", "overflow") > repairs
        )
        assert now.metrics.of(QUEUE_OVERFLOWS) == 1
        gold.post("still read")
        await eventually(lambda: "still read" in now.inbox.posted())


@pytest.mark.loopback
async def test_a_live_source_says_what_it_holds_and_can_forget_others(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        client = now.source._asker.client
        assert client is not None
        for number in range(10_000, 10_400):
            client._mb_entity_cache.hash_map[number] = (1, 1)
        assert now.source.footprint() >= 400 * ENTITY_BYTES
        now.source.trim()
        assert now.source.footprint() < 100 * ENTITY_BYTES
        gold.post("still read")
        await eventually(lambda: "still read" in now.inbox.posted())


@pytest.mark.loopback
async def test_a_flood_is_read_at_its_pace_and_the_rest_stays_in_the_socket(
    settings: TelegramSettings, session: Secret
) -> None:
    link = source_for(settings, session, CountingMetrics())._link
    begun = time.monotonic()
    for _ in range(int(PACKETS_BURST) + 20):
        await link.read_one()
    assert time.monotonic() - begun >= 19 / PACKETS_PER_S


def test_what_no_repair_needs_is_not_remembered() -> None:
    watching = WatchedChat(chat=ChannelId(-100), kind="channel", access_hash=1, title="Gold")
    state = ChatState.of(watching)
    state.sync = Sync.SYNCED
    state.note_stored([MessageId(1)], START)
    assert state.touched == set()
    state.begin_repair()
    state.note_stored([MessageId(2)], START + timedelta(seconds=1))
    assert state.touched == {MessageId(2)}
