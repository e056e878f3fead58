"""A broker behind the product's port, over the matching engine, that misbehaves as it is told."""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from kit.exchange import ACCOUNT, XAUUSD, an_instrument
from signalfleet.adapters.paper import facts
from signalfleet.domain.exchange import model as mt
from signalfleet.domain.exchange.book import Book
from signalfleet.domain.exchange.costs import NO_COSTS, Costs
from signalfleet.domain.exchange.engine import Exchange
from signalfleet.domain.exchange.prices import PriceBoard
from signalfleet.domain.ids import client_id_stem
from signalfleet.domain.instruments.model import Instrument, Quote, Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.facts import Movement
from signalfleet.domain.trading.orders import (
    BrokerOrder,
    ModifyPosition,
    OpenOrder,
)
from signalfleet.domain.trading.outcomes import Accepted, Outcome, Rejected, Unknown
from signalfleet.domain.trading.reports import (
    AccountFacts,
    Deal,
    HistoryOrder,
    Position,
    Snapshot,
    WorkingOrder,
)
from signalfleet.ports.broker import Gate, MarginQuestion
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import NotSentError, RefusedError, TemporaryError

Fact = TypeVar("Fact", Position, WorkingOrder, HistoryOrder, Deal)
NOT_THERE = (mt.RejectReason.POSITION_NOT_FOUND, mt.RejectReason.ORDER_NOT_FOUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How the next request fares.

    `executes`: at once, `late` seconds after it was received, or (None) never. `says` is what comes
    back instead of the truth. `not_sent` refuses before anything leaves. `takes` is the duration.
    """

    says: Outcome | None = None
    executes: bool = True
    late: float = 0.0
    takes: float = 0.0
    not_sent: str | None = None


LOST = Answer(says=Unknown(cause="timeout"))
"""Executed, but the answer is lost."""
NEVER_CAME = Answer(says=Unknown(cause="timeout"), executes=False)
"""Lost on the way: nothing was executed and nothing is known."""
REFUSED_CONNECTION = Answer(not_sent="connect_refused")
REQUOTE = Answer(
    says=Rejected(code="TRADE_RETCODE_REQUOTE", text="requote", again=True), executes=False
)
NO_MONEY = Answer(says=Rejected(code="TRADE_RETCODE_NO_MONEY", text="no money"), executes=False)


def late(seconds: float) -> Answer:
    """Give up waiting; the broker executes it that much later all the same."""
    return Answer(says=Unknown(cause="timeout"), late=seconds)


@dataclass(slots=True)
class ScriptedBroker:
    """An account of 10,000 dollars that trades gold and euros.

    `received` holds what got past the gate, in order. `answers` are used up one a request; then
    everything goes well. `forgets_client_ids` plays brokers that rewrite comments, `lag` hides what
    is younger than that from looks at positions and orders. `moves_stops` is only a promise.
    """

    clock: Clock
    costs: Costs = NO_COSTS
    answers: deque[Answer] = field(default_factory=deque)
    received: list[BrokerOrder] = field(default_factory=list)
    looks: list[tuple[datetime, bool]] = field(default_factory=list)
    unreadable: bool = False
    incomplete: bool = False
    forgets_client_ids: bool = False
    lag: timedelta = timedelta(0)
    look_takes: float = 0.0
    margin_mode: str = "hedging"
    trade_allowed: bool = True
    history_hidden: bool = False
    facts_hidden: bool = False
    quotes: int = 0
    moves_stops: bool = False
    board: PriceBoard = field(init=False)
    exchange: Exchange = field(init=False)
    _names: dict[int, str] = field(default_factory=dict)
    _late: set[asyncio.TimerHandle] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.board = PriceBoard()
        for instrument in (XAUUSD, an_instrument()):
            self.board.put_instrument(instrument)
        self.exchange = Exchange(self.board, costs=self.costs, first_ticket=1)
        self.exchange.open_account(
            ACCOUNT, mt.AccountTerms(leverage=500), Decimal(10_000), self.clock.now()
        )
        self.price("2349.90", "2350.00")

    def price(self, bid: str, ask: str, symbol: str = "XAUUSD") -> None:
        """Set a price and run what it touches."""
        now = self.clock.now()
        self.board.update(symbol, Price.of(bid), Price.of(ask), now)
        self.exchange.on_quote(symbol, now)

    @property
    def book(self) -> Book:
        return self.exchange.book(ACCOUNT)

    @property
    def entries(self) -> list[OpenOrder]:
        return [order for order in self.received if isinstance(order, OpenOrder)]

    def opened(self) -> Counter[str]:
        """Count the executed entries of each trade, as the broker's own books have them."""
        own = self.book
        orders = [*own.orders.values(), *own.history]
        opening = [o for o in orders if self._names.get(o.ticket, "").split("_")[-1][:1] == "E"]
        return Counter(client_id_stem(self._names[order.ticket]) for order in opening)

    async def submit(self, order: BrokerOrder, gate: Gate) -> Outcome:
        answer = self.answers.popleft() if self.answers else Answer()
        await asyncio.sleep(0)
        gate()
        if answer.not_sent is not None:
            raise NotSentError("it did not leave", reason=answer.not_sent)
        self.received.append(order)
        truth: Outcome = Unknown(cause="on_the_way")
        if answer.executes and answer.late:
            loop = asyncio.get_running_loop()
            self._late.add(loop.call_later(answer.late, self._execute, order))
        elif answer.executes:
            truth = self._execute(order)
        await asyncio.sleep(answer.takes)
        return truth if answer.says is None else answer.says

    @property
    def look_pause(self) -> timedelta:
        return timedelta(0)

    async def margin(self, question: MarginQuestion) -> Decimal:
        found = self.exchange.margin(ACCOUNT, question.symbol, question.lots, question.price)
        if found is None:
            raise RefusedError(f"no such symbol: {question.symbol}")
        return found

    async def snapshot(self, since: datetime, *, full: bool, urgent: bool = False) -> Snapshot:
        begun = self.clock.now()
        self.looks.append((begun, full))
        await asyncio.sleep(0)
        if self.unreadable:
            raise TemporaryError("no connection to the terminal")
        own = self.book
        seen = begun - self.lag
        shot = Snapshot(
            positions=tuple(
                self._position(p) for p in own.positions.values() if p.opened_at <= seen
            ),
            orders=tuple(
                self._named(facts.working_order(o))
                for o in own.orders.values()
                if o.placed_at <= seen
            ),
            history_orders=tuple(
                self._named(facts.history_order(o)) for o in own.history_since(since) if full
            ),
            deals=tuple(
                self._named(made)
                for made in map(facts.deal, own.deals_since(since))
                if full and made is not None
            ),
            begun_at=begun,
            full=full,
            complete=not self.incomplete,
        )
        await asyncio.sleep(self.look_takes)
        return shot

    async def account(self) -> AccountFacts:
        if self.unreadable or self.facts_hidden:
            raise TemporaryError("no connection to the terminal")
        figures = self.exchange.figures(ACCOUNT)
        return AccountFacts(
            currency="USD",
            balance=figures.balance,
            equity=figures.equity,
            margin=figures.margin,
            free_margin=figures.free_margin,
            leverage=500,
            trade_allowed=self.trade_allowed,
            investor=False,
            connected=True,
            margin_mode=self.margin_mode,
            is_real=False,
            broker="Scripted",
            server="Scripted-Demo",
            read_at=self.clock.now(),
        )

    async def movements(self, since: datetime) -> tuple[Movement, ...]:
        if self.unreadable or self.history_hidden:
            raise TemporaryError("no connection to the terminal")
        return tuple(facts.movement(made) for made in self.book.deals_since(since) if made.total)

    async def symbols(self) -> frozenset[str]:
        return frozenset(instrument.name for instrument in self.board.instruments)

    async def instrument(self, symbol: str) -> Instrument:
        found = self.board.instrument(symbol)
        if found is None:
            raise RefusedError(f"no such symbol: {symbol}")
        return found

    async def quote(self, symbol: str) -> Quote:
        self.quotes += 1
        if self.unreadable:
            raise TemporaryError("no connection to the terminal")
        found = self.board.quote(symbol, "USD")
        if found is None:
            raise TemporaryError("no price now")
        return replace(found, at=self.clock.now())

    def _execute(self, order: BrokerOrder) -> Outcome:
        if isinstance(order, ModifyPosition) and self.moves_stops:
            order = replace(order, trailing=None)  # Taken, and never done: it is ours to see that.
        done = self.exchange.execute(ACCOUNT, facts.command_of(order), self.clock.now())
        if isinstance(done, mt.Refused):
            return Rejected(
                code=done.reason.value, text=done.text, already_so=done.reason in NOT_THERE
            )
        if isinstance(order, OpenOrder) and done.order is not None:
            self._names[done.order] = order.client_id
        return Accepted(
            code="TRADE_RETCODE_DONE",
            order_id=None if done.order is None else str(done.order),
            position_id=None if done.position is None else str(done.position),
        )

    def _name(self, label: mt.Label) -> str | None:
        return None if self.forgets_client_ids else label.client_id

    def _position(self, held: mt.Position) -> Position:
        floating = self.exchange.floating(ACCOUNT, held)
        return self._named(facts.position(held, None, floating))

    def _named(self, fact: Fact) -> Fact:
        return replace(fact, client_id=None) if self.forgets_client_ids else fact


def open_by_hand(
    broker: ScriptedBroker, side: Side = Side.BUY, lots: Lots = XAUUSD.min_lots
) -> int:
    """Let somebody else open a position on the account; return its ticket."""
    done = broker.exchange.execute(
        ACCOUNT,
        mt.OpenPosition(symbol="XAUUSD", side=side, lots=lots),
        broker.clock.now(),
    )
    assert isinstance(done, mt.Done)
    assert done.position is not None
    return done.position
