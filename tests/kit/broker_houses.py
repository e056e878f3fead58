"""Brokers of every make with an account that is ready, and a hand on their market and time."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from kit.canaries import planted, planted_token
from kit.counting_metrics import CountingMetrics
from kit.fake_mt5 import ACCOUNT as FAKE_ACCOUNT
from kit.fake_mt5 import LOGIN, FakeMt5
from signalfleet.adapters.metaapi.broker import MetaApiBroker
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.metaapi.urls import MetaApiUrls
from signalfleet.adapters.mt5.broker import Mt5Broker
from signalfleet.adapters.paper.broker import PaperBroker, PaperTerms
from signalfleet.domain.exchange.engine import Exchange
from signalfleet.domain.exchange.model import AccountTerms
from signalfleet.domain.ids import AccountId
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.trading.orders import BrokerOrder
from signalfleet.domain.trading.outcomes import Outcome
from signalfleet.ports.broker import Broker
from signalfleet.ports.errors import RefusedError, TemporaryError
from signalfleet.ports.secrets import Secret
from signalfleet_sim.market.clock import ManualClock
from signalfleet_sim.market.seeded import SeededMarket
from signalfleet_sim.metaapi.credits import NO_CREDIT_LIMITS
from signalfleet_sim.metaapi.server import MetaApiServer
from signalfleet_sim.metaapi.views import NO_LAGS
from signalfleet_sim.metaapi.world import Habits

TOKEN = planted_token("contract")


class HandClock:
    """The product's clock on a simulator's: it moves only by hand."""

    def __init__(self, hand: ManualClock) -> None:
        self._hand = hand

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._hand.time(), UTC)

    def monotonic(self) -> float:
        return self._hand.time()

    async def sleep(self, delay: timedelta) -> None:
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A broker with an empty hedging account of 10,000 dollars that trades EURUSD.

    `jump` puts the bid somewhere, `pass_time` moves all clocks, `executed` counts the commands
    that the house carried out.
    """

    broker: Broker
    clock: HandClock
    jump: Callable[[str], None]
    pass_time: Callable[[float], None]
    executed: Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaApiHouse(House):
    server: MetaApiServer
    account_id: str
    client: MetaApiClient
    metrics: CountingMetrics


@asynccontextmanager
async def metaapi_house(*, hedging: bool = True) -> AsyncIterator[MetaApiHouse]:
    hand = ManualClock()
    clock, metrics = HandClock(hand), CountingMetrics()
    server = MetaApiServer(
        SeededMarket(hand, random.Random(1), volatility=0.0),
        clock=hand,
        rng=random.Random(2),
        habits=Habits(lags=NO_LAGS, trade_latency_s=(0.0, 0.0)),
        credit_rules=NO_CREDIT_LIMITS,
    )

    def jump(price: str) -> None:
        server.world.market.jump("EURUSD", Decimal(price))
        server.world.spread_prices()

    def pass_time(seconds: float) -> None:
        hand.advance(seconds)
        server.tick()

    async with server, MetaApiClient(clock=clock, metrics=metrics) as client:
        account_id = server.add_account(token=TOKEN, balance=10_000, hedging=hedging)
        broker = MetaApiBroker(
            client,
            account_id=account_id,
            token=Secret(TOKEN),
            region="new-york",
            urls=MetaApiUrls(
                provisioning=server.urls["METAAPI_PROVISIONING_URL"],
                client=server.urls["METAAPI_CLIENT_URL"],
                public_only=False,
            ),
            clock=clock,
            metrics=metrics,
        )
        yield MetaApiHouse(
            broker=broker,
            clock=clock,
            jump=jump,
            pass_time=pass_time,
            executed=lambda: len(server.world.journal.book),
            server=server,
            account_id=account_id,
            client=client,
            metrics=metrics,
        )


class MarketPrices:
    """The seeded market as a source of prices: what a paper broker stands on."""

    def __init__(self, market: SeededMarket) -> None:
        self._market = market
        self.is_silent = False

    async def symbols(self) -> frozenset[str]:
        return frozenset(self._market.symbols)

    async def instrument(self, symbol: str) -> Instrument:
        if symbol not in self._market.symbols:
            raise RefusedError(f"no symbol {symbol}")
        return self._market.instrument(symbol)

    async def quote(self, symbol: str) -> Quote:
        if self.is_silent:
            raise TemporaryError("no prices now")
        return self._market.quote(symbol)


class KeptBook:
    """A paper account's memory in a test: what was saved, and what is to go wrong."""

    def __init__(self) -> None:
        self.saved: str | None = None
        self.error: Exception | None = None
        self.keeps_in_spite_of_error = False

    async def load(self) -> Mapping[str, object] | None:
        book: dict[str, object] | None = None if self.saved is None else json.loads(self.saved)
        return book

    async def save(self, book: Mapping[str, object]) -> None:
        if self.error is None or self.keeps_in_spite_of_error:
            self.saved = json.dumps(book)
        if self.error is not None:
            raise self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperHouse(House):
    prices: MarketPrices
    memory: KeptBook

    def reopened(self) -> PaperBroker:
        """Return a broker that knows what was saved and nothing else, as after a restart."""
        return PaperBroker(
            self.prices, account=AccountId("a_paper"), clock=self.clock, memory=self.memory
        )


@asynccontextmanager
async def paper_house(*, hedging: bool = True) -> AsyncIterator[PaperHouse]:
    hand = ManualClock()
    clock = HandClock(hand)
    market = SeededMarket(hand, random.Random(1), volatility=0.0)
    prices, memory = MarketPrices(market), KeptBook()
    broker = PaperBroker(
        prices,
        account=AccountId("a_paper"),
        clock=clock,
        memory=memory,
        terms=PaperTerms(is_hedging=hedging),
    )

    def pass_time(seconds: float) -> None:
        hand.advance(seconds)
        market.tick(hand.time())

    def executed() -> int:
        saved = json.loads(memory.saved) if memory.saved else {"history": [], "orders": []}
        return len(saved["history"]) + len(saved["orders"])

    yield PaperHouse(
        broker=broker,
        clock=clock,
        jump=lambda price: market.jump("EURUSD", Decimal(price)),
        pass_time=pass_time,
        executed=executed,
        prices=prices,
        memory=memory,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mt5House(House):
    module: FakeMt5
    terminal: Mt5Broker
    late: list[tuple[BrokerOrder, Outcome]]


@asynccontextmanager
async def mt5_house() -> AsyncIterator[Mt5House]:
    hand = ManualClock()
    clock = HandClock(hand)
    market = SeededMarket(hand, random.Random(1), volatility=0.0)
    exchange = Exchange(market.board)
    exchange.open_account(FAKE_ACCOUNT, AccountTerms(), Decimal(10_000), clock.now())
    module = FakeMt5(exchange, market.board, hand.time)
    late: list[tuple[BrokerOrder, Outcome]] = []

    def jump(price: str) -> None:
        market.jump("EURUSD", Decimal(price))
        exchange.on_quote("EURUSD", clock.now())

    def pass_time(seconds: float) -> None:
        hand.advance(seconds)
        market.tick(hand.time())
        exchange.expire(clock.now())

    async with Mt5Broker(
        module,
        login=LOGIN,
        password=Secret(planted("terminal")),
        server="Fake-Demo",
        clock=clock,
        late=lambda order, outcome: late.append((order, outcome)),
    ) as broker:
        yield Mt5House(
            broker=broker,
            clock=clock,
            jump=jump,
            pass_time=pass_time,
            executed=lambda: len(module.requests),
            module=module,
            terminal=broker,
            late=late,
        )


HOUSES: dict[str, Callable[[], AbstractAsyncContextManager[House]]] = {
    "metaapi": metaapi_house,
    "mt5": mt5_house,
    "paper": paper_house,
}
"""Every broker of the project by name; a new one joins the contract suite here."""
