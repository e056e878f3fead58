"""The broker port over the simulated broker, as one life of the worker sees it."""

import asyncio
import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from drills.sim.life import Life
from drills.sim.loop import VirtualClock
from drills.sim.market import MID, Market, View
from drills.sim.wire import (
    deal_of,
    history_order_of,
    is_since,
    position_of,
    working_order_of,
)
from signalfleet.domain.exchange.model import Entry
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.risk.facts import Movement
from signalfleet.domain.trading.orders import BrokerOrder
from signalfleet.domain.trading.outcomes import Outcome, Unknown
from signalfleet.domain.trading.reports import AccountFacts, Deal, Snapshot
from signalfleet.ports.broker import Gate, MarginQuestion
from signalfleet.ports.errors import NotSentError, RefusedError, TemporaryError

CALL_S: Final = 15.0
CURRENCY: Final = "USD"


class SimBroker:
    """Implements ports.broker.Broker. Orders that were received go on without this life."""

    def __init__(self, market: Market, life: Life, rng: random.Random, clock: VirtualClock) -> None:
        self._market = market
        self._life = life
        self._rng = rng
        self._clock = clock

    async def submit(self, order: BrokerOrder, gate: Gate) -> Outcome:
        fate = self._market.draw_fate()
        await self._pause(5.0)
        self._life.require()
        if fate == "not_sent":
            raise NotSentError("the connection was refused", reason="connect")
        gate()
        answer = self._market.receive(order, fate, self._life.number)
        try:
            async with asyncio.timeout(CALL_S):
                return await answer
        except TimeoutError:
            return Unknown(cause="timeout")

    @property
    def moves_stops(self) -> bool:
        return False

    @property
    def look_pause(self) -> timedelta:
        return timedelta()

    async def snapshot(self, since: datetime, *, full: bool, urgent: bool = False) -> Snapshot:
        del urgent
        begun = self._clock.now()
        await self._pause(2.0)
        self._may_fail()
        faults = self._market.faults
        view = self._market.view(self._rng.uniform(0, faults.lag_s))
        past = self._market.view(self._rng.uniform(0, faults.lag_s * 2))
        complete = self._rng.random() >= faults.read_incomplete
        shown = complete or self._rng.random() < 0.5
        return Snapshot(
            positions=tuple(position_of(held) for held in view.positions) if shown else (),
            orders=tuple(working_order_of(order) for order in view.orders) if shown else (),
            history_orders=tuple(
                history_order_of(order)
                for order in self._market.history(past)
                if full and is_since(order.done_at, since)
            ),
            deals=self._deals(past, since) if full else (),
            begun_at=begun,
            full=full,
            complete=complete,
        )

    async def account(self) -> AccountFacts:
        await self._pause(1.0)
        self._may_fail()
        balance = self._market.book.balance
        return AccountFacts(
            currency=CURRENCY,
            balance=balance,
            equity=balance,
            margin=balance * 0,
            free_margin=balance,
            leverage=100,
            trade_allowed=True,
            investor=False,
            connected=True,
            margin_mode="hedging",
            is_real=False,
            broker="Simulated",
            server="Simulated-Demo",
            read_at=self._clock.now(),
        )

    async def movements(self, since: datetime) -> tuple[Movement, ...]:
        await self._pause(2.0)
        self._may_fail()
        made = self._market.book.deals_since(since)
        return tuple(
            Movement(
                movement_id=str(one.ticket),
                at=one.at,
                amount=one.total,
                is_payment=one.entry is Entry.BALANCE,
            )
            for one in made
            if one.total
        )

    async def margin(self, question: MarginQuestion) -> Decimal | None:
        del question
        return None

    async def symbols(self) -> frozenset[str]:
        return frozenset(MID)

    async def instrument(self, symbol: str) -> Instrument:
        found = self._market.board.instrument(symbol)
        if found is None:
            raise RefusedError(f"no symbol {symbol}")
        return found

    async def quote(self, symbol: str) -> Quote:
        await self._pause(1.0)
        self._may_fail()
        self._market.quote_now(symbol)
        found = self._market.board.quote(symbol, CURRENCY)
        if found is None:
            raise TemporaryError(f"no price of {symbol}")
        return found

    def _deals(self, view: View, since: datetime) -> tuple[Deal, ...]:
        found = (deal_of(deal) for deal in self._market.deals(view))
        return tuple(deal for deal in found if deal is not None and deal.at >= since)

    def _may_fail(self) -> None:
        if self._rng.random() < self._market.faults.read_fails:
            raise TemporaryError("the broker cannot be reached")

    async def _pause(self, slow_s: float) -> None:
        slow = self._rng.random() < self._market.faults.slow_call
        await asyncio.sleep(self._rng.uniform(0, slow_s) if slow else self._rng.uniform(0.01, 0.1))
