"""What the user must know of a chat besides its messages is told, and reading goes on."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from kit.telegram_city import eventually
from kit.telegram_reader import QUICK, Inbox, reading, settings_for, watched
from signalfleet.adapters.telegram import chats
from signalfleet.adapters.telegram.limits import CHAT_NOTICES, RECONNECTS
from signalfleet.adapters.telegram.settings import TelegramSettings
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.ports.chat_source import (
    ChatNotice,
    ChatNoticeKind,
    LinkState,
    Origin,
    WatchedChat,
)
from signalfleet.ports.errors import RefusedError, TemporaryError
from signalfleet.ports.secrets import Secret
from signalfleet_sim.telegram import SimChannel, SimUser, TelegramServer, World

pytestmark = pytest.mark.loopback

SWEEPING = replace(QUICK, sweep_every=timedelta(seconds=0.15))


def kinds(inbox: Inbox) -> list[ChatNoticeKind]:
    return [notice.kind for notice in inbox.notices]


async def test_more_missed_posts_than_are_read_leave_a_hole_that_is_told(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    start = gold.post("start")
    ids = [gold.post(f"missed {number}") for number in range(620)]
    seen = [watched(gold, ann, world, checkpoint=start, pts_seen=1)]
    async with reading(settings, session, seen) as now:
        await now.until_live()
        assert len(now.inbox.posted()) == 500
        assert now.inbox.notices == [
            ChatNotice(
                chat=ChannelId(gold.chat_id),
                kind=ChatNoticeKind.HOLE,
                first=MessageId(ids[120]),
            )
        ]
        assert now.metrics.of(CHAT_NOTICES, "hole") == 1


async def test_a_chat_that_can_no_longer_be_read_is_told_once_and_so_is_its_return(
    server: TelegramServer,
    session: Secret,
    world: World,
    ann: SimUser,
    gold: SimChannel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chats, "GONE_RETRY", timedelta(seconds=0.05))
    news = world.channel("News")
    news.join(ann)
    both = [watched(gold, ann, world), watched(news, ann, world)]
    async with reading(settings_for(server, SWEEPING), session, both) as now:
        await now.until_live()
        gold.ban(ann)
        await eventually(lambda: kinds(now.inbox) == [ChatNoticeKind.LOST])
        news.post("still here")
        await eventually(lambda: now.inbox.posted() == ["still here"])
        gold.banned.discard(ann.user_id)
        gold.join(ann)
        await eventually(lambda: kinds(now.inbox) == [ChatNoticeKind.LOST, ChatNoticeKind.BACK])
        gold.post("welcome back")
        await eventually(lambda: "welcome back" in now.inbox.posted())


async def test_a_message_of_an_unknown_kind_does_not_hide_its_neighbours(
    server: TelegramServer, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    start = gold.post("start")
    ids = [gold.post(f"missed {number}") for number in range(40)]
    for number in (7, 21, 39):
        gold.garble(ids[number])
    seen = [watched(gold, ann, world, checkpoint=start, pts_seen=1)]
    async with reading(settings_for(server, SWEEPING), session, seen) as now:
        await now.until_live()
        assert now.inbox.posted() == [
            f"missed {number}" for number in range(40) if number not in {7, 21, 39}
        ]
        (notice,) = now.inbox.notices
        assert (notice.kind, notice.count) == (ChatNoticeKind.UNREADABLE, 3)
        gold.post("after")
        await eventually(lambda: now.inbox.posted()[-1] == "after")
        await eventually(lambda: now.inbox.checkpoints[gold.chat_id] == gold.top_message)
        assert len(now.inbox.notices) == 1


async def test_a_tracked_message_that_became_unreadable_is_not_taken_for_deleted(
    server: TelegramServer, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings_for(server, SWEEPING), session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        ids = [gold.post(f"post {number}") for number in range(5)]
        await eventually(lambda: len(now.inbox.posted()) == 5)
        gold.garble(ids[1])
        with world.faults.lost_updates(gold):
            gold.edit(ids[2], "edited")
            gold.delete(ids[3])
        await eventually(lambda: now.inbox.edited() == ["edited"])
        await eventually(lambda: now.inbox.deleted == [(gold.chat_id, ids[3])])
        assert (gold.chat_id, ids[1]) not in now.inbox.deleted


@pytest.mark.parametrize("is_live", [True, False])
async def test_a_group_that_becomes_a_supergroup_is_read_on_under_its_new_id(
    server: TelegramServer, session: Secret, world: World, ann: SimUser, is_live: bool
) -> None:
    group = world.channel("Friends", kind="group")
    group.join(ann)
    group.post("old")
    async with reading(
        settings_for(server, SWEEPING), session, [watched(group, ann, world)]
    ) as now:
        await now.until_live()
        group.post("before")
        await eventually(lambda: now.inbox.posted() == ["before"])
        if is_live:
            bigger = world.migrate(group)
            bigger.post("after")
        else:
            with world.faults.lost_updates(group):
                bigger = world.migrate(group)
                bigger.post("after")
            world.faults.cut()
        await eventually(lambda: now.inbox.posted() == ["before", "after"])
        (notice,) = now.inbox.notices
        assert notice.kind is ChatNoticeKind.MOVED
        assert notice.moved_to == WatchedChat(
            chat=ChannelId(bigger.chat_id),
            kind="supergroup",
            access_hash=world.access_hash(ann, bigger.channel_id),
            title="Friends",
            checkpoint=1,
        )


async def test_the_general_topic_of_a_forum_is_number_one(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser
) -> None:
    forum = world.channel("Forum", kind="supergroup", forum=True)
    forum.join(ann)
    topic = forum.topic("Gold")
    async with reading(settings, session, [watched(forum, ann, world)]) as now:
        await now.until_live()
        forum.post("in general")
        forum.post("in gold", topic=topic)
        await eventually(lambda: len(now.inbox.posted()) == 2)
        with world.faults.lost_updates(forum):
            forum.post("missed in general")
        world.faults.cut()
        await eventually(lambda: len(now.inbox.posted()) == 3)
        topics = [revisions[0].topic for revisions in now.inbox.messages.values()]
        assert topics == [1, topic, 1]


async def test_older_posts_are_read_through_the_live_connection(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    ids = [gold.post(f"post {number}") for number in range(250)]
    chat = ChannelId(gold.chat_id)
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        newest = await now.source.history(chat, before=None, limit=3)
        assert [message.text for message in newest] == ["post 249", "post 248", "post 247"]
        older = await now.source.history(chat, before=MessageId(ids[230]), limit=220)
        assert [message.text for message in older] == [f"post {n}" for n in range(229, 9, -1)]
        with pytest.raises(RefusedError):
            await now.source.history(ChannelId(-1), before=None, limit=3)
        assert now.inbox.posted() == []
    with pytest.raises(TemporaryError):
        await now.source.history(chat, before=None, limit=3)


@pytest.mark.parametrize("ahead_s", [-40.0, 0.0, 40.0])
async def test_the_offset_of_telegrams_clock_is_learnt(
    server: TelegramServer,
    session: Secret,
    world: World,
    ann: SimUser,
    gold: SimChannel,
    ahead_s: float,
) -> None:
    world.faults.clock(ahead_s)
    async with reading(settings_for(server, SWEEPING), session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        offset = now.source.health().clock_offset
        assert offset is not None
        assert abs(offset.total_seconds() - ahead_s) <= 1.5


async def test_an_account_that_falls_silent_is_connected_anew(
    server: TelegramServer, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    pace = replace(QUICK, silence_s=0.5, silence_max_s=0.5)
    async with reading(settings_for(server, pace), session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        gold.post("one")
        await eventually(lambda: now.inbox.posted() == ["one"])
        world.faults.hold(gold)
        gold.post("stuck")
        await eventually(lambda: now.inbox.posted() == ["one", "stuck"])
        await eventually(lambda: now.metrics.of(RECONNECTS, "silence") >= 1)
        await now.until_live()


async def test_a_source_that_may_not_connect_keeps_what_it_has_and_opens_nothing(
    settings: TelegramSettings, session: Secret, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with reading(settings, session, [watched(gold, ann, world)]) as now:
        await now.until_live()
        now.source.allow_connecting(allowed=False)
        gold.post("still read")
        await eventually(lambda: now.inbox.posted() == ["still read"])
        connects = world.journal.connects
        world.faults.cut()
        await eventually(lambda: now.source.health().state is LinkState.CONNECTING)
        await asyncio.sleep(1.5)  # Real sockets: the library would try once a second.
        assert world.journal.connects == connects
        gold.post("missed meanwhile")
        now.source.allow_connecting(allowed=True)
        await eventually(lambda: "missed meanwhile" in now.inbox.posted(Origin.REPAIR))
