"""Hands a bot's unread messages to it, in their order, and says what of them waits."""

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto
from typing import Final

from signalfleet.bots.budgets import BotBudget
from signalfleet.domain.ids import ChannelId, MessageId
from signalfleet.domain.trading.records import MessageKey
from signalfleet.ports.inbox import Inbox, StoredMessage

PAGE: Final = 200
MOST: Final = 1000
"""So far is looked behind what waits; what may protect is found behind more, too."""


class Turn(Enum):
    """What became of a message whose turn it was."""

    OVER = auto()
    WAITS = auto()
    HOLDS_CHAT = auto()
    """It waits, and all that came after it in its chat waits with it."""


class InboxReader:
    """Reads until nothing is left but what waits.

    What waits holds back its chat: a close must not overtake the entry it closes. However much
    waits, what may close or protect a trade is found: it may stand behind all of another chat.
    """

    def __init__(
        self,
        inbox: Inbox,
        budget: BotBudget,
        decide: Callable[[StoredMessage], Awaitable[Turn]],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._inbox = inbox
        self._budget = budget
        self._decide = decide
        self._is_stopping = is_stopping
        self.has_waiting = False

    async def read(self) -> None:
        self.has_waiting = True  # Until it is known better: whoever wakes meanwhile is heard.
        holders: dict[ChannelId, MessageId] = {}
        taken: set[MessageKey] = set()
        limit, is_more = PAGE, True
        while is_more and limit <= MOST and not self._is_held_up():
            page = await self._inbox.unread(limit)
            is_more = len(page) == limit
            if not await self._take(page, holders, taken):
                limit += PAGE
        if is_more:
            await self._take(await self._inbox.protective(PAGE), holders, taken)
        self.has_waiting = bool(holders or self._budget.throttled_by)

    def _is_held_up(self) -> bool:
        return self._budget.throttled_by is not None or self._is_stopping()

    async def _take(
        self,
        page: Sequence[StoredMessage],
        holders: dict[ChannelId, MessageId],
        taken: set[MessageKey],
    ) -> int:
        """Decide on what need not wait; return how many were decided on."""
        over = 0
        for stored in page:
            if self._is_stopping():
                return 0
            if stored.key in taken:
                continue
            taken.add(stored.key)
            chat, number = stored.key.chat, stored.key.message
            held = self._must_be_held(stored, holders.get(chat))
            turn = Turn.HOLDS_CHAT if held else await self._decide(stored)
            if turn is Turn.HOLDS_CHAT and not (held and stored.may_protect):
                holders[chat] = min(holders.get(chat, number), number)
            over += turn is Turn.OVER
        return over

    def _must_be_held(self, stored: StoredMessage, first: MessageId | None) -> bool:
        """Tell what stands behind a message of its chat that waits, and a slowed bot's entries.

        What closes or protects a trade older than the first that waits does not wait for it.
        """
        if self._budget.throttled_by is not None and not stored.may_protect:
            return True
        answered = stored.message.reply_to
        return first is not None and (answered is None or answered >= first)
