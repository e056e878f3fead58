"""The reading routes of the terminal host: state, history, market."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from aiohttp import web

from signalfleet.domain.errors import DomainError
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.money import Lots, Price
from signalfleet_sim.market.clock import moment
from signalfleet_sim.metaapi.accounts import SimAccount
from signalfleet_sim.metaapi.calls import Call
from signalfleet_sim.metaapi.credits import Credits
from signalfleet_sim.metaapi.errors import ApiError, invalid, reply
from signalfleet_sim.metaapi.orders import read_time
from signalfleet_sim.metaapi.wire import (
    Json,
    account_json,
    deal_json,
    iso,
    iso_of,
    order_json,
    position_json,
    price_json,
    specification_json,
)
from signalfleet_sim.metaapi.world import World

_Record = TypeVar("_Record")
_LONGEST_PAGE: Final = 1000


class Terminal:
    def __init__(self, world: World, credits_kept: Credits) -> None:
        self._world = world
        self._credits = credits_kept

    async def account_information(self, call: Call) -> web.Response:
        return reply(account_json(call.account))

    async def positions(self, call: Call) -> web.Response:
        account, now = call.account, self._world.now()
        seen = account.view.positions(now, refreshed=call.is_refreshed())
        return reply([position_json(account, held, now) for held in seen.values()])

    async def position(self, call: Call) -> web.Response:
        account, now = call.account, self._world.now()
        seen = account.view.positions(now, refreshed=call.is_refreshed())
        held = seen.get(_ticket(call.path("ticket")))
        if held is None:
            raise ApiError(404, "Position not found")
        return reply(position_json(account, held, now))

    async def orders(self, call: Call) -> web.Response:
        account, now = call.account, self._world.now()
        seen = account.view.orders(now, refreshed=call.is_refreshed())
        return reply([order_json(account, order, now) for order in seen.values()])

    async def order(self, call: Call) -> web.Response:
        account, now = call.account, self._world.now()
        seen = account.view.orders(now, refreshed=call.is_refreshed())
        order = seen.get(_ticket(call.path("ticket")))
        if order is None:
            raise ApiError(404, "Order not found")
        return reply(order_json(account, order, now))

    async def history_orders(self, call: Call) -> web.Response:
        account, now = call.account, self._world.now()
        start, end = _window(call)
        found = account.view.orders_done(now, start, end)
        return self._history(call, found, order_json)

    async def history_orders_by(self, call: Call) -> web.Response:
        account, now = call.account, self._world.now()
        return self._history(call, account.view.orders_by(now, **_key(call)), order_json)

    async def history_deals(self, call: Call) -> web.Response:
        account, now = call.account, self._world.now()
        start, end = _window(call)
        found = account.view.deals_made(now, start, end)
        self._credits.charge_deals(call, len(found))
        return self._history(call, found, deal_json)

    async def history_deals_by(self, call: Call) -> web.Response:
        account, now = call.account, self._world.now()
        return self._history(call, account.view.deals_by(now, **_key(call)), deal_json)

    async def symbols(self, call: Call) -> web.Response:
        stocks = [f"STOCK{number:04}.NY" for number in range(self._world.habits.stocks)]
        return reply([one.name for one in call.account.broker.board.instruments] + stocks)

    async def specification(self, call: Call) -> web.Response:
        return reply(specification_json(call.account, self._instrument(call)))

    async def current_price(self, call: Call) -> web.Response:
        return reply(price_json(call.account, self._quote(call)))

    async def current_tick(self, call: Call) -> web.Response:
        quote = self._quote(call)
        body = {"symbol": quote.symbol, "bid": quote.bid.value, "ask": quote.ask.value}
        local = call.account.broker.local_time(quote.at)
        return reply(body | {"time": iso(quote.at), "brokerTime": local})

    async def current_book(self, call: Call) -> web.Response:
        quote = self._quote(call)
        lines = [
            {"type": "BOOK_TYPE_SELL", "price": quote.ask.value, "volume": 10},
            {"type": "BOOK_TYPE_BUY", "price": quote.bid.value, "volume": 10},
        ]
        local = call.account.broker.local_time(quote.at)
        body = {"symbol": quote.symbol, "time": iso(quote.at), "brokerTime": local, "book": lines}
        return reply(body)

    async def server_time(self, call: Call) -> web.Response:
        account = call.account
        at = self._world.now() + account.twists.server_time_offset_s
        body = {"time": iso_of(at), "brokerTime": account.broker.local_time(moment(at))}
        return reply(body)

    async def calculate_margin(self, call: Call) -> web.Response:
        body, account = await call.body(), call.account
        symbol, kind = body.get("symbol"), body.get("type")
        if not isinstance(symbol, str):
            raise invalid("symbol", symbol, "Must be a string")
        if kind not in {"ORDER_TYPE_BUY", "ORDER_TYPE_SELL"}:
            raise invalid("type", kind, "Must be ORDER_TYPE_BUY or ORDER_TYPE_SELL")
        lots, price = _decimal(body, "volume"), _decimal(body, "openPrice")
        try:
            margin = account.broker.exchange.margin(
                account.account_id, symbol, Lots(lots), Price(price)
            )
        except DomainError as e:
            raise invalid("volume", str(lots), str(e)) from e
        return reply({} if margin is None else {"margin": margin})

    async def credits(self, call: Call) -> web.Response:
        return reply(self._credits.body(call))

    def _instrument(self, call: Call) -> Instrument:
        instrument = call.account.broker.board.instrument(call.path("symbol"))
        if instrument is None:
            raise ApiError(404, "Specified symbol not found")
        return instrument

    def _quote(self, call: Call) -> Quote:
        instrument = self._instrument(call)
        book = call.account.broker.exchange.book(call.account.account_id)
        quote = call.account.broker.board.quote(instrument.name, book.terms.currency)
        if quote is None:
            raise ApiError(404, "Specified symbol price not found")
        return quote

    def _history(
        self,
        call: Call,
        found: Sequence[_Record],
        to_json: Callable[[SimAccount, _Record, float], Json],
    ) -> web.Response:
        account, now = call.account, self._world.now()
        if now < account.twists.missing_history_until:
            found = []
        offset = _count(call, "offset", 0, 10**9)
        limit = _count(call, "limit", _LONGEST_PAGE, _LONGEST_PAGE)
        page = [to_json(account, one, now) for one in found[offset : offset + limit]]
        if now < account.twists.synchronizing_until:
            name = "deals" if "deals" in call.route else "historyOrders"
            return reply({name: page, "synchronizing": True})
        return reply(page)


def _window(call: Call) -> tuple[datetime, datetime]:
    return read_time(call.path("start"), "startTime"), read_time(call.path("end"), "endTime")


def _key(call: Call) -> dict[str, int | None]:
    ticket = _ticket(call.path("ticket"))
    is_position = call.path("by") == "position"
    return {"ticket": None if is_position else ticket, "position": ticket if is_position else None}


def _ticket(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _count(call: Call, name: str, default: int, most: int) -> int:
    text = call.request.query.get(name)
    if text is None:
        return default
    if not text.isdecimal() or int(text) > most or (name == "limit" and int(text) < 1):
        raise invalid(name, text, f"Must be a number up to {most}")
    return int(text)


def _decimal(body: dict[str, Any], name: str) -> Decimal:
    value = body.get(name)
    if not isinstance(value, Decimal):
        raise invalid(name, value, "Must be a number")
    return value
