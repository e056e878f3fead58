"""Candles: the current one of the terminal host, past ones of the market data host."""

from typing import Any, Final

from aiohttp import web

from signalfleet_sim.market.candles import Candle
from signalfleet_sim.market.clock import moment
from signalfleet_sim.metaapi.accounts import SimAccount
from signalfleet_sim.metaapi.calls import Call
from signalfleet_sim.metaapi.errors import ApiError, invalid, reply
from signalfleet_sim.metaapi.orders import read_time
from signalfleet_sim.metaapi.wire import iso
from signalfleet_sim.metaapi.world import World

_MINUTES: Final = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)
_HOURS: Final = (1, 2, 3, 4, 6, 8, 12)
_SPANS: Final = (
    {f"{count}m": count * 60 for count in _MINUTES}
    | {f"{count}h": count * 3600 for count in _HOURS}
    | {"1d": 86_400, "1w": 7 * 86_400, "1mn": 30 * 86_400}
)
_LONGEST: Final = 1000


class Charts:
    def __init__(self, world: World) -> None:
        self._world = world

    async def candles(self, call: Call) -> web.Response:
        """Answer with the candles that end at `startTime`: they are read backwards from there."""
        text = call.request.query.get("limit", str(_LONGEST))
        if not text.isdecimal() or not 1 <= int(text) <= _LONGEST:
            raise invalid("limit", text, f"Must be a number from 1 to {_LONGEST}")
        end = self._world.now()
        if "startTime" in call.request.query:
            end = min(end, read_time(call.request.query["startTime"], "startTime").timestamp())
        return reply(self._bodies(call, end, int(text)))

    async def candle(self, call: Call) -> web.Response:
        (body,) = self._bodies(call, self._world.now(), 1)
        return reply(body)

    def _bodies(self, call: Call, end: float, limit: int) -> list[dict[str, Any]]:
        symbol, timeframe = call.path("symbol"), call.path("timeframe")
        if timeframe not in _SPANS:
            raise invalid("timeframe", timeframe, f"Must be one of {', '.join(_SPANS)}")
        broker = call.account.broker
        if symbol not in broker.market_symbol:
            raise ApiError(404, "Specified symbol not found")
        listed = broker.market_symbol[symbol]
        found = self._world.market.candles(listed, end, limit, _SPANS[timeframe])
        return [_body(call.account, symbol, timeframe, candle) for candle in found]


def _body(account: SimAccount, symbol: str, timeframe: str, candle: Candle) -> dict[str, Any]:
    at = moment(candle.at)
    return {
        "symbol": symbol,
        "timeframe": timeframe,
        "time": iso(at),
        "brokerTime": account.broker.local_time(at),
        "open": candle.open,
        "high": candle.high,
        "low": candle.low,
        "close": candle.close,
        "tickVolume": candle.ticks,
        "spread": candle.spread,
        "volume": 0,
    }
