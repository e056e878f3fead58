"""How a fill changes a book: positions open, grow, shrink, turn round and close by deals."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Final

from signalfleet.domain.exchange.book import Book
from signalfleet.domain.exchange.costs import Costs, to_cents
from signalfleet.domain.exchange.model import (
    ZERO,
    Deal,
    Entry,
    Label,
    Order,
    OrderKind,
    OrderState,
    Position,
)
from signalfleet.domain.exchange.prices import Prices
from signalfleet.domain.exchange.triggers import Triggers
from signalfleet.domain.exchange.valuation import earned
from signalfleet.domain.money import Lots, Price

_AVERAGE_DIGITS: Final = 6
_NO_LOTS: Final = Lots(ZERO)


class Fills:
    """Carries out fills whose price is already decided; checks nothing."""

    def __init__(self, prices: Prices, costs: Costs, triggers: Triggers, first_ticket: int) -> None:
        self._prices = prices
        self._costs = costs
        self._triggers = triggers
        self._order_tickets = count(first_ticket)
        self._deal_tickets = count(first_ticket)

    def next_order(self) -> int:
        return next(self._order_tickets)

    def next_deal(self) -> int:
        return next(self._deal_tickets)

    def enter(self, book: Book, order: Order, price: Price, now: datetime) -> Deal:
        """Fill an order that opens: a new position, or on a netting account one with the held."""
        held = next(iter(book.positions_in(order.symbol)), None) if book.is_netting else None
        ticket = order.ticket if held is None else held.ticket
        filled = _filled(order, price, ticket, now)
        book.put_order(filled, now)
        if held is None:
            return self._open(book, filled, price, now)
        if held.side is order.side:
            return self._grow(book, held, filled, price, now)
        if order.lots > held.lots:
            return self._turn(book, held, filled, price, now)
        return self._shrink(book, held, order.lots, order=filled, price=price, now=now)

    def exit(
        self, book: Book, held: Position, lots: Lots, price: Price, *, label: Label, now: datetime
    ) -> tuple[Order, Deal]:
        """Close a position or part of it by an order of the other side."""
        order = Order(
            ticket=self.next_order(),
            symbol=held.symbol,
            side=held.side.opposite,
            kind=OrderKind.MARKET,
            state=OrderState.FILLED,
            lots=lots,
            lots_left=_NO_LOTS,
            price=price,
            placed_at=now,
            done_at=now,
            position=held.ticket,
            label=label,
        )
        book.put_order(order, now)
        return order, self._shrink(book, held, lots, order=order, price=price, now=now)

    def _open(self, book: Book, order: Order, price: Price, now: datetime) -> Deal:
        deal = self._deal(order, Entry.IN, price, now)
        position = Position(
            ticket=order.ticket,
            symbol=order.symbol,
            side=order.side,
            lots=order.lots,
            open_price=price,
            opened_at=now,
            updated_at=now,
            stop_loss=order.stop_loss,
            take_profit=order.take_profit,
            label=order.label,
            commission=deal.commission,
        )
        book.put_deal(deal)
        book.put_position(position)
        self._triggers.watch_position(book.account, position)
        return deal

    def _grow(self, book: Book, held: Position, order: Order, price: Price, now: datetime) -> Deal:
        lots = held.lots.value + order.lots.value
        value = held.open_price.value * held.lots.value + price.value * order.lots.value
        instrument = self._prices.instrument(held.symbol)
        digits = (instrument.digits if instrument else 0) + _AVERAGE_DIGITS
        deal = self._deal(order, Entry.IN, price, now)
        grown = replace(
            held,
            lots=Lots(lots),
            open_price=Price((value / lots).quantize(Decimal(1).scaleb(-digits))),
            updated_at=now,
            stop_loss=order.stop_loss or held.stop_loss,
            take_profit=order.take_profit or held.take_profit,
            commission=held.commission + deal.commission,
        )
        book.put_deal(deal)
        book.put_position(grown)
        self._triggers.watch_position(book.account, grown, held)
        return deal

    def _turn(self, book: Book, held: Position, order: Order, price: Price, now: datetime) -> Deal:
        profit = earned(self._prices, book, held, held.lots, price)
        deal = replace(self._deal(order, Entry.INOUT, price, now), profit=profit, swap=held.swap)
        turned = Position(
            ticket=held.ticket,
            symbol=held.symbol,
            side=order.side,
            lots=Lots(order.lots.value - held.lots.value),
            open_price=price,
            opened_at=now,
            updated_at=now,
            stop_loss=order.stop_loss,
            take_profit=order.take_profit,
            label=order.label,
            realized=held.realized + deal.profit,
        )
        book.put_deal(deal)
        book.put_position(turned)
        self._triggers.watch_position(book.account, turned, held)
        return deal

    def _shrink(
        self, book: Book, held: Position, lots: Lots, *, order: Order, price: Price, now: datetime
    ) -> Deal:
        rest = held.lots.value - lots.value
        swap = held.swap if not rest else to_cents(held.swap * lots.value / held.lots.value)
        deal = replace(
            self._deal(order, Entry.OUT, price, now),
            profit=earned(self._prices, book, held, lots, price),
            swap=swap,
            stop_loss=held.stop_loss,
            take_profit=held.take_profit,
        )
        book.put_deal(deal)
        if not rest:
            book.drop_position(held, now)
            return deal
        book.put_position(
            replace(
                held,
                lots=Lots(rest),
                updated_at=now,
                swap=held.swap - swap,
                commission=to_cents(held.commission * rest / held.lots.value),
                realized=held.realized + deal.profit,
            )
        )
        return deal

    def _deal(self, order: Order, entry: Entry, price: Price, now: datetime) -> Deal:
        return Deal(
            ticket=self.next_deal(),
            entry=entry,
            at=now,
            profit=ZERO,
            commission=self._costs.commission(order.symbol, order.lots),
            symbol=order.symbol,
            side=order.side,
            lots=order.lots,
            price=price,
            order=order.ticket,
            position=order.position,
            label=order.label,
            stop_loss=order.stop_loss,
            take_profit=order.take_profit,
        )


def _filled(order: Order, price: Price, position: int, now: datetime) -> Order:
    """Return the order as its fill leaves it."""
    # Spelled out, because `replace` takes three times as long and each trade comes through here.
    return Order(
        ticket=order.ticket,
        symbol=order.symbol,
        side=order.side,
        kind=order.kind,
        state=OrderState.FILLED,
        lots=order.lots,
        lots_left=_NO_LOTS,
        price=price if order.kind is OrderKind.MARKET else order.price,
        placed_at=order.placed_at,
        done_at=now,
        stop_limit_price=order.stop_limit_price,
        stop_loss=order.stop_loss,
        take_profit=order.take_profit,
        expires_at=order.expires_at,
        position=position,
        filling=order.filling,
        label=order.label,
    )
