from typing import Any

import pytest

from kit.metaapi import CLIENT_ID, PAGE, Caller, a_caller
from signalfleet_sim.metaapi.codes import ALL_CODES

pytestmark = pytest.mark.loopback

BUY, SELL = "ORDER_TYPE_BUY", "ORDER_TYPE_SELL"
LIMIT = "ORDER_TYPE_BUY_LIMIT"


async def test_a_market_order_is_done_and_becomes_a_position(caller: Caller) -> None:
    answer = await caller.trade(
        BUY,
        symbol="XAUUSD",
        volume=0.09,
        stopLoss=2340,
        takeProfit=2360.5,
        clientId=CLIENT_ID,
        magic=1_600_000_001,
    )
    assert answer.status == 200
    assert answer.body == {
        "numericCode": 10009,
        "stringCode": "TRADE_RETCODE_DONE",
        "message": "Request completed",
        "orderId": answer.body["positionId"],
        "positionId": answer.body["positionId"],
    }
    (position,) = (await caller.get("positions")).body
    assert position["id"] == answer.body["positionId"]
    assert (position["symbol"], position["type"]) == ("XAUUSD", "POSITION_TYPE_BUY")
    assert (position["volume"], position["openPrice"]) == (0.09, 2350.13)
    assert (position["stopLoss"], position["takeProfit"]) == (2340, 2360.5)
    assert (position["clientId"], position["magic"]) == (CLIENT_ID, 1_600_000_001)
    assert position["profit"] == -2.25
    assert "comment" not in position


@pytest.mark.parametrize(
    ("side", "stop", "target", "hit", "reason", "price"),
    [
        (BUY, 2340, 2360, "2360", "DEAL_REASON_TP", 2360),
        (BUY, 2340, 2360, "2340", "DEAL_REASON_SL", 2339.75),
        (SELL, 2360, 2340, "2340", "DEAL_REASON_TP", 2340),
        (SELL, 2360, 2340, "2360", "DEAL_REASON_SL", 2360.25),
    ],
)
async def test_a_level_closes_the_position_and_leaves_a_deal(
    caller: Caller, side: str, stop: float, target: float, hit: str, reason: str, price: float
) -> None:
    position = await caller.open(
        side, symbol="XAUUSD", stopLoss=stop, takeProfit=target, clientId=CLIENT_ID
    )
    caller.jump("XAUUSD", hit)
    assert (await caller.get("positions")).body == []
    entry, closing = (await caller.get(f"history-deals/position/{position}")).body
    assert (entry["entryType"], closing["entryType"]) == ("DEAL_ENTRY_IN", "DEAL_ENTRY_OUT")
    assert (closing["reason"], closing["price"]) == (reason, price)
    assert closing["clientId"] == f"S1AB_ABCDEFGHIJKLMNOP_{closing['orderId']}"
    assert closing["clientId"] != entry["clientId"] == CLIENT_ID


async def test_a_pending_order_waits_fills_and_moves_to_the_history(caller: Caller) -> None:
    answer = await caller.trade(
        LIMIT, symbol="EURUSD", volume=0.1, openPrice=1.08, stopLoss=1.07, clientId=CLIENT_ID
    )
    assert "positionId" not in answer.body
    ticket = answer.body["orderId"]
    (order,) = (await caller.get("orders")).body
    assert (order["id"], order["state"]) == (ticket, "ORDER_STATE_PLACED")
    assert (order["type"], order["openPrice"], order["currentVolume"]) == (LIMIT, 1.08, 0.1)
    caller.jump("EURUSD", "1.08")
    assert (await caller.get("orders")).body == []
    (position,) = (await caller.get("positions")).body
    assert (position["id"], position["openPrice"]) == (ticket, 1.08)
    (done,) = (await caller.get(f"history-orders/ticket/{ticket}")).body
    assert (done["state"], done["positionId"]) == ("ORDER_STATE_FILLED", ticket)
    assert (done["openPrice"], done["currentVolume"]) == (1.08, 0)


async def test_an_omitted_level_is_cleared(caller: Caller) -> None:
    position = await caller.open(stopLoss=1.07, takeProfit=1.1)
    assert await caller.code("POSITION_MODIFY", positionId=position, stopLoss=1.075) == 10009
    (held,) = (await caller.get("positions")).body
    assert held["stopLoss"] == 1.075
    assert "takeProfit" not in held
    assert await caller.code("POSITION_MODIFY", positionId=position, stopLoss=1.075) == 10025


async def test_part_and_rest_are_closed(caller: Caller) -> None:
    position = await caller.open(volume=0.1)
    assert await caller.code("POSITION_PARTIAL", positionId=position, volume=0.04) == 10009
    (held,) = (await caller.get("positions")).body
    assert held["volume"] == 0.06
    answer = await caller.trade(
        "POSITION_CLOSE_ID", positionId=position, clientId="S1AB_ABCDEFGHIJKLMNOP_C0"
    )
    assert answer.body["positionId"] == position
    deals = (await caller.get(f"history-deals/position/{position}")).body
    assert [deal["volume"] for deal in deals] == [0.1, 0.04, 0.06]
    assert deals[-1]["clientId"] == "S1AB_ABCDEFGHIJKLMNOP_C0"
    assert deals[-1]["reason"] == "DEAL_REASON_EXPERT"


async def test_a_pending_order_is_changed_and_cancelled(caller: Caller) -> None:
    placed = await caller.trade(LIMIT, symbol="EURUSD", volume=0.1, openPrice=1.08, stopLoss=1.07)
    ticket = placed.body["orderId"]
    assert await caller.code("ORDER_MODIFY", orderId=ticket, openPrice=1.079) == 10009
    (order,) = (await caller.get("orders")).body
    assert order["openPrice"] == 1.079
    assert "stopLoss" not in order
    assert await caller.code("ORDER_CANCEL", orderId=ticket) == 10009
    assert (await caller.get("orders")).body == []
    assert await caller.code("ORDER_CANCEL", orderId=ticket) == 4754
    (done,) = (await caller.get(f"history-orders/ticket/{ticket}")).body
    assert done["state"] == "ORDER_STATE_CANCELED"


async def test_an_order_expires_at_its_time(caller: Caller) -> None:
    caller.pass_time(1)
    until = "2026-03-02T09:01:00.000Z"
    placed = await caller.trade(
        LIMIT,
        symbol="EURUSD",
        volume=0.1,
        openPrice=1.08,
        expiration={"type": "ORDER_TIME_SPECIFIED", "time": until},
    )
    (order,) = (await caller.get("orders")).body
    assert order["expirationTime"] == until
    caller.pass_time(60)
    (done,) = (await caller.get(f"history-orders/ticket/{placed.body['orderId']}")).body
    assert done["state"] == "ORDER_STATE_EXPIRED"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"volume": 0.001}, 10014),
        ({"volume": 0.015}, 10014),
        ({"volume": -1}, 10014),
        ({"volume": 5000}, 10014),
        ({"volume": 90}, 10019),
        ({"symbol": "NOPE"}, 10013),
        ({"stopLoss": 1.2}, 10016),
        ({"takeProfit": 1.0}, 10016),
        ({"stopLoss": -1}, 10016),
        ({"stopLoss": 1.0700001}, 10016),
        ({"fillingModes": ["ORDER_FILLING_RETURN"]}, 10030),
        ({"symbol": "US30", "stopLoss": 10, "stopLossUnits": "RELATIVE_PIPS"}, -9),
        ({"actionType": LIMIT, "openPrice": 1.2}, 10015),
        ({"actionType": LIMIT, "openPrice": 1.0800001}, 10015),
        (
            {
                "actionType": LIMIT,
                "openPrice": 1.08,
                "expiration": {"type": "ORDER_TIME_SPECIFIED", "time": "2020-01-01T00:00:00Z"},
            },
            10022,
        ),
        ({"actionType": "POSITION_CLOSE_ID", "positionId": "1"}, 4753),
        ({"actionType": "POSITION_CLOSE_ID", "positionId": "not a number"}, 4753),
        ({"actionType": "POSITION_MODIFY", "positionId": "1", "stopLoss": 1}, 4753),
        ({"actionType": "POSITION_PARTIAL", "positionId": "1"}, 4753),
        ({"actionType": "ORDER_MODIFY", "orderId": "1", "openPrice": 1}, 4754),
        ({"actionType": "POSITIONS_CLOSE_SYMBOL"}, -4),
    ],
)
async def test_a_brokers_refusal_comes_in_a_200(
    caller: Caller, fields: dict[str, Any], code: int
) -> None:
    body: dict[str, Any] = {"actionType": BUY, "symbol": "EURUSD", "volume": 0.1} | fields
    assert await caller.code(body.pop("actionType"), **body) == code
    assert await caller.book() == []
    assert (await caller.get("positions")).body == []


async def test_a_closed_market_and_a_lack_of_quotes_have_codes(caller: Caller) -> None:
    caller.server.add_fault({"kind": "close_market", "symbol": "EURUSD"})
    assert await caller.code(BUY, symbol="EURUSD", volume=0.1) == 10018
    caller.server.add_fault({"kind": "close_market", "symbol": "EURUSD", "is_closed": False})
    caller.server.add_fault({"kind": "no_quotes", "symbol": "EURUSD"})
    assert await caller.code(BUY, symbol="EURUSD", volume=0.1) == -6
    assert (await caller.get("symbols/EURUSD/current-price")).status == 404
    caller.server.add_fault({"kind": "no_quotes", "symbol": "EURUSD", "is_stopped": False})
    await caller.open()


async def test_an_investor_and_a_disabled_account_do_not_trade(caller: Caller) -> None:
    caller.server.add_fault("investor", account=caller.account)
    assert await caller.code(BUY, symbol="EURUSD", volume=0.1) == -8
    account = (await caller.get("account-information")).body
    assert (account["tradeAllowed"], account["investorMode"]) == (False, True)
    caller.account = caller.server.add_account(token=caller.token, trade_allowed=False)
    assert await caller.code(BUY, symbol="EURUSD", volume=0.1) == 10017


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"[]",
        b'{"actionType": "ORDER_TYPE_BUY", "symbol": "EURUSD", "volume": NaN}',
        b'{"actionType": "BUY"}',
        b'{"symbol": "EURUSD"}',
        b'{"actionType": "ORDER_TYPE_BUY", "volume": 0.1}',
        b'{"actionType": "ORDER_TYPE_BUY", "symbol": "EURUSD"}',
        b'{"actionType": "ORDER_TYPE_BUY", "symbol": "EURUSD", "volume": "0.1"}',
        b'{"actionType": "ORDER_TYPE_BUY_LIMIT", "symbol": "EURUSD", "volume": 0.1}',
        b'{"actionType": "ORDER_TYPE_BUY", "symbol": "EURUSD", "volume": 0.1, "clientId": "plain"}',
        (
            b'{"actionType": "ORDER_TYPE_BUY", "symbol": "EURUSD", "volume": 0.1,'
            b' "clientId": "S1AB_ABCDEFGHIJKLMNOP_E0", "comment": "too long"}'
        ),
        (
            b'{"actionType": "ORDER_TYPE_BUY", "symbol": "EURUSD", "volume": 0.1,'
            b' "stopLoss": 1, "stopLossUnits": "PARSECS"}'
        ),
        b'{"actionType": "POSITION_CLOSE_ID", "positionId": 5}',
    ],
)
async def test_a_body_that_cannot_be_meant_is_a_400_with_metaapis_error(
    caller: Caller, body: bytes
) -> None:
    answer = await caller.call("POST", caller.path("trade"), data=body)
    assert answer.status == 400
    assert answer.body["error"] == "ValidationError"
    assert {"id", "error", "message", "details"} <= answer.body.keys()
    assert await caller.book() == []


async def test_the_same_client_id_twice_is_two_orders(caller: Caller) -> None:
    await caller.open(clientId=CLIENT_ID)
    await caller.open(clientId=CLIENT_ID)
    assert len((await caller.get("positions")).body) == 2
    assert [entry["clientId"] for entry in await caller.book()] == [CLIENT_ID, CLIENT_ID]
    (violation,) = (await caller.control("GET", "violations")).body
    assert violation["rule"] == "client_id_repeated"


@pytest.mark.parametrize(
    ("units", "stop", "target", "expected"),
    [
        ("RELATIVE_PRICE", 0.005, 0.01, (1.08006, 1.09506)),
        ("RELATIVE_POINTS", 500, 1000, (1.08006, 1.09506)),
        ("RELATIVE_PIPS", 50, 100, (1.08006, 1.09506)),
        ("RELATIVE_CURRENCY", 50, 100, (1.08006, 1.09506)),
        ("RELATIVE_BALANCE_PERCENTAGE", 0.5, 1, (1.08006, 1.09506)),
    ],
)
async def test_levels_may_be_distances(
    caller: Caller, units: str, stop: float, target: float, expected: tuple[float, float]
) -> None:
    await caller.open(stopLoss=stop, takeProfit=target, stopLossUnits=units, takeProfitUnits=units)
    (held,) = (await caller.get("positions")).body
    assert held["openPrice"] == 1.08506
    assert (held["stopLoss"], held["takeProfit"]) == expected


async def test_a_netting_account_has_one_position_a_symbol(caller: Caller) -> None:
    caller.account = caller.server.add_account(token=caller.token, hedging=False)
    first = await caller.open(volume=0.1)
    assert await caller.open(volume=0.1) == first
    await caller.open(SELL, volume=0.05)
    (held,) = (await caller.get("positions")).body
    assert (held["id"], held["volume"]) == (first, 0.15)
    account = (await caller.get("account-information")).body
    assert account["marginMode"] == "ACCOUNT_MARGIN_MODE_RETAIL_NETTING"


async def test_brokers_differ_in_symbols_and_habits(caller: Caller) -> None:
    caller.account = caller.server.add_account(token=caller.token, broker="suffixes")
    assert {"XAUUSDm", "US30.cash"} <= set((await caller.get("symbols")).body)
    specification = (await caller.get("symbols/US30.cash/specification")).body
    assert "pipSize" not in specification
    assert specification["stopsLevel"] == 20
    assert await caller.code(BUY, symbol="EURUSDm", volume=0.1, stopLoss=1.0849) == 10016
    caller.account = caller.server.add_account(token=caller.token, broker="awkward")
    assert await caller.code(BUY, symbol="EURUSD", volume=0.05, clientId=CLIENT_ID) == 10014
    await caller.open(volume=0.1, clientId=CLIENT_ID)
    (held,) = (await caller.get("positions")).body
    assert "clientId" not in held


async def test_every_code_can_be_the_answer(caller: Caller) -> None:
    for code in ALL_CODES:
        caller.server.add_fault({"kind": "reject", "code": code})
        answer = await caller.trade(BUY, symbol="EURUSD", volume=0.1)
        assert (answer.status, answer.body["numericCode"]) == (200, code)
        assert answer.body["stringCode"].startswith(("TRADE_RETCODE_", "ERR_", "UNKNOWN"))
    assert await caller.book() == []


async def test_a_trailing_stop_follows_at_most_once_a_while(caller: Caller) -> None:
    position = await caller.open(
        symbol="XAUUSD",
        stopLoss=2340,
        trailingStopLoss={
            "threshold": {"thresholds": [{"threshold": 2355, "stopLoss": 2350.13}]},
            "distance": {"distance": 12, "units": "RELATIVE_PRICE"},
        },
    )
    stops = []
    for target in ("2354", "2356", "2358"):
        caller.jump("XAUUSD", target)
        caller.pass_time(16)
        (held,) = (await caller.get("positions")).body
        stops.append(held["stopLoss"])
    assert stops == [2342, 2350.13, 2350.13]
    caller.jump("XAUUSD", "2370")
    caller.pass_time(16)
    caller.jump("XAUUSD", "2380")
    caller.pass_time(1)
    (held,) = (await caller.get("positions")).body
    assert held["stopLoss"] == 2358
    await caller.trade("POSITION_MODIFY", positionId=position, stopLoss=2350)
    (held,) = (await caller.get("positions")).body
    assert "trailingStopLoss" not in held


async def test_a_trade_takes_the_time_that_the_habits_say() -> None:
    async with a_caller(trade_latency_s=(0.02, 0.02)) as caller:
        await caller.open()
        (entry,) = (await caller.control("GET", "calls?route=trade")).body
        assert entry["status"] == 200
        assert len((await caller.get(f"history-deals/time/{PAGE}")).body) == 2
