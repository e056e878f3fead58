"""The state of updates, and what was missed since an earlier state."""

from collections.abc import Mapping
from typing import Final

from telethon.tl import functions, types

from signalfleet_sim.telegram.chats import BoxEvent, ChatEvent, EventKind, SimChannel
from signalfleet_sim.telegram.codec import Tl
from signalfleet_sim.telegram.errors import RpcFault
from signalfleet_sim.telegram.rpc import objects, peers
from signalfleet_sim.telegram.rpc.call import Call, Handler

TIMEOUT_S: Final = 30
NEWEST_MESSAGES: Final = 20
SMALLEST_LIMIT: Final = 1


def state(call: Call) -> Tl:
    """Return the account's counters."""
    return types.updates.State(
        pts=call.user.pts, qts=0, date=call.world.now(), seq=0, unread_count=0
    )


def seconds(date: Tl) -> int:
    """Return a decoded date as seconds since 1970; an absent one is 0 on the wire."""
    return 0 if date is None else int(date.timestamp())


def get_difference(call: Call) -> Tl:
    """Return what the account's own box missed, and which channels changed meanwhile."""
    request, user = call.request, call.user
    if call.world.faults.account_too_long:
        call.world.faults.account_too_long = False
        return types.updates.DifferenceTooLong(pts=user.pts)
    since = seconds(request.date)
    missed = [entry for entry in user.events if entry.event.pts > request.pts]
    changed = [
        chat for chat in user.chats.values() if chat.has_own_pts and chat.changed_at >= since
    ]
    if not missed and not changed:
        return types.updates.DifferenceEmpty(date=call.world.now(), seq=0)
    slice_size = call.world.faults.difference_slice
    is_slice = slice_size is not None and len(missed) > slice_size
    if is_slice:
        missed, changed = missed[:slice_size], []
    too_long = [types.UpdateChannelTooLong(channel_id=c.channel_id, pts=c.pts) for c in changed]
    new_ids = {i for e in missed if e.event.kind is EventKind.POST for i in e.event.ids}
    others = [update for entry in missed if (update := _box_update(entry, new_ids)) is not None]
    seen = {entry.chat.chat_id: entry.chat for entry in missed}
    chats, users = objects.chats_and_users(
        call.world, user, [*seen.values(), *(c for c in changed if c.chat_id not in seen)]
    )
    posts = [e for e in missed if e.event.kind is EventKind.POST]
    content = {
        "new_messages": [m for e in posts for m in _present(e.chat, e.event)],
        "new_encrypted_messages": [],
        "other_updates": others + too_long,
        "chats": chats,
        "users": users,
    }
    if is_slice:
        reached = types.updates.State(
            pts=missed[-1].event.pts, qts=0, date=missed[-1].event.date, seq=0, unread_count=0
        )
        return types.updates.DifferenceSlice(**content, intermediate_state=reached)
    return types.updates.Difference(**content, state=state(call))


def get_channel_difference(call: Call) -> Tl:
    """Return what happened in a channel after a counter value."""
    request = call.request
    chat = peers.readable_channel(call, request.channel)
    if request.pts <= 0:
        raise RpcFault(400, "PERSISTENT_TIMESTAMP_EMPTY")
    if request.pts > chat.pts:
        raise RpcFault(400, "PERSISTENT_TIMESTAMP_INVALID")
    missed = chat.events_after(request.pts)
    limit = max(SMALLEST_LIMIT, min(request.limit, chat.difference_limit))
    if call.world.faults.take_too_long(chat) or len(missed) > limit:
        return _too_long(call, chat)
    if not missed:
        return types.updates.ChannelDifferenceEmpty(pts=chat.pts, final=True, timeout=TIMEOUT_S)
    posted = [event for event in missed if event.kind is EventKind.POST]
    new_ids = {i for event in posted for i in event.ids}
    others = [update for event in missed if (update := channel_update(chat, event, new_ids))]
    chats, users = objects.chats_and_users(call.world, call.user, [chat])
    return types.updates.ChannelDifference(
        pts=chat.pts,
        new_messages=[m for event in posted for m in _present(chat, event)],
        other_updates=others,
        chats=chats,
        users=users,
        final=True,
        timeout=TIMEOUT_S,
    )


def channel_update(chat: SimChannel, event: ChatEvent, new_ids: set[int]) -> Tl:
    """Return a missed edit or deletion; None for posts, edits of new and of deleted messages."""
    match event.kind:
        case EventKind.POST:
            return None
        case EventKind.DELETE:
            return types.UpdateDeleteChannelMessages(
                channel_id=chat.channel_id,
                messages=list(event.ids),
                pts=event.pts,
                pts_count=event.count,
            )
        case EventKind.EDIT:
            edited = chat.messages.get(event.ids[0])
            if edited is None or edited.message_id in new_ids:
                return None
            return types.UpdateEditChannelMessage(
                message=objects.message(chat, edited), pts=event.pts, pts_count=event.count
            )


def _box_update(entry: BoxEvent, new_ids: set[int]) -> Tl:
    event = entry.event
    match event.kind:
        case EventKind.POST:
            return None
        case EventKind.DELETE:
            return types.UpdateDeleteMessages(
                messages=list(event.ids), pts=event.pts, pts_count=event.count
            )
        case EventKind.EDIT:
            edited = entry.chat.messages.get(event.ids[0])
            if edited is None or edited.message_id in new_ids:
                return None
            return types.UpdateEditMessage(
                message=objects.message(entry.chat, edited), pts=event.pts, pts_count=event.count
            )


def _present(chat: SimChannel, event: ChatEvent) -> list[Tl]:
    return [
        objects.message(chat, chat.messages[message_id])
        for message_id in event.ids
        if message_id in chat.messages
    ]


def _too_long(call: Call, chat: SimChannel) -> Tl:
    newest = [chat.messages[i] for i in reversed(chat.order[-NEWEST_MESSAGES:])]
    chats, users = objects.chats_and_users(call.world, call.user, [chat])
    return types.updates.ChannelDifferenceTooLong(
        dialog=objects.dialog(chat, call.user),
        messages=[objects.message(chat, sent) for sent in newest],
        chats=chats,
        users=users,
        final=True,
        timeout=TIMEOUT_S,
    )


HANDLERS: Final[Mapping[type, Handler]] = {
    functions.updates.GetStateRequest: state,
    functions.updates.GetDifferenceRequest: get_difference,
    functions.updates.GetChannelDifferenceRequest: get_channel_difference,
}
