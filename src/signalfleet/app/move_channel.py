"""Follow a group that became a supergroup: the same choices under a new id."""

from dataclasses import replace

import structlog

from signalfleet.domain.ids import ChannelId
from signalfleet.ports.chat_source import WatchedChat
from signalfleet.ports.store import CopyMode, UserStore

log = structlog.get_logger()


async def move_channel(store: UserStore, old: ChannelId, new: WatchedChat) -> None:
    """Copy from the new chat as from the old one, and from the old one no more."""
    channels = store.channels
    known = await channels.get(old)
    if known is None or await channels.get(new.chat) is not None:
        return
    # First the limits and the profile: without them the new chat must not be copied.
    for kind in ("channel", "habit", "probation"):
        doc, version = await store.settings.get(f"{kind}:{old}")
        _, taken = await store.settings.get(f"{kind}:{new.chat}")
        if version and not taken:
            await store.settings.put(f"{kind}:{new.chat}", doc, 0)
    await channels.put(
        replace(
            known,
            chat=new.chat,
            kind=new.kind,
            title=new.title,
            access_hash=new.access_hash,
            version=0,
        )
    )
    await channels.put(replace(known, mode=CopyMode.OFF))
    log.info("channel_moved", before=old, after=new.chat)
