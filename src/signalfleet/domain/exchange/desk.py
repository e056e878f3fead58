"""Takes the commands of one account at a time: checks them as a broker's server does, then acts."""

import heapq
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from signalfleet.domain.exchange.book import Book
from signalfleet.domain.exchange.checks import (
    check_close_volume,
    check_entry,
    check_fifo,
    check_frozen,
    check_levels,
    check_market,
    check_pending,
)
from signalfleet.domain.exchange.fills import Fills
from signalfleet.domain.exchange.model import (
    AmendOrder,
    CancelOrder,
    ClosePosition,
    Command,
    Done,
    OpenPosition,
    Order,
    OrderKind,
    OrderState,
    Outcome,
    PlaceOrder,
    Reason,
    Refused,
    RejectReason,
    SetLevels,
)
from signalfleet.domain.exchange.prices import Prices
from signalfleet.domain.exchange.triggers import Triggers
from signalfleet.domain.exchange.valuation import figures, required_margin
from signalfleet.domain.ids import AccountId
from signalfleet.domain.instruments.model import Instrument, Side
from signalfleet.domain.money import Lots, Price

_NO_POSITION = Refused(reason=RejectReason.POSITION_NOT_FOUND, text="position not found")
_NO_ORDER = Refused(reason=RejectReason.ORDER_NOT_FOUND, text="order not found")

Expiry = tuple[datetime, int, AccountId]


class Desk:
    def __init__(
        self, prices: Prices, fills: Fills, triggers: Triggers, expiries: list[Expiry]
    ) -> None:
        self._prices = prices
        self._fills = fills
        self._triggers = triggers
        self._expiries = expiries

    def execute(self, book: Book, command: Command, now: datetime, slip: Decimal) -> Outcome:
        match command:
            case OpenPosition():
                return self._open_position(book, command, now, slip)
            case PlaceOrder():
                return self._place_order(book, command, now)
            case SetLevels():
                return self._set_levels(book, command, now)
            case ClosePosition():
                return self._close_position(book, command, now, slip)
            case AmendOrder():
                return self._amend_order(book, command, now)
            case CancelOrder():
                return self._cancel_order(book, command, now)
            case _:
                assert_never(command)

    def check_money(
        self, book: Book, symbol: str, side: Side, lots: Lots, price: Price
    ) -> Refused | None:
        """Check that the free margin carries the position; what nets away needs none."""
        if book.is_netting:
            for held in book.positions_in(symbol):
                if held.side is not side:
                    lots = Lots(max(lots.value - held.lots.value, 0 * lots.value))
        required = required_margin(self._prices, book, symbol, lots, price)
        if required is not None and required <= figures(self._prices, book).free_margin:
            return None
        return Refused(reason=RejectReason.NO_MONEY, text="not enough money")

    def keep(self, book: Book, order: Order, now: datetime) -> None:
        """Put a pending order, new or changed, into the book and watch it."""
        book.put_order(order, now)
        self._triggers.watch_order(book.account, order)
        if order.expires_at is not None:
            heapq.heappush(self._expiries, (order.expires_at, order.ticket, book.account))

    def _open_position(
        self, book: Book, command: OpenPosition, now: datetime, slip: Decimal
    ) -> Outcome:
        found = check_market(book, self._prices, command.symbol)
        if isinstance(found, Refused):
            return found
        instrument, quote = found
        side = command.side
        closing = quote.to_close(side).value
        refused = check_entry(book, instrument, command) or check_levels(
            instrument, side, closing, command.stop_loss, command.take_profit
        )
        price = _slipped(quote.to_open(side), side, slip)
        refused = refused or self.check_money(book, command.symbol, side, command.lots, price)
        if refused is not None:
            return refused
        order = self._new_order(command, instrument, OrderKind.MARKET, price, now)
        deal = self._fills.enter(book, order, price, now)
        return Done(
            order=order.ticket,
            position=deal.position,
            deal=deal.ticket,
            price=price,
            lots=command.lots,
        )

    def _place_order(self, book: Book, command: PlaceOrder, now: datetime) -> Outcome:
        found = check_market(book, self._prices, command.symbol)
        if isinstance(found, Refused):
            return found
        instrument, quote = found
        refused = check_entry(book, instrument, command) or check_pending(
            instrument, quote, command, now
        )
        if refused is not None:
            return refused
        order = replace(
            self._new_order(command, instrument, command.kind, command.price, now),
            stop_limit_price=command.stop_limit_price,
            expires_at=command.expires_at,
        )
        self.keep(book, order, now)
        return Done(order=order.ticket, price=order.price, lots=order.lots)

    def _set_levels(self, book: Book, command: SetLevels, now: datetime) -> Outcome:
        held = book.positions.get(command.position)
        if held is None:
            return _NO_POSITION
        found = check_market(book, self._prices, held.symbol)
        if isinstance(found, Refused):
            return found
        if (held.stop_loss, held.take_profit) == (command.stop_loss, command.take_profit):
            return Done(position=held.ticket, is_changed=False)
        instrument, quote = found
        near = quote.to_close(held.side).value
        # A level that stays as it is was accepted before and is not held to the distance again.
        stop = command.stop_loss if command.stop_loss != held.stop_loss else None
        target = command.take_profit if command.take_profit != held.take_profit else None
        refused = check_frozen(instrument, near, held.stop_loss, held.take_profit) or check_levels(
            instrument, held.side, near, stop, target
        )
        if refused is not None:
            return refused
        changed = replace(
            held, stop_loss=command.stop_loss, take_profit=command.take_profit, updated_at=now
        )
        book.put_position(changed)
        self._triggers.watch_position(book.account, changed, held)
        return Done(position=held.ticket)

    def _close_position(
        self, book: Book, command: ClosePosition, now: datetime, slip: Decimal
    ) -> Outcome:
        held = book.positions.get(command.position)
        if held is None:
            return _NO_POSITION
        found = check_market(book, self._prices, held.symbol)
        if isinstance(found, Refused):
            return found
        instrument, quote = found
        lots = command.lots or held.lots
        near = quote.to_close(held.side)
        refused = (
            check_close_volume(instrument, held, lots)
            or check_fifo(book, held)
            or check_frozen(instrument, near.value, held.stop_loss, held.take_profit)
        )
        if refused is not None:
            return refused
        price = _slipped(near, held.side.opposite, slip)
        label = command.label or replace(held.label, reason=Reason.EXPERT)
        order, deal = self._fills.exit(book, held, lots, price, label=label, now=now)
        return Done(
            order=order.ticket, position=held.ticket, deal=deal.ticket, price=price, lots=lots
        )

    def _amend_order(self, book: Book, command: AmendOrder, now: datetime) -> Outcome:
        order = book.orders.get(command.order)
        if order is None:
            return _NO_ORDER
        found = check_market(book, self._prices, order.symbol)
        if isinstance(found, Refused):
            return found
        instrument, quote = found
        changed = replace(
            order,
            price=command.price,
            stop_limit_price=command.stop_limit_price,
            stop_loss=command.stop_loss,
            take_profit=command.take_profit,
            expires_at=command.expires_at,
        )
        if changed == order:
            return Done(order=order.ticket, is_changed=False)
        wish = PlaceOrder(
            symbol=order.symbol,
            side=order.side,
            kind=order.kind,
            lots=order.lots,
            price=command.price,
            stop_limit_price=command.stop_limit_price,
            stop_loss=command.stop_loss,
            take_profit=command.take_profit,
            expires_at=command.expires_at,
        )
        near = quote.to_open(order.side).value
        refused = check_frozen(instrument, near, order.price) or check_pending(
            instrument, quote, wish, now
        )
        if refused is not None:
            return refused
        self.keep(book, changed, now)
        return Done(order=order.ticket, price=changed.price)

    def _cancel_order(self, book: Book, command: CancelOrder, now: datetime) -> Outcome:
        order = book.orders.get(command.order)
        if order is None:
            return _NO_ORDER
        found = check_market(book, self._prices, order.symbol)
        if isinstance(found, Refused):
            return found
        instrument, quote = found
        refused = check_frozen(instrument, quote.to_open(order.side).value, order.price)
        if refused is not None:
            return refused
        book.put_order(replace(order, state=OrderState.CANCELED, done_at=now), now)
        return Done(order=order.ticket)

    def _new_order(
        self,
        command: OpenPosition | PlaceOrder,
        instrument: Instrument,
        kind: OrderKind,
        price: Price,
        now: datetime,
    ) -> Order:
        usable = instrument.filling_modes
        wanted = command.filling or usable
        return Order(
            ticket=self._fills.next_order(),
            symbol=command.symbol,
            side=command.side,
            kind=kind,
            state=OrderState.PLACED,
            lots=command.lots,
            lots_left=command.lots,
            price=price,
            placed_at=now,
            stop_loss=command.stop_loss,
            take_profit=command.take_profit,
            filling=next((mode for mode in wanted if not usable or mode in usable), ""),
            label=command.label,
        )


def _slipped(price: Price, side: Side, slip: Decimal) -> Price:
    return Price(price.value + side.sign * slip) if slip else price
