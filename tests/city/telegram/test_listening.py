"""What a signed-in client is told while it listens."""

from datetime import UTC, datetime
from typing import Any

import pytest
from telethon import errors, events, functions, types

from kit.telegram_city import Inbox, MakeClient, eventually
from signalfleet_sim.telegram import CityError, Entity, SimChannel, SimUser, World

pytestmark = pytest.mark.loopback


async def test_posts_arrive_in_order_with_rising_counters(inbox: Inbox, gold: SimChannel) -> None:
    ids = [gold.post(f"BUY GOLD {n}") for n in range(20)]
    updates = [await inbox.take() for _ in ids]
    assert [update.message.id for update in updates] == ids
    assert [update.message.message for update in updates] == [f"BUY GOLD {n}" for n in range(20)]
    assert {type(update) for update in updates} == {types.UpdateNewChannelMessage}
    assert [update.pts for update in updates] == list(range(2, 22))
    assert updates[0].message.peer_id == types.PeerChannel(gold.channel_id)
    assert updates[0].message.post


async def test_an_edit_a_reply_and_a_deletion_arrive(inbox: Inbox, gold: SimChannel) -> None:
    first = gold.post("BUY GOLD")
    gold.edit(first, "BUY GOLD now")
    gold.post("TP1 hit", reply_to=first)
    gold.delete([first])
    posted, edited, reply, deleted = [await inbox.take() for _ in range(4)]
    assert posted.message.edit_date is None
    assert isinstance(edited, types.UpdateEditChannelMessage)
    assert (edited.message.id, edited.message.message) == (first, "BUY GOLD now")
    assert edited.message.edit_date is not None
    assert reply.message.reply_to.reply_to_msg_id == first
    assert isinstance(deleted, types.UpdateDeleteChannelMessages)
    assert (deleted.channel_id, deleted.messages) == (gold.channel_id, [first])
    assert [u.pts for u in (posted, edited, reply, deleted)] == [2, 3, 4, 5]


async def test_a_post_carries_what_it_was_given(inbox: Inbox, gold: SimChannel) -> None:
    gold.post(
        "🟢 BUY EURUSD",
        entities=[("strike", 3, 3), Entity("text_url", 7, 6, "https://example.org")],
        forwarded=True,
        media="photo",
        grouped_id=7,
        ttl_s=3600,
        at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    message = (await inbox.take()).message
    assert [type(entity) for entity in message.entities] == [
        types.MessageEntityStrike,
        types.MessageEntityTextUrl,
    ]
    assert (message.entities[0].offset, message.entities[0].length) == (3, 3)
    assert message.fwd_from is not None
    assert isinstance(message.media, types.MessageMediaUnsupported)
    assert (message.grouped_id, message.ttl_period) == (7, 3600)
    assert message.date == datetime(2026, 1, 2, tzinfo=UTC)


async def test_a_hidden_edit_says_so(inbox: Inbox, gold: SimChannel) -> None:
    gold.edit(gold.post("one"), "two", hide=True)
    assert not (await inbox.take()).message.edit_hide
    assert (await inbox.take()).message.edit_hide


async def test_a_service_message_burns_an_id(inbox: Inbox, gold: SimChannel) -> None:
    first, burnt, last = gold.post("a"), gold.service(), gold.post("b")
    assert (burnt, last) == (first + 1, first + 2)
    messages = [(await inbox.take()).message for _ in range(3)]
    assert isinstance(messages[1], types.MessageService)


async def test_topics_quotes_and_replies_to_other_chats(
    world: World, ann: SimUser, inbox: Inbox, gold: SimChannel
) -> None:
    forum = world.channel("Forum", kind="supergroup", forum=True)
    forum.join(ann)
    await inbox.take()
    topic = forum.topic("Forex")
    in_topic = forum.post("BUY EURUSD", topic=topic)
    forum.post("close", topic=topic, reply_to=in_topic)
    forum.post("look", reply_to=4, reply_chat=gold, quote="BUY")
    _, plain, reply, other = [(await inbox.take()).message for _ in range(4)]
    assert plain.reply_to.forum_topic
    assert (plain.reply_to.reply_to_msg_id, plain.reply_to.reply_to_top_id) == (topic, None)
    assert (reply.reply_to.reply_to_msg_id, reply.reply_to.reply_to_top_id) == (in_topic, topic)
    assert other.reply_to.reply_to_peer_id == types.PeerChannel(gold.channel_id)
    assert other.reply_to.quote_text == "BUY"


async def test_groups_and_bots_use_the_counters_of_the_account(
    world: World, ann: SimUser, inbox: Inbox, client: Any
) -> None:
    group = world.channel("Friends", kind="group")
    bot = world.channel("Signal bot", kind="bot", username="signal_bot")
    for chat in (group, bot):
        chat.join(ann)
    in_group, from_bot = group.post("hello"), bot.post("BUY")
    bot.edit(from_bot, "SELL")
    group.delete(in_group)
    first, second, edited, deleted = [await inbox.take() for _ in range(4)]
    assert isinstance(first, types.UpdateNewMessage)
    assert first.message.peer_id == types.PeerChat(group.channel_id)
    assert second.message.peer_id == types.PeerUser(bot.channel_id)
    assert isinstance(edited, types.UpdateEditMessage)
    assert isinstance(deleted, types.UpdateDeleteMessages)
    assert deleted.messages == [in_group]
    assert [u.pts for u in (first, second, edited, deleted)] == [2, 3, 4, 5]
    dialogs = await client.get_dialogs()
    assert {d.id for d in dialogs} >= {-group.channel_id, bot.channel_id}
    history = await client.get_messages(bot.channel_id)
    assert [message.message for message in history] == ["SELL"]
    answer = await client(functions.messages.GetMessagesRequest([types.InputMessageID(from_bot)]))
    assert answer.messages[0].message == "SELL"


async def test_a_group_that_becomes_a_supergroup_names_it(
    world: World, ann: SimUser, inbox: Inbox
) -> None:
    group = world.channel("Friends", kind="group")
    group.join(ann)
    bigger = world.migrate(group)
    assert isinstance(await inbox.take(), types.UpdateChannel)
    action = (await inbox.take()).message.action
    assert isinstance(action, types.MessageActionChatMigrateTo)
    assert action.channel_id == bigger.channel_id
    with pytest.raises(CityError, match="only a basic group"):
        world.migrate(bigger)


async def test_only_members_are_told(
    make_client: MakeClient, world: World, inbox: Inbox, gold: SimChannel
) -> None:
    bob = world.user("+1 555 0111", "Bob")
    outsider = await make_client(world.premade_session(bob))
    await outsider.connect()
    heard = Inbox()
    outsider.add_event_handler(heard.add, events.Raw())
    gold.post("BUY GOLD")
    await inbox.take()
    gold.join(bob)
    assert isinstance(await heard.take(), types.UpdateChannel)
    gold.post("SELL GOLD")
    assert await heard.texts(1) == ["SELL GOLD"]
    gold.leave(bob)
    assert isinstance(await heard.take(), types.UpdateChannel)


async def test_an_access_hash_is_good_for_its_account_only(
    make_client: MakeClient, world: World, ann: SimUser, gold: SimChannel, client: Any
) -> None:
    bob = world.user("+1 555 0111", "Bob")
    gold.join(bob)
    other = await make_client(world.premade_session(bob))
    await other.connect()
    anns_hash = world.access_hash(ann, gold.channel_id)
    request = functions.channels.GetChannelsRequest(
        [types.InputChannel(gold.channel_id, anns_hash)]
    )
    assert (await client(request)).chats[0].title == "Gold signals"
    with pytest.raises(errors.ChannelInvalidError):
        await other(request)


async def test_a_banned_member_cannot_read(
    ann: SimUser, gold: SimChannel, client: Any, world: World
) -> None:
    gold.ban(ann)
    peer = types.InputPeerChannel(gold.channel_id, world.access_hash(ann, gold.channel_id))
    with pytest.raises(errors.ChannelPrivateError):
        await client(functions.messages.GetPeerDialogsRequest([types.InputDialogPeer(peer)]))


async def test_updates_reach_every_device_of_an_account(
    make_client: MakeClient, world: World, ann: SimUser, inbox: Inbox, gold: SimChannel
) -> None:
    second = await make_client(world.premade_session(ann))
    await second.connect()
    heard = Inbox()
    second.add_event_handler(heard.add, events.Raw())
    gold.post("BUY")
    assert await inbox.texts(1) == await heard.texts(1) == ["BUY"]


async def test_a_client_that_only_connected_is_told_nothing(
    make_client: MakeClient, world: World, gold: SimChannel
) -> None:
    stranger = await make_client()
    await stranger.connect()
    gold.post("BUY")
    await eventually(lambda: len(world.calls(None)) >= 2)
    assert all(session.receiver is None for user in world.users for session in user.sessions)


def test_impossible_acts_are_named(world: World, gold: SimChannel) -> None:
    with pytest.raises(CityError, match="has no message 99"):
        gold.edit(99, "x")
    with pytest.raises(CityError, match="not a forum"):
        gold.topic("x")
    with pytest.raises(CityError, match="no entity is called glitter"):
        gold.post("x", entities=[("glitter", 0, 1)])
    with pytest.raises(CityError, match="UTF-16"):
        gold.post("x", entities=[{"kind": "bold"}])
    with pytest.raises(CityError, match="taken"):
        [world.channel("x", username="same") for _ in range(2)]
    with pytest.raises(CityError, match="start the server first"):
        world.premade_session(next(iter(world.users)))
    assert (gold.last_id, gold.pts) == (1, 1)
