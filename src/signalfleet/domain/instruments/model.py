"""What a broker says of one instrument, and its price at one moment."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from signalfleet.domain.instruments.sessions import TradeSessions
from signalfleet.domain.money import Lots, Price


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """Return 1 for a buy and -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One symbol at one broker server. Distances named `_level` are in points.

    `sessions` None: the broker does not say when it trades the symbol.
    """

    name: str
    digits: int
    tick_size: Decimal
    point: Decimal
    contract_size: Decimal
    min_lots: Lots
    max_lots: Lots
    lot_step: Decimal
    pip_size: Decimal | None = None
    stops_level: int = 0
    freeze_level: int = 0
    base_currency: str = ""
    profit_currency: str = ""
    trade_mode: str = "SYMBOL_TRADE_MODE_FULL"
    filling_modes: tuple[str, ...] = ()
    expiration_modes: tuple[str, ...] = ()
    sessions: TradeSessions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Bid and ask, with the account-currency value of one tick of one lot, won or lost.

    `broker_ahead` is the broker's clock minus UTC, where the broker tells it.
    """

    symbol: str
    bid: Price
    ask: Price
    profit_tick_value: Decimal
    loss_tick_value: Decimal
    at: datetime
    broker_ahead: timedelta | None = None

    @property
    def spread(self) -> Decimal:
        return self.ask.value - self.bid.value

    def to_open(self, side: Side) -> Price:
        """Return the price at which a market order of that side fills."""
        return self.ask if side is Side.BUY else self.bid

    def to_close(self, side: Side) -> Price:
        """Return the price at which a position of that side is closed."""
        return self.bid if side is Side.BUY else self.ask
