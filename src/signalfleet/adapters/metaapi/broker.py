"""The broker port for one account at MetaApi."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import quote

import structlog

from signalfleet.adapters.metaapi import json_text, limits, mapping
from signalfleet.adapters.metaapi.answers import Answer, trade_outcome
from signalfleet.adapters.metaapi.bodies import margin_body, trade_body
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.metaapi.errors import NUMBERS
from signalfleet.adapters.metaapi.fields import UnreadableError
from signalfleet.adapters.metaapi.known_symbols import KnownSymbols, one_for_all
from signalfleet.adapters.metaapi.lanes import Lane
from signalfleet.adapters.metaapi.look import Look
from signalfleet.adapters.metaapi.order_call import TradeAnswer
from signalfleet.adapters.metaapi.route import AccountRoute
from signalfleet.adapters.metaapi.urls import MetaApiUrls
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.risk.facts import Movement
from signalfleet.domain.trading.orders import (
    BrokerOrder,
    CancelOrder,
    ModifyOrder,
    OpenOrder,
)
from signalfleet.domain.trading.outcomes import Outcome, Rejected
from signalfleet.domain.trading.reports import AccountFacts, Snapshot
from signalfleet.ports.broker import Gate, MarginQuestion
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import NotSentError, PortError, RefusedError, TemporaryError
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import Secret

log = structlog.get_logger()

LateOutcome: TypeAlias = Callable[[BrokerOrder, Outcome], None]


class MetaApiBroker:
    """`late` hears the outcome of orders whose caller was cancelled after the write began."""

    def __init__(
        self,
        client: MetaApiClient,
        *,
        account_id: str,
        token: Secret,
        region: str,
        urls: MetaApiUrls,
        clock: Clock,
        metrics: Metrics,
        late: LateOutcome | None = None,
    ) -> None:
        self._client = client
        self._account_id = account_id
        self._clock = clock
        self._metrics = metrics
        self._late = late
        self._route = AccountRoute(
            client,
            account_id=account_id,
            token=token,
            region=region,
            urls=urls,
            clock=clock,
            metrics=metrics,
        )
        self.known_symbols: KnownSymbols | None = None
        """Where names of symbols are found that another process asked for."""
        self._symbols: tuple[float, frozenset[str]] | None = None
        self._symbol_of: dict[str, str] = {}
        self._server: str | None = None
        self._currency: str | None = None

    async def submit(self, order: BrokerOrder, gate: Gate) -> Outcome:
        try:
            answer = await self._send(order, gate)
        except NotSentError as e:
            self._metrics.count("signalfleet_broker_not_sent_total", reason=e.reason)
            raise
        return self._judge(order, answer)

    async def _send(self, order: BrokerOrder, gate: Gate) -> TradeAnswer:
        body = json_text.encode(trade_body(order, self._instrument_of(order)))
        # The port has no lane: what opens is an entry, all else takes risk away.
        lane = Lane.ENTRY if isinstance(order, OpenOrder) else Lane.PROTECTIVE
        late = self._late

        def hand_over(answer: TradeAnswer) -> None:
            if late is not None:
                late(order, self._judge(order, answer))

        permits = self._route.permits
        await permits.acquire(lane)
        try:
            try:
                target = await self._route.trade_target(lane)
            except NotSentError:
                raise
            except PortError as e:
                raise NotSentError(f"no way to MetaApi: {e}", reason="no_route") from e
            answer = await self._client.trade(target, body, gate, hand_over)
        finally:
            permits.release(lane)
        self._route.traded(answer if isinstance(answer, Answer) else None)
        return answer

    def _judge(self, order: BrokerOrder, answer: TradeAnswer) -> Outcome:
        if not isinstance(answer, Answer):
            return answer
        entry = isinstance(order, OpenOrder)
        outcome = trade_outcome(answer, entry=entry, now=self._clock.now())
        if isinstance(outcome, Rejected):
            code = outcome.code if outcome.code in NUMBERS else f"http_{answer.status}"
            self._metrics.count("signalfleet_broker_rejections_total", code=code)
        return outcome

    def _instrument_of(self, order: BrokerOrder) -> Instrument | None:
        """Return what is known of the order's symbol without asking anybody."""
        match order:
            case OpenOrder():
                symbol: str | None = order.symbol
            case ModifyOrder() | CancelOrder():
                symbol = self._symbol_of.get(order.order_id)
            case _:
                symbol = self._symbol_of.get(order.position_id)
        if symbol is None or self._server is None:
            return None
        return self._client.instruments.peek((self._server, symbol))

    @property
    def moves_stops(self) -> bool:
        return True

    @property
    def look_pause(self) -> timedelta:
        return self._route.look_pause

    async def snapshot(self, since: datetime, *, full: bool, urgent: bool = False) -> Snapshot:
        look = Look(self._route, self._clock, Lane.PROTECTIVE if urgent else Lane.LOOK)
        snapshot = await look.take(since, full=full)
        seen = {p.position_id: p.symbol for p in snapshot.positions}
        seen |= {o.order_id: o.symbol for o in snapshot.orders}
        self._symbol_of = seen if snapshot.complete else self._symbol_of | seen
        return snapshot

    async def account(self) -> AccountFacts:
        try:
            state = await self._route.state()
            connected = state.is_connected
        except TemporaryError:
            connected = False  # Nobody says that it is connected.
        payload = await self._route.read("/account-information", refreshTerminalState="true")
        try:
            facts = mapping.account_facts(payload, connected=connected, read_at=self._clock.now())
        except UnreadableError as e:
            raise TemporaryError(f"MetaApi's account information is unreadable: {e}") from e
        self._currency = facts.currency
        return facts

    async def movements(self, since: datetime) -> tuple[Movement, ...]:
        return await Look(self._route, self._clock, Lane.LOOK).movements(since)

    async def symbols(self) -> frozenset[str]:
        now = self._clock.monotonic()
        if self._symbols is None or now - self._symbols[0] > limits.SYMBOLS_AGE_S:
            known = self.known_symbols
            fetch = self._fetch_symbols
            found = await (fetch() if known is None else known.get(fetch))
            self._symbols = (now, one_for_all(found))
        return self._symbols[1]

    async def _fetch_symbols(self) -> frozenset[str]:
        payload = await self._route.read("/symbols", lane=Lane.ENTRY, cost=limits.SYMBOLS_CREDITS)
        if not isinstance(payload, list):
            raise TemporaryError("MetaApi's list of symbols is unreadable")
        return frozenset(name for name in payload if isinstance(name, str) and name)

    async def instrument(self, symbol: str) -> Instrument:
        async def fetch() -> Instrument:
            path = f"/symbols/{quote(symbol, safe='')}/specification"
            payload = await self._route.read(path, lane=Lane.ENTRY)
            try:
                return mapping.instrument(payload)
            except UnreadableError as e:
                raise RefusedError(f"the specification of {symbol} is unusable: {e}") from e

        server = await self._server_name()
        return await self._client.instruments.get((server, symbol), fetch)

    async def quote(self, symbol: str) -> Quote:
        async def fetch() -> Quote:
            path = f"/symbols/{quote(symbol, safe='')}/current-price"
            payload = await self._route.read(path, lane=Lane.ENTRY, keepSubscription="false")
            try:
                return mapping.quote(payload)
            except UnreadableError as e:
                raise TemporaryError(f"there is no usable price of {symbol} now: {e}") from e

        server = await self._server_name()
        # Tick values are in the account's currency: without it the price is nobody else's.
        owner = self._currency or self._account_id
        return await self._client.quotes.get((server, symbol, owner), fetch)

    async def margin(self, question: MarginQuestion) -> Decimal | None:
        body = json_text.encode(margin_body(question))
        payload = await self._route.read("/calculate-margin", lane=Lane.ENTRY, body=body)
        try:
            return mapping.margin(payload)
        except UnreadableError as e:
            raise TemporaryError(f"MetaApi's margin is unreadable: {e}") from e

    async def _server_name(self) -> str:
        if self._server is None:
            state = await self._route.state(max_age_s=limits.DOMAIN_AGE_S)
            # An account that names no server shares nothing with others.
            self._server = state.server or f"account:{self._account_id}"
            self._currency = self._currency or state.currency
        return self._server
