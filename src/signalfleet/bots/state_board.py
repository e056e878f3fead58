"""The states of bots as users see them: stored at once, or as soon as the store is back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import FencedError, PortError
from signalfleet.ports.store import Store

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class BotMove:
    """A bot's new state as it is to be stored."""

    state: BotState
    reason: str | None
    since: datetime
    retry_at: datetime | None
    crashes: int


class StateBoard:
    """Stores each bot's newest state; one that the store refused is written by `catch_up`.

    `fenced` hears of a state that was written under an epoch that is over.
    """

    def __init__(
        self, store: Store, fenced: Callable[[UserId, int], None] = lambda _user, _epoch: None
    ) -> None:
        self._store = store
        self._fenced = fenced
        self._unstored: dict[UserId, tuple[BotMove, int]] = {}

    async def put(self, user: UserId, move: BotMove, epoch: int) -> None:
        """Store the state; a store that refuses is logged and tried again later."""
        self._unstored[user] = (move, epoch)
        await self._write(user)

    async def catch_up(self) -> None:
        """Write what the store refused before: pages must not go on showing an old state."""
        for user in list(self._unstored):
            await self._write(user)

    async def _write(self, user: UserId) -> None:
        found = self._unstored.get(user)
        if found is None:
            return
        move, epoch = found
        try:
            await self._store.user(user).bot.set_state(
                move.state,
                reason=move.reason,
                since=move.since,
                retry_at=move.retry_at,
                crashes=move.crashes,
                epoch=epoch,
            )
        except FencedError:
            log.warning("bot_state_fenced", state=move.state.value)
            self._fenced(user, epoch)
        except PortError as error:
            log.warning("bot_state_not_stored", cause=type(error).__name__)
            return
        if self._unstored.get(user) is found:
            del self._unstored[user]
