import asyncio
from typing import Any

import pytest

from kit.metaapi import CLIENT_ID, Caller, a_caller
from signalfleet_sim.metaapi.credits import CreditRules

pytestmark = pytest.mark.loopback


async def test_control_wants_the_token_of_the_run(caller: Caller) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = await caller.call("GET", "/control/book", headers=headers)
        assert answer.status == 401


async def test_an_account_is_ready_as_soon_as_it_is_made(caller: Caller) -> None:
    wish = {"balance": 2500, "currency": "EUR", "hedging": False, "broker": "suffixes"}
    made = (await caller.control("POST", "accounts", json=wish)).body
    assert made["token"].count(".") == 2
    caller.account, caller.token = made["accountId"], made["token"]
    account = (await caller.get("account-information")).body
    assert (account["balance"], account["currency"]) == (2500, "EUR")
    assert account["server"] == made["server"] == "Northgate-Live3"
    price = (await caller.get("symbols/XAUUSDm/current-price")).body
    assert 0.9 < price["profitTickValue"] < 1
    assert {"accountId", "equity", "state"} <= (await caller.control("GET", "accounts")).body[
        0
    ].keys()
    wrong = await caller.control("POST", "accounts", json={"broker": "none"})
    assert wrong.status == 400
    assert "clean, suffixes, awkward" in wrong.body["message"]


async def test_the_book_tells_who_did_what_when(caller: Caller) -> None:
    position = await caller.open(clientId=CLIENT_ID, magic=5, stopLoss=1.07)
    caller.clock.advance(2)
    await caller.trade("POSITION_CLOSE_ID", positionId=position)
    entry, close = await caller.book()
    assert (entry["action"], entry["side"], entry["volume"]) == ("ORDER_TYPE_BUY", "buy", 0.1)
    assert (entry["clientId"], entry["magic"], entry["symbol"]) == (CLIENT_ID, 5, "EURUSD")
    assert entry["positionId"] == close["positionId"] == position
    assert (close["action"], close["symbol"]) == ("POSITION_CLOSE_ID", "EURUSD")
    assert close["executedAt"] - entry["executedAt"] == 2
    found = await caller.control("GET", f"book?clientId={CLIENT_ID}")
    assert [one["seq"] for one in found.body] == [entry["seq"]]


async def test_the_log_of_calls_holds_no_token(caller: Caller) -> None:
    await caller.open(clientId=CLIENT_ID)
    await caller.get("positions")
    calls = (await caller.control("GET", f"calls?account={caller.account}")).body
    assert [(one["route"], one["status"]) for one in calls] == [("trade", 200), ("positions", 200)]
    assert calls[0]["clientId"] == CLIENT_ID
    assert caller.token not in str(calls)


async def test_the_truth_of_an_account_has_no_lag(caller: Caller) -> None:
    caller.server.add_fault({"kind": "frozen_snapshot"}, account=caller.account)
    await caller.open()
    truth = (await caller.control("GET", f"accounts/{caller.account}")).body
    assert len(truth["positions"]) == len(truth["historyOrders"]) == 1
    assert len(truth["deals"]) == 2
    assert (await caller.control("GET", "accounts/nobody")).status == 404


async def test_scripts_steer_and_jump_the_market(caller: Caller) -> None:
    target = {"symbol": "XAUUSD", "target": 2360, "within_s": 10}
    assert (await caller.control("POST", "steer", json=target)).status == 200
    assert (await caller.control("GET", "quotes")).body["XAUUSD"]["isSteered"]
    for _ in range(11):
        caller.pass_time(1)
    quote = (await caller.control("GET", "quotes")).body["XAUUSD"]
    assert (quote["bid"], quote["isSteered"]) == (2360, False)
    assert (await caller.get("symbols/XAUUSD/current-price")).body["bid"] == 2360
    await caller.control("POST", "jump", json={"symbol": "XAUUSD", "target": 2300})
    assert (await caller.get("symbols/XAUUSD/current-price")).body["ask"] == 2300
    wrong = await caller.control("POST", "steer", json={"symbol": "DOGE", "target": 1})
    assert wrong.status == 400


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"actionType": "POSITION_MODIFY", "positionId": "1"}, "modify_without_levels"),
        ({"comment": "hello"}, "comment_sent"),
        ({"clientId": "S1AB_ABCDEFGHIJKLMNOPQRST_E0"}, "client_id_too_long"),
    ],
)
async def test_what_a_careful_caller_never_sends_is_noted(
    caller: Caller, fields: dict[str, Any], rule: str
) -> None:
    body: dict[str, Any] = {"actionType": "ORDER_TYPE_BUY", "symbol": "EURUSD", "volume": 0.1}
    body |= fields
    await caller.trade(body.pop("actionType"), **body)
    violations = (await caller.control("GET", "violations")).body
    assert [one["rule"] for one in violations] == [rule]


async def test_a_token_in_a_url_is_noted(caller: Caller) -> None:
    await caller.get(f"positions?auth-token={caller.token}")
    (violation,) = (await caller.control("GET", "violations")).body
    assert violation["rule"] == "token_in_url"


async def test_five_calls_at_once_and_forty_looks_a_minute_are_noted(caller: Caller) -> None:
    caller.server.add_fault({"kind": "delay", "s": 0}, route="symbols", times=5)
    async with a_caller(trade_latency_s=(0.1, 0.1)) as slow:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(5):
                tasks.create_task(slow.open())
        violations = (await slow.control("GET", "violations")).body
        assert {one["rule"] for one in violations} == {"too_many_calls_at_once"}
    for _ in range(41):
        await caller.get("positions")
    (violation,) = (await caller.control("GET", "violations")).body
    assert violation["rule"] == "polling_too_fast"


async def test_credits_run_out_and_come_back() -> None:
    rules = CreditRules(per_user={"60s": 1_000}, per_account={"10s": 120}, per_server={})
    async with a_caller(credit_rules=rules) as caller:
        assert (await caller.get("positions")).status == 200
        assert (await caller.get("orders")).status == 200
        refused = await caller.get("positions")
        assert (refused.status, refused.body["error"]) == (429, "TooManyRequestsError")
        metadata = refused.body["metadata"]
        assert (metadata["exceededConfig"], metadata["exceededPeriod"]) == ("perAccount", "10s")
        assert (metadata["available"], metadata["needed"]) == (20, 50)
        assert metadata["recommendedRetryTime"] == "2026-03-02T09:00:10.000Z"
        assert int(refused.headers["Retry-After"]) >= 10
        assert await caller.code("ORDER_TYPE_BUY", symbol="EURUSD", volume=0.1) == 10009
        body = (await caller.get("credits")).body
        assert body["perUser"] == [{"period": "60s", "total": 1000, "available": 890}]
        assert body["perAccount"] == [{"period": "10s", "total": 120, "available": 10}]
        assert body["perServer"] == []
        caller.clock.advance(10)
        assert (await caller.get("positions")).status == 200


async def test_deals_cost_by_their_number_and_two_accounts_double_the_users_share() -> None:
    rules = CreditRules(per_user={"60s": 1_000}, per_account={}, per_server={})
    async with a_caller(credit_rules=rules) as caller:
        caller.server.add_account(token=caller.token)
        caller.server.add_fault({"kind": "second_page", "n": 99}, account=caller.account)
        page = "history-deals/time/2020-01-01T00:00:00Z/2040-01-01T00:00:00Z"
        assert len((await caller.get(page)).body) == 100
        (bucket,) = (await caller.get("credits")).body["perUser"]
        assert bucket == {"period": "60s", "total": 2000, "available": 1860}


async def test_a_bucket_can_be_drained_by_a_script() -> None:
    async with a_caller(credit_rules=CreditRules()) as caller:
        caller.server.credits.drain("perAccount", caller.account, 0.005)
        answer = await caller.get("positions")
        assert answer.body["metadata"]["available"] == 25
