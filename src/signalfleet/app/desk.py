"""One account at work: its broker, what is known of it just now, and its symbols' names."""

from datetime import datetime, timedelta
from typing import Final

from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.trading.reports import AccountFacts
from signalfleet.ports.broker import Broker
from signalfleet.ports.clock import Clock
from signalfleet.ports.store import Account

FACTS_AGE: Final = timedelta(seconds=60)


class AccountDesk:
    """Caches what planning may reuse for a moment. `reconciled` opens it for entries."""

    def __init__(self, account: Account, broker: Broker, clock: Clock) -> None:
        self.account = account
        self.broker = broker
        self.reconciled = False
        self._clock = clock
        self._facts: AccountFacts | None = None

    async def facts(self, *, max_age: timedelta = FACTS_AGE) -> AccountFacts:
        """Return the account's facts, read again if older than `max_age`."""
        now = self._clock.now()
        if self._facts is None or now - self._facts.read_at > max_age:
            self._facts = await self.broker.account()
        return self._facts

    def facts_changed(self) -> None:
        """Forget the facts: something was executed."""
        self._facts = None

    async def quote(self, name: str) -> Quote:
        return await self.broker.quote(name)

    async def instrument(self, name: str) -> Instrument:
        return await self.broker.instrument(name)

    def now(self) -> datetime:
        return self._clock.now()
