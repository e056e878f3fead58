"""Which chats a user's reader watches, from which marks on, and which of their messages matter."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.ports.chat_source import WatchedChat
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.store import Channel, CopyMode, UserStore

TRACKED: Final = 200
TRACKED_MESSAGES: Final = 2_000
TRACKED_FOR: Final = timedelta(hours=48)
TOPICS_MAX: Final = 50
FORUM_KINDS: Final = frozenset({"supergroup"})


def chosen(channels: Iterable[Channel]) -> frozenset[tuple[ChannelId, int]]:
    """Return what to compare for noticing that the user has chosen anew."""
    return frozenset((one.chat, one.version) for one in channels if one.mode is not CopyMode.OFF)


async def watched_chats(
    store: UserStore, channels: Iterable[Channel], now: datetime
) -> list[WatchedChat]:
    """Make what a reader needs to know of each chat that is not off."""
    tracked = await _tracked(store, now)
    return [
        WatchedChat(
            chat=channel.chat,
            kind=channel.kind,
            access_hash=channel.access_hash,
            title=channel.title,
            checkpoint=channel.checkpoint,
            seen_max=channel.seen_max,
            pts_seen=channel.pts_seen,
            tracked=tracked.get(channel.chat, ()),
            topics=await topics_of(store, channel.chat) if channel.kind in FORUM_KINDS else (),
        )
        for channel in channels
        if channel.mode is not CopyMode.OFF
    ]


async def topics_of(store: UserStore, chat: ChannelId) -> tuple[int, ...]:
    """Return the topics of a forum that are read; none means all."""
    doc, _ = await store.settings.get(_scope(chat))
    topics = doc.get("topics")
    return tuple(one for one in topics if isinstance(one, int)) if isinstance(topics, list) else ()


async def choose_topics(store: UserStore, chat: ChannelId, topics: Sequence[int]) -> None:
    """Read these topics of a forum and no others, or all of them if none is given."""
    channel = await store.channels.get(chat)
    if channel is None:
        raise RefusedError("choose the chat itself first, then its topics")
    if len(topics) > TOPICS_MAX:
        raise RefusedError(f"choose at most {TOPICS_MAX} topics, or none to have all of them read")
    _, version = await store.settings.get(_scope(chat))
    await store.settings.put(_scope(chat), {"topics": sorted(set(topics))}, version)
    # A new version of the channel is what its reader looks for.
    await store.channels.put(replace(channel))


def _scope(chat: ChannelId) -> str:
    return f"topics:{chat}"


async def _tracked(store: UserStore, now: datetime) -> dict[ChannelId, tuple[MessageId, ...]]:
    """Return the messages whose edits and deletions still matter, newest first.

    Also those without a signal: what came late before a crash may be outdated by now.
    """
    found: dict[ChannelId, dict[MessageId, None]] = {}
    for record in await store.journal.recent_signals(limit=TRACKED):
        found.setdefault(record.chat, {})[record.message] = None
    oldest = now - TRACKED_FOR
    for stored in await store.inbox.recent(limit=TRACKED_MESSAGES):
        ids = found.setdefault(stored.message.channel, {})
        is_recent = stored.message.posted_at >= oldest and stored.deleted_at is None
        if is_recent and len(ids) < TRACKED:
            ids[stored.message.message] = None
    return {chat: tuple(ids) for chat, ids in found.items()}
