"""Brokers of every make with an account that is ready, and a hand on their market and time."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from kit.counting_metrics import CountingMetrics
from signalfleet.adapters.metaapi.broker import MetaApiBroker
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.metaapi.urls import MetaApiUrls
from signalfleet.ports.broker import Broker
from signalfleet.ports.secrets import Secret
from signalfleet_sim.market.clock import ManualClock
from signalfleet_sim.market.seeded import SeededMarket
from signalfleet_sim.metaapi.credits import NO_CREDIT_LIMITS
from signalfleet_sim.metaapi.server import MetaApiServer
from signalfleet_sim.metaapi.views import NO_LAGS
from signalfleet_sim.metaapi.world import Habits

TOKEN = "contract.canary.token"


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
async def metaapi_house() -> AsyncIterator[MetaApiHouse]:
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
        account_id = server.add_account(token=TOKEN, balance=10_000)
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


HOUSES: dict[str, Callable[[], AbstractAsyncContextManager[House]]] = {"metaapi": metaapi_house}
"""Every broker of the project by name; a new one joins the contract suite here."""
