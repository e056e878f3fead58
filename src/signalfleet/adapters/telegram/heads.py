"""What Telegram says of each chat now: its newest message and its newest event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from telethon import functions, types

from signalfleet.adapters.telegram.chats import ChatState, Sync
from signalfleet.adapters.telegram.errors import ChatGoneError, UnreadableError
from signalfleet.adapters.telegram.limits import PEERS_MAX
from signalfleet.adapters.telegram.mapping import input_peer
from signalfleet.adapters.telegram.requests import Asker
from signalfleet.domain.ids import ChannelId
from signalfleet.ports.clock import Clock

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What Telegram says of a chat now; None where it does not say."""

    top: int | None = None
    pts: int | None = None


class Heads:
    """Asks for many chats at once, and finds the one that spoils the answer."""

    def __init__(
        self, asker: Asker, clock: Clock, on_server_time: Callable[[datetime], None]
    ) -> None:
        self._asker = asker
        self._clock = clock
        self._on_server_time = on_server_time
        self.newly_lost: list[ChatState] = []

    async def of(self, chats: Sequence[ChatState]) -> dict[ChannelId, Head]:
        """Return the newest message and event of each chat that can be read."""
        found: dict[ChannelId, Head] = {}
        suspects = [state for state in chats if state.failures]
        sound = [state for state in chats if not state.failures]
        for start in range(0, len(sound), PEERS_MAX):
            found |= await self._ask(sound[start : start + PEERS_MAX])
        for state in suspects:
            found |= await self._ask([state])
        return found

    async def _ask(self, chats: Sequence[ChatState]) -> dict[ChannelId, Head]:
        if not chats:
            return {}
        peers = [types.InputDialogPeer(input_peer(state.watched)) for state in chats]
        try:
            answer = await self._asker.ask(functions.messages.GetPeerDialogsRequest(peers))
        except ChatGoneError:
            # One chat that cannot be read fails the whole call.
            if len(chats) == 1:
                self.lost(chats[0])
                return {}
            return await self._in_halves(chats)
        except UnreadableError:
            # The answer brings each chat's newest message with it, and one is of a new kind.
            if len(chats) == 1:
                return {chats[0].chat: Head()}
            return await self._in_halves(chats)
        self._on_server_time(answer.state.date)
        wanted = {_peer_key(peer.peer): state for peer, state in zip(peers, chats, strict=True)}
        found = {state.chat: Head() for state in chats}
        for dialog in answer.dialogs:
            state = wanted.get(_peer_key(dialog.peer))
            if state is not None:
                pts = dialog.pts if state.has_counter else None
                found[state.chat] = Head(top=dialog.top_message, pts=pts)
        for entity in answer.chats:
            state = wanted.get(("channel_id", entity.id))
            if state is not None:
                state.is_forum = bool(getattr(entity, "forum", False))
        return found

    async def _in_halves(self, chats: Sequence[ChatState]) -> dict[ChannelId, Head]:
        half = len(chats) // 2
        return await self._ask(chats[:half]) | await self._ask(chats[half:])

    def lost(self, state: ChatState) -> None:
        if state.note_failure(self._clock.monotonic()):
            log.warning("telegram_chat_lost", chat=int(state.chat))
            self.newly_lost.append(state)


def is_behind(state: ChatState, head: Head | None) -> bool:
    if head is None or state.sync is not Sync.SYNCED:
        return False
    if head.top is not None and head.top > state.seen_max:
        return True
    return head.pts is not None and head.pts > (state.pts_seen or 0)


def _peer_key(peer: Any) -> tuple[str, int]:
    for name in ("channel_id", "chat_id", "user_id"):
        number = getattr(peer, name, None)
        if number is not None:
            return name, number
    return "", 0
