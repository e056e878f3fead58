from itertools import pairwise
from typing import Any

import pytest

from kit.metaapi import Caller

pytestmark = pytest.mark.loopback


async def candles(caller: Caller, timeframe: str, query: str, symbol: str = "XAUUSD") -> Any:
    root = f"/data/{caller.region}/users/current/accounts/{caller.account}"
    path = f"{root}/historical-market-data/symbols/{symbol}/timeframes/{timeframe}/candles"
    answer = await caller.call("GET", f"{path}?{query}")
    return answer.body if answer.status == 200 else answer.status


async def test_candles_end_at_the_start_time_and_follow_each_other(caller: Caller) -> None:
    found = await candles(caller, "1m", "startTime=2026-03-01T12:00:00.000Z&limit=300")
    assert (len(found), found[-1]["time"]) == (300, "2026-03-01T12:00:00.000Z")
    for one, later in pairwise(found):
        assert one["close"] == later["open"]
        assert one["time"] < later["time"]
        assert one["low"] <= min(one["open"], one["close"])
        assert one["high"] >= max(one["open"], one["close"])


async def test_the_past_is_drawn_once(caller: Caller) -> None:
    query = "startTime=2026-03-01T12:00:00.000Z&limit=50"
    first = await candles(caller, "1m", query)
    await candles(caller, "1h", "limit=200")
    assert await candles(caller, "1m", query) == first


async def test_an_hour_is_made_of_its_minutes(caller: Caller) -> None:
    (hour,) = await candles(caller, "1h", "startTime=2026-03-01T12:59:00.000Z&limit=1")
    minutes = await candles(caller, "1m", "startTime=2026-03-01T12:59:00.000Z&limit=60")
    assert (hour["open"], hour["close"]) == (minutes[0]["open"], minutes[-1]["close"])
    assert hour["high"] == max(one["high"] for one in minutes)
    assert hour["tickVolume"] == sum(one["tickVolume"] for one in minutes)


async def test_the_current_candle_follows_the_market(caller: Caller) -> None:
    caller.jump("XAUUSD", "2360")
    caller.jump("XAUUSD", "2355")
    now = (await caller.get("symbols/XAUUSD/current-candles/5m")).body
    assert (now["open"], now["high"], now["time"]) == (2349.88, 2360, "2026-03-02T09:00:00.000Z")
    last = (await candles(caller, "1m", "limit=2"))[-1]
    assert last["close"] == now["close"] < 2355


@pytest.mark.parametrize(
    ("timeframe", "query", "symbol", "status"),
    [
        ("7m", "", "XAUUSD", 400),
        ("1m", "limit=1001", "XAUUSD", 400),
        ("1m", "startTime=then", "XAUUSD", 400),
        ("1m", "", "NOPE", 404),
    ],
)
async def test_what_cannot_be_drawn_is_said(
    caller: Caller, timeframe: str, query: str, symbol: str, status: int
) -> None:
    assert await candles(caller, timeframe, query, symbol) == status


async def test_the_past_has_an_end(caller: Caller) -> None:
    assert 14 <= len(await candles(caller, "1d", "limit=1000")) <= 15
