"""One look at the store for all bots of a worker: whose Stop, channels or accounts changed.

A thousand bots that each ask every few seconds cost more than all they do besides.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Final, NoReturn

from signalfleet.bots.services import BotServices
from signalfleet.bots.store_watch import StoreWatch
from signalfleet.bots.user_bot import UserBot
from signalfleet.domain.ids import UserId

EVERY: Final = timedelta(seconds=5)
TOGETHER: Final = 25


class SharedLook:
    """`slots` and `bots` give what the worker owns and runs just now."""

    def __init__(
        self,
        services: BotServices,
        *,
        cell: str,
        slots: Callable[[], Collection[int]],
        bots: Callable[[], Mapping[UserId, UserBot]],
    ) -> None:
        self._services = services
        self._cell = cell
        self._slots = slots
        self._bots = bots
        self._watch = StoreWatch(services)

    async def run(self) -> NoReturn:
        """Look until cancelled. While the store cannot tell, no bot knows of its Stop."""
        while True:
            async with self._watch:
                await self.once()
            await self._services.clock.sleep(EVERY)

    async def once(self) -> None:
        asked = self._services.clock.monotonic()
        slots = sorted(self._slots())
        marks = await self._services.store.fleet.marks(self._cell, slots) if slots else {}
        is_back = self._watch.is_back()
        for number, (user, bot) in enumerate(tuple(self._bots().items()), 1):
            bot.looked(asked, marks.get(user), is_back=is_back)
            if not number % TOGETHER:
                await asyncio.sleep(0)  # Orders are not to wait until all have heard.
