"""A basic group that becomes a supergroup: a new chat with a new id and a new access hash."""

from collections.abc import Iterable
from typing import Any

from telethon import types

from signalfleet.adapters.telegram.mapping import chat_of_peer
from signalfleet.ports.chat_source import WatchedChat


def moved_to(raw: Any) -> int | None:
    """Return the channel that a group has become, if this is the message that says so."""
    action = getattr(raw, "action", None)
    if isinstance(action, types.MessageActionChatMigrateTo):
        return int(action.channel_id)
    return None


def new_home(old: WatchedChat, channel: int, entities: Iterable[Any]) -> WatchedChat | None:
    """Return the supergroup as a chat to watch; None while nobody told its access hash.

    Its first message says where it came from; everything after that one is read.
    """
    access_hash = None
    for entity in entities:
        migrated = getattr(entity, "migrated_to", None)
        if isinstance(entity, types.Channel) and entity.id == channel and not entity.min:
            access_hash = entity.access_hash
        elif isinstance(migrated, types.InputChannel) and migrated.channel_id == channel:
            access_hash = access_hash or migrated.access_hash
    chat = chat_of_peer(types.PeerChannel(channel))
    if access_hash is None or chat is None:
        return None
    return WatchedChat(
        chat=chat, kind="supergroup", access_hash=access_hash, title=old.title, checkpoint=1
    )
