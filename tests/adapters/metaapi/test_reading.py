"""Looks at an account, caches, and what is asked in which order."""

import asyncio
from decimal import Decimal

import pytest

from kit.metaapi_rig import (
    ACCOUNT,
    DEAL,
    DONE,
    INFORMATION,
    ORDER,
    POSITION,
    PRICE,
    PROV,
    SINCE,
    SPECIFICATION,
    STATE,
    TERMINAL,
    TOKEN,
    A,
    Rig,
    another,
    error,
)
from kit.raw_http import answer, hang, reset
from signalfleet.adapters.metaapi import limits
from signalfleet.adapters.metaapi.urls import MetaApiUrls
from signalfleet.domain.money import Price
from signalfleet.domain.trading.orders import ModifyPosition
from signalfleet.domain.trading.outcomes import Accepted
from signalfleet.ports.errors import (
    NotSentError,
    RefusedError,
    SignInRequiredError,
    TemporaryError,
)

pytestmark = pytest.mark.loopback


def read_paths(rig: Rig) -> list[str]:
    return [path.removeprefix(TERMINAL).removeprefix(PROV) for path in rig.stub.paths()]


async def test_a_full_look_reads_everything_in_the_order_that_proves_most(rig: Rig) -> None:
    snapshot = await rig.broker.snapshot(SINCE, full=True)
    assert snapshot.complete
    assert [len(part) for part in (snapshot.positions, snapshot.orders)] == [1, 1]
    assert [len(part) for part in (snapshot.history_orders, snapshot.deals)] == [1, 1]
    paths = [path.split("/time/")[0] for path in read_paths(rig)]
    assert paths == [
        "",
        "/positions",
        "/orders",
        "/history-orders",
        "/history-deals",
        "/account-information",
        "",
        "/credits",
    ]


async def test_history_is_asked_for_from_the_given_moment_until_a_little_after_now(
    rig: Rig,
) -> None:
    await rig.broker.snapshot(SINCE, full=True)
    target = next(r.target for r in rig.stub.requests if "/history-orders/" in r.target)
    assert "/time/2026-03-02T10%3A00%3A00.000Z/" in target
    assert target.endswith("?offset=0&limit=1000")


async def test_a_light_look_has_no_history(rig: Rig) -> None:
    snapshot = await rig.broker.snapshot(SINCE, full=False)
    assert snapshot.complete
    assert not snapshot.full
    assert read_paths(rig) == ["", "/positions", "/orders", "/credits"]


async def test_the_state_is_asked_for_once_in_ten_seconds(rig: Rig) -> None:
    for _ in range(3):
        await rig.broker.snapshot(SINCE, full=False)
    assert read_paths(rig).count("") == 1


async def test_all_pages_of_a_window_are_read(rig: Rig) -> None:
    pages = [[DEAL] * 1000, [DEAL] * 1000, [DEAL] * 500]

    async def paged(writer: asyncio.StreamWriter) -> None:
        target = rig.stub.requests[-1].target
        offset = int(target.partition("offset=")[2].partition("&")[0])
        await answer(pages[offset // 1000])(writer)

    rig.stub.on(f"{TERMINAL}/history-deals", paged)
    snapshot = await rig.broker.snapshot(SINCE, full=True)
    assert len(snapshot.deals) == 2500
    assert snapshot.complete


@pytest.mark.parametrize(
    "path", ["/positions", "/orders", "/history-orders", "/history-deals", "/account-information"]
)
@pytest.mark.parametrize(
    "reply",
    [
        answer(error("TimeoutError"), status=504),
        answer(error("NotFoundError"), status=404),
        answer({"what": 1}),
        answer([{"id": "only"}]),
        reset,
    ],
    ids=["504", "404", "shape", "row", "reset"],
)
async def test_a_part_that_fails_makes_the_look_incomplete_and_keeps_the_rest(
    rig: Rig, path: str, reply: object
) -> None:
    rig.stub.on(TERMINAL + path, reply)  # type: ignore[arg-type]
    if path == "/account-information" and reply is not reset:
        rig.stub.on(TERMINAL + path, answer(status=503))
    snapshot = await rig.broker.snapshot(SINCE, full=True)
    assert not snapshot.complete
    parts = (snapshot.positions, snapshot.orders, snapshot.history_orders, snapshot.deals)
    missing = 0 if path == "/account-information" else 1
    assert sum(len(part) for part in parts) == 4 - missing


async def test_history_that_is_still_gathered_makes_the_look_incomplete(rig: Rig) -> None:
    rig.stub.on(f"{TERMINAL}/history-deals", answer({"deals": [DEAL], "synchronizing": True}))
    snapshot = await rig.broker.snapshot(SINCE, full=True)
    assert len(snapshot.deals) == 1
    assert not snapshot.complete


@pytest.mark.parametrize(
    "state",
    [
        answer(STATE | {"connectionStatus": "DISCONNECTED_FROM_BROKER"}),
        answer(STATE | {"region": "london"}),
        answer(status=500),
    ],
    ids=["disconnected", "moved", "unknown"],
)
async def test_a_look_without_a_proven_connection_is_incomplete(rig: Rig, state: object) -> None:
    rig.stub.on(PROV, state)  # type: ignore[arg-type]
    rig.stub.on(f"/client/london{A}/positions", answer([POSITION]))
    rig.stub.on(f"/client/london{A}/orders", answer([ORDER]))
    snapshot = await rig.broker.snapshot(SINCE, full=False)
    assert len(snapshot.positions) == 1
    assert not snapshot.complete


async def test_a_connection_lost_during_the_look_is_seen_at_its_end(rig: Rig) -> None:
    async def then_lost(writer: asyncio.StreamWriter) -> None:
        rig.stub.on(PROV, answer(STATE | {"connectionStatus": "DISCONNECTED"}))
        await answer([])(writer)

    rig.stub.on(f"{TERMINAL}/history-deals", then_lost)
    snapshot = await rig.broker.snapshot(SINCE, full=True)
    assert not snapshot.complete


async def test_an_undeployed_account_is_named_at_once(rig: Rig) -> None:
    rig.stub.on(PROV, answer(STATE | {"state": "UNDEPLOYED"}))
    with pytest.raises(TemporaryError, match="UNDEPLOYED"):
        await rig.broker.snapshot(SINCE, full=True)
    assert read_paths(rig) == [""]


async def test_when_nothing_can_be_read_it_is_tried_later(rig: Rig) -> None:
    rig.stub.on(TERMINAL, answer(status=503))
    with pytest.raises(TemporaryError, match="503"):
        await rig.broker.snapshot(SINCE, full=True)


async def test_a_refused_token_asks_for_a_new_one(rig: Rig) -> None:
    rig.stub.on(TERMINAL, answer(error("UnauthorizedError"), status=401))
    for read in (rig.broker.snapshot(SINCE, full=True), rig.broker.account()):
        with pytest.raises(SignInRequiredError):
            await read


async def test_a_read_that_hangs_ends_in_time(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "READ_S", 0.2)
    rig.stub.on(f"{TERMINAL}/symbols", hang)
    with pytest.raises(TemporaryError, match="timeout"):
        await rig.broker.symbols()


async def test_after_a_504_the_state_is_asked_for_again(rig: Rig) -> None:
    await rig.broker.account()
    rig.stub.on(f"{TERMINAL}/account-information", answer(error("TimeoutError"), status=504))
    with pytest.raises(TemporaryError, match="terminal"):
        await rig.broker.account()
    rig.stub.on(PROV, answer(STATE | {"state": "UNDEPLOYED", "connectionStatus": "DISCONNECTED"}))
    rig.stub.on(f"{TERMINAL}/account-information", answer(INFORMATION))
    assert not (await rig.broker.account()).connected


async def test_an_account_moved_to_another_region_is_followed(rig: Rig) -> None:
    rig.stub.on(PROV, answer(STATE | {"region": "london"}))
    rig.stub.on(f"/client/london{A}/account-information", answer(INFORMATION))
    assert (await rig.broker.account()).connected


async def test_an_account_that_nobody_vouches_for_counts_as_disconnected(rig: Rig) -> None:
    rig.stub.on(PROV, answer(status=500))
    facts = await rig.broker.account()
    assert facts.equity == Decimal("7306.649913200001")
    assert not facts.connected


async def test_a_throttled_read_tells_when_and_how_much_is_left(rig: Rig) -> None:
    metadata = {"total": 6000, "available": 300, "recommendedRetryTime": "2020-01-01T00:00:00Z"}
    body = error("TooManyRequestsError", metadata=metadata)
    rig.stub.on(f"{TERMINAL}/symbols", answer(body, status=429))
    with pytest.raises(TemporaryError) as caught:
        await rig.broker.symbols()
    assert caught.value.retry_after == 1
    assert rig.metrics.gauges == {"signalfleet_metaapi_credits_available_ratio": 0.05}


async def test_the_list_of_symbols_is_read_once(rig: Rig) -> None:
    for _ in range(3):
        assert await rig.broker.symbols() == {"EURUSD", "GBPUSD"}
    assert read_paths(rig) == ["/symbols"]


async def test_a_symbol_is_escaped_in_the_path(rig: Rig) -> None:
    specification = SPECIFICATION | {"symbol": "#US 30/x"}
    rig.stub.on(f"{TERMINAL}/symbols/%23US%2030%2Fx/specification", answer(specification))
    assert (await rig.broker.instrument("#US 30/x")).name == "#US 30/x"


async def test_accounts_at_one_server_share_specifications_and_prices(rig: Rig) -> None:
    rig.stub.on("/prov/users/current/accounts/b", answer(STATE))
    b = "/client/new-york/users/current/accounts/b"
    rig.stub.on(f"{b}/symbols/GBPUSD/specification", answer(SPECIFICATION))
    rig.stub.on(f"{b}/symbols/GBPUSD/current-price", answer(PRICE))
    second = another(rig)
    async with asyncio.TaskGroup() as tasks:
        for broker in (rig.broker, second, rig.broker):
            tasks.create_task(broker.instrument("GBPUSD"))
            tasks.create_task(broker.quote("GBPUSD"))
    paths = rig.stub.paths()
    assert sum(path.endswith("/specification") for path in paths) == 1
    assert sum(path.endswith("/current-price") for path in paths) == 1


async def test_prices_are_shared_by_accounts_of_one_currency_only(rig: Rig) -> None:
    rig.stub.on("/prov/users/current/accounts/b", answer(STATE | {"baseCurrency": "EUR"}))
    price = {"symbol": "GBPUSD", "bid": 1.2, "ask": 1.3, "profitTickValue": 0.9}
    mine = price | {"lossTickValue": 0.91, "time": "2026-03-02T10:05:11.000Z"}
    rig.stub.on("/client/new-york/users/current/accounts/b", answer(mine))
    second = another(rig)
    await rig.broker.account()
    assert (await rig.broker.quote("GBPUSD")).loss_tick_value == Decimal("1.00002")
    assert (await second.quote("GBPUSD")).loss_tick_value == Decimal("0.91")


async def test_a_missing_symbol_is_refused_and_a_missing_price_passes(rig: Rig) -> None:
    rig.stub.on(f"{TERMINAL}/symbols/NONE", answer(error("NotFoundError"), status=404))
    with pytest.raises(RefusedError):
        await rig.broker.instrument("NONE")
    rig.stub.on(f"{TERMINAL}/symbols/GBPUSD/current-price", answer({"symbol": "GBPUSD"}))
    with pytest.raises(TemporaryError, match="price"):
        await rig.broker.quote("GBPUSD")


async def test_levels_of_a_known_position_are_rounded_to_its_symbol(rig: Rig) -> None:
    await rig.broker.instrument("GBPUSD")
    await rig.broker.snapshot(SINCE, full=False)
    order = ModifyPosition(
        position_id="46214692", stop_loss=Price.of("1.2500001"), take_profit=None
    )
    assert isinstance(await rig.broker.submit(order, lambda: None), Accepted)
    assert b'"stopLoss":1.25000}' in rig.stub.requests[-1].body


async def test_the_domain_is_looked_up_once_and_used_in_the_address(rig: Rig) -> None:
    rig.stub.on(
        "/prov/users/current/servers/mt-client-api",
        answer({"hostname": "mt-client-api-v1", "domain": "agiliumtrade.example"}),
    )
    urls = MetaApiUrls(
        provisioning=f"{rig.stub.url}/prov",
        client=f"{rig.stub.url}/{{domain}}/{{region}}",
        public_only=False,
    )
    rig.stub.on(f"/agiliumtrade.example/new-york{A}/symbols", answer(["X"]))
    rig.stub.on(f"/agiliumtrade.example/new-york{A}/trade", answer(DONE))
    broker = another(rig, ACCOUNT, TOKEN, urls)
    assert await broker.symbols() == {"X"}
    order = ModifyPosition(position_id="1", stop_loss=None, take_profit=None)
    assert isinstance(await broker.submit(order, lambda: None), Accepted)
    assert sum("mt-client-api" in path for path in rig.stub.paths()) == 1


async def test_without_a_way_to_metaapi_an_order_is_not_sent(rig: Rig) -> None:
    rig.stub.on("/prov", answer(status=500))
    urls = MetaApiUrls(
        provisioning=f"{rig.stub.url}/prov", client=f"{rig.stub.url}/{{domain}}", public_only=False
    )
    order = ModifyPosition(position_id="1", stop_loss=None, take_profit=None)
    with pytest.raises(NotSentError) as caught:
        await another(rig, urls=urls).submit(order, lambda: None)
    assert caught.value.reason == "no_route"


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak"])
def test_a_token_that_cannot_travel_is_refused_at_once(rig: Rig, token: str) -> None:
    with pytest.raises(SignInRequiredError):
        another(rig, token=token)
