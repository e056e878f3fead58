"""What every broker adapter promises for every command, whoever executes it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from kit.broker_houses import House
from signalfleet.domain.ids import ClientId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.orders import (
    BrokerOrder,
    CancelOrder,
    ClosePosition,
    ModifyOrder,
    ModifyPosition,
    OpenOrder,
    ReducePosition,
)
from signalfleet.domain.trading.outcomes import Accepted, Rejected
from signalfleet.domain.trading.reports import Snapshot
from signalfleet.ports.broker import MarginQuestion
from signalfleet.ports.errors import NotSentError, RefusedError

pytestmark = pytest.mark.loopback

ENTRY = ClientId("S165_EJIQROFJUNEUDZLA_E0")
CLOSE = ClientId("S165_EJIQROFJUNEUDZLA_C0")
PART = ClientId("S165_EJIQROFJUNEUDZLA_P0")
BASE = Decimal("1.10000")


def at(pips: int) -> Price:
    return Price(BASE + pips * Decimal("0.0001"))


def an_entry(
    kind: OrderKind = OrderKind.MARKET,
    *,
    side: Side = Side.BUY,
    lots: str = "0.20",
    price: Price | None = None,
    stop: Price | None = None,
    target: Price | None = None,
) -> OpenOrder:
    return OpenOrder(
        symbol="EURUSD",
        side=side,
        kind=kind,
        lots=Lots.of(lots),
        price=price,
        stop_loss=stop,
        take_profit=target,
        client_id=ENTRY,
        magic=1645231676,
    )


@pytest.fixture(autouse=True)
def _at_base(house: House) -> None:
    house.jump(str(BASE))


def open_gate() -> None:
    pass


async def done(house: House, order: BrokerOrder) -> Accepted:
    outcome = await house.broker.submit(order, open_gate)
    assert isinstance(outcome, Accepted), outcome
    house.pass_time(3)
    return outcome


async def look(house: House, *, full: bool = True, since_s: float = 3600) -> Snapshot:
    since = house.clock.now() - timedelta(seconds=since_s)
    return await house.broker.snapshot(since, full=full)


async def opened(house: House, **entry: Price | str) -> str:
    await done(house, an_entry(**entry))  # type: ignore[arg-type]
    (position,) = (await look(house, full=False)).positions
    return position.position_id


async def test_the_account_is_as_it_was_opened(house: House) -> None:
    facts = await house.broker.account()
    assert (facts.currency, facts.margin_mode) == ("USD", "hedging")
    assert facts.balance == facts.equity == 10_000
    assert facts.trade_allowed
    assert facts.connected
    assert not facts.investor
    assert not facts.is_real


async def test_a_symbol_of_the_account_has_facts_and_a_price(house: House) -> None:
    assert "EURUSD" in await house.broker.symbols()
    instrument = await house.broker.instrument("EURUSD")
    assert (instrument.name, instrument.digits) == ("EURUSD", 5)
    assert instrument.contract_size == 100_000
    quote = await house.broker.quote("EURUSD")
    assert quote.bid < quote.ask
    assert quote.loss_tick_value > 0


async def test_a_symbol_that_the_account_lacks_is_refused(house: House) -> None:
    with pytest.raises(RefusedError):
        await house.broker.instrument("NOSUCH")


async def test_an_empty_account_looks_empty_and_complete(house: House) -> None:
    snapshot = await look(house)
    assert snapshot.complete
    assert snapshot.full
    assert snapshot.positions == ()
    assert snapshot.orders == ()
    assert snapshot.begun_at == house.clock.now()


@pytest.mark.parametrize(("side", "stop", "target"), [(Side.BUY, -50, 90), (Side.SELL, 50, -90)])
async def test_a_market_order_becomes_a_position_with_its_levels_and_ids(
    house: House, side: Side, stop: int, target: int
) -> None:
    outcome = await done(house, an_entry(side=side, stop=at(stop), target=at(target)))
    (position,) = (await look(house, full=False)).positions
    assert position.position_id == outcome.position_id
    assert (position.side, position.lots) == (side, Lots.of("0.20"))
    assert (position.stop_loss, position.take_profit) == (at(stop), at(target))
    assert (position.client_id, position.magic) == (ENTRY, 1645231676)


async def test_a_gate_that_says_no_leaves_no_trace(house: House) -> None:
    def gate() -> None:
        raise NotSentError("the lease ran out", reason="lease")

    with pytest.raises(NotSentError) as caught:
        await house.broker.submit(an_entry(), gate)
    assert caught.value.reason == "lease"
    house.pass_time(3)
    snapshot = await look(house)
    assert snapshot.positions == ()
    assert snapshot.history_orders == ()
    assert house.executed() == 0


async def test_the_gate_is_asked_before_anything_is_executed(house: House) -> None:
    executed_when_asked = []
    await house.broker.submit(an_entry(), lambda: executed_when_asked.append(house.executed()))
    assert executed_when_asked
    assert set(executed_when_asked) == {0}
    assert house.executed() == 1


async def test_a_full_look_shows_the_order_and_the_deal_that_opened_it(house: House) -> None:
    await done(house, an_entry())
    snapshot = await look(house)
    (order,) = snapshot.history_orders
    (deal,) = snapshot.deals
    assert (order.state, order.client_id) == ("filled", ENTRY)
    assert (deal.is_exit, deal.client_id, deal.lots) == (False, ENTRY, Lots.of("0.20"))
    assert deal.position_id == snapshot.positions[0].position_id


async def test_a_light_look_has_no_history_and_an_old_one_is_out_of_the_window(
    house: House,
) -> None:
    await done(house, an_entry())
    assert (await look(house, full=False)).deals == ()
    house.pass_time(600)
    assert (await look(house, since_s=60)).deals == ()


async def test_both_levels_of_a_position_are_set_and_removed_together(house: House) -> None:
    position = await opened(house, stop=at(-50), target=at(90))
    for stop, target in ((at(-20), at(60)), (at(-10), None), (None, at(30))):
        order = ModifyPosition(position_id=position, stop_loss=stop, take_profit=target)
        await done(house, order)
        (seen,) = (await look(house, full=False)).positions
        assert (seen.stop_loss, seen.take_profit) == (stop, target)


async def test_a_part_is_closed_and_the_rest_stays(house: House) -> None:
    position = await opened(house)
    await done(house, ReducePosition(position_id=position, lots=Lots.of("0.05"), client_id=PART))
    snapshot = await look(house)
    assert snapshot.positions[0].lots == Lots.of("0.15")
    assert [deal.lots for deal in snapshot.deals if deal.is_exit] == [Lots.of("0.05")]


async def test_a_closed_position_is_gone_and_closing_it_again_is_already_so(house: House) -> None:
    order = ClosePosition(position_id=await opened(house), client_id=CLOSE)
    await done(house, order)
    snapshot = await look(house)
    assert snapshot.positions == ()
    (exit_deal,) = [deal for deal in snapshot.deals if deal.is_exit]
    assert (exit_deal.lots, exit_deal.reason) == (Lots.of("0.20"), "expert")
    again = await house.broker.submit(order, open_gate)
    assert isinstance(again, Rejected)
    assert again.already_so


async def test_changing_a_position_that_is_gone_is_already_so(house: House) -> None:
    order = ModifyPosition(position_id="999999999", stop_loss=at(-50), take_profit=None)
    outcome = await house.broker.submit(order, open_gate)
    assert isinstance(outcome, Rejected)
    assert outcome.already_so


@pytest.mark.parametrize(
    ("kind", "side", "pips"),
    [
        (OrderKind.LIMIT, Side.BUY, -30),
        (OrderKind.LIMIT, Side.SELL, 30),
        (OrderKind.STOP, Side.BUY, 30),
        (OrderKind.STOP, Side.SELL, -30),
    ],
)
async def test_a_pending_order_waits_fills_and_keeps_its_id(
    house: House, kind: OrderKind, side: Side, pips: int
) -> None:
    outcome = await done(house, an_entry(kind, side=side, price=at(pips)))
    snapshot = await look(house)
    assert snapshot.positions == ()
    (order,) = snapshot.orders
    assert order.order_id == outcome.order_id
    assert (order.kind, order.side, order.price) == (kind, side, at(pips))
    assert (order.client_id, order.lots) == (ENTRY, Lots.of("0.20"))
    house.jump(str(at(2 * pips)))
    house.pass_time(3)
    snapshot = await look(house)
    assert snapshot.orders == ()
    (position,) = snapshot.positions
    assert (position.side, position.client_id) == (side, ENTRY)
    assert [order.state for order in snapshot.history_orders] == ["filled"]


async def test_a_pending_order_is_changed_and_cancelled_once(house: House) -> None:
    placed = await done(house, an_entry(OrderKind.LIMIT, price=at(-30)))
    assert placed.order_id is not None
    await done(
        house,
        ModifyOrder(order_id=placed.order_id, price=at(-40), stop_loss=at(-80), take_profit=at(20)),
    )
    (order,) = (await look(house)).orders
    assert (order.price, order.stop_loss, order.take_profit) == (at(-40), at(-80), at(20))
    await done(house, CancelOrder(order_id=placed.order_id))
    snapshot = await look(house)
    assert snapshot.orders == ()
    assert [order.state for order in snapshot.history_orders] == ["cancelled"]
    again = await house.broker.submit(CancelOrder(order_id=placed.order_id), open_gate)
    assert isinstance(again, Rejected)
    assert again.already_so


@pytest.mark.parametrize(
    "entry",
    [
        an_entry(stop=at(50)),
        an_entry(target=at(-50)),
        an_entry(lots="5000"),
        an_entry(OrderKind.LIMIT, price=at(50)),
    ],
    ids=["stop_above", "target_below", "too_large", "limit_above"],
)
async def test_what_the_broker_cannot_do_is_rejected_and_not_done(
    house: House, entry: OpenOrder
) -> None:
    outcome = await house.broker.submit(entry, open_gate)
    assert isinstance(outcome, Rejected)
    assert not outcome.again
    assert not outcome.already_so
    snapshot = await look(house)
    assert snapshot.positions == ()
    assert snapshot.orders == ()


@pytest.mark.parametrize(("pips", "reason"), [(-60, "stop_loss"), (120, "take_profit")])
async def test_a_level_that_is_reached_closes_the_position_and_says_which(
    house: House, pips: int, reason: str
) -> None:
    position = await opened(house, stop=at(-50), target=at(90))
    house.jump(str(at(pips)))
    house.pass_time(3)
    snapshot = await look(house)
    assert snapshot.positions == ()
    (exit_deal,) = [deal for deal in snapshot.deals if deal.is_exit]
    assert (exit_deal.reason, exit_deal.position_id) == (reason, position)
    assert (exit_deal.profit > 0) is (reason == "take_profit")


async def test_two_orders_make_two_positions(house: House) -> None:
    await done(house, an_entry(lots="0.10"))
    await done(house, an_entry(side=Side.SELL, lots="0.30"))
    positions = (await look(house, full=False)).positions
    assert {(p.side, p.lots) for p in positions} == {
        (Side.BUY, Lots.of("0.10")),
        (Side.SELL, Lots.of("0.30")),
    }


async def test_the_margin_of_a_position_is_told_before_it_is_opened(house: House) -> None:
    question = MarginQuestion(symbol="EURUSD", side=Side.BUY, lots=Lots.of("0.20"), price=at(0))
    margin = await house.broker.margin(question)
    assert margin is not None
    assert Decimal(219) < margin < Decimal(222)


async def test_an_urgent_look_shows_what_another_look_shows(house: House) -> None:
    await done(house, an_entry())
    since = house.clock.now() - timedelta(hours=1)
    urgent = await house.broker.snapshot(since, full=True, urgent=True)
    assert urgent.positions == (await look(house)).positions
    assert urgent.complete


async def test_with_nothing_short_looks_need_no_pause(house: House) -> None:
    assert house.broker.look_pause == timedelta(0)


async def test_a_pending_order_that_was_not_filled_in_time_expires(house: House) -> None:
    expires_at = house.clock.now() + timedelta(seconds=60)
    order = an_entry(OrderKind.LIMIT, price=at(-30))
    await done(house, replace(order, expires_at=expires_at))
    house.pass_time(90)
    house.pass_time(3)
    snapshot = await look(house)
    assert snapshot.orders == ()
    assert [order.state for order in snapshot.history_orders] == ["expired"]


async def test_a_gate_that_fails_by_itself_stops_the_order(house: House) -> None:
    def gate() -> None:
        raise ZeroDivisionError

    with pytest.raises(NotSentError) as caught:
        await house.broker.submit(an_entry(), gate)
    assert caught.value.reason == "gate_failed"
    assert house.executed() == 0


async def test_the_changes_of_the_balance_add_up_and_payments_are_told_apart(house: House) -> None:
    await done(house, ClosePosition(position_id=await opened(house), client_id=CLOSE))
    house.pass_time(3)
    moves = await house.broker.movements(house.clock.now() - timedelta(hours=1))
    assert sum(move.amount for move in moves) == (await house.broker.account()).balance
    assert [move.amount for move in moves if move.is_payment] == [Decimal(10_000)]
    assert len({move.movement_id for move in moves}) == len(moves)
    assert await house.broker.movements(house.clock.now() + timedelta(seconds=1)) == ()
