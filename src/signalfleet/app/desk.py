"""One account at work: its broker, what is known of it just now, and its symbols' names."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.trading.reports import AccountFacts
from signalfleet.ports.broker import Broker
from signalfleet.ports.clock import Clock
from signalfleet.ports.store import Account

FACTS_AGE: Final = timedelta(seconds=60)
QUOTES: Final = 200
PATIENCE_S: Final = 5.0
"""Deciding waits so long for the first look at an account: then the other accounts go on."""


@dataclass(frozen=True, slots=True)
class QuoteAtHand:
    """The last price that was read, and how long ago that was."""

    quote: Quote
    age: timedelta


class AccountDesk:
    """Caches what planning may reuse for a moment. `reconciled` opens it for entries.

    `close_all` says why all of its trades are being closed, None if they are not.
    """

    def __init__(self, account: Account, broker: Broker, clock: Clock) -> None:
        self.account = account
        self.broker = broker
        self.reconciled = False
        self.close_all: str | None = None
        self._clock = clock
        self._opened_at = clock.monotonic()
        self._facts: AccountFacts | None = None
        self._quotes: dict[str, tuple[Quote, float]] = {}

    @property
    def is_awaited(self) -> bool:
        """Tell whether its first look may still come soon; without one it gets no entries."""
        waits = self._clock.monotonic() - self._opened_at < PATIENCE_S
        return waits and not self.reconciled

    async def facts(self, *, max_age: timedelta = FACTS_AGE) -> AccountFacts:
        """Return the account's facts, read again if older than `max_age`."""
        now = self._clock.now()
        if self._facts is None or now - self._facts.read_at > max_age:
            self._facts = await self.broker.account()
        return self._facts

    def forget(self) -> None:
        """Drop what can be read again."""
        self._facts = None
        self._quotes.clear()

    def facts_changed(self) -> None:
        """Forget the facts: something was executed."""
        self._facts = None

    async def quote(self, name: str) -> Quote:
        asked = self._clock.monotonic()
        found = await self.broker.quote(name)
        self._quotes.pop(name, None)
        while len(self._quotes) >= QUOTES:
            del self._quotes[next(iter(self._quotes))]
        self._quotes[name] = (found, asked)
        return found

    def quote_at_hand(self, name: str) -> QuoteAtHand | None:
        """Return the price that was read last, without reading; its age counts from the asking."""
        found = self._quotes.get(name)
        if found is None:
            return None
        quote, asked = found
        return QuoteAtHand(quote, timedelta(seconds=self._clock.monotonic() - asked))

    async def instrument(self, name: str) -> Instrument:
        return await self.broker.instrument(name)

    def now(self) -> datetime:
        return self._clock.now()
