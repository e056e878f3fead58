"""One MetaTrader account: what can be asked of it and what an answer proves."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeAlias

from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.trading.orders import BrokerOrder
from signalfleet.domain.trading.outcomes import Outcome
from signalfleet.domain.trading.reports import AccountFacts, Snapshot

Gate: TypeAlias = Callable[[], None]
"""The last check before the write, in memory and fast; raises NotSentError to stop the order."""


class Broker(Protocol):
    async def submit(self, order: BrokerOrder, gate: Gate) -> Outcome:
        """Send one order once. Never repeated by anything, here or around it.

        `gate` is called directly before the first byte. Raises NotSentError when provably nothing
        left. A cancelled call whose write had begun goes on in the background and its outcome
        is lost: the caller must treat it as Unknown.
        """
        ...

    async def snapshot(self, since: datetime, *, full: bool) -> Snapshot:
        """Look at positions and orders and, if `full`, at history since then. Reads only.

        Parts that could not be read make the snapshot incomplete; TemporaryError if none could.
        SignInRequiredError when the token is refused.
        """
        ...

    async def account(self) -> AccountFacts: ...

    async def symbols(self) -> frozenset[str]: ...

    async def instrument(self, symbol: str) -> Instrument:
        """Return the facts of a symbol; RefusedError if the account does not have it."""
        ...

    async def quote(self, symbol: str) -> Quote:
        """Return a fresh price; TemporaryError if there is none now."""
        ...
