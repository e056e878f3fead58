"""What a book is worth at the latest quotes."""

from decimal import Decimal

from signalfleet.domain.errors import InvariantError
from signalfleet.domain.exchange.book import Book
from signalfleet.domain.exchange.costs import margin, profit, to_cents
from signalfleet.domain.exchange.model import ZERO, Figures, Position
from signalfleet.domain.exchange.prices import Prices
from signalfleet.domain.money import Lots, Price


def earned(prices: Prices, book: Book, held: Position, lots: Lots, price: Price) -> Decimal:
    """Return the profit of part of a position at a price, before costs."""
    instrument = prices.instrument(held.symbol)
    quote = prices.quote(held.symbol, book.terms.currency)
    if instrument is None or quote is None:
        raise InvariantError(f"a position in {held.symbol} without instrument or quote")
    return profit(held.side, lots, held.open_price, price, instrument=instrument, quote=quote)


def floating(prices: Prices, book: Book, held: Position) -> Decimal:
    """Return what closing the position now would earn, before costs; zero without a quote."""
    quote = prices.quote(held.symbol, book.terms.currency)
    if quote is None:
        return ZERO
    return earned(prices, book, held, held.lots, quote.to_close(held.side))


def required_margin(
    prices: Prices, book: Book, symbol: str, lots: Lots, price: Price
) -> Decimal | None:
    """Return the margin of a position of that size; None without instrument or quote."""
    instrument = prices.instrument(symbol)
    quote = prices.quote(symbol, book.terms.currency)
    if instrument is None or quote is None:
        return None
    return margin(lots, price, instrument, quote, book.terms.leverage)


def figures(prices: Prices, book: Book) -> Figures:
    equity, used = book.balance, ZERO
    currency, leverage = book.terms.currency, book.terms.leverage
    for held in book.positions.values():
        equity += held.swap
        instrument, quote = prices.instrument(held.symbol), prices.quote(held.symbol, currency)
        if instrument is None or quote is None:
            continue
        side, lots, opened = held.side, held.lots, held.open_price
        closing = quote.to_close(side)
        equity += profit(side, lots, opened, closing, instrument=instrument, quote=quote)
        used += margin(lots, opened, instrument, quote, leverage)
    return Figures(
        balance=book.balance,
        equity=equity,
        margin=used,
        free_margin=equity - used,
        margin_level=to_cents(equity / used * 100) if used else None,
    )
