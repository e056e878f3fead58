"""Says once that the store is away, for people to look after it, and lets a bot go on."""

from datetime import timedelta
from types import TracebackType
from typing import Final

import structlog

from signalfleet.bots.services import BotServices
from signalfleet.ports.errors import StoreInDoubtError, StoreUnavailableError

log = structlog.get_logger()

PAUSE: Final = timedelta(seconds=1)


class StoreWatch:
    """What is done inside it ends with a pause, and not with the bot, while the store is away.

    A write whose outcome is not known ends the bot all the same: the next one reads what is so.
    """

    def __init__(self, services: BotServices) -> None:
        self._services = services
        self._is_away = False

    def is_back(self) -> bool:
        """Tell, after the store has answered, whether it was away before."""
        was_away, self._is_away = self._is_away, False
        if was_away:
            log.info("store_back")
        return was_away

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, StoreUnavailableError) or isinstance(error, StoreInDoubtError):
            return False
        if not self._is_away:
            self._is_away = True
            self._services.metrics.count("signalfleet_store_away_total")
            log.error("store_away", cause=str(error))
        await self._services.clock.sleep(PAUSE)
        return True
