"""Lists of chats, history, single messages, finding and joining channels."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telethon import errors, functions, types

from kit.telegram_city import MakeClient
from signalfleet_sim.telegram import SimChannel, SimUser, World
from signalfleet_sim.telegram.rpc.messages import window_of

loopback = pytest.mark.loopback


def input_peer(world: World, user: SimUser, chat: SimChannel) -> Any:
    return types.InputPeerChannel(chat.channel_id, world.access_hash(user, chat.channel_id))


def input_channel(world: World, user: SimUser, chat: SimChannel) -> Any:
    return types.InputChannel(chat.channel_id, world.access_hash(user, chat.channel_id))


@loopback
async def test_dialogs_are_listed_newest_first(
    world: World, ann: SimUser, gold: SimChannel, client: Any
) -> None:
    forex = world.channel("Forex", noforwards=True)
    forex.join(ann)
    gold.post("old", at=1_700_000_000)
    forex.post("new", at=1_700_000_100)
    dialogs = await client.get_dialogs()
    assert [(d.id, d.name, d.message.message) for d in dialogs] == [
        (forex.chat_id, "Forex", "new"),
        (gold.chat_id, "Gold signals", "old"),
    ]
    assert dialogs[0].dialog.pts == forex.pts
    assert dialogs[0].entity.noforwards


@loopback
async def test_a_long_list_of_dialogs_comes_in_pages(
    world: World, ann: SimUser, client: Any
) -> None:
    for n in range(250):
        chat = world.channel(f"Channel {n}")
        chat.join(ann)
        chat.post("hello", at=1_700_000_000 + n)
    names = [dialog.name for dialog in await client.get_dialogs()]
    assert names == [f"Channel {n}" for n in reversed(range(250))]


@loopback
async def test_the_heads_of_chats_are_read_in_one_call(
    world: World, ann: SimUser, gold: SimChannel, client: Any
) -> None:
    top = gold.post("BUY")
    gold.edit(top, "SELL")
    peer = types.InputDialogPeer(input_peer(world, ann, gold))
    heads = await client(functions.messages.GetPeerDialogsRequest([peer]))
    assert (heads.dialogs[0].top_message, heads.dialogs[0].pts) == (top, gold.pts)
    assert heads.messages[0].message == "SELL"
    assert heads.state.pts == ann.pts


@loopback
async def test_history_is_read_both_ways(gold: SimChannel, client: Any) -> None:
    texts = [f"post {n}" for n in range(250)]
    ids = [gold.post(text) for text in texts]
    gold.delete(ids[7])
    del texts[7]
    await client.get_dialogs()
    backwards = [
        m.message async for m in client.iter_messages(gold.chat_id, wait_time=0) if m.message
    ]
    forwards = [
        m.message
        async for m in client.iter_messages(gold.chat_id, reverse=True, wait_time=0)
        if m.message
    ]
    assert forwards == texts
    assert backwards == texts[::-1]
    after = [m.id async for m in client.iter_messages(gold.chat_id, min_id=ids[-3])]
    assert after == ids[:-3:-1]


@given(
    count=st.integers(0, 12),
    gone=st.sets(st.integers(1, 12)),
    offset_id=st.integers(0, 14),
    add_offset=st.integers(-6, 6),
    limit=st.integers(0, 8),
    max_id=st.integers(0, 14),
    min_id=st.integers(0, 14),
)
def test_a_page_is_cut_after_the_offset_is_added(
    count: int,
    gone: set[int],
    offset_id: int,
    add_offset: int,
    limit: int,
    max_id: int,
    min_id: int,
) -> None:
    ids = [n for n in range(1, count + 1) if n not in gone]
    request = SimpleNamespace(
        offset_id=offset_id,
        offset_date=None,
        add_offset=add_offset,
        limit=limit,
        max_id=max_id,
        min_id=min_id,
    )
    newest_first = ids[::-1]
    start = next((n for n, i in enumerate(newest_first) if i < offset_id), len(ids))
    low = (start if offset_id else 0) + add_offset
    page = newest_first[max(0, low) : max(0, low + limit)]
    expected = [i for i in page if (not max_id or i < max_id) and (not min_id or i > min_id)]
    assert window_of(ids, lambda _: 0, request) == expected


@loopback
async def test_too_large_a_page_is_a_violation(
    world: World, ann: SimUser, gold: SimChannel, client: Any
) -> None:
    request = functions.messages.GetHistoryRequest(
        peer=input_peer(world, ann, gold),
        offset_id=0,
        offset_date=None,
        add_offset=0,
        limit=101,
        max_id=0,
        min_id=0,
        hash=0,
    )
    await client(request)
    assert [violation.kind for violation in world.violations] == ["history_limit"]


@loopback
async def test_deleted_messages_are_answered_as_empty_or_left_out(
    world: World, ann: SimUser, gold: SimChannel, client: Any
) -> None:
    ids = [gold.post(f"post {n}") for n in range(3)]
    gold.delete(ids[1])
    request = functions.channels.GetMessagesRequest(
        input_channel(world, ann, gold), [types.InputMessageID(i) for i in reversed(ids)]
    )
    answer = await client(request)
    assert [message.id for message in answer.messages] == ids[::-1]
    assert isinstance(answer.messages[1], types.MessageEmpty)
    world.faults.omit_deleted()
    assert [m.id for m in (await client(request)).messages] == [ids[2], ids[0]]
    with pytest.raises(errors.MessageIdsEmptyError):
        await client(functions.channels.GetMessagesRequest(input_channel(world, ann, gold), []))


@loopback
async def test_a_public_channel_is_found_read_and_joined(
    world: World, ann: SimUser, client: Any
) -> None:
    public = world.channel("Public", username="@Public_Signals")
    public.post("BUY")
    found = await client.get_entity("public_signals")
    assert found.left
    assert [m.message for m in await client.get_messages(found, limit=1)] == ["BUY"]
    await client(functions.channels.JoinChannelRequest(found))
    assert ann.user_id in public.members
    with pytest.raises(errors.UsernameNotOccupiedError):
        await client(functions.contacts.ResolveUsernameRequest("nobody_here"))


@loopback
async def test_an_invite_is_looked_at_and_followed(world: World, ann: SimUser, client: Any) -> None:
    closed = world.channel("VIP")
    link = world.invite(closed)
    seen = await client(functions.messages.CheckChatInviteRequest(link))
    assert (seen.title, seen.broadcast, seen.request_needed) == ("VIP", True, False)
    joined = await client(functions.messages.ImportChatInviteRequest(link))
    assert joined.updates.chats[0].title == "VIP"
    assert ann.user_id in closed.members
    again = await client(functions.messages.CheckChatInviteRequest(link))
    assert isinstance(again, types.ChatInviteAlready)


@loopback
async def test_some_invites_lead_nowhere(world: World, client: Any) -> None:
    closed = world.channel("VIP")
    expired = world.invite(closed, expired=True)
    asks = world.invite(closed, needs_approval=True)
    with pytest.raises(errors.InviteHashExpiredError):
        await client(functions.messages.CheckChatInviteRequest(expired))
    with pytest.raises(errors.InviteRequestSentError):
        await client(functions.messages.ImportChatInviteRequest(asks))
    with pytest.raises(errors.InviteHashInvalidError):
        await client(functions.messages.CheckChatInviteRequest("nonsense"))


@loopback
async def test_forum_topics_are_listed(world: World, ann: SimUser, client: Any) -> None:
    forum = world.channel("Forum", kind="supergroup", forum=True)
    forum.join(ann)
    topic = forum.topic("Forex")
    top = forum.post("BUY EURUSD", topic=topic)
    answer = await client(
        functions.messages.GetForumTopicsRequest(
            peer=input_peer(world, ann, forum),
            offset_date=None,
            offset_id=0,
            offset_topic=0,
            limit=100,
        )
    )
    assert [(t.id, t.title, t.top_message) for t in answer.topics] == [
        (topic, "Forex", top),
        (1, "General", topic),
    ]


@loopback
async def test_a_channel_is_described_at_length(
    world: World, ann: SimUser, gold: SimChannel, client: Any
) -> None:
    answer = await client(functions.channels.GetFullChannelRequest(input_channel(world, ann, gold)))
    assert (answer.full_chat.id, answer.full_chat.pts) == (gold.channel_id, gold.pts)


@loopback
async def test_nothing_is_answered_without_a_sign_in(make_client: MakeClient) -> None:
    stranger = await make_client()
    await stranger.connect()
    with pytest.raises(errors.AuthKeyUnregisteredError):
        await stranger(functions.updates.GetStateRequest())


@loopback
async def test_an_unknown_method_is_an_error_and_a_violation(world: World, client: Any) -> None:
    with pytest.raises(errors.BadRequestError, match="METHOD_NOT_IN_SIM"):
        await client(functions.help.GetNearestDcRequest())
    assert [violation.kind for violation in world.violations] == ["unknown_method"]


@loopback
async def test_methods_outside_the_expected_ones_are_violations(world: World, client: Any) -> None:
    world.journal.methods = frozenset({"updates.getState"})
    await client(functions.updates.GetStateRequest())
    assert world.violations == []
    await client.get_dialogs()
    assert [violation.kind for violation in world.violations] == ["method"]


@loopback
async def test_writing_is_always_a_violation(
    world: World, ann: SimUser, gold: SimChannel, client: Any
) -> None:
    with pytest.raises(errors.BadRequestError):
        await client.send_message(input_peer(world, ann, gold), "hello")
    assert "forbidden" in {violation.kind for violation in world.violations}
