"""The matching engine: takes commands and quotes for many accounts, keeps their books.

Buys open at the ask and close at the bid, sells the other way round, and levels are touched by the
side that closes. A market that jumps over a level fills at the price after the jump. Time, prices
and account numbers come from the caller, so the same calls always give the same books.
"""

import heapq
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from signalfleet.domain.errors import DomainError
from signalfleet.domain.exchange import valuation
from signalfleet.domain.exchange.book import Book, Observer
from signalfleet.domain.exchange.costs import NO_COSTS, Costs, to_cents
from signalfleet.domain.exchange.desk import Desk, Expiry
from signalfleet.domain.exchange.fills import Fills
from signalfleet.domain.exchange.model import (
    ZERO,
    AccountTerms,
    Command,
    Deal,
    Entry,
    Figures,
    Label,
    OrderKind,
    OrderState,
    Outcome,
    Position,
    Reason,
)
from signalfleet.domain.exchange.prices import Prices
from signalfleet.domain.exchange.triggers import Role, Trigger, Triggers
from signalfleet.domain.ids import AccountId
from signalfleet.domain.instruments.model import Quote
from signalfleet.domain.money import Lots, Price

_REASONS = {Role.STOP_LOSS: Reason.STOP_LOSS, Role.TAKE_PROFIT: Reason.TAKE_PROFIT}


class Exchange:
    """All accounts of one broker. `observe` is told of each change of each book, in order."""

    def __init__(
        self,
        prices: Prices,
        *,
        costs: Costs = NO_COSTS,
        first_ticket: int = 10_000_001,
        observe: Observer | None = None,
    ) -> None:
        self._prices = prices
        self._costs = costs
        self._observe = observe
        self._books: dict[AccountId, Book] = {}
        self._triggers = Triggers(self._is_live)
        self._fills = Fills(prices, costs, self._triggers, first_ticket)
        self._expiries: list[Expiry] = []
        self._desk = Desk(prices, self._fills, self._triggers, self._expiries)

    @property
    def prices(self) -> Prices:
        return self._prices

    def open_account(
        self, account: AccountId, terms: AccountTerms, balance: Decimal, now: datetime
    ) -> Book:
        """Open an account with a first payment into it."""
        if account in self._books:
            raise DomainError(f"account {account} exists already")
        book = self._books[account] = Book(account, terms, self._observe)
        self.deposit(account, balance, now)
        return book

    def adopt(self, book: Book) -> None:
        """Take over a book that was kept elsewhere, and watch what is open in it."""
        if book.account in self._books:
            raise DomainError(f"account {book.account} exists already")
        book.observe = self._observe
        self._books[book.account] = book
        for held in book.positions.values():
            self._triggers.watch_position(book.account, held)
        for order in book.orders.values():
            self._triggers.watch_order(book.account, order)
            if order.expires_at is not None:
                heapq.heappush(self._expiries, (order.expires_at, order.ticket, book.account))

    def book(self, account: AccountId) -> Book:
        """Return the books of an account; KeyError for one that was never opened."""
        return self._books[account]

    def deposit(self, account: AccountId, amount: Decimal, now: datetime) -> Deal:
        """Pay an amount in, or out when below zero."""
        deal = Deal(
            ticket=self._fills.next_deal(),
            entry=Entry.BALANCE,
            at=now,
            profit=to_cents(amount),
            label=Label(reason=Reason.BROKER),
        )
        self._books[account].put_deal(deal)
        return deal

    def execute(
        self, account: AccountId, command: Command, now: datetime, *, slip: Decimal = ZERO
    ) -> Outcome:
        """Carry out one command or refuse it whole. `slip` worsens a market fill by that price."""
        return self._desk.execute(self._books[account], command, now, slip)

    def on_quote(self, symbol: str, now: datetime, *, continuous: bool = False) -> int:
        """Run what the latest quote of a symbol touches; return how many levels fired.

        With `continuous` the path between two quotes is taken to have had no jumps, so a level
        fills at itself: for candles, whose extremes were reached step by step.
        """
        if not self._prices.is_open(symbol):
            return 0
        fired = 0
        quotes: dict[str, Quote | None] = {}
        anything = self._prices.quote(symbol, "USD")
        if anything is None:
            return 0
        bid, ask = anything.bid.value, anything.ask.value
        while (trigger := self._triggers.next_touched(symbol, bid, ask)) is not None:
            book = self._books[trigger.account]
            currency = book.terms.currency
            if currency not in quotes:
                quotes[currency] = self._prices.quote(symbol, currency)
            quote = quotes[currency]
            if quote is not None:
                self._fire(book, trigger, quote, now, continuous=continuous)
                fired += 1
        return fired

    def expire(self, now: datetime) -> int:
        """Take out the pending orders whose time is over; return how many."""
        expired = 0
        while self._expiries and self._expiries[0][0] <= now:
            moment, ticket, account = heapq.heappop(self._expiries)
            book = self._books[account]
            order = book.orders.get(ticket)
            if order is not None and order.expires_at == moment:
                book.put_order(replace(order, state=OrderState.EXPIRED, done_at=now), now)
                expired += 1
        return expired

    def enforce_margin(self, now: datetime) -> int:
        """Close the worst position of each account below its stop-out level, one after another."""
        closed = 0
        for book in self._books.values():
            while book.positions:
                level = self.figures(book.account).margin_level
                if level is None or level >= book.terms.stop_out_percent:
                    break
                if not self._close_worst(book, now):
                    break
                closed += 1
        return closed

    def roll_over(self, now: datetime) -> None:
        """Charge one night's swap on every open position."""
        for book in self._books.values():
            for held in list(book.positions.values()):
                swap = self._costs.swap(held.symbol, held.side, held.lots)
                if swap:
                    book.put_position(replace(held, swap=held.swap + swap, updated_at=now))

    def floating(self, account: AccountId, held: Position) -> Decimal:
        """Return what closing the position now would earn, before costs."""
        return valuation.floating(self._prices, self._books[account], held)

    def figures(self, account: AccountId) -> Figures:
        """Return balance, equity and margin at the latest quotes."""
        return valuation.figures(self._prices, self._books[account])

    def margin(self, account: AccountId, symbol: str, lots: Lots, price: Price) -> Decimal | None:
        """Return the margin of a position of that size; None without instrument or quote."""
        return valuation.required_margin(self._prices, self._books[account], symbol, lots, price)

    def _close_worst(self, book: Book, now: datetime) -> bool:
        def result(held: Position) -> Decimal:
            return valuation.floating(self._prices, book, held)

        worst = min(book.positions.values(), key=result)
        quote = self._prices.quote(worst.symbol, book.terms.currency)
        if quote is None or not self._prices.is_open(worst.symbol):
            return False
        label = replace(worst.label, reason=Reason.STOP_OUT)
        self._fills.exit(book, worst, worst.lots, quote.to_close(worst.side), label=label, now=now)
        return True

    def _fire(
        self, book: Book, trigger: Trigger, quote: Quote, now: datetime, *, continuous: bool
    ) -> None:
        if trigger.role is Role.ORDER:
            self._fire_order(book, trigger, quote, now, continuous=continuous)
            return
        held = book.positions[trigger.ticket]
        price = Price(trigger.level) if continuous else quote.to_close(held.side)
        label = replace(held.label, reason=_REASONS[trigger.role])
        self._fills.exit(book, held, held.lots, price, label=label, now=now)

    def _fire_order(
        self, book: Book, trigger: Trigger, quote: Quote, now: datetime, *, continuous: bool
    ) -> None:
        order = book.orders[trigger.ticket]
        if order.kind is OrderKind.STOP_LIMIT and order.stop_limit_price is not None:
            limit = replace(
                order, kind=OrderKind.LIMIT, price=order.stop_limit_price, stop_limit_price=None
            )
            self._desk.keep(book, limit, now)
            return
        price = order.price if continuous else quote.to_open(order.side)
        if self._desk.check_money(book, order.symbol, order.side, order.lots, price) is not None:
            book.put_order(replace(order, state=OrderState.REJECTED, done_at=now), now)
            return
        self._fills.enter(book, order, price, now)

    def _is_live(self, trigger: Trigger) -> bool:
        book = self._books[trigger.account]
        if trigger.role is Role.ORDER:
            order = book.orders.get(trigger.ticket)
            return order is not None and order.price.value == trigger.level
        held = book.positions.get(trigger.ticket)
        if held is None or held.side is not trigger.side:
            return False
        level = held.stop_loss if trigger.role is Role.STOP_LOSS else held.take_profit
        return level is not None and level.value == trigger.level
