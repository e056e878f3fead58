"""A MetaApi simulator on a clock that stands still, and a caller that speaks plain HTTP to it."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import aiohttp

from kit.canaries import planted_token
from signalfleet_sim.market.clock import ManualClock
from signalfleet_sim.market.seeded import SeededMarket
from signalfleet_sim.metaapi.credits import NO_CREDIT_LIMITS, CreditRules
from signalfleet_sim.metaapi.server import MetaApiServer
from signalfleet_sim.metaapi.views import NO_LAGS, Lags
from signalfleet_sim.metaapi.world import Habits

TOKEN = planted_token("city")
CLIENT_ID = "S1AB_ABCDEFGHIJKLMNOP_E0"
PAGE = "2020-01-01T00:00:00.000Z/2040-01-01T00:00:00.000Z"


class Answer(NamedTuple):
    status: int
    body: Any
    headers: dict[str, str]


class Caller:
    """Calls one account of one server, by default with the right token and region."""

    def __init__(self, server: MetaApiServer, session: aiohttp.ClientSession, account: str) -> None:
        self.server = server
        self.session = session
        self.account = account
        self.token = TOKEN
        self.region = "new-york"

    @property
    def clock(self) -> ManualClock:
        clock = self.server.world.clock
        assert isinstance(clock, ManualClock)
        return clock

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.server.tick()

    def jump(self, symbol: str, target: str) -> None:
        self.server.world.market.jump(symbol, Decimal(target))
        self.server.world.spread_prices()

    async def call(self, method: str, path: str, **more: Any) -> Answer:
        headers = {"auth-token": self.token} | more.pop("headers", {})
        url = self.server.base_url + path
        async with self.session.request(
            method, url, headers=headers, allow_redirects=False, **more
        ) as response:
            is_json = response.content_type == "application/json"
            body = await (response.json() if is_json else response.text())
            return Answer(response.status, body, dict(response.headers))

    def path(self, rest: str, account: str | None = None) -> str:
        root = f"/client/{self.region}/users/current/accounts"
        return f"{root}/{account or self.account}/{rest}"

    async def get(self, rest: str, **more: Any) -> Answer:
        return await self.call("GET", self.path(rest), **more)

    async def trade(self, action: str, **fields: Any) -> Answer:
        body = {"actionType": action} | fields
        return await self.call("POST", self.path("trade"), json=body)

    async def open(self, action: str = "ORDER_TYPE_BUY", **fields: Any) -> str:
        """Open at the market; return the position's id."""
        answer = await self.trade(action, **({"symbol": "EURUSD", "volume": 0.1} | fields))
        assert answer.body["stringCode"] == "TRADE_RETCODE_DONE", answer
        position = answer.body["positionId"]
        assert isinstance(position, str)
        return position

    async def code(self, action: str, **fields: Any) -> int:
        """Send a trade that the service takes; return the broker's number for it."""
        answer = await self.trade(action, **fields)
        assert answer.status == 200, answer
        code = answer.body["numericCode"]
        assert isinstance(code, int)
        return code

    async def prov(self, method: str, rest: str, **more: Any) -> Answer:
        return await self.call(method, f"/prov/users/current/{rest}", **more)

    async def control(self, method: str, rest: str, **more: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.server.control_token}"}
        return await self.call(method, f"/control/{rest}", headers=headers, **more)

    async def book(self) -> list[dict[str, Any]]:
        """Return the commands that were executed on the account."""
        answer = await self.control("GET", f"book?account={self.account}")
        assert isinstance(answer.body, list)
        return answer.body


@asynccontextmanager
async def a_caller(
    *, lags: Lags = NO_LAGS, credit_rules: CreditRules = NO_CREDIT_LIMITS, **habits: Any
) -> AsyncIterator[Caller]:
    """Run a simulator without latency and noise, with one ready account of 10,000 dollars."""
    clock = ManualClock()
    market = SeededMarket(clock, random.Random(1), volatility=0.0)
    server = MetaApiServer(
        market,
        clock=clock,
        rng=random.Random(2),
        habits=Habits(lags=lags, **({"trade_latency_s": (0.0, 0.0)} | habits)),
        credit_rules=credit_rules,
    )
    async with server, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        account = server.add_account(token=TOKEN, balance=10_000)
        yield Caller(server, session, account)
