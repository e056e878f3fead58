"""What follows when a bot uses too much: shown, told to its user, and in the end started anew."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

import structlog

from signalfleet.bots.budgets import BotBudget, RecycledError
from signalfleet.domain.accounts.notices import NoticeKind

log = structlog.get_logger()

Notify = Callable[[NoticeKind, Mapping[str, object]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSigns:
    """How the manager shows it. `slowed` gets the reason, None when it is over."""

    slowed: Callable[[str | None], Awaitable[None]]
    notify: Notify
    drain: Callable[[], Awaitable[None]]


class LimitKeeper:
    """Follows the budget of a running bot, whenever it has changed."""

    def __init__(self, budget: BotBudget, signs: LimitSigns) -> None:
        self._budget = budget
        self._signs = signs
        self._shown: str | None = None

    async def look(self) -> None:
        """Show what is new; RecycledError when the bot has to start anew."""
        reason = self._budget.throttled_by
        if self._budget.over is not None:
            await _end(self._budget.over, self._signs)
        if reason == self._shown:
            return
        log.warning("bot_throttled" if reason else "bot_no_longer_throttled", reason=reason)
        await self._signs.slowed(reason)
        if self._shown is None and reason is not None:
            await self._signs.notify(NoticeKind.BOT_THROTTLED, {"reason": reason})
        self._shown = reason


async def _end(reason: str, signs: LimitSigns) -> NoReturn:
    """Let what was sent settle, in the time that a stop gives it, and end the bot."""
    log.error("bot_recycled", reason=reason)
    await signs.notify(NoticeKind.BOT_RECYCLED, {"reason": reason})
    await signs.drain()
    raise RecycledError(reason)


TOLD_OF: Final = frozenset({NoticeKind.BOT_THROTTLED, NoticeKind.BOT_RECYCLED, NoticeKind.BOT_HELD})
