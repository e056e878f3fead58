"""Posts, edits, replies and deletions reach the sink as they happen, each once."""

from dataclasses import replace

import pytest

from kit.telegram_city import eventually
from kit.telegram_reader import Inbox, reading, watched
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.domain.ids import MessageId
from signalfleet.ports.chat_source import LinkState, Origin
from signalfleet.ports.secrets import Secret
from signalfleet_sim.telegram import SimChannel, SimUser, World

pytestmark = pytest.mark.loopback


async def test_a_post_an_edit_a_reply_and_a_deletion_arrive_once(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    gold.post("old news")
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        inbox = now.inbox
        first = gold.post("BUY GOLD 2400")
        await eventually(lambda: inbox.posted() == ["BUY GOLD 2400"])
        gold.edit(first, "BUY GOLD 2401")
        await eventually(lambda: inbox.edited() == ["BUY GOLD 2401"])
        second = gold.post("close half", reply_to=first)
        await eventually(lambda: inbox.posted() == ["BUY GOLD 2400", "close half"])
        gold.delete(second)
        await eventually(lambda: inbox.deleted)
        reply = inbox.messages[gold.chat_id, MessageId(second)][0]
    assert reply.reply_to == first
    assert inbox.items() == [
        ("posted", first, "BUY GOLD 2400"),
        ("edited", first, "BUY GOLD 2401"),
        ("posted", second, "close half"),
        ("deleted", second, ""),
    ]
    assert {batch.origin for batch in inbox.batches if batch.items} == {Origin.LIVE}
    assert world.violations == []
    assert inbox.states()[-1] in {LinkState.LIVE, LinkState.CLOSED}


async def test_nothing_is_replayed_when_a_chat_is_new(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    for number in range(5):
        gold.post(f"old {number}")
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        assert now.inbox.items() == []
        assert now.inbox.checkpoints[gold.chat_id] == gold.top_message
        gold.post("new")
        await eventually(lambda: now.inbox.posted() == ["new"])


async def test_a_restart_from_the_stored_marks_finds_what_was_missed(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    inbox = Inbox()
    async with reading(settings, session, [watched(gold, ann, world)], inbox) as now:
        await now.until_live()
        kept = gold.post("kept")
        edited = gold.post("edited soon")
        gone = gold.post("gone soon")
        await eventually(lambda: len(inbox.posted()) == 3)
    gold.edit(edited, "edited")
    gold.delete(gone)
    gold.post("missed")
    marks = {
        "checkpoint": inbox.checkpoints[gold.chat_id],
        "pts_seen": inbox.pts[gold.chat_id],
        "seen_max": gone,
        "tracked": (kept, edited, gone),
    }
    async with reading(settings, session, [watched(gold, ann, world, **marks)], inbox) as now:
        await now.until_live()
    assert inbox.posted(Origin.REPAIR) == ["missed"]
    assert inbox.edited() == ["edited"]
    assert inbox.deleted == [(gold.chat_id, gone)]


async def test_of_a_forum_only_the_chosen_topics_are_read(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser
) -> None:
    forum = world.channel("Forum", kind="supergroup", forum=True)
    forum.join(ann)
    gold, chatter = forum.topic("Gold"), forum.topic("Chatter")
    chat = replace(watched(forum, ann, world), topics=(gold, 1))
    async with reading(settings, session, [chat]) as now:
        await now.until_live()
        other = forum.post("chatter", topic=chatter)
        forum.post("BUY GOLD", topic=gold)
        forum.post("general")
        await eventually(lambda: now.inbox.posted() == ["BUY GOLD", "general"])
        forum.edit(other, "edited chatter")
        forum.post("SELL GOLD", topic=gold)
        await eventually(lambda: "SELL GOLD" in now.inbox.posted())
        with world.faults.lost_updates(forum):
            forum.post("missed chatter", topic=chatter)
            forum.post("missed gold", topic=gold)
        world.faults.cut()
        await eventually(lambda: "missed gold" in now.inbox.posted())
    assert now.inbox.posted() == ["BUY GOLD", "general", "SELL GOLD", "missed gold"]
    assert now.inbox.edited() == []
    assert now.inbox.checkpoints[forum.chat_id] == forum.order[-1]
    assert world.violations == []
