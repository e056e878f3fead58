"""The connection: it comes back by itself, it says when it cannot, and it closes for good."""

import asyncio
import gc
from dataclasses import replace
from datetime import timedelta

import pytest

from kit.telegram_city import eventually
from kit.telegram_reader import (
    QUICK,
    CountingMetrics,
    Inbox,
    reading,
    session_for,
    settings_for,
    source_for,
    watched,
)
from signalfleet.adapters.telegram.limits import FLOOD_WAITS, RECONNECTS, SESSIONS_LOST
from signalfleet.adapters.telegram.session import load_session
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.ports.chat_source import LinkState
from signalfleet.ports.errors import SignInRequiredError
from signalfleet.ports.secrets import Secret
from signalfleet_sim.telegram import SimChannel, SimUser, TelegramServer, World

pytestmark = pytest.mark.loopback

SWEEPING = replace(QUICK, sweep_every=timedelta(seconds=0.15))


def sockets(world: World, session: Secret) -> int:
    return world.sockets(load_session(session).key)


async def test_live_needs_a_probe_a_repair_and_a_pong(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        health = now.source.health()
        assert health.last_pong_at is not None
        assert health.repaired_at is not None
        assert health.reason is None
        await eventually(lambda: now.source.health().last_pong_at != health.last_pong_at)
        gold.post("one")
        await eventually(lambda: now.source.health().last_update_at)
    assert now.inbox.states()[:4] == [
        LinkState.CONNECTING,
        LinkState.PROBING,
        LinkState.REPAIRING,
        LinkState.LIVE,
    ]
    assert now.source.health().state is LinkState.CLOSED


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("SESSION_REVOKED", "revoked"),
        ("AUTH_KEY_UNREGISTERED", "unregistered"),
        ("USER_DEACTIVATED", "deactivated"),
    ],
)
async def test_a_session_that_was_ended_is_over_at_the_next_request(
    server: TelegramServer,
    session: Secret,
    world: World,
    ann: SimUser,
    gold: SimChannel,
    error: str,
    reason: str,
) -> None:
    metrics = CountingMetrics()
    source = source_for(settings_for(server, SWEEPING), session, metrics)
    await source.watch([watched(gold, ann, world)])
    inbox = Inbox()
    async with asyncio.TaskGroup() as tasks:

        async def run() -> None:
            with pytest.raises(SignInRequiredError) as caught:
                await source.run(inbox)
            assert caught.value.reason == reason

        running = tasks.create_task(run())
        await eventually(lambda: source.health().state is LinkState.LIVE)
        world.sessions(ann)[0].revoke(error)
        await asyncio.wait_for(running, 5)
    assert source.health().state is LinkState.SIGN_IN_NEEDED
    assert inbox.health[-1].state is LinkState.SIGN_IN_NEEDED
    assert metrics.of(SESSIONS_LOST, reason) == 1
    assert sockets(world, session) == 0


async def test_a_revoked_session_is_noticed_on_reconnect_although_the_library_is_content(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    source = source_for(settings, session, CountingMetrics())
    await source.watch([watched(gold, ann, world)])

    async def cut_when_live() -> None:
        await eventually(lambda: source.health().state is LinkState.LIVE)
        world.sessions(ann)[0].revoke(notice="cut")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(cut_when_live())
        with pytest.raises(SignInRequiredError):
            await source.run(Inbox())


async def test_a_duplicated_key_is_dead(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser
) -> None:
    world.sessions(ann)[0].duplicate()
    metrics = CountingMetrics()
    with pytest.raises(SignInRequiredError) as caught:
        await source_for(settings, session, metrics).run(Inbox())
    assert caught.value.reason == "auth_key_duplicated"
    assert metrics.of(SESSIONS_LOST, "auth_key_duplicated") == 1


async def test_a_key_that_the_server_keeps_denying_is_given_up(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser
) -> None:
    world.sessions(ann)[0].forget()
    with pytest.raises(SignInRequiredError) as caught:
        await source_for(settings, session, CountingMetrics()).run(Inbox())
    assert caught.value.reason == "unregistered"


async def test_a_key_that_is_denied_once_is_tried_again(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    world.faults.transport(-404)
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()


async def test_a_damaged_session_needs_a_new_sign_in(settings: TelegramSettings) -> None:
    for text in ("", "{}", "not json", '{"v": 2}', '{"v": 1, "key": "AAAA"}'):
        with pytest.raises(SignInRequiredError) as caught:
            await source_for(settings, Secret(text), CountingMetrics()).run(Inbox())
        assert "key" not in str(caught.value)


async def test_closing_leaves_no_socket_and_no_task(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    before = asyncio.all_tasks()
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        assert sockets(world, session) == 1
    await eventually(lambda: sockets(world, session) == 0)
    gc.collect()
    assert asyncio.all_tasks() == before


async def test_cancelling_closes_too(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    source = source_for(settings, session, CountingMetrics())
    await source.watch([watched(gold, ann, world)])
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(source.run(Inbox()))
        await eventually(lambda: source.health().state is LinkState.LIVE)
        running.cancel()
    assert running.cancelled()
    await eventually(lambda: sockets(world, session) == 0)
    await source.aclose()


async def test_closing_works_while_the_server_is_away(
    server: TelegramServer, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings_for(server), session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        await server.aclose()
        await eventually(lambda: now.source.health().state is LinkState.CONNECTING)


async def test_closing_before_running_is_allowed(
    settings: TelegramSettings, session: Secret
) -> None:
    source = source_for(settings, session, CountingMetrics())
    await source.aclose()


async def test_a_source_runs_once_at_a_time(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        with pytest.raises(RuntimeError):
            await now.source.run(Inbox())


async def test_what_the_sink_raises_ends_the_source(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    class Fenced(Inbox):
        async def store(self, batch: object) -> None:
            raise LookupError("fenced")

    source = source_for(settings, session, CountingMetrics())
    await source.watch([watched(gold, ann, world)])
    with pytest.raises(LookupError, match="fenced"):
        await source.run(Fenced())
    assert sockets(world, session) == 0


async def test_a_store_that_is_away_is_waited_for(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    inbox = Inbox()
    inbox.fails = 1
    async with reading(settings, session, [watched(gold, ann, world)], inbox) as now:
        await now.until_live()
        assert inbox.checkpoints[gold.chat_id] == gold.top_message


async def test_a_half_open_path_is_noticed_by_the_ping(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        gold.post("one")
        await eventually(lambda: now.inbox.posted() == ["one"])
        world.faults.blackhole(None, 60)
        gold.post("into the hole")
        await eventually(lambda: now.inbox.posted() == ["one", "into the hole"])
        assert now.metrics.of(RECONNECTS, "ping") == 1


async def test_a_server_that_was_away_is_found_again(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        gold.post("before")
        await eventually(lambda: now.inbox.posted() == ["before"])
        world.faults.refuse(1.0)
        world.faults.cut()
        gold.post("meanwhile")
        await eventually(lambda: now.inbox.posted() == ["before", "meanwhile"])
        assert world.violations == []


@pytest.mark.parametrize("form", ["packet", "bare"])
async def test_too_many_connections_are_answered_with_patience(
    settings: TelegramSettings,
    session: Secret,
    world: World,
    ann: SimUser,
    gold: SimChannel,
    form: str,
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        world.faults.transport(-429, form, seconds=3)  # type: ignore[arg-type]
        await asyncio.sleep(2.5)  # Real sockets, real time: what is counted is its passing.
        tries = sum(now.metrics.of(RECONNECTS, why) for why in ("transport", "ping", "library"))
        assert tries <= 8


async def test_a_flood_wait_pauses_the_session_but_live_posts_are_read(
    server: TelegramServer, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings_for(server, SWEEPING), session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        gold.post("one")
        await eventually(lambda: now.inbox.posted() == ["one"])
        world.faults.flood("*", 300)
        await eventually(lambda: now.metrics.of(FLOOD_WAITS, "flood") == 1)
        calls = len(world.calls(ann))
        gold.post("two")
        await eventually(lambda: now.inbox.posted() == ["one", "two"])
        await asyncio.sleep(0.5)  # Three sweeps' time.
        asked = {call.method for call in world.calls(ann)[calls:]}
        assert asked <= {"ping"}


async def test_an_undecodable_update_loses_nothing(
    server: TelegramServer, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings_for(server, SWEEPING), session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        world.faults.unknown_object()
        gold.post("unreadable when it came")
        await eventually(lambda: now.inbox.posted() == ["unreadable when it came"])


async def test_a_clock_that_is_wrong_does_not_keep_it_from_connecting(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    world.faults.clock(-7_200)
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()


async def test_twenty_readers_share_one_process(
    server: TelegramServer, settings: TelegramSettings, world: World
) -> None:
    news = world.channel("News")
    users = [world.user(f"+1 555 03{n:02}", f"User {n}") for n in range(20)]
    for user in users:
        news.join(user)
    async with asyncio.TaskGroup() as tasks:
        sources = []
        inboxes = []
        for user in users:
            source = source_for(settings, session_for(world, user), CountingMetrics())
            await source.watch([watched(news, user, world)])
            inbox = Inbox()
            tasks.create_task(source.run(inbox))
            sources.append(source)
            inboxes.append(inbox)
        await eventually(lambda: all(s.health().state is LinkState.LIVE for s in sources))
        news.post("to all")
        await eventually(lambda: all(inbox.posted() == ["to all"] for inbox in inboxes))
        for source in sources:
            await source.aclose()


async def test_an_account_that_moved_to_another_data_centre_needs_a_new_sign_in(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser
) -> None:
    world.faults.error("updates.getState", 303, "USER_MIGRATE_4")
    metrics = CountingMetrics()
    with pytest.raises(SignInRequiredError, match="another data centre"):
        await source_for(settings, session, metrics).run(Inbox())
    # The key is neither thrown away nor used elsewhere: only its owner decides on it.
    assert sockets(world, session) == 0
    assert world.violations == []


@pytest.mark.parametrize("text", ["NETWORK_MIGRATE_4", "FILE_MIGRATE_4", "STATS_MIGRATE_4"])
async def test_other_words_of_moving_only_postpone_what_was_asked(
    settings: TelegramSettings,
    session: Secret,
    world: World,
    ann: SimUser,
    gold: SimChannel,
    text: str,
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        world.faults.error("messages.getPeerDialogs", 303, text, times=2)
        with world.faults.lost_updates(gold):
            gold.post("missed")
        world.faults.cut()
        await eventually(lambda: now.inbox.posted() == ["missed"])
    assert world.violations == []
