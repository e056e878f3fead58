"""What a broker, or MetaApi before it, does to orders and looks: what the adapter makes of it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from kit.broker_houses import MetaApiHouse, metaapi_house
from signalfleet.domain.ids import ClientId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.orders import OpenOrder
from signalfleet.domain.trading.outcomes import Accepted, Outcome, Rejected, Unknown
from signalfleet.domain.trading.reports import Position
from signalfleet.ports.errors import NotSentError, TemporaryError

pytestmark = pytest.mark.loopback

CLIENT_ID = ClientId("S165_EJIQROFJUNEUDZLA_E0")
ENTRY = OpenOrder(
    symbol="EURUSD",
    side=Side.BUY,
    kind=OrderKind.MARKET,
    lots=Lots.of("0.10"),
    price=None,
    stop_loss=None,
    take_profit=None,
    client_id=CLIENT_ID,
    magic=1645231676,
)


@pytest.fixture
async def house() -> AsyncIterator[MetaApiHouse]:
    async with metaapi_house() as opened:
        opened.jump("1.10000")
        yield opened


def fault(house: MetaApiHouse, kind: str, *, route: str | None = None, **params: Any) -> None:
    match = {"account": house.account_id} if route is None else {"route": route}
    house.server.add_fault({"kind": kind, **params}, **match)


async def enter(house: MetaApiHouse) -> Outcome:
    return await house.broker.submit(ENTRY, lambda: None)


async def positions(house: MetaApiHouse, *, full: bool = False) -> tuple[Position, ...]:
    since = house.clock.now() - timedelta(minutes=5)
    return (await house.broker.snapshot(since, full=full)).positions


@pytest.mark.parametrize(
    ("kind", "params", "code", "again"),
    [
        ("trade_disabled", {}, "TRADE_RETCODE_TRADE_DISABLED", False),
        ("close_market", {"symbol": "EURUSD"}, "TRADE_RETCODE_MARKET_CLOSED", False),
        ("no_quotes", {"symbol": "EURUSD"}, "ERR_NO_QUOTES", True),
    ],
    ids=["disabled", "closed", "no-quotes"],
)
async def test_a_brokers_refusal_in_a_good_answer_is_a_refusal(
    house: MetaApiHouse, kind: str, params: dict[str, Any], code: str, again: bool
) -> None:
    fault(house, kind, **params)
    outcome = await enter(house)
    assert isinstance(outcome, Rejected), outcome
    assert (outcome.code, outcome.again) == (code, again)
    assert house.executed() == 0


async def test_an_investors_account_trades_nothing_and_says_so(house: MetaApiHouse) -> None:
    fault(house, "investor")
    assert isinstance(await enter(house), Rejected)
    assert (await house.broker.account()).investor


async def test_the_volume_of_a_partial_fill_is_the_positions(house: MetaApiHouse) -> None:
    fault(house, "partial_fill", route="trade", share=0.4)
    outcome = await enter(house)
    assert isinstance(outcome, Accepted)
    assert outcome.code == "TRADE_RETCODE_DONE_PARTIAL"
    (held,) = await positions(house)
    assert held.lots == Lots.of("0.04")


async def test_a_fill_away_from_the_price_is_told_by_the_position(house: MetaApiHouse) -> None:
    fault(house, "slip", route="trade", points=30)
    assert isinstance(await enter(house), Accepted)
    (held,) = await positions(house)
    assert str(held.open_price) > "1.10030"


@pytest.mark.parametrize("kind", ["hide_client_ids", "rewrite_comments"])
async def test_a_name_that_the_broker_took_away_leaves_the_magic_number(
    house: MetaApiHouse, kind: str
) -> None:
    fault(house, kind)
    assert isinstance(await enter(house), Accepted)
    (held,) = await positions(house)
    assert held.client_id != CLIENT_ID
    assert (held.magic, held.symbol, held.lots) == (ENTRY.magic, ENTRY.symbol, ENTRY.lots)


async def test_a_look_that_lags_does_not_show_what_was_done_just_now(house: MetaApiHouse) -> None:
    fault(house, "lag", of="positions", s=5)
    assert isinstance(await enter(house), Accepted)
    assert await positions(house) == ()
    house.pass_time(6)
    assert len(await positions(house)) == 1


async def test_an_account_away_from_its_broker_is_doubt_once_and_then_not_sent(
    house: MetaApiHouse,
) -> None:
    fault(house, "disconnect_broker")
    assert isinstance(await enter(house), Unknown)
    with pytest.raises(NotSentError) as caught:
        await enter(house)
    assert caught.value.reason == "account_away"
    assert house.executed() == 0


async def test_an_account_that_moved_is_found_in_its_new_region(house: MetaApiHouse) -> None:
    fault(house, "move_region", region="london")
    assert isinstance(await enter(house), Unknown)
    assert isinstance(await enter(house), Accepted)
    assert house.executed() == 1


async def test_slow_answers_are_waited_for(house: MetaApiHouse) -> None:
    fault(house, "delay", route="trade", s=0.05)
    fault(house, "slow_body", route="positions", s=0.05)
    assert isinstance(await enter(house), Accepted)
    assert len(await positions(house)) == 1


async def test_a_region_where_calls_fail_is_counted_and_heals(house: MetaApiHouse) -> None:
    house.server.add_fault({"kind": "503"}, route="trade", times=20)
    gauge = "signalfleet_metaapi_circuit"
    for _ in range(20):
        assert isinstance(await enter(house), Unknown)
    with pytest.raises(NotSentError) as caught:
        await enter(house)
    assert caught.value.reason == "region_circuit_open"
    assert house.metrics.gauges[gauge] == 1.0
    house.pass_time(31)
    assert await positions(house) == ()
    assert house.metrics.gauges[gauge] == 0.0


async def test_an_account_whose_reads_fail_is_left_in_peace_and_counted(
    house: MetaApiHouse,
) -> None:
    house.server.add_fault({"kind": "503"}, route="account-information", times=5)
    for _ in range(5):
        with pytest.raises(TemporaryError, match="HTTP 503"):
            await house.broker.account()
    asked = len(house.server.world.journal.calls)
    with pytest.raises(TemporaryError, match="a pause is made"):
        await house.broker.account()
    assert len(house.server.world.journal.calls) == asked
    counted = house.metrics.labels_of("signalfleet_metaapi_account_circuits_total")
    assert counted == [{"region": "new-york"}]
    house.pass_time(11)
    assert (await house.broker.account()).connected
