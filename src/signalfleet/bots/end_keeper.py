"""End the trades of one account as the user's states and limits say, until the broker shows it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from signalfleet.app.desk import AccountDesk
from signalfleet.app.end_trades import Ending, EndTrades
from signalfleet.app.user_desk import UserDesk
from signalfleet.bots.rest import Rest
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.trading.intents import Intent
from signalfleet.ports.errands import LightEvent
from signalfleet.ports.errors import StoreInDoubtError, StoreUnavailableError

STORE_PAUSE: Final = timedelta(seconds=1)


class EndKeeper:
    """Looks when something has changed, and again while trades are being ended."""

    def __init__(
        self,
        desk: UserDesk,
        account: AccountDesk,
        send: Callable[[Sequence[Intent]], None],
        notify: Callable[[NoticeKind, str, Mapping[str, object]], Awaitable[None]],
        rest: Rest,
    ) -> None:
        self._desk = desk
        self._account = account
        self._send = send
        self._notify = notify
        self._rest = rest
        self._end = EndTrades(desk, account)
        self._changed = LightEvent()

    @property
    def has_news(self) -> bool:
        return self._changed.is_set()

    def changed(self) -> None:
        """Look at once whether trades are to be ended."""
        self._changed.set()

    async def run(self) -> None:
        """Look on until cancelled."""
        while True:
            self._changed.clear()
            with self._rest.acting():
                ending = await self._once()
            pause = ending.again_in.total_seconds() if ending.again_in is not None else None
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            except TimeoutError:
                pass  # What is being ended is looked at again until it is over.

    async def _once(self) -> Ending:
        try:
            ending = await self._end.run()
        except StoreInDoubtError:
            raise
        except StoreUnavailableError:
            ending = Ending(again_in=STORE_PAUSE)
        released = self._desk.take_released(self._account.account.account_id)
        self._send([*ending.intents, *released])
        if ending.done is not None:
            text = f"Everything is closed: {ending.done}"
            about = f"account:{self._account.account.account_id}"
            await self._notify(NoticeKind.STATE_CHANGED, about, {"text": text})
        return ending
