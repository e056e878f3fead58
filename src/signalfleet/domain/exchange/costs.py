"""What a position earns and what trading costs, in the account's currency, to the cent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from signalfleet.domain.exchange.model import ZERO
from signalfleet.domain.instruments.model import Instrument, Quote, Side
from signalfleet.domain.money import Lots, Price

_CENT: Final = Decimal("0.01")


def to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """What one lot held over one night adds to the account; usually below zero."""

    long: Decimal
    short: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Commission per lot at each deal (half of a round turn) and swaps by symbol."""

    commission_per_lot: Decimal = ZERO
    by_symbol: Mapping[str, Decimal] = field(default_factory=dict)
    swaps: Mapping[str, Swap] = field(default_factory=dict)

    def commission(self, symbol: str, lots: Lots) -> Decimal:
        """Return what a deal of that size adds to the account: zero or below."""
        rate = self.by_symbol.get(symbol, self.commission_per_lot)
        return -to_cents(rate * lots.value) if rate else ZERO

    def swap(self, symbol: str, side: Side, lots: Lots) -> Decimal:
        """Return what one night adds to a position of that size."""
        swap = self.swaps.get(symbol)
        if swap is None:
            return ZERO
        return to_cents((swap.long if side is Side.BUY else swap.short) * lots.value)


NO_COSTS: Final = Costs()


def profit(
    side: Side, lots: Lots, opened: Price, closed: Price, *, instrument: Instrument, quote: Quote
) -> Decimal:
    """Return what a position of that size earned between two prices, before costs."""
    move = closed.value - opened.value if side is Side.BUY else opened.value - closed.value
    value = quote.profit_tick_value if move > 0 else quote.loss_tick_value
    return to_cents(move / instrument.tick_size * value * lots.value)


def margin(
    lots: Lots, price: Price, instrument: Instrument, quote: Quote, leverage: int
) -> Decimal:
    """Return what the broker sets aside for a position: its full value over the leverage."""
    value = price.value / instrument.tick_size * quote.loss_tick_value * lots.value
    return to_cents(value / leverage)
