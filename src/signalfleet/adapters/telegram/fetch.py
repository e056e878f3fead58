"""Reading pages of history and single messages, also past what the library cannot read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from telethon import functions, types

from signalfleet.adapters.telegram.chats import ChatState
from signalfleet.adapters.telegram.errors import UnreadableError
from signalfleet.adapters.telegram.limits import MISSED_MAX, PAGE, PAGES_MAX, UNREADABLE_MAX
from signalfleet.adapters.telegram.mapping import (
    chat_of_peer,
    input_channel,
    input_peer,
    is_channel,
)
from signalfleet.adapters.telegram.requests import Asker
from signalfleet.domain.ids import MessageId
from signalfleet.ports.chat_source import WatchedChat


class Unreadable:
    """Stands for a message that is there but cannot be read."""


UNREADABLE: Final = Unreadable()


@dataclass(slots=True)
class Pages:
    """What was read of a chat's newest messages, by id, and what was not.

    `is_cut`: older ones that were missed were left out.
    """

    messages: dict[MessageId, Any] = field(default_factory=dict)
    chats: list[Any] = field(default_factory=list)
    pts: int | None = None
    unreadable: int = 0
    is_cut: bool = False


class Fetcher:
    """Asks for messages; an answer with an unknown object is narrowed down to that one."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def newest(
        self, watched: WatchedChat, *, down_to: int, before: int = 0, at_most: int = MISSED_MAX
    ) -> Pages:
        """Read the newest messages, back to the id `down_to`; `before` 0 begins at the newest."""
        found = Pages()
        offset, size = before, min(PAGE, at_most)
        for _ in range(PAGES_MAX):
            numbers, size = await self._page(found, watched, offset, size)
            # Only an empty page is the end: a server may leave out what it does not want to show.
            if not numbers or min(numbers) <= down_to:
                return found
            if len(found.messages) >= at_most or found.unreadable >= UNREADABLE_MAX:
                break
            offset = int(min(numbers))
        found.is_cut = True
        return found

    async def _page(
        self, found: Pages, watched: WatchedChat, before: int, size: int
    ) -> tuple[list[MessageId], int]:
        """Add one page and return its ids and the size to go on with.

        The size is halved until what cannot be read stands alone, and grows again behind it.
        """
        skip = 0
        while True:
            request = functions.messages.GetHistoryRequest(
                peer=input_peer(watched),
                offset_id=before,
                offset_date=None,
                add_offset=skip,
                limit=size,
                max_id=0,
                min_id=0,  # With an id that is too old, servers answer with nothing.
                hash=0,
            )
            try:
                answer = await self._asker.ask(request)
            except UnreadableError:
                if size > 1:
                    size //= 2
                    continue
                skip += 1
                found.unreadable += 1
                if found.unreadable >= UNREADABLE_MAX:
                    return [], size
                continue
            break
        if found.pts is None:
            found.pts = getattr(answer, "pts", None)
        found.chats += answer.chats
        numbers = [MessageId(raw.id) for raw in answer.messages]
        found.messages.update(zip(numbers, answer.messages, strict=True))
        return numbers, min(2 * size, PAGE)

    async def by_id(self, state: ChatState, numbers: Sequence[MessageId]) -> dict[MessageId, Any]:
        """Fetch messages by id. Matched by id: a server may leave deleted ones out."""
        found: dict[MessageId, Any] = {}
        for start in range(0, len(numbers), PAGE):
            found |= await self._some(state, numbers[start : start + PAGE])
        return found

    async def _some(self, state: ChatState, numbers: Sequence[MessageId]) -> dict[MessageId, Any]:
        ids = [types.InputMessageID(int(number)) for number in numbers]
        if is_channel(state.watched):
            channel = input_channel(state.watched)
            request: Any = functions.channels.GetMessagesRequest(channel, ids)
        else:
            request = functions.messages.GetMessagesRequest(ids)
        try:
            answer = await self._asker.ask(request)
        except UnreadableError:
            if len(numbers) == 1:
                return {numbers[0]: UNREADABLE}
            half = len(numbers) // 2
            return await self._some(state, numbers[:half]) | await self._some(state, numbers[half:])
        return {
            MessageId(raw.id): raw
            for raw in answer.messages
            if getattr(raw, "peer_id", None) is None or chat_of_peer(raw.peer_id) == state.chat
        }
