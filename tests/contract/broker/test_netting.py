"""One position for each symbol: what our one order with several targets can rely on there."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from kit.broker_houses import House, metaapi_house, paper_house
from kit.builders import a_trade
from signalfleet.domain.ids import ClientId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.intents import ReduceLeg
from signalfleet.domain.trading.matching import facts_of
from signalfleet.domain.trading.orders import ClosePosition, OpenOrder, ReducePosition
from signalfleet.domain.trading.outcomes import Accepted
from signalfleet.domain.trading.reconcile import trade_as_seen
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.reports import Snapshot

pytestmark = pytest.mark.loopback

ENTRY = ClientId("S165_EJIQROFJUNEUDZLA_E0")
PART = ClientId("S165_EJIQROFJUNEUDZLA_P0")
CLOSE = ClientId("S165_EJIQROFJUNEUDZLA_C0")
LATER = ClientId("S165_AAAAAAAAAAAAAAAA_E0")
HOUSES = {"metaapi": metaapi_house, "paper": paper_house}


@pytest.fixture(params=sorted(HOUSES))
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with HOUSES[request.param](hedging=False) as house:
        yield house


def an_order(client: ClientId = ENTRY, lots: str = "0.20", side: Side = Side.BUY) -> OpenOrder:
    return OpenOrder(
        symbol="EURUSD",
        side=side,
        kind=OrderKind.MARKET,
        lots=Lots.of(lots),
        price=None,
        stop_loss=Price.of("1.0700"),
        take_profit=Price.of("1.1200"),
        client_id=client,
        magic=1645231676,
    )


def our_leg(position: str | None) -> Trade:
    return a_trade(
        1,
        symbol="EURUSD",
        client_id=ENTRY,
        position_id=position,
        volume=Lots.of("0.20"),
        volume_open=Lots.of("0.20"),
    )


async def sent(house: House, order: OpenOrder | ReducePosition | ClosePosition) -> Accepted:
    outcome = await house.broker.submit(order, lambda: None)
    assert isinstance(outcome, Accepted), outcome
    return outcome


async def looked(house: House) -> Snapshot:
    house.pass_time(1)
    since = house.clock.now() - timedelta(hours=1)
    snapshot = await house.broker.snapshot(since, full=True)
    assert snapshot.complete
    return snapshot


async def test_the_account_says_what_it_is(house: House) -> None:
    assert (await house.broker.account()).nets


async def test_our_position_is_found_by_its_client_id_and_followed_to_its_end(
    house: House,
) -> None:
    await sent(house, an_order())
    snapshot = await looked(house)
    seen = trade_as_seen(our_leg(None), facts_of(our_leg(None), snapshot), snapshot)
    assert seen is not None
    assert (seen.state, seen.volume_open) == (TradeState.OPEN, Lots.of("0.20"))
    position = seen.position_id or ""
    await sent(house, ReducePosition(position_id=position, lots=Lots.of("0.15"), client_id=PART))
    snapshot = await looked(house)
    (held,) = facts_of(seen, snapshot).positions
    assert held.lots == Lots.of("0.05")
    assert held.lots <= ReduceLeg(remaining=Lots.of("0.05")).remaining
    await sent(house, ClosePosition(position_id=position, client_id=CLOSE))
    snapshot = await looked(house)
    closed = trade_as_seen(seen, facts_of(seen, snapshot), snapshot)
    assert closed is not None
    assert closed.state is TradeState.CLOSED
    assert closed.volume_open == Lots(Decimal(0))


async def test_a_second_order_melts_into_the_first_position(house: House) -> None:
    """Why a second copy in the symbol is refused before anything is sent."""
    await sent(house, an_order())
    await sent(house, an_order(LATER, "0.10"))
    (held,) = (await looked(house)).positions
    assert held.lots == Lots.of("0.30")


async def test_an_order_of_the_other_side_takes_volume_away(house: House) -> None:
    await sent(house, an_order())
    opposite = an_order(LATER, "0.10", Side.SELL)
    await sent(house, replace(opposite, stop_loss=None, take_profit=None))
    (held,) = (await looked(house)).positions
    assert (held.lots, held.side) == (Lots.of("0.10"), Side.BUY)
