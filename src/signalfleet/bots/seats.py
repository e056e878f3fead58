"""A user's place in a worker."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from signalfleet.bots.user_bot import UserBot
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import UserId
from signalfleet.ports.errands import LightEvent


@dataclass(slots=True, kw_only=True, eq=False)
class Seat:
    """One user's place under one ownership of the slot: the supervising task and the bot.

    `is_ending`: the task is cancelled. `is_lost`: the ownership is over, so nothing of it is
    written any more.
    """

    user: UserId
    slot: int
    epoch: int
    task: asyncio.Task[None] | None = None
    bot: UserBot | None = None
    state: BotState = BotState.OFF
    since: datetime | None = None
    reason: str | None = None
    poked: LightEvent = field(default_factory=LightEvent)
    is_stopping: bool = False
    is_ending: bool = False
    is_lost: bool = False
    sign_in_reason: str | None = None

    def cancel(self) -> None:
        """End the seat's task; what fails in it at this moment changes nothing."""
        self.is_ending = True
        if self.task is not None:
            self.task.cancel()
