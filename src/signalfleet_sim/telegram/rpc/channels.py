"""Finding, describing and joining channels."""

from collections.abc import Mapping
from typing import Final

from telethon.tl import functions, types

from signalfleet_sim.telegram.chats import SimChannel
from signalfleet_sim.telegram.codec import Tl
from signalfleet_sim.telegram.errors import RpcFault
from signalfleet_sim.telegram.rpc import objects, peers
from signalfleet_sim.telegram.rpc.call import Call, Handler
from signalfleet_sim.telegram.world import Invite

MOST_CHANNELS: Final = 500


def get_channels(call: Call) -> Tl:
    """Describe channels; one that may not be read is answered as forbidden."""
    wanted = [peers.channel(call, named) for named in call.request.id]
    chats, _ = objects.chats_and_users(call.world, call.user, wanted)
    return types.messages.Chats(chats=chats)


def get_full_channel(call: Call) -> Tl:
    """Describe one channel at length."""
    chat = peers.readable_channel(call, call.request.channel)
    chats, users = objects.chats_and_users(call.world, call.user, [chat])
    full = types.ChannelFull(
        id=chat.channel_id,
        about="",
        read_inbox_max_id=0,
        read_outbox_max_id=0,
        unread_count=0,
        chat_photo=types.PhotoEmpty(id=0),
        notify_settings=types.PeerNotifySettings(),
        bot_info=[],
        pts=chat.pts,
        participants_count=len(chat.members),
    )
    return types.messages.ChatFull(full_chat=full, chats=chats, users=users)


def resolve_username(call: Call) -> Tl:
    """Find the public chat of a name."""
    chat = call.world.chat_by_username(call.request.username)
    if chat is None:
        raise RpcFault(400, "USERNAME_NOT_OCCUPIED")
    chats, users = objects.chats_and_users(call.world, call.user, [chat])
    return types.contacts.ResolvedPeer(peer=objects.peer(chat), chats=chats, users=users)


def get_forum_topics(call: Call) -> Tl:
    """List the topics of a forum, the newest first."""
    request = call.request
    chat = peers.readable_chat(call, request.peer)
    if not chat.forum:
        raise RpcFault(400, "CHANNEL_FORUM_MISSING")
    wanted = [
        (topic_id, title)
        for topic_id, title in sorted({1: "General", **chat.topics}.items(), reverse=True)
        if not request.offset_topic or topic_id < request.offset_topic
    ]
    chats, users = objects.chats_and_users(call.world, call.user, [chat])
    return types.messages.ForumTopics(
        count=len(chat.topics) + 1,
        topics=[_topic(chat, *topic) for topic in wanted[: request.limit]],
        messages=[],
        chats=chats,
        users=users,
        pts=chat.pts,
    )


def check_invite(call: Call) -> Tl:
    """Tell where a link leads without following it."""
    invite = _invite(call)
    chat = invite.chat
    if call.user.user_id in chat.members:
        (seen,), _ = objects.chats_and_users(call.world, call.user, [chat])
        return types.ChatInviteAlready(chat=seen)
    return types.ChatInvite(
        title=chat.title,
        photo=types.PhotoEmpty(id=0),
        participants_count=len(chat.members),
        color=0,
        channel=chat.has_own_pts,
        broadcast=chat.kind == "channel",
        megagroup=chat.kind == "supergroup",
        request_needed=invite.needs_approval,
    )


def import_invite(call: Call) -> Tl:
    """Follow a link into its chat."""
    invite = _invite(call)
    if call.user.user_id in invite.chat.members:
        raise RpcFault(400, "USER_ALREADY_PARTICIPANT")
    if invite.needs_approval:
        raise RpcFault(400, "INVITE_REQUEST_SENT")
    return _join(call, invite.chat)


def join_channel(call: Call) -> Tl:
    """Join a public channel."""
    return _join(call, peers.readable_channel(call, call.request.channel))


def _invite(call: Call) -> Invite:
    invite = call.world.find_invite(call.request.hash)
    if invite is None:
        raise RpcFault(400, "INVITE_HASH_INVALID")
    if invite.expired or call.user.user_id in invite.chat.banned:
        raise RpcFault(400, "INVITE_HASH_EXPIRED")
    return invite


def _join(call: Call, chat: SimChannel) -> Tl:
    if len(call.user.chats) >= MOST_CHANNELS:
        raise RpcFault(400, "CHANNELS_TOO_MUCH")
    chat.join(call.user)
    chats, users = objects.chats_and_users(call.world, call.user, [chat])
    changed = [types.UpdateChannel(channel_id=chat.channel_id)] if chat.has_own_pts else []
    updates = types.Updates(updates=changed, users=users, chats=chats, date=call.world.now(), seq=0)
    return types.messages.ChatInviteJoinResultOk(updates=updates)


def _topic(chat: SimChannel, topic_id: int, title: str) -> Tl:
    opened = chat.messages.get(topic_id)
    inside = [i for i in chat.order if (chat.messages[i].topic or 1) == topic_id]
    return types.ForumTopic(
        id=topic_id,
        date=chat.created_at if opened is None else opened.date,
        peer=objects.peer(chat),
        title=title,
        icon_color=0,
        top_message=inside[-1] if inside else topic_id,
        read_inbox_max_id=0,
        read_outbox_max_id=0,
        unread_count=0,
        unread_mentions_count=0,
        unread_reactions_count=0,
        unread_poll_votes_count=0,
        from_id=objects.peer(chat),
        notify_settings=types.PeerNotifySettings(),
    )


HANDLERS: Final[Mapping[type, Handler]] = {
    functions.channels.GetChannelsRequest: get_channels,
    functions.channels.GetFullChannelRequest: get_full_channel,
    functions.channels.JoinChannelRequest: join_channel,
    functions.contacts.ResolveUsernameRequest: resolve_username,
    functions.messages.GetForumTopicsRequest: get_forum_topics,
    functions.messages.CheckChatInviteRequest: check_invite,
    functions.messages.ImportChatInviteRequest: import_invite,
}
