"""The broker port on paper: prices of another source, fills by the project's own engine."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog

from signalfleet.adapters.paper import books, codes, facts, limits
from signalfleet.adapters.paper.memory import PaperMemory
from signalfleet.domain.errors import DomainError
from signalfleet.domain.exchange.book import Book
from signalfleet.domain.exchange.engine import Exchange
from signalfleet.domain.exchange.model import AccountTerms, MarginMode, Refused
from signalfleet.domain.exchange.prices import QuoteTable
from signalfleet.domain.ids import AccountId
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.risk.facts import Movement
from signalfleet.domain.trading.orders import (
    BrokerOrder,
    CancelOrder,
    ModifyOrder,
    OpenOrder,
)
from signalfleet.domain.trading.outcomes import Accepted, Outcome, Unknown
from signalfleet.domain.trading.reports import AccountFacts, Snapshot
from signalfleet.ports.broker import Gate, MarginQuestion, PriceSource
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import NotSentError, PortError, RefusedError, TemporaryError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTerms:
    """What a new paper account is opened with. The source's tick values must be in `currency`."""

    currency: str = "USD"
    balance: Decimal = limits.BALANCE
    leverage: int = limits.LEVERAGE
    is_hedging: bool = True
    server: str = "Paper"


class PaperBroker:
    """One paper account; everything is done under one lock.

    Prices are seen at each call only: what touched a level between two looks and came back is
    missed. With a `memory`, an order is done when the book is saved; a save that failed may have
    been kept, so its order is unknown and the book is read again.
    """

    def __init__(
        self,
        source: PriceSource,
        *,
        account: AccountId,
        clock: Clock,
        terms: PaperTerms | None = None,
        memory: PaperMemory | None = None,
    ) -> None:
        self._source = source
        self._account = account
        self._clock = clock
        self._terms = terms or PaperTerms()
        self._memory = memory
        self._prices = QuoteTable()
        self._exchange: Exchange | None = None
        self._lock = asyncio.Lock()

    @property
    def moves_stops(self) -> bool:
        return False

    @property
    def look_pause(self) -> timedelta:
        return timedelta(0)

    async def submit(self, order: BrokerOrder, gate: Gate) -> Outcome:
        command = facts.command_of(order)
        async with self._lock:
            try:
                exchange = await self._open()
                await self._see_prices(
                    exchange, also=self._symbol_of(exchange.book(self._account), order)
                )
            except NotSentError:
                raise
            except PortError as e:
                raise NotSentError(f"paper has no price or no book: {e}", reason="no_price") from e
            _ask(gate)
            now = self._clock.now()
            try:
                outcome = exchange.execute(self._account, command, now)
            except DomainError as e:
                raise NotSentError(f"the engine refuses the order: {e}", reason="invalid") from e
            if isinstance(outcome, Refused):
                return codes.rejected(outcome.reason, outcome.text)
            if not await self._save(exchange.book(self._account), now):
                return Unknown(cause="paper_not_saved")
            return Accepted(
                code=codes.DONE if outcome.is_changed else codes.NO_CHANGES,
                order_id=None if outcome.order is None else str(outcome.order),
                position_id=None if outcome.position is None else str(outcome.position),
            )

    async def snapshot(self, since: datetime, *, full: bool, urgent: bool = False) -> Snapshot:
        del urgent  # Nothing is held back here.
        async with self._lock:
            exchange = await self._open()
            whole = await self._see_prices(exchange)
            now = self._clock.now()
            book = exchange.book(self._account)
            currency = book.terms.currency
            quotes = {
                h.symbol: self._prices.quote(h.symbol, currency) for h in book.positions.values()
            }
            positions = [
                facts.position(
                    held,
                    quote.to_close(held.side) if (quote := quotes[held.symbol]) else None,
                    exchange.floating(self._account, held),
                )
                for held in book.positions.values()
            ]
            deals = [facts.deal(made) for made in book.deals_since(since)] if full else []
            history = book.history_since(since) if full else []
            return Snapshot(
                positions=tuple(positions),
                orders=tuple(facts.working_order(order) for order in book.orders.values()),
                history_orders=tuple(facts.history_order(order) for order in history),
                deals=tuple(deal for deal in deals if deal is not None),
                begun_at=now,
                full=full,
                complete=whole,
            )

    async def account(self) -> AccountFacts:
        async with self._lock:
            exchange = await self._open()
            await self._see_prices(exchange)
            book, figures = exchange.book(self._account), exchange.figures(self._account)
            return AccountFacts(
                currency=book.terms.currency,
                balance=figures.balance,
                equity=figures.equity,
                margin=figures.margin,
                free_margin=figures.free_margin,
                leverage=book.terms.leverage,
                trade_allowed=True,
                investor=False,
                connected=True,
                margin_mode=book.terms.mode.value,
                is_real=False,
                broker="Paper",
                server=self._terms.server,
                read_at=self._clock.now(),
            )

    async def symbols(self) -> frozenset[str]:
        return await self._source.symbols()

    async def movements(self, since: datetime) -> tuple[Movement, ...]:
        async with self._lock:
            exchange = await self._open()
            made = exchange.book(self._account).deals_since(since)
            return tuple(facts.movement(one) for one in made if one.total)

    async def instrument(self, symbol: str) -> Instrument:
        return await self._source.instrument(symbol)

    async def quote(self, symbol: str) -> Quote:
        return await self._source.quote(symbol)

    async def margin(self, question: MarginQuestion) -> Decimal | None:
        async with self._lock:
            exchange = await self._open()
            await self._learn(question.symbol)
            return exchange.margin(self._account, question.symbol, question.lots, question.price)

    async def _open(self) -> Exchange:
        """Return the engine with this account's book, read from the memory at first."""
        if self._exchange is None:
            stored = await self._memory.load() if self._memory is not None else None
            try:
                self._exchange = self._new() if stored is None else self._restored(stored)
            except books.UnreadableBookError as e:
                raise RefusedError(f"{e}; reset the paper account to trade on") from e
        return self._exchange

    def _new(self) -> Exchange:
        exchange = Exchange(self._prices)
        mode = MarginMode.HEDGING if self._terms.is_hedging else MarginMode.NETTING
        terms = AccountTerms(
            currency=self._terms.currency, leverage=self._terms.leverage, mode=mode
        )
        exchange.open_account(self._account, terms, self._terms.balance, self._clock.now())
        return exchange

    def _restored(self, stored: Mapping[str, object]) -> Exchange:
        kept = books.from_json(self._account, stored)
        exchange = Exchange(self._prices, first_ticket=kept.first_ticket)
        exchange.adopt(kept.book)
        return exchange

    async def _see_prices(self, exchange: Exchange, also: str | None = None) -> bool:
        """Let the present prices and the time do their work; return whether all were seen.

        Without a price of `also` nothing can be decided: its error is the caller's.
        """
        if also is not None:
            await self._learn(also)
        book, whole = exchange.book(self._account), True
        alive = {held.symbol for held in book.positions.values()}
        alive |= {order.symbol for order in book.orders.values()}
        for symbol in sorted(alive - {also}):
            try:
                await self._learn(symbol)
            except (TemporaryError, RefusedError) as e:
                whole = False
                log.info("paper_price_missing", symbol=symbol, reason=type(e).__name__)
        now = self._clock.now()
        happened = exchange.expire(now)
        for symbol in sorted(alive):
            happened += exchange.on_quote(symbol, now)
        happened += exchange.enforce_margin(now)
        if happened and not await self._save(book, now):
            raise TemporaryError("what happened on paper could not be saved")
        return whole

    async def _learn(self, symbol: str) -> None:
        if self._prices.instrument(symbol) is None:
            self._prices.put_instrument(await self._source.instrument(symbol))
        self._prices.put_quote(await self._source.quote(symbol))

    async def _save(self, book: Book, now: datetime) -> bool:
        if self._memory is None:
            return True
        try:
            await self._memory.save(books.to_json(book, now))
        except PortError as e:
            self._exchange = None  # What was kept counts, not what we remember.
            log.warning("paper_book_not_saved", reason=type(e).__name__)
            return False
        except BaseException:
            self._exchange = None
            raise
        return True

    def _symbol_of(self, book: Book, order: BrokerOrder) -> str | None:
        match order:
            case OpenOrder():
                return order.symbol
            case ModifyOrder() | CancelOrder():
                found = book.orders.get(facts.ticket(order.order_id))
                return found.symbol if found else None
            case _:
                held = book.positions.get(facts.ticket(order.position_id))
                return held.symbol if held else None


def _ask(gate: Gate) -> None:
    try:
        gate()
    except NotSentError:
        raise
    except Exception as e:
        log.exception("order_gate_failed")
        raise NotSentError("the last check itself failed", reason="gate_failed") from e
