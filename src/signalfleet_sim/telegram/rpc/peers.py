"""Finds the chat that a request names, and checks that this account may read it."""

from telethon.tl import types

from signalfleet_sim.telegram.accounts import SimUser
from signalfleet_sim.telegram.chats import MARKED_CHANNEL, SimChannel
from signalfleet_sim.telegram.codec import Tl
from signalfleet_sim.telegram.errors import RpcFault
from signalfleet_sim.telegram.rpc.call import Call


def channel(call: Call, named: Tl) -> SimChannel:
    """Return the channel or supergroup that an InputChannel or InputPeerChannel names."""
    if not isinstance(named, types.InputChannel | types.InputPeerChannel):
        raise RpcFault(400, "CHANNEL_INVALID")
    reader = call.user
    chat = call.world.find_chat(MARKED_CHANNEL - named.channel_id)
    if chat is None or named.access_hash != call.world.access_hash(reader, named.channel_id):
        raise RpcFault(400, "CHANNEL_INVALID")
    return chat


def readable_channel(call: Call, named: Tl) -> SimChannel:
    """Return the channel if this account may read it."""
    chat = channel(call, named)
    if not may_read(call.user, chat):
        raise RpcFault(406, "CHANNEL_PRIVATE")
    return chat


def readable_chat(call: Call, named: Tl) -> SimChannel:
    """Return any chat that an InputPeer names, if this account may read it."""
    if isinstance(named, types.InputPeerChat):
        chat = call.world.find_chat(-named.chat_id)
        if chat is None or call.user.user_id not in chat.members:
            raise RpcFault(400, "CHAT_ID_INVALID")
        return chat
    if isinstance(named, types.InputPeerUser):
        chat = call.world.find_chat(named.user_id)
        expected = call.world.access_hash(call.user, named.user_id)
        if chat is None or named.access_hash != expected:
            raise RpcFault(400, "PEER_ID_INVALID")
        return chat
    if isinstance(named, types.InputPeerChannel):
        return readable_channel(call, named)
    raise RpcFault(400, "PEER_ID_INVALID")


def may_read(reader: SimUser, chat: SimChannel) -> bool:
    """Tell members, and visitors of public chats who are not banned."""
    if reader.user_id in chat.banned:
        return False
    return reader.user_id in chat.members or chat.username is not None
