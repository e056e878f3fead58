import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from kit.metaapi import CLIENT_ID, Caller, a_caller

pytestmark = pytest.mark.loopback


async def buy(caller: Caller) -> Any:
    return await caller.trade("ORDER_TYPE_BUY", symbol="EURUSD", volume=0.1, clientId=CLIENT_ID)


async def eventually(question: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(5):
        while not await question():  # noqa: ASYNC110  the answer comes over the network
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("fault", "executed"),
    [
        ("reset_before_read", 0),
        ("reset_after_read", 0),
        ({"kind": "hang", "s": 0.01}, 0),
        ("execute_then_reset", 1),
        ({"kind": "execute_then_hang", "s": 0.01}, 1),
    ],
)
async def test_a_dropped_connection_says_nothing_about_the_order(
    caller: Caller, fault: Any, executed: int
) -> None:
    caller.server.add_fault(fault, route="trade")
    with pytest.raises((aiohttp.ClientConnectionError, aiohttp.ServerDisconnectedError)):
        await buy(caller)
    assert len(await caller.book()) == executed
    assert (await buy(caller)).status == 200


@pytest.mark.parametrize(
    ("fault", "status", "executed"),
    [
        ("execute_then_504", 504, 1),
        ("execute_twice", 200, 2),
        ("answer_done_but_not_executed", 200, 0),
        ("html_502", 502, 0),
        ("503", 503, 0),
        ("504_not_connected", 504, 0),
        ("401", 401, 0),
        ("403", 403, 0),
        ({"kind": "status", "code": 500, "body": "oops"}, 500, 0),
        ({"kind": "status", "code": 409}, 409, 0),
        ("redirect", 307, 0),
        ("wrong_type", 200, 1),
        ({"kind": "reject", "code": 10006}, 200, 0),
        ("requote", 200, 0),
    ],
)
async def test_an_answer_may_say_one_thing_and_the_book_another(
    caller: Caller, fault: Any, status: int, executed: int
) -> None:
    caller.server.add_fault(fault, route="trade")
    assert (await buy(caller)).status == status
    assert len(await caller.book()) == executed
    assert len((await caller.get("positions")).body) == executed


async def test_an_order_may_be_executed_long_after_its_504(caller: Caller) -> None:
    caller.server.add_fault({"kind": "answer_504_then_execute_after", "s": [0.05, 0.1]})
    assert (await buy(caller)).status == 504
    assert await caller.book() == []

    async def is_executed() -> bool:
        return len(await caller.book()) == 1

    await eventually(is_executed)


async def test_closing_the_server_drops_what_still_waits() -> None:
    async with a_caller() as caller:
        caller.server.add_fault({"kind": "answer_504_then_execute_after", "s": 60})
        assert (await buy(caller)).status == 504
        caller.server.add_fault({"kind": "hang", "s": 60})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await buy(caller)
        server = caller.server
    async with asyncio.timeout(2):
        await server.aclose()


@pytest.mark.parametrize(
    ("fault", "error"),
    [("cut_body", aiohttp.ClientPayloadError), ("not_json", ValueError)],
)
async def test_an_unreadable_answer_hides_an_order(
    caller: Caller, fault: str, error: type[Exception]
) -> None:
    caller.server.add_fault(fault)
    with pytest.raises(error):
        await buy(caller)
    assert len(await caller.book()) == 1


async def test_a_slow_answer_arrives_whole(caller: Caller) -> None:
    caller.server.add_fault({"kind": "slow_body", "s": 0.05})
    assert (await buy(caller)).body["numericCode"] == 10009


async def test_connections_are_refused_for_a_while(caller: Caller) -> None:
    async def is_refused() -> bool:
        try:
            await caller.get("symbols")
        except aiohttp.ClientConnectorError:
            return True
        except aiohttp.ClientConnectionError:
            return False
        return False

    async def is_answered() -> bool:
        try:
            return (await caller.get("symbols")).status == 200
        except aiohttp.ClientConnectionError:
            return False

    caller.server.add_fault({"kind": "refuse", "s": 0.2})
    await eventually(is_refused)
    await eventually(is_answered)


@pytest.mark.parametrize(
    ("params", "retry_after", "retry_time"),
    [
        ({"retry_in": 5}, "5", "2026-03-02T09:00:05.000Z"),
        ({"past": True}, "0", "2026-03-02T08:59:00.000Z"),
    ],
)
async def test_a_429_tells_when_to_come_back(
    caller: Caller, params: dict[str, Any], retry_after: str, retry_time: str
) -> None:
    caller.server.add_fault({"kind": "429"} | params, route="positions")
    answer = await caller.get("positions")
    assert (answer.status, answer.headers["Retry-After"]) == (429, retry_after)
    assert answer.body["error"] == "TooManyRequestsError"
    assert answer.body["metadata"]["recommendedRetryTime"] == retry_time


async def test_a_429_may_lack_its_body(caller: Caller) -> None:
    caller.server.add_fault({"kind": "429", "absent": True}, route="positions")
    answer = await caller.get("positions")
    assert (answer.status, answer.body) == (429, "Too Many Requests")


async def test_a_rule_strikes_the_nth_call_that_fits_and_then_no_more(caller: Caller) -> None:
    match = {"route": "trade", "action": "ORDER_TYPE_BUY", "account": caller.account, "nth": 2}
    answer = await caller.control("POST", "faults", json={"match": match, "fault": "503"})
    assert answer.status == 201
    assert await caller.code("POSITION_CLOSE_ID", positionId="1") == 4753
    assert [(await buy(caller)).status for _ in range(3)] == [200, 503, 200]
    (rule,) = (await caller.control("GET", "faults")).body
    assert (rule["seen"], rule["struck"]) == (3, 1)
    assert (await caller.control("DELETE", "faults")).status == 204
    assert (await caller.control("GET", "faults")).body == []


async def test_a_probability_is_drawn_from_the_seed(caller: Caller) -> None:
    caller.server.add_fault("503", route="symbols", probability=0.5)
    statuses = [(await caller.get("symbols")).status for _ in range(40)]
    assert 5 < statuses.count(503) < 35
    caller.server.faults.clear()
    assert (await caller.get("symbols")).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"fault": "earthquake"},
        {"fault": "503", "match": {"color": "red"}},
        {"fault": {"kind": "lag", "of": "everything"}},
        {"fault": {"kind": "undeploy"}, "match": {"account": "nobody"}},
        {},
    ],
)
async def test_a_fault_that_does_not_exist_is_explained(
    caller: Caller, wrong: dict[str, Any]
) -> None:
    answer = await caller.control("POST", "faults", json=wrong)
    assert answer.status == 400
    assert answer.body["message"]


@pytest.mark.parametrize(
    ("fault", "client_id"),
    [
        ("lost_client_id", None),
        ("rewritten_comment", None),
        ({"kind": "truncated_client_id", "n": 10}, "S1AB_ABCDE"),
    ],
)
async def test_a_client_id_may_be_lost_on_the_way_but_the_truth_keeps_it(
    caller: Caller, fault: Any, client_id: str | None
) -> None:
    caller.server.add_fault(fault)
    await buy(caller)
    (held,) = (await caller.get("positions")).body
    assert held.get("clientId") == client_id
    assert (await caller.book())[0]["clientId"] == CLIENT_ID


async def test_a_fill_may_be_partial_or_slip(caller: Caller) -> None:
    caller.server.add_fault({"kind": "partial_fill", "share": 0.35})
    assert (await buy(caller)).body["numericCode"] == 10010
    caller.server.add_fault({"kind": "slip", "points": 7})
    await buy(caller)
    first, second = (await caller.get("positions")).body
    assert (first["volume"], second["openPrice"]) == (0.03, 1.08513)


async def test_views_may_lag_freeze_miss_or_synchronize(caller: Caller) -> None:
    page = "history-deals/time/2020-01-01T00:00:00Z/2040-01-01T00:00:00Z"
    caller.server.add_fault({"kind": "lag", "of": "positions", "s": 5}, account=caller.account)
    await buy(caller)
    assert (await caller.get("positions?refreshTerminalState=true")).body == []
    caller.pass_time(5)
    assert len((await caller.get("positions")).body) == 1
    caller.server.add_fault({"kind": "frozen_snapshot", "s": 30}, account=caller.account)
    await buy(caller)
    caller.pass_time(20)
    assert len((await caller.get("positions")).body) == 1
    caller.pass_time(20)
    assert len((await caller.get("positions")).body) == 2
    caller.server.add_fault({"kind": "missing_history", "s": 5}, account=caller.account)
    assert (await caller.get(page)).body == []
    caller.pass_time(5)
    caller.server.add_fault({"kind": "synchronizing", "s": 5}, account=caller.account)
    body = (await caller.get(page)).body
    assert body["synchronizing"]
    assert len(body["deals"]) == 3


async def test_strangers_stop_outs_and_moves_happen(caller: Caller) -> None:
    caller.server.add_fault({"kind": "foreign_position", "volume": 0.2}, account=caller.account)
    (stranger,) = (await caller.get("positions")).body
    assert (stranger["reason"], stranger.get("clientId")) == ("POSITION_REASON_CLIENT", None)
    caller.server.add_fault("stop_out", account=caller.account)
    assert (await caller.get("positions")).body == []
    deals = (await caller.get(f"history-deals/position/{stranger['id']}")).body
    assert deals[-1]["reason"] == "DEAL_REASON_SO"
    caller.server.add_fault({"kind": "spread", "symbol": "EURUSD", "points": 50})
    price = (await caller.get("symbols/EURUSD/current-price")).body
    assert round(price["ask"] - price["bid"], 5) == 0.0005
    caller.server.add_fault({"kind": "move_region", "region": "london"}, account=caller.account)
    assert (await caller.get("positions")).status == 504
    caller.region = "london"
    assert (await caller.get("positions")).status == 200


async def test_a_revoked_token_is_refused_and_trading_with_it_noted(caller: Caller) -> None:
    caller.server.add_fault({"kind": "revoke_token", "token": caller.token})
    assert (await caller.get("positions")).status == 401
    assert (await buy(caller)).status == 401
    (violation,) = (await caller.control("GET", "violations")).body
    assert violation["rule"] == "trade_after_refusal"
