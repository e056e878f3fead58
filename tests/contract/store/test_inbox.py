"""What the inbox keeps, what it drops, and what it hands out."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kit.store_rows import CHAT, NOW, World, a_batch, a_channel, a_post, after, key
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.ports.chat_source import ChatBatch, Deleted, Edited, Origin
from signalfleet.ports.errors import FencedError
from signalfleet.ports.inbox import MessageState


def a_deletion(*messages: int, origin: Origin = Origin.LIVE, chat: ChannelId = CHAT) -> ChatBatch:
    item = Deleted(chat=chat, messages=tuple(MessageId(one) for one in messages))
    return ChatBatch(chat=chat, origin=origin, items=(item,))


async def marks_in(world: World) -> tuple[int, int, int | None]:
    channel = await world.mine.channels.get(CHAT)
    assert channel is not None
    return channel.checkpoint, channel.seen_max, channel.pts_seen


async def test_a_post_comes_back_whole_with_its_number(world: World) -> None:
    post = a_post(1, "BUY GÖLD 🥇 2350\nSL 2340")
    assert await world.mine.inbox.add(a_batch(post), NOW, world.epoch) == (key(1),)
    (stored,) = await world.mine.inbox.unread()
    assert stored.message == post
    assert (stored.rev, stored.via, stored.state) == (0, Origin.LIVE, MessageState.NEW)
    assert (stored.received_at, stored.reason, stored.deleted_at) == (NOW, None, None)


async def test_the_same_revision_twice_is_one(world: World) -> None:
    inbox = world.mine.inbox
    await inbox.add(a_batch(a_post(1), a_post(1)), NOW, world.epoch)
    repeat = a_batch(a_post(1), origin=Origin.REPAIR)
    assert await inbox.add(repeat, after(1), world.epoch) == ()
    assert len(await inbox.revisions(CHAT, MessageId(1))) == 1


async def test_an_edit_gets_the_next_number(world: World) -> None:
    inbox = world.mine.inbox
    edit = a_post(1, "BUY GOLD 2351", edited=30)
    await inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    batch = ChatBatch(chat=CHAT, origin=Origin.LIVE, items=(Edited(message=edit),))
    assert await inbox.add(batch, after(31), world.epoch) == (key(1, 1),)
    first, second = await inbox.revisions(CHAT, MessageId(1))
    assert (first.rev, second.rev, second.message.version) == (0, 1, 1)
    assert second.message.edited_at == after(30)


async def test_an_edit_that_changes_nothing_is_dropped(world: World) -> None:
    inbox = world.mine.inbox
    await inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    assert await inbox.add(a_batch(a_post(1, edited=60)), after(61), world.epoch) == ()


async def test_an_edit_back_to_the_first_text_is_a_third_revision(world: World) -> None:
    inbox = world.mine.inbox
    for edit in (a_post(1, "A"), a_post(1, "B", edited=10), a_post(1, "A", edited=20)):
        await inbox.add(a_batch(edit), NOW, world.epoch)
    revisions = await inbox.revisions(CHAT, MessageId(1))
    assert [(one.rev, one.message.text) for one in revisions] == [(0, "A"), (1, "B"), (2, "A")]


async def test_an_older_revision_that_comes_late_is_kept_and_not_acted_on(world: World) -> None:
    inbox = world.mine.inbox
    await inbox.add(a_batch(a_post(1, "B", edited=20)), NOW, world.epoch)
    await inbox.add(a_batch(a_post(1, "A")), after(1), world.epoch)
    assert [one.message.text for one in await inbox.unread()] == ["B"]
    revisions = await inbox.revisions(CHAT, MessageId(1))
    assert [(one.message.text, one.rev) for one in revisions] == [("A", 1), ("B", 0)]
    assert revisions[0].state is MessageState.DONE
    assert revisions[0].reason == "older_revision"


async def test_a_deletion_marks_all_revisions_and_is_one_to_act_on(world: World) -> None:
    inbox = world.mine.inbox
    await inbox.add(a_batch(a_post(1, "A"), a_post(1, "B", edited=5)), NOW, world.epoch)
    assert await inbox.add(a_deletion(1), after(9), world.epoch) == (key(1, 2),)
    *texts, tombstone = await inbox.revisions(CHAT, MessageId(1))
    assert {one.deleted_at for one in (*texts, tombstone)} == {after(9)}
    assert (tombstone.message.text, tombstone.state) == ("", MessageState.NEW)
    assert tombstone.message.posted_at == a_post(1).posted_at


async def test_a_deletion_twice_is_one(world: World) -> None:
    inbox = world.mine.inbox
    await inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    await inbox.add(a_deletion(1), after(9), world.epoch)
    assert await inbox.add(a_deletion(1), after(10), world.epoch) == ()


async def test_a_deletion_before_its_message_keeps_a_late_copy_dead(world: World) -> None:
    inbox = world.mine.inbox
    assert await inbox.add(a_deletion(1, 2), NOW, world.epoch) == (key(1), key(2))
    await inbox.add(a_batch(a_post(1)), after(1), world.epoch)
    assert [one.key for one in await inbox.unread()] == [key(1), key(2)]
    late, tombstone = await inbox.revisions(CHAT, MessageId(1))
    assert (late.state, late.reason, late.deleted_at) == (MessageState.DONE, "deleted", NOW)
    assert (tombstone.rev, tombstone.message.text) == (0, "")


@pytest.mark.parametrize("origin", [Origin.CONTEXT, Origin.BACKFILL])
async def test_what_was_read_for_context_is_never_new(world: World, origin: Origin) -> None:
    inbox = world.mine.inbox
    assert await inbox.add(a_batch(a_post(1), origin=origin), NOW, world.epoch) == (key(1),)
    assert await inbox.unread() == ()
    (stored,) = await inbox.recent()
    assert (stored.state, stored.via) == (MessageState.DONE, origin)


async def test_unread_comes_in_order_of_arrival_and_recent_backwards(world: World) -> None:
    inbox = world.mine.inbox
    other = ChannelId(-1009)
    await inbox.add(a_batch(a_post(5), a_post(3), a_post(4)), NOW, world.epoch)
    await inbox.add(a_batch(a_post(1, chat=other)), NOW - timedelta(hours=1), world.epoch)
    arrived = [key(5), key(3), key(4), key(1, chat=other)]
    assert [one.key for one in await inbox.unread()] == arrived
    assert [one.key for one in await inbox.unread(2)] == arrived[:2]
    assert [one.key for one in await inbox.recent(3)] == arrived[:0:-1]


async def test_a_quarantined_revision_is_not_handed_out_again(world: World) -> None:
    inbox = world.mine.inbox
    await inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    await inbox.quarantine(key(1), "crashed", world.epoch)
    (stored,) = await inbox.recent()
    assert (stored.state, stored.reason) == (MessageState.QUARANTINED, "crashed")
    assert await inbox.unread() == ()


async def test_a_decided_revision_is_not_quarantined(world: World) -> None:
    await world.mine.inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    await world.mine.journal.decide(world.rows.decision(1), world.epoch)
    await world.mine.inbox.quarantine(key(1), "crashed", world.epoch)
    (stored,) = await world.mine.inbox.recent()
    assert (stored.state, stored.reason) == (MessageState.DONE, None)


async def test_marks_move_with_the_rows_and_never_back(world: World) -> None:
    mine = world.mine
    await mine.channels.put(a_channel())
    await mine.inbox.add(a_batch(a_post(8), checkpoint=8, pts_seen=70), NOW, world.epoch)
    await mine.inbox.add(a_batch(a_post(9)), NOW, world.epoch)
    await mine.inbox.add(a_batch(a_post(5), checkpoint=5, pts_seen=60), NOW, world.epoch)
    assert await marks_in(world) == (8, 9, 70)


async def test_a_first_mark_without_posts_says_where_reading_starts(world: World) -> None:
    mine = world.mine
    await mine.channels.put(a_channel())
    await mine.inbox.add(a_batch(checkpoint=500), NOW, world.epoch)
    assert await marks_in(world) == (500, 500, None)


@pytest.mark.parametrize("offset", [-1, 1])
async def test_an_epoch_that_does_not_own_the_slot_writes_nothing(
    world: World, offset: int
) -> None:
    mine = world.mine
    await mine.channels.put(a_channel())
    with pytest.raises(FencedError):
        await mine.inbox.add(a_batch(a_post(1), checkpoint=1), NOW, world.epoch + offset)
    assert await mine.inbox.recent() == ()
    assert await marks_in(world) == (0, 0, None)


async def test_a_stale_worker_cannot_quarantine(world: World) -> None:
    await world.mine.inbox.add(a_batch(a_post(1)), NOW, world.epoch)
    await world.claim_mine()
    with pytest.raises(FencedError):
        await world.mine.inbox.quarantine(key(1), "crashed", world.epoch)
    assert len(await world.mine.inbox.unread()) == 1


class TestWhatMayProtect:
    """Answers, edits and deletions, when there is no time for entries."""

    async def test_is_handed_out_without_entries_in_order_of_arrival(self, world: World) -> None:
        inbox, other = world.mine.inbox, ChannelId(-1009)
        await inbox.add(a_batch(*map(an_entry, range(1, 301))), NOW, world.epoch)
        await inbox.add(a_batch(a_post(5, chat=other)), NOW, world.epoch)
        await inbox.add(a_batch(an_edit(4, chat=other)), NOW, world.epoch)
        await inbox.add(a_deletion(9, chat=other), NOW, world.epoch)
        found = [one.key for one in await inbox.protective()]
        assert found == [key(n, chat=other) for n in (5, 4, 9)]
        assert [one.key for one in await inbox.protective(2)] == found[:2]

    async def test_does_not_overtake_an_entry_of_its_chat(self, world: World) -> None:
        inbox = world.mine.inbox
        await inbox.add(a_batch(an_edit(3)), NOW, world.epoch)
        await inbox.add(a_batch(an_entry(20)), NOW, world.epoch)
        await inbox.add(a_batch(an_entry(10)), NOW, world.epoch)
        answers = {n: replace(an_entry(n), reply_to=MessageId(to)) for n, to in ANSWERS.items()}
        await inbox.add(a_batch(*answers.values(), an_edit(4)), NOW, world.epoch)
        await inbox.add(a_deletion(2), NOW, world.epoch)
        assert [one.key for one in await inbox.protective()] == [key(3), key(31)]

    async def test_is_handed_out_until_it_is_decided(self, world: World) -> None:
        inbox = world.mine.inbox
        await inbox.add(a_batch(a_post(1), a_post(2)), NOW, world.epoch)
        await inbox.quarantine(key(1), "crashed", world.epoch)
        assert [one.key for one in await inbox.protective()] == [key(2)]


ANSWERS = {30: 10, 31: 9, 32: 15}


def an_entry(message: int) -> ChannelMessage:
    return replace(a_post(message), reply_to=None)


def an_edit(message: int, chat: ChannelId = CHAT) -> ChannelMessage:
    return replace(a_post(message, edited=message + 1, chat=chat), reply_to=None)
