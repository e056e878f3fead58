"""Where the engine reads prices: the protocol, a plain table, and a board that values ticks."""

from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from signalfleet.domain.errors import DomainError
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.money import Price

_TICK_VALUE_STEP: Final = Decimal("0.0000000001")


class Prices(Protocol):
    """The prices and instruments of one broker."""

    def instrument(self, symbol: str) -> Instrument | None: ...

    def quote(self, symbol: str, currency: str) -> Quote | None:
        """Return the latest quote with its tick values in that currency; None before the first."""
        ...

    def is_open(self, symbol: str) -> bool: ...


class QuoteTable:
    """Quotes as somebody else made them, tick values included; one account currency."""

    def __init__(self) -> None:
        self._instruments: dict[str, Instrument] = {}
        self._quotes: dict[str, Quote] = {}
        self._closed: set[str] = set()

    def put_instrument(self, instrument: Instrument) -> None:
        self._instruments[instrument.name] = instrument

    def put_quote(self, quote: Quote) -> None:
        if quote.ask.value < quote.bid.value:
            raise DomainError(f"{quote.symbol}: the ask is below the bid")
        self._quotes[quote.symbol] = quote

    def set_open(self, symbol: str, *, is_open: bool) -> None:
        (self._closed.discard if is_open else self._closed.add)(symbol)

    def instrument(self, symbol: str) -> Instrument | None:
        return self._instruments.get(symbol)

    def quote(self, symbol: str, currency: str) -> Quote | None:  # noqa: ARG002  one currency only
        return self._quotes.get(symbol)

    def is_open(self, symbol: str) -> bool:
        return symbol not in self._closed


class PriceBoard:
    """Bid and ask by symbol; values ticks in any currency that its own pairs lead to.

    A gain in a foreign currency is sold at the worse side of the pair and a loss bought at the
    worse side too, so the two tick values differ by the pair's spread.
    """

    def __init__(self) -> None:
        self._instruments: dict[str, Instrument] = {}
        self._pairs: dict[tuple[str, str], str] = {}
        self._sides: dict[str, tuple[Price, Price, datetime]] = {}
        self._cache: dict[tuple[str, str], Quote] = {}
        self._closed: set[str] = set()

    def put_instrument(self, instrument: Instrument) -> None:
        self._instruments[instrument.name] = instrument
        self._pairs[instrument.base_currency, instrument.profit_currency] = instrument.name

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return tuple(self._instruments.values())

    def update(self, symbol: str, bid: Price, ask: Price, at: datetime) -> None:
        """Take the new sides of a symbol; all quotes handed out later are of this moment."""
        if symbol not in self._instruments:
            raise DomainError(f"{symbol} has no instrument on this board")
        if ask.value < bid.value:
            raise DomainError(f"{symbol}: the ask is below the bid")
        self._sides[symbol] = (bid, ask, at)
        if self._cache:
            self._cache = {}

    def forget(self, symbol: str) -> None:
        """Drop the quotes of a symbol, as before its first."""
        self._sides.pop(symbol, None)
        self._cache = {}

    def set_open(self, symbol: str, *, is_open: bool) -> None:
        (self._closed.discard if is_open else self._closed.add)(symbol)

    def instrument(self, symbol: str) -> Instrument | None:
        return self._instruments.get(symbol)

    def is_open(self, symbol: str) -> bool:
        return symbol not in self._closed

    def sides(self, symbol: str) -> tuple[Price, Price, datetime] | None:
        """Return bid, ask and their time."""
        return self._sides.get(symbol)

    def quote(self, symbol: str, currency: str) -> Quote | None:
        cached = self._cache.get((symbol, currency))
        if cached is not None:
            return cached
        sides = self._sides.get(symbol)
        if sides is None:
            return None
        instrument = self._instruments[symbol]
        rates = self._rates(instrument.profit_currency or currency, currency)
        if rates is None:
            return None
        raw = instrument.tick_size * instrument.contract_size
        quote = Quote(
            symbol=symbol,
            bid=sides[0],
            ask=sides[1],
            profit_tick_value=(raw * rates[0]).quantize(_TICK_VALUE_STEP),
            loss_tick_value=(raw * rates[1]).quantize(_TICK_VALUE_STEP),
            at=sides[2],
        )
        self._cache[symbol, currency] = quote
        return quote

    def _rates(self, source: str, target: str) -> tuple[Decimal, Decimal] | None:
        """Return what one unit of `source` brings and what it costs, directly or through USD."""
        if source == target:
            return Decimal(1), Decimal(1)
        direct = self._direct(source, target)
        if direct is not None:
            return direct
        first, second = self._direct(source, "USD"), self._direct("USD", target)
        if first is None or second is None:
            return None
        return first[0] * second[0], first[1] * second[1]

    def _direct(self, source: str, target: str) -> tuple[Decimal, Decimal] | None:
        straight = self._sides.get(self._pairs.get((source, target), ""))
        if straight is not None:
            return straight[0].value, straight[1].value
        turned = self._sides.get(self._pairs.get((target, source), ""))
        if turned is not None:
            return 1 / turned[1].value, 1 / turned[0].value
        return None
