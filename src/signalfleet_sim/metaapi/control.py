"""`/control`: scripts and drills set the scene and read the truth; not a part of MetaApi."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from aiohttp import web

from signalfleet.domain.errors import DomainError
from signalfleet_sim.metaapi.accounts import Login, SimAccount
from signalfleet_sim.metaapi.conditions import Conditions
from signalfleet_sim.metaapi.errors import ApiError, reply
from signalfleet_sim.metaapi.faults import FaultBook, FaultError
from signalfleet_sim.metaapi.mischief import Mischief
from signalfleet_sim.metaapi.orders import read_json
from signalfleet_sim.metaapi.wire import deal_json, order_json, position_json
from signalfleet_sim.metaapi.world import World

_Handler = Callable[[web.Request], Awaitable[web.Response]]


class Control:
    def __init__(
        self,
        world: World,
        faults: FaultBook,
        mischief: Mischief,
        conditions: Conditions,
        token: str,
    ) -> None:
        self._world = world
        self._faults = faults
        self._mischief = mischief
        self._conditions = conditions
        self._token = token

    def routes(self, prefix: str = "/control") -> list[web.RouteDef]:
        table: list[tuple[str, str, _Handler]] = [
            ("POST", "/faults", self._add_fault),
            ("GET", "/faults", self._list_faults),
            ("DELETE", "/faults", self._clear_faults),
            ("GET", "/book", self._book),
            ("GET", "/calls", self._calls),
            ("GET", "/violations", self._violations),
            ("POST", "/accounts", self._add_account),
            ("GET", "/accounts", self._list_accounts),
            ("GET", "/accounts/{account}", self._show_account),
            ("POST", "/tokens", self._add_token),
            ("POST", "/logins", self._add_login),
            ("POST", "/steer", self._steer),
            ("POST", "/jump", self._jump),
            ("GET", "/quotes", self._quotes),
        ]
        return [web.route(method, prefix + path, self._guard(run)) for method, path, run in table]

    def add_fault(self, match: Mapping[str, Any], fault: str | Mapping[str, Any]) -> dict[str, Any]:
        """Add a fault by name, or by an object with its `kind` and what the kind needs."""
        if isinstance(fault, str):
            fault = {"kind": fault}
        kind = str(fault.get("kind", ""))
        params = {name: value for name, value in fault.items() if name != "kind"}
        if kind in self._conditions.kinds:
            self._conditions.apply(kind, params, match.get("account"))
            return {"kind": kind, "applied": True}
        if kind not in self._mischief.kinds:
            known = ", ".join(sorted(self._mischief.kinds | self._conditions.kinds))
            raise FaultError(f"no fault {kind!r}; there are {known}")
        return self._faults.add(match, kind, params).body()

    def _guard(self, handler: _Handler) -> _Handler:
        async def serve(request: web.Request) -> web.Response:
            sent = request.headers.get("Authorization", "")
            if not hmac.compare_digest(sent.encode(), f"Bearer {self._token}".encode()):
                return ApiError(401, "Control wants the bearer token of this run").response()
            try:
                return await handler(request)
            except ApiError as error:
                return error.response()
            except (DomainError, FaultError, InvalidOperation, TypeError, KeyError) as error:
                return ApiError(400, str(error)).response()

        return serve

    async def _add_fault(self, request: web.Request) -> web.Response:
        body = read_json(await request.read())
        return reply(self.add_fault(body.get("match") or {}, body["fault"]), 201)

    async def _list_faults(self, _: web.Request) -> web.Response:
        return reply([rule.body() for rule in self._faults.rules])

    async def _clear_faults(self, request: web.Request) -> web.Response:
        number = request.query.get("id")
        self._faults.clear(None if number is None else int(number))
        return web.Response(status=204)

    async def _book(self, request: web.Request) -> web.Response:
        return reply(self._world.journal.executed_by(request.query))

    async def _calls(self, request: web.Request) -> web.Response:
        return reply(self._world.journal.calls_by(request.query))

    async def _violations(self, _: web.Request) -> web.Response:
        return reply(self._world.journal.violations)

    async def _add_account(self, request: web.Request) -> web.Response:
        body = read_json(await request.read())
        token = body.pop("token", None) or self._world.new_token()
        kept = self._world.tokens.get(str(token)) or self._world.add_token(str(token))
        if "leverage" in body:
            body["leverage"] = int(body["leverage"])
        account = self._world.add_account(user_id=kept.user_id, **body)
        found = {"accountId": account.account_id, "token": token, "region": account.region}
        server = account.broker.profile.server
        return reply(found | {"login": account.login, "server": server}, 201)

    async def _list_accounts(self, _: web.Request) -> web.Response:
        return reply([self._outline(account) for account in self._world.accounts.values()])

    async def _show_account(self, request: web.Request) -> web.Response:
        """Show an account as its books are at this moment, without any lag."""
        account = self._world.accounts.get(request.match_info["account"])
        if account is None:
            raise ApiError(404, "no such account")
        book, now = account.broker.exchange.book(account.account_id), self._world.now()
        return reply(
            self._outline(account)
            | {
                "positions": [
                    position_json(account, held, now) for held in book.positions.values()
                ],
                "orders": [order_json(account, order, now) for order in book.orders.values()],
                "historyOrders": [order_json(account, order, now) for order in book.history],
                "deals": [deal_json(account, deal, now) for deal in book.deals],
            }
        )

    async def _add_token(self, request: web.Request) -> web.Response:
        body = read_json(await request.read())
        token = str(body.get("token") or self._world.new_token())
        only = body.get("only")
        self._world.add_token(
            token,
            user_id=body.get("userId"),
            is_account_token=bool(body.get("isAccountToken")),
            only=None if only is None else frozenset(only),
        )
        return reply({"token": token}, 201)

    async def _add_login(self, request: web.Request) -> web.Response:
        body = read_json(await request.read())
        key = (str(body["server"]), str(body["login"]))
        terms = dict(body.get("terms") or {})
        if "leverage" in terms:
            terms["leverage"] = int(terms["leverage"])
        self._world.logins[key] = Login(
            password=str(body["password"]),
            investor_password=str(body.get("investorPassword", "")),
            terms=terms,
        )
        return reply({}, 201)

    async def _steer(self, request: web.Request) -> web.Response:
        body = read_json(await request.read())
        target, within = Decimal(body["target"]), float(body.get("within_s", 1))
        self._world.market.steer(str(body["symbol"]), target, within)
        return reply({})

    async def _jump(self, request: web.Request) -> web.Response:
        body = read_json(await request.read())
        self._world.market.jump(str(body["symbol"]), Decimal(body["target"]))
        self._world.spread_prices()
        return reply({})

    async def _quotes(self, _: web.Request) -> web.Response:
        market = self._world.market
        quotes = {symbol: market.quote(symbol) for symbol in market.symbols}
        return reply(
            {
                symbol: {
                    "bid": quote.bid.value,
                    "ask": quote.ask.value,
                    "isSteered": market.is_steered(symbol),
                }
                for symbol, quote in quotes.items()
            }
        )

    def _outline(self, account: SimAccount) -> dict[str, Any]:
        now = self._world.now()
        body: dict[str, Any] = {
            "accountId": account.account_id,
            "login": account.login,
            "server": account.broker.profile.server,
            "region": account.region,
            "state": account.life.state(now),
            "connectionStatus": account.life.connection(now),
        }
        if account.login:
            figures = account.broker.exchange.figures(account.account_id)
            body |= {"balance": figures.balance, "equity": figures.equity}
        return body
