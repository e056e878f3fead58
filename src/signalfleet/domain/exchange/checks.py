"""What a broker's server checks before it takes a command; the first failing check answers."""

from datetime import datetime
from decimal import Decimal

from signalfleet.domain.exchange.book import Book
from signalfleet.domain.exchange.model import (
    OpenPosition,
    OrderKind,
    PlaceOrder,
    Position,
    Refused,
    RejectReason,
)
from signalfleet.domain.exchange.prices import Prices
from signalfleet.domain.instruments.model import Instrument, Quote, Side
from signalfleet.domain.money import Lots, Price

_SPECIFIED = "SYMBOL_EXPIRATION_SPECIFIED"


def check_market(book: Book, prices: Prices, symbol: str) -> tuple[Instrument, Quote] | Refused:
    """Find the instrument and its quote; refuse where nothing at all can be traded."""
    instrument = prices.instrument(symbol)
    if instrument is None:
        return Refused(reason=RejectReason.UNKNOWN_SYMBOL, text=f"unknown symbol {symbol}")
    if not book.is_trade_allowed or instrument.trade_mode == "SYMBOL_TRADE_MODE_DISABLED":
        return Refused(reason=RejectReason.TRADE_DISABLED, text="trade is disabled")
    if not prices.is_open(symbol):
        return Refused(reason=RejectReason.MARKET_CLOSED, text="market is closed")
    quote = prices.quote(symbol, book.terms.currency)
    if quote is None:
        return Refused(reason=RejectReason.NO_QUOTES, text=f"no quotes for {symbol}")
    return instrument, quote


def check_entry(
    book: Book, instrument: Instrument, command: OpenPosition | PlaceOrder
) -> Refused | None:
    """Check what every new order has: direction, volume, filling, limits of the account."""
    refused = _check_direction(instrument, command.side)
    refused = refused or check_volume(instrument, command.lots)
    if refused is not None:
        return refused
    modes = instrument.filling_modes
    if command.filling and modes and not set(command.filling) & set(modes):
        return Refused(reason=RejectReason.INVALID_FILL, text="unsupported filling mode")
    return _check_limits(book, command)


def check_volume(instrument: Instrument, lots: Lots) -> Refused | None:
    value, step = lots.value, instrument.lot_step
    if instrument.min_lots.value <= value <= instrument.max_lots.value and not value % step:
        return None
    text = f"volume must be {instrument.min_lots} to {instrument.max_lots} in steps of {step}"
    return Refused(reason=RejectReason.INVALID_VOLUME, text=text)


def check_close_volume(instrument: Instrument, position: Position, lots: Lots) -> Refused | None:
    """Check that the part is tradable itself and leaves nothing or a tradable rest."""
    rest = position.lots.value - lots.value
    is_fine = (
        instrument.min_lots.value <= lots.value <= position.lots.value
        and not lots.value % instrument.lot_step
        and (rest == 0 or rest >= instrument.min_lots.value)
    )
    if is_fine:
        return None
    text = f"cannot close {lots} of {position.lots} lots"
    return Refused(reason=RejectReason.INVALID_CLOSE_VOLUME, text=text)


def check_levels(
    instrument: Instrument,
    side: Side,
    reference: Decimal,
    stop_loss: Price | None,
    take_profit: Price | None,
) -> Refused | None:
    """Check side, distance and grid of both levels against the price that would touch them.

    The reference is the closing side of the quote for a position, the price of a pending order.
    """
    gap = instrument.stops_level * instrument.point
    sign = side.sign
    for level, away in ((stop_loss, -sign), (take_profit, sign)):
        if level is None:
            continue
        distance = (level.value - reference) * away
        if distance <= 0 or distance < gap or not is_on_grid(instrument, level):
            text = f"level {level} is on the wrong side of {reference}, too close or off the grid"
            return Refused(reason=RejectReason.INVALID_STOPS, text=text)
    return None


def check_pending(
    instrument: Instrument,
    quote: Quote,
    command: PlaceOrder,
    now: datetime,
) -> Refused | None:
    """Check price, expiry and levels of a pending order against the market."""
    refused = _check_price(instrument, quote, command)
    if refused is not None:
        return refused
    if command.expires_at is not None:
        modes = instrument.expiration_modes
        if command.expires_at <= now or (modes and _SPECIFIED not in modes):
            return Refused(reason=RejectReason.INVALID_EXPIRATION, text="invalid expiration")
    reference = command.stop_limit_price or command.price
    return check_levels(
        instrument, command.side, reference.value, command.stop_loss, command.take_profit
    )


def check_frozen(instrument: Instrument, near: Decimal, *levels: Price | None) -> Refused | None:
    """Inside the freeze level around the price nothing may be changed any more."""
    reach = instrument.freeze_level * instrument.point
    if reach and any(level and abs(level.value - near) <= reach for level in levels):
        return Refused(reason=RejectReason.FROZEN, text="inside the freeze level")
    return None


def is_on_grid(instrument: Instrument, price: Price) -> bool:
    return not price.value % instrument.tick_size


def _check_price(instrument: Instrument, quote: Quote, command: PlaceOrder) -> Refused | None:
    if command.kind is OrderKind.MARKET or (
        (command.kind is OrderKind.STOP_LIMIT) != (command.stop_limit_price is not None)
    ):
        return Refused(reason=RejectReason.INVALID_ORDER, text="not a pending order")
    gap = instrument.stops_level * instrument.point
    market = quote.to_open(command.side).value
    away = -command.side.sign if command.kind is OrderKind.LIMIT else command.side.sign
    distance = (command.price.value - market) * away
    is_fine = distance > 0 and distance >= gap and is_on_grid(instrument, command.price)
    limit = command.stop_limit_price
    if is_fine and limit is not None:
        behind = (command.price.value - limit.value) * command.side.sign
        is_fine = behind > 0 and behind >= gap and is_on_grid(instrument, limit)
    if is_fine:
        return None
    text = f"price {command.price} is on the wrong side of {market}, too close or off the grid"
    return Refused(reason=RejectReason.INVALID_PRICE, text=text)


def _check_direction(instrument: Instrument, side: Side) -> Refused | None:
    match instrument.trade_mode:
        case "SYMBOL_TRADE_MODE_CLOSEONLY":
            return Refused(reason=RejectReason.CLOSE_ONLY, text="only closing is allowed")
        case "SYMBOL_TRADE_MODE_LONGONLY" if side is Side.SELL:
            return Refused(reason=RejectReason.LONG_ONLY, text="only buying is allowed")
        case "SYMBOL_TRADE_MODE_SHORTONLY" if side is Side.BUY:
            return Refused(reason=RejectReason.SHORT_ONLY, text="only selling is allowed")
    return None


def _check_limits(book: Book, command: OpenPosition | PlaceOrder) -> Refused | None:
    terms = book.terms
    if isinstance(command, PlaceOrder):
        if terms.max_orders and len(book.orders) >= terms.max_orders:
            return Refused(reason=RejectReason.TOO_MANY_ORDERS, text="too many pending orders")
    elif terms.max_positions and len(book.positions) >= terms.max_positions:
        return Refused(reason=RejectReason.TOO_MANY_POSITIONS, text="too many open positions")
    if terms.max_symbol_lots:
        held = sum(held.lots.value for held in book.positions_in(command.symbol))
        working = sum(
            order.lots_left.value
            for order in book.orders.values()
            if order.symbol == command.symbol
        )
        if held + working + command.lots.value > terms.max_symbol_lots:
            return Refused(reason=RejectReason.VOLUME_LIMIT, text="volume limit of the symbol")
    if not terms.may_hedge and not book.is_netting:
        opposite = command.side.opposite
        if any(held.side is opposite for held in book.positions_in(command.symbol)):
            return Refused(reason=RejectReason.HEDGE_PROHIBITED, text="hedging is prohibited")
    return None


def check_fifo(book: Book, position: Position) -> Refused | None:
    """Under the first-in-first-out rule only the oldest position of a symbol may be closed."""
    if book.terms.is_fifo:
        oldest = min(held.ticket for held in book.positions_in(position.symbol))
        if oldest != position.ticket:
            return Refused(reason=RejectReason.FIFO_CLOSE, text="close the oldest position first")
    return None
