"""One MetaTrader account: what can be asked of it and what an answer proves."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol, TypeAlias

from signalfleet.domain.instruments.model import Instrument, Quote, Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.facts import Movement
from signalfleet.domain.trading.orders import BrokerOrder
from signalfleet.domain.trading.outcomes import Outcome
from signalfleet.domain.trading.reports import AccountFacts, Snapshot

Gate: TypeAlias = Callable[[], None]
"""The last check before the write, in memory and fast; raises NotSentError to stop the order.

It may be called more than once, and on another thread than the event loop's.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginQuestion:
    """A position of which the margin is asked."""

    symbol: str
    side: Side
    lots: Lots
    price: Price


class PriceSource(Protocol):
    """What can be traded at a broker, and its price."""

    async def symbols(self) -> frozenset[str]: ...

    async def instrument(self, symbol: str) -> Instrument:
        """Return the facts of a symbol; RefusedError if the account does not have it."""
        ...

    async def quote(self, symbol: str) -> Quote:
        """Return a fresh price; TemporaryError if there is none now."""
        ...


class Broker(PriceSource, Protocol):
    @property
    def look_pause(self) -> timedelta:
        """Return how far apart routine looks should be at least now; zero if nothing is short."""
        ...

    @property
    def moves_stops(self) -> bool:
        """Tell whether the broker's side can move a stop by itself (TrailingStop)."""
        ...

    async def submit(self, order: BrokerOrder, gate: Gate) -> Outcome:
        """Send one order once. Never repeated by anything, here or around it.

        `gate` is called directly before the first byte. Raises NotSentError when provably nothing
        left. A cancelled call whose write had begun goes on in the background and its outcome
        is lost: the caller must treat it as Unknown. What opens is an entry, all else is
        protective: only entries stop for scarce credits or a failing service.
        """
        ...

    async def snapshot(self, since: datetime, *, full: bool, urgent: bool = False) -> Snapshot:
        """Look at positions and orders and, if `full`, at history since then. Reads only.

        Parts that could not be read make the snapshot incomplete; TemporaryError if none could.
        SignInRequiredError when the token is refused. `urgent` looks, made for a protective order,
        are not held back for the sake of the service or of credits.
        """
        ...

    async def account(self) -> AccountFacts: ...

    async def movements(self, since: datetime) -> tuple[Movement, ...]:
        """Return every change of the balance since then; TemporaryError if not all can be read."""
        ...

    async def margin(self, question: MarginQuestion) -> Decimal | None:
        """Return the margin in the account's currency; None if the broker cannot tell."""
        ...
