import pytest

from kit.metaapi import CLIENT_ID, PAGE, Caller, a_caller
from signalfleet_sim.metaapi.views import Lags

pytestmark = pytest.mark.loopback


async def test_the_account_tells_its_money_and_rules(caller: Caller) -> None:
    await caller.open(volume=0.5)
    account = (await caller.get("account-information")).body
    assert account["balance"] == 9998.25
    assert account["equity"] == 9992.25
    assert account["margin"] == 542.53
    assert account["freeMargin"] == pytest.approx(account["equity"] - account["margin"])
    assert account["marginMode"] == "ACCOUNT_MARGIN_MODE_RETAIL_HEDGING"
    assert account["type"] == "ACCOUNT_TRADE_MODE_DEMO"
    assert account["tradeAllowed"]


async def test_a_specification_has_no_tick_value_but_the_price_has(caller: Caller) -> None:
    specification = (await caller.get("symbols/XAUUSD/specification")).body
    assert not [name for name in specification if "ickValue" in name]
    assert (specification["tickSize"], specification["contractSize"]) == (0.01, 100)
    assert (specification["minVolume"], specification["volumeStep"]) == (0.01, 0.01)
    price = (await caller.get("symbols/XAUUSD/current-price?keepSubscription=true")).body
    assert price == {
        "symbol": "XAUUSD",
        "bid": 2349.88,
        "ask": 2350.13,
        "profitTickValue": 1,
        "lossTickValue": 1,
        "accountCurrencyExchangeRate": 1,
        "time": "2026-03-02T09:00:00.000Z",
        "brokerTime": "2026-03-02 11:00:00.000",
    }


@pytest.mark.parametrize("path", ["specification", "current-price", "current-tick"])
async def test_an_unknown_symbol_is_not_found(caller: Caller, path: str) -> None:
    answer = await caller.get(f"symbols/%23NOPE/{path}")
    assert (answer.status, answer.body["error"]) == (404, "NotFoundError")


async def test_other_market_reads_answer(caller: Caller) -> None:
    assert len((await caller.get("symbols")).body) == 14
    assert (await caller.get("symbols/EURUSD/current-tick")).body["ask"] == 1.08506
    assert len((await caller.get("symbols/EURUSD/current-book")).body["book"]) == 2
    time = (await caller.get("server-time")).body
    assert time == {"time": "2026-03-02T09:00:00.000Z", "brokerTime": "2026-03-02 11:00:00.000"}
    caller.server.add_fault({"kind": "server_time", "offset": 90})
    assert (await caller.get("server-time")).body["time"] == "2026-03-02T09:01:30.000Z"


async def test_margin_is_calculated_for_a_question(caller: Caller) -> None:
    question = {"symbol": "EURUSD", "type": "ORDER_TYPE_BUY", "volume": 0.1, "openPrice": 1.1}
    path = caller.path("calculate-margin")
    assert (await caller.call("POST", path, json=question)).body == {"margin": 110}
    nothing = await caller.call("POST", path, json=question | {"symbol": "NOPE"})
    assert (nothing.status, nothing.body) == (200, {})
    assert (await caller.call("POST", path, json=question | {"volume": "1"})).status == 400


async def test_one_position_and_one_order_are_found_by_id(caller: Caller) -> None:
    position = await caller.open()
    assert (await caller.get(f"positions/{position}")).body["id"] == position
    assert (await caller.get("positions/999")).status == 404
    placed = await caller.trade("ORDER_TYPE_SELL_LIMIT", symbol="EURUSD", volume=0.1, openPrice=1.2)
    order = placed.body["orderId"]
    assert (await caller.get(f"orders/{order}")).body["currentPrice"] == 1.08494
    assert (await caller.get("orders/999")).status == 404


async def test_positions_are_seen_late_and_sooner_when_refreshed() -> None:
    lags = Lags(state=(0.2, 0.2), history=(1.0, 1.0), refreshed_s=0.05)
    async with a_caller(lags=lags) as caller:
        await caller.open()
        assert (await caller.get("positions")).body == []
        caller.clock.advance(0.06)
        assert (await caller.get("positions")).body == []
        assert len((await caller.get("positions?refreshTerminalState=true")).body) == 1
        assert (await caller.get(f"history-deals/time/{PAGE}")).body == []
        caller.clock.advance(1)
        assert len((await caller.get(f"history-deals/time/{PAGE}")).body) == 2


async def test_an_order_that_fills_between_two_looks_is_in_neither_but_in_the_history() -> None:
    lags = Lags(state=(0.2, 0.2), history=(0.0, 0.0), refreshed_s=0.2)
    async with a_caller(lags=lags) as caller:
        await caller.trade(
            "ORDER_TYPE_BUY_LIMIT",
            symbol="EURUSD",
            volume=0.1,
            openPrice=1.08,
            clientId=CLIENT_ID,
        )
        caller.clock.advance(1)
        assert len((await caller.get("orders")).body) == 1
        caller.jump("EURUSD", "1.08")
        assert (await caller.get("positions")).body == []
        caller.clock.advance(0.3)
        assert (await caller.get("orders")).body == []
        (done,) = (await caller.get(f"history-orders/time/{PAGE}")).body
        assert done["clientId"] == CLIENT_ID


async def test_a_window_begins_inside_and_ends_outside(caller: Caller) -> None:
    caller.pass_time(10)
    await caller.open()
    path = "history-orders/time/2026-03-02T09:00:{}.000Z/2026-03-02T09:00:{}.000Z"
    assert len((await caller.get(path.format("10", "11"))).body) == 1
    assert len((await caller.get(path.format("09", "10"))).body) == 0
    assert len((await caller.get(path.format("11", "12"))).body) == 0


async def test_history_comes_in_pages(caller: Caller) -> None:
    caller.server.add_fault({"kind": "second_page", "n": 2500}, account=caller.account)
    position = await caller.open()
    sizes = []
    page: list[dict[str, object]] = []
    for offset in (0, 1000, 2000):
        page = (await caller.get(f"history-deals/time/{PAGE}?offset={offset}&limit=1000")).body
        sizes.append(len(page))
    assert sizes == [1000, 1000, 502]
    assert page[-1]["positionId"] == position
    assert len((await caller.get(f"history-deals/time/{PAGE}")).body) == 1000


@pytest.mark.parametrize("query", ["limit=1001", "limit=0", "limit=x", "offset=-1"])
async def test_a_page_that_cannot_be_is_a_400(caller: Caller, query: str) -> None:
    assert (await caller.get(f"history-deals/time/{PAGE}?{query}")).status == 400


async def test_a_time_that_is_none_is_a_400(caller: Caller) -> None:
    assert (await caller.get("history-deals/time/yesterday/today")).status == 400


async def test_an_unknown_token_is_401_and_a_foreign_account_404(caller: Caller) -> None:
    await caller.open()
    caller.server.add_account(token="other.user.token")
    caller.token = "other.user.token"
    for path in ("positions", "account-information", f"history-deals/time/{PAGE}"):
        answer = await caller.get(path)
        assert (answer.status, answer.body["error"]) == (404, "NotFoundError")
    trade = await caller.trade("ORDER_TYPE_BUY", symbol="EURUSD", volume=0.1)
    assert trade.status == 404
    caller.token = "nobody.knows.it"
    answer = await caller.get("positions")
    assert (answer.status, answer.body["error"]) == (401, "UnauthorizedError")
    assert (await caller.get("positions", headers={"auth-token": ""})).status == 401


async def test_a_wrong_region_and_an_undeployed_account_have_one_504(caller: Caller) -> None:
    caller.region = "london"
    wrong = await caller.get("positions")
    assert (wrong.status, wrong.body["error"]) == (504, "TimeoutError")
    caller.region = "new-york"
    caller.server.add_fault({"kind": "disconnect_broker", "s": 10}, account=caller.account)
    assert (await caller.get("positions")).body == wrong.body
    account = (await caller.prov("GET", f"accounts/{caller.account}")).body
    assert (account["state"], account["connectionStatus"]) == (
        "DEPLOYED",
        "DISCONNECTED_FROM_BROKER",
    )
    caller.pass_time(10)
    assert (await caller.get("positions")).status == 200
    assert (await caller.prov("POST", f"accounts/{caller.account}/undeploy")).status == 204
    assert (await caller.get("positions")).body == wrong.body
