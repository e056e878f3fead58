"""Lists of chats, their history, and single messages."""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Final

from telethon.tl import functions, types

from signalfleet_sim.telegram.chats import SimChannel
from signalfleet_sim.telegram.codec import Tl
from signalfleet_sim.telegram.errors import RpcFault
from signalfleet_sim.telegram.rpc import objects, peers
from signalfleet_sim.telegram.rpc.call import Call, Handler
from signalfleet_sim.telegram.rpc.updates import seconds, state

PAGE: Final = 100


def get_dialogs(call: Call) -> Tl:
    """List the account's chats, newest post first, from the offset on."""
    request, user = call.request, call.user
    if request.folder_id:
        return types.messages.Dialogs(dialogs=[], messages=[], chats=[], users=[])
    listed = sorted(user.chats.values(), key=lambda chat: _recency(chat, user.user_id))
    listed.reverse()
    start = 0
    if not isinstance(request.offset_peer, types.InputPeerEmpty):
        after = peers.readable_chat(call, request.offset_peer)
        start = next((n + 1 for n, chat in enumerate(listed) if chat is after), len(listed))
    page = listed[start : start + min(request.limit, PAGE)]
    content = _dialog_content(call, page)
    if len(page) == len(listed):
        return types.messages.Dialogs(**content)
    return types.messages.DialogsSlice(count=len(listed), **content)


def get_peer_dialogs(call: Call) -> Tl:
    """Return the line of each chat asked for; one that may not be read fails the whole call."""
    wanted = []
    for named in call.request.peers:
        if not isinstance(named, types.InputDialogPeer):
            raise RpcFault(400, "PEER_ID_INVALID")
        wanted.append(peers.readable_chat(call, named.peer))
    return types.messages.PeerDialogs(**_dialog_content(call, wanted), state=state(call))


def get_history(call: Call) -> Tl:
    """Return a window of a chat's messages, newest first."""
    request = call.request
    chat = peers.readable_chat(call, request.peer)
    if request.limit > PAGE:
        call.world.journal.violate(
            call.world.time(), "history_limit", f"{request.limit} messages asked for at once"
        )
    ids = chat.ids_for(call.user.user_id)
    window = window_of(ids, lambda message_id: chat.messages[message_id].date, request)
    habits = call.world.habits
    window = window[: habits.page_max]
    if habits.min_id_is_empty and request.min_id:
        window = []
    return _messages(call, chat, [objects.message(chat, chat.messages[i]) for i in window])


def channel_messages(call: Call) -> Tl:
    """Return single messages of a channel, in the order asked."""
    chat = peers.readable_channel(call, call.request.channel)
    wanted = _message_ids(call)
    found = [
        objects.message(chat, sent)
        if (sent := chat.messages.get(message_id)) is not None
        else objects.empty_message(chat, message_id)
        for message_id in wanted
        if message_id in chat.messages or not call.world.faults.deleted_omitted
    ]
    return _messages(call, chat, found)


def box_messages(call: Call) -> Tl:
    """Return single messages of groups and bot chats, in the order asked."""
    user = call.user
    boxes = [chat for chat in user.chats.values() if not chat.has_own_pts]
    found: list[Tl] = []
    seen: dict[int, SimChannel] = {}
    for message_id in _message_ids(call):
        chat = next((c for c in boxes if message_id in c.ids_for(user.user_id)), None)
        if chat is not None:
            seen[chat.chat_id] = chat
            found.append(objects.message(chat, chat.messages[message_id]))
        elif not call.world.faults.deleted_omitted:
            found.append(objects.empty_message(None, message_id))
    chats, users = objects.chats_and_users(call.world, user, seen.values())
    return types.messages.Messages(messages=found, topics=[], chats=chats, users=users)


def _recency(chat: SimChannel, user_id: int) -> tuple[int, int]:
    ids = chat.ids_for(user_id)
    return (chat.messages[ids[-1]].date, ids[-1]) if ids else (chat.created_at, 0)


def _dialog_content(call: Call, listed: list[SimChannel]) -> dict[str, list[Tl]]:
    newest = []
    for chat in listed:
        ids = chat.ids_for(call.user.user_id)
        if ids:
            newest.append(objects.message(chat, chat.messages[ids[-1]]))
    chats, users = objects.chats_and_users(call.world, call.user, listed)
    habits = call.world.habits
    with_pts = not habits.dialogs_without_pts
    lines = [objects.dialog(chat, call.user, with_pts=with_pts) for chat in listed]
    if habits.dialogs_backwards:
        lines.reverse()
    return {"dialogs": lines, "messages": newest, "chats": chats, "users": users}


def window_of(ids: list[int], date_of: Callable[[int], int], request: Tl) -> list[int]:
    """Return the ids of a page; the offset is added before it is cut to what exists."""
    count = len(ids)
    if request.offset_id:
        first = count - bisect_left(ids, request.offset_id)
    elif moment := seconds(request.offset_date):
        first = sum(date_of(message_id) >= moment for message_id in ids)
    else:
        first = 0
    first += request.add_offset
    last = first + min(request.limit, PAGE)
    newest_first = ids[max(0, count - max(0, last)) : max(0, count - max(0, first))][::-1]
    return [
        message_id
        for message_id in newest_first
        if (not request.max_id or message_id < request.max_id)
        and (not request.min_id or message_id > request.min_id)
    ]


def _message_ids(call: Call) -> list[int]:
    wanted = call.request.id
    if not wanted:
        raise RpcFault(400, "MESSAGE_IDS_EMPTY")
    if not all(isinstance(named, types.InputMessageID) for named in wanted):
        raise RpcFault(400, "MESSAGE_ID_INVALID")
    return [named.id for named in wanted[:PAGE]]


def _messages(call: Call, chat: SimChannel, found: list[Tl]) -> Tl:
    chats, users = objects.chats_and_users(call.world, call.user, [chat])
    content = {"messages": found, "topics": [], "chats": chats, "users": users}
    if chat.has_own_pts:
        count = len(chat.order)
        return types.messages.ChannelMessages(pts=chat.pts, count=count, **content)
    return types.messages.Messages(**content)


HANDLERS: Final[Mapping[type, Handler]] = {
    functions.messages.GetDialogsRequest: get_dialogs,
    functions.messages.GetPeerDialogsRequest: get_peer_dialogs,
    functions.messages.GetHistoryRequest: get_history,
    functions.messages.GetMessagesRequest: box_messages,
    functions.channels.GetMessagesRequest: channel_messages,
}
