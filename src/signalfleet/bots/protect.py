"""Keep the stops of one account's open trades where the user's rules want them."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from signalfleet.app.desk import AccountDesk
from signalfleet.app.protect_trades import ProtectTrades
from signalfleet.app.take_duties import Watch
from signalfleet.app.user_desk import UserDesk
from signalfleet.bots.rest import Rest
from signalfleet.domain.trading.intents import Intent
from signalfleet.ports.errands import LightEvent
from signalfleet.ports.errors import StoreInDoubtError, StoreUnavailableError

STORE_PAUSE: Final = timedelta(seconds=1)
BREATH: Final = timedelta(seconds=0.25)
"""A burst of orders is looked through once in a while, not after each of them."""


class StopKeeper:
    """Looks now and then, and at once when a trade has changed; `send` takes what is due."""

    def __init__(
        self,
        desk: UserDesk,
        account: AccountDesk,
        send: Callable[[Sequence[Intent]], None],
        rest: Rest,
    ) -> None:
        self._rest = rest
        self._account = account
        self._clock = desk.clock
        self._rush = desk.rush
        self._protect = ProtectTrades(desk, account)
        self._send = send
        self._changed = LightEvent()

    @property
    def has_news(self) -> bool:
        return self._changed.is_set()

    def changed(self) -> None:
        """Look at once: something became of a trade, or of an order."""
        self._changed.set()

    async def run(self) -> None:
        """Look on until cancelled."""
        while True:
            await self._rush.over()
            self._changed.clear()
            with self._rest.acting():
                watch = await self._once()
                self._send([taken.intent for taken in watch.taken])
            await self._clock.sleep(BREATH)
            pause = watch.again_in.total_seconds() if watch.again_in is not None else None
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            except TimeoutError:
                pass  # Prices move while nothing else happens.

    async def _once(self) -> Watch:
        try:
            return await self._protect.run() if self._account.reconciled else Watch()
        except StoreInDoubtError:
            raise
        except StoreUnavailableError:
            return Watch(again_in=STORE_PAUSE)
