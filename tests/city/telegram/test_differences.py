"""What a client learns about the time it was away."""

from functools import partial
from typing import Any

import pytest
from telethon import errors, functions, types

from kit.telegram_city import Clock, Inbox, MakeClient, eventually
from signalfleet_sim.telegram import SimChannel, SimSession, SimUser, World
from signalfleet_sim.telegram.accounts import CutHow

pytestmark = pytest.mark.loopback


def difference_since(world: World, user: SimUser, chat: SimChannel, pts: int) -> Any:
    return functions.updates.GetChannelDifferenceRequest(
        channel=types.InputChannel(chat.channel_id, world.access_hash(user, chat.channel_id)),
        filter=types.ChannelMessagesFilterEmpty(),
        pts=pts,
        limit=100,
    )


async def test_posts_edits_and_deletions_are_told_afterwards(
    world: World, ann: SimUser, gold: SimChannel, client: Any
) -> None:
    old, doomed = gold.post("old"), gold.post("doomed")
    before = gold.pts
    new = gold.post("new")
    gold.edit(new, "new, better")
    gold.edit(old, "old, corrected")
    gold.delete(doomed)
    gone = gold.post("never mind")
    gold.delete(gone)
    answer = await client(difference_since(world, ann, gold, before))
    assert isinstance(answer, types.updates.ChannelDifference)
    assert (answer.pts, answer.final) == (gold.pts, True)
    assert [(m.id, m.message) for m in answer.new_messages] == [(new, "new, better")]
    edited, first_gone, second_gone = answer.other_updates
    assert (edited.message.id, edited.message.message) == (old, "old, corrected")
    assert first_gone.messages == [doomed]
    assert second_gone.messages == [gone]
    assert edited.pts < first_gone.pts < second_gone.pts == gold.pts


async def test_without_changes_the_difference_is_empty(
    world: World, ann: SimUser, gold: SimChannel, client: Any
) -> None:
    gold.post("seen")
    answer = await client(difference_since(world, ann, gold, gold.pts))
    assert isinstance(answer, types.updates.ChannelDifferenceEmpty)
    assert answer.pts == gold.pts


async def test_too_many_changes_are_answered_with_the_newest_messages(
    world: World, ann: SimUser, gold: SimChannel, client: Any
) -> None:
    gold.difference_limit = 30
    start = gold.pts
    ids = [gold.post(f"post {n}") for n in range(31)]
    answer = await client(difference_since(world, ann, gold, start))
    assert isinstance(answer, types.updates.ChannelDifferenceTooLong)
    assert (answer.dialog.pts, answer.dialog.top_message) == (gold.pts, ids[-1])
    assert [m.id for m in answer.messages] == ids[:-21:-1]
    shorter = await client(difference_since(world, ann, gold, start + 1))
    assert isinstance(shorter, types.updates.ChannelDifference)
    world.faults.too_long(gold)
    forced = await client(difference_since(world, ann, gold, gold.pts))
    assert isinstance(forced, types.updates.ChannelDifferenceTooLong)


@pytest.mark.parametrize(
    ("pts", "error"),
    [(0, errors.PersistentTimestampEmptyError), (99, errors.PersistentTimestampInvalidError)],
)
async def test_a_counter_that_never_was_is_refused(
    world: World, ann: SimUser, gold: SimChannel, client: Any, pts: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await client(difference_since(world, ann, gold, pts))


async def test_the_account_difference_names_the_channels_that_changed(
    world: World, ann: SimUser, gold: SimChannel, client: Any, clock: Clock
) -> None:
    group = world.channel("Friends", kind="group")
    group.join(ann)
    kept, doomed = group.post("kept"), group.post("doomed")
    clock.ahead_s = 10
    state = await client(functions.updates.GetStateRequest())
    gold.post("BUY")
    new = group.post("new")
    group.edit(kept, "kept, edited")
    group.delete(doomed)
    request = functions.updates.GetDifferenceRequest(pts=state.pts, date=state.date, qts=0)
    answer = await client(request)
    assert isinstance(answer, types.updates.Difference)
    assert [m.id for m in answer.new_messages] == [new]
    edited, deleted, too_long = answer.other_updates
    assert edited.message.message == "kept, edited"
    assert deleted.messages == [doomed]
    assert (too_long.channel_id, too_long.pts) == (gold.channel_id, gold.pts)
    assert answer.state.pts == ann.pts
    clock.ahead_s = 20
    later = functions.updates.GetDifferenceRequest(
        pts=answer.state.pts, date=(await client(functions.updates.GetStateRequest())).date, qts=0
    )
    assert isinstance(await client(later), types.updates.DifferenceEmpty)


async def test_the_account_difference_comes_in_slices_or_too_long_on_command(
    world: World, ann: SimUser, client: Any
) -> None:
    bot = world.channel("Bot", kind="bot")
    bot.join(ann)
    start = ann.pts
    ids = [bot.post(f"post {n}") for n in range(5)]
    world.faults.difference_slice = 3
    request = functions.updates.GetDifferenceRequest(pts=start, date=None, qts=0)
    first = await client(request)
    assert isinstance(first, types.updates.DifferenceSlice)
    assert [m.id for m in first.new_messages] == ids[:3]
    rest = await client(
        functions.updates.GetDifferenceRequest(pts=first.intermediate_state.pts, date=None, qts=0)
    )
    assert isinstance(rest, types.updates.Difference)
    assert [m.id for m in rest.new_messages] == ids[3:]
    world.faults.account_too_long = True
    assert isinstance(await client(request), types.updates.DifferenceTooLong)


async def test_a_client_fetches_what_it_missed_when_the_next_post_shows_a_gap(
    world: World, inbox: Inbox, gold: SimChannel
) -> None:
    gold.post("seen")
    assert await inbox.texts(1) == ["seen"]
    with world.faults.lost_updates(gold):
        gold.post("missed")
    gold.post("next")
    assert await inbox.texts(2) == ["missed", "next"]


async def test_a_client_that_lost_its_socket_hears_on(
    world: World, ann: SimUser, gold: SimChannel, client: Any, inbox: Inbox
) -> None:
    (session,) = world.sessions(ann)
    ways: tuple[CutHow, ...] = ("reset", "fin")
    for how in ways:
        connects = world.journal.connects
        world.faults.cut(session, how)
        await eventually(partial(_is_back, world, session, connects))
        gold.post(how)
        assert await inbox.texts(1) == [how]
    assert client.is_connected()
    assert world.violations == []


def _is_back(world: World, session: SimSession, connects: int) -> bool:
    return world.journal.connects > connects and session.receiver is not None


async def test_a_restarted_client_is_told_what_happened_meanwhile(
    make_client: MakeClient, world: World, ann: SimUser, gold: SimChannel
) -> None:
    session = world.premade_session(ann)
    first = await make_client(session)
    await first.connect()
    gold.post("one")
    before = gold.pts
    await first.disconnect()
    gold.post("two")
    second = await make_client(session)
    await second.connect()
    answer = await second(difference_since(world, ann, gold, before))
    assert [m.message for m in answer.new_messages] == ["two"]
