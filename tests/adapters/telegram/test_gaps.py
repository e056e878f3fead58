"""What happened while nobody listened is found, whatever hid it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from kit.telegram_city import eventually
from kit.telegram_reader import (
    QUICK,
    reading,
    settings_for,
    watched,
)
from signalfleet.adapters.telegram.limits import GAP_REPAIRS
from signalfleet.adapters.telegram.session import load_session
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.ports.chat_source import Origin
from signalfleet.ports.secrets import Secret
from signalfleet_sim.telegram import SimChannel, SimUser, TelegramServer, World

pytestmark = pytest.mark.loopback

SWEEPING = replace(QUICK, sweep_every=timedelta(seconds=0.15))


async def test_a_cut_socket_is_opened_again_and_the_gap_repaired(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        first = gold.post("before")
        await eventually(lambda: now.inbox.posted() == ["before"])
        with world.faults.lost_updates(gold):
            gold.edit(first, "edited in the gap")
            gold.post("posted in the gap")
        world.faults.cut()
        await eventually(lambda: "posted in the gap" in now.inbox.posted())
        await eventually(lambda: now.inbox.edited() == ["edited in the gap"])
        await now.until_live()
        gold.post("after")
        await eventually(lambda: "after" in now.inbox.posted(Origin.LIVE))
        assert now.inbox.posted() == ["before", "posted in the gap", "after"]
        assert world.sockets(load_session(session).key) == 1


async def test_the_sweep_finds_a_post_that_was_never_announced(
    server: TelegramServer, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    settings = settings_for(server, SWEEPING)
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        with world.faults.lost_updates(gold):
            gold.post("silent")
        await eventually(lambda: now.inbox.posted() == ["silent"])
        assert now.metrics.of(GAP_REPAIRS, "sweep") == 1


async def test_the_sweep_finds_edits_and_deletions_that_were_never_announced(
    server: TelegramServer, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    settings = settings_for(server, SWEEPING)
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        first, second = gold.post("one"), gold.post("two")
        await eventually(lambda: len(now.inbox.posted()) == 2)
        with world.faults.lost_updates(gold):
            gold.edit(first, "one, edited")
            gold.delete(second)
        await eventually(lambda: now.inbox.edited() == ["one, edited"])
        await eventually(lambda: now.inbox.deleted == [(gold.chat_id, second)])


async def test_a_server_that_leaves_deleted_ids_out_shifts_nothing(
    server: TelegramServer, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    world.faults.omit_deleted()
    async with reading(settings_for(server, SWEEPING), session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        ids = [gold.post(f"post {number}") for number in range(4)]
        await eventually(lambda: len(now.inbox.posted()) == 4)
        with world.faults.lost_updates(gold):
            gold.delete(ids[1])
            gold.edit(ids[2], "third, edited")
        await eventually(lambda: now.inbox.deleted and now.inbox.edited())
        assert now.inbox.now(gold.chat_id) == {
            ids[0]: "post 0",
            ids[2]: "third, edited",
            ids[3]: "post 3",
        }


async def test_a_live_post_does_not_hide_the_one_that_got_lost_before_it(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        gold.post("first")
        await eventually(lambda: now.inbox.posted() == ["first"])
        with world.faults.lost_updates(gold):
            gold.post("lost")
        gold.post("last")
        await eventually(lambda: sorted(now.inbox.posted()) == ["first", "last", "lost"])
        await eventually(lambda: now.inbox.checkpoints[gold.chat_id] == gold.top_message)


async def test_edits_that_the_library_drops_out_of_a_difference_arrive(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        ids = [gold.post(f"post {number}") for number in range(3)]
        await eventually(lambda: len(now.inbox.posted()) == 3)
        with world.faults.lost_updates(gold):
            gold.edit(ids[0], "edited")
            gold.delete(ids[1])
        gold.post("makes the library look for the gap")
        await eventually(lambda: now.inbox.edited() == ["edited"])
        await eventually(lambda: now.inbox.deleted == [(gold.chat_id, ids[1])])


async def test_a_difference_that_is_too_long_is_read_from_history(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        gold.post("start")
        await eventually(lambda: now.inbox.posted() == ["start"])
        world.faults.too_long(gold)
        with world.faults.lost_updates(gold):
            for number in range(30):
                gold.post(f"missed {number}")
        gold.post("end")
        await eventually(lambda: len(now.inbox.posted()) == 32)
        assert len(set(now.inbox.posted())) == 32


async def test_three_pages_of_missed_posts_are_read_in_order(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    start = gold.post("start")
    for number in range(230):
        gold.post(f"missed {number}")
    gold.service()
    chats = [watched(gold, ann, world, checkpoint=start, pts_seen=1)]
    async with reading(settings, session, chats) as now:
        await now.until_live()
        assert now.inbox.posted() == [f"missed {number}" for number in range(230)]
        assert now.inbox.checkpoints[gold.chat_id] == gold.top_message


async def test_more_than_five_pages_leave_a_hole_and_go_on(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    start = gold.post("start")
    for number in range(620):
        gold.post(f"missed {number}")
    chats = [watched(gold, ann, world, checkpoint=start, pts_seen=1)]
    async with reading(settings, session, chats) as now:
        await now.until_live()
        assert now.inbox.posted() == [f"missed {number}" for number in range(120, 620)]


async def test_the_parent_of_a_reply_is_fetched_as_context_first(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    parent = gold.post("BUY GOLD, long ago")
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        gold.post("close it", reply_to=parent)
        await eventually(lambda: now.inbox.posted() == ["BUY GOLD, long ago", "close it"])
        assert now.inbox.posted(Origin.CONTEXT) == ["BUY GOLD, long ago"]
        assert now.inbox.posted(Origin.LIVE) == ["close it"]


async def test_the_missed_parent_of_a_reply_comes_as_a_post_not_as_context(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        gold.post("first")
        await eventually(lambda: now.inbox.posted() == ["first"])
        with world.faults.lost_updates(gold):
            parent = gold.post("BUY GOLD")
        gold.post("close it", reply_to=parent)
        await eventually(lambda: len(now.inbox.posted()) == 3)
        assert now.inbox.posted() == ["first", "BUY GOLD", "close it"]
        assert now.inbox.posted(Origin.CONTEXT) == []


async def test_what_could_not_be_stored_is_repaired_when_the_store_is_back(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        gold.post("first")
        await eventually(lambda: now.inbox.posted() == ["first"])
        now.inbox.fails = 1
        gold.post("second")
        await eventually(lambda: now.inbox.posted() == ["first", "second"])
        assert now.metrics.of(GAP_REPAIRS, "store") == 1


async def test_a_burst_larger_than_the_queue_loses_nothing(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        now.inbox.gate.clear()
        for number in range(400):
            gold.post(f"post {number}")
        await asyncio.sleep(0.5)  # Real sockets: until the library has filled the queue.
        now.inbox.gate.set()
        await eventually(lambda: len(now.inbox.posted()) == 400)
        assert len(set(now.inbox.posted())) == 400


async def test_repeated_updates_are_stored_once(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        world.faults.repeat_updates(2)
        first = gold.post("once")
        gold.edit(first, "edited once")
        gold.post("end")
        await eventually(lambda: "end" in now.inbox.posted())
        assert now.inbox.items() == [
            ("posted", first, "once"),
            ("edited", first, "edited once"),
            ("posted", first + 1, "end"),
        ]


async def test_an_edit_that_changes_nothing_is_no_edit(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        first = gold.post("same")
        await eventually(lambda: now.inbox.posted() == ["same"])
        gold.edit(first, "same", hide=True)
        gold.post("end")
        await eventually(lambda: "end" in now.inbox.posted())
        assert now.inbox.edited() == []


@pytest.mark.parametrize("kind", ["group", "bot", "supergroup"])
async def test_other_kinds_of_chats_are_read_and_repaired_too(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, kind: str
) -> None:
    chat = world.channel("Friends", kind=kind)  # type: ignore[arg-type]
    chat.join(ann)
    chat.post("old")
    async with reading(settings, session, [watched(chat, ann, world)]) as now:
        await now.until_live()
        first = chat.post("one")
        await eventually(lambda: now.inbox.posted() == ["one"])
        chat.edit(first, "one, edited")
        await eventually(lambda: now.inbox.edited() == ["one, edited"])
        second = chat.post("two")
        await eventually(lambda: now.inbox.posted() == ["one", "two"])
        chat.delete(second)
        await eventually(lambda: now.inbox.deleted)
        with world.faults.lost_updates(chat):
            chat.post("three")
            chat.edit(first, "one, edited twice")
        world.faults.cut()
        await eventually(lambda: "three" in now.inbox.posted())
        await eventually(lambda: now.inbox.edited()[-1] == "one, edited twice")
        assert now.inbox.posted() == ["one", "two", "three"]


async def test_a_dead_chat_leaves_the_others_alone(
    server: TelegramServer, session: Secret, world: World, ann: SimUser
) -> None:
    chats = [world.channel(f"Channel {number}") for number in range(10)]
    for chat in chats:
        chat.join(ann)
    listed = [watched(chat, ann, world) for chat in chats]
    chats[3].ban(ann)
    async with reading(settings_for(server, SWEEPING), session, listed) as now:
        await now.until_live()
        for chat in chats:
            if chat is not chats[3]:
                chat.post(f"from {chat.title}")
        await eventually(lambda: len(now.inbox.posted()) == 9)
        assert len(now.inbox.checkpoints) == 9


async def test_service_notifications_are_never_looked_at(
    settings: TelegramSettings,
    session: Secret,
    world: World,
    ann: SimUser,
    gold: SimChannel,
    capsys: pytest.CaptureFixture[str],
) -> None:
    service = watched(world.service_chat, ann, world)
    async with reading(settings, session, [watched(gold, ann, world), service]) as now:
        await now.until_live()
        world.announce_code(ann.phone, "98765")
        gold.post("end")
        await eventually(lambda: now.inbox.posted() == ["end"])
    assert "98765" not in capsys.readouterr().out


async def test_a_chat_is_added_while_running(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    news = world.channel("News")
    news.join(ann)
    news.post("old")
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        await now.source.watch([watched(gold, ann, world), watched(news, ann, world)])
        await eventually(lambda: news.chat_id in now.inbox.checkpoints)
        news.post("new")
        await eventually(lambda: now.inbox.posted() == ["new"])
        await now.source.watch([watched(gold, ann, world)])
        news.post("nobody listens")
        gold.post("end")
        await eventually(lambda: "end" in now.inbox.posted())
        assert now.inbox.posted() == ["new", "end"]
