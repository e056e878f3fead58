from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from kit.exchange import Floor, a_market_order, a_pending_order, an_instrument, levels
from signalfleet.domain.errors import DomainError
from signalfleet.domain.exchange.model import (
    AccountTerms,
    AmendOrder,
    CancelOrder,
    ClosePosition,
    OrderKind,
    RejectReason,
    SetLevels,
)
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price

LIMIT, STOP = OrderKind.LIMIT, OrderKind.STOP
BUY, SELL = Side.BUY, Side.SELL


def a_floor(*, terms: AccountTerms | None = None, **changes: Any) -> Floor:
    floor = Floor(an_instrument(**changes), terms=terms)
    floor.quote("1.10000", "1.10010")
    return floor


@pytest.mark.parametrize("lots", ["0", "0.009", "0.015", "50.01", "1000"])
def test_a_volume_off_the_grid_or_range_is_refused(lots: str) -> None:
    assert a_floor().refusal(a_market_order(lots=lots)) is RejectReason.INVALID_VOLUME


@pytest.mark.parametrize(
    ("side", "stop", "target", "is_fine"),
    [
        (BUY, "1.09980", "1.10020", True),
        (BUY, "1.09981", None, False),
        (BUY, None, "1.10019", False),
        (BUY, "1.10100", None, False),
        (BUY, None, "1.09900", False),
        (SELL, "1.10030", "1.09990", True),
        (SELL, "1.10029", None, False),
        (SELL, None, "1.09991", False),
        (SELL, "1.09900", None, False),
        (BUY, "1.099005", None, False),
    ],
)
def test_stops_keep_side_distance_and_grid(
    side: Side, stop: str | None, target: str | None, *, is_fine: bool
) -> None:
    floor = a_floor(stops_level=20)
    order = a_market_order(side, **levels(stop, target))
    if is_fine:
        floor.done(order)
    else:
        assert floor.refusal(order) is RejectReason.INVALID_STOPS
        assert not floor.book.positions
        assert not floor.book.history


def test_a_stop_on_the_price_itself_is_refused_without_a_stops_level() -> None:
    order = a_market_order(BUY, **levels("1.10000"))
    assert a_floor().refusal(order) is RejectReason.INVALID_STOPS


@pytest.mark.parametrize(
    ("kind", "side", "price", "is_fine"),
    [
        (LIMIT, BUY, "1.09990", True),
        (LIMIT, BUY, "1.09991", False),
        (LIMIT, BUY, "1.10100", False),
        (LIMIT, SELL, "1.10020", True),
        (LIMIT, SELL, "1.10019", False),
        (STOP, BUY, "1.10030", True),
        (STOP, BUY, "1.10029", False),
        (STOP, SELL, "1.09980", True),
        (STOP, SELL, "1.09981", False),
        (STOP, SELL, "1.10100", False),
        (LIMIT, BUY, "1.099005", False),
        (OrderKind.MARKET, BUY, "1.10010", None),
        (OrderKind.STOP_LIMIT, BUY, "1.10100", None),
    ],
)
def test_a_pending_price_keeps_side_distance_and_grid(
    kind: OrderKind, side: Side, price: str, *, is_fine: bool | None
) -> None:
    floor = a_floor(stops_level=20)
    order = a_pending_order(kind, side, price)
    if is_fine:
        floor.done(order)
    else:
        wrong = RejectReason.INVALID_ORDER if is_fine is None else RejectReason.INVALID_PRICE
        assert floor.refusal(order) is wrong


def test_a_pending_orders_stops_are_measured_from_its_own_price() -> None:
    floor = a_floor()
    floor.placed(LIMIT, BUY, "1.09000", **levels("1.08900", "1.09100"))
    order = a_pending_order(LIMIT, BUY, "1.09000", **levels("1.09050"))
    assert floor.refusal(order) is RejectReason.INVALID_STOPS


@pytest.mark.parametrize(
    ("mode", "side", "reason"),
    [
        ("DISABLED", BUY, RejectReason.TRADE_DISABLED),
        ("CLOSEONLY", BUY, RejectReason.CLOSE_ONLY),
        ("LONGONLY", SELL, RejectReason.LONG_ONLY),
        ("SHORTONLY", BUY, RejectReason.SHORT_ONLY),
    ],
)
def test_the_trade_mode_of_a_symbol_is_kept(mode: str, side: Side, reason: RejectReason) -> None:
    floor = a_floor(trade_mode=f"SYMBOL_TRADE_MODE_{mode}")
    assert floor.refusal(a_market_order(side)) is reason


def test_unknown_symbol_closed_market_and_missing_quote_are_told_apart() -> None:
    floor = a_floor()
    assert floor.refusal(a_market_order(symbol="DOGEUSD")) is RejectReason.UNKNOWN_SYMBOL
    floor.board.set_open("EURUSD", is_open=False)
    assert floor.refusal(a_market_order()) is RejectReason.MARKET_CLOSED
    floor.board.set_open("EURUSD", is_open=True)
    floor.board.forget("EURUSD")
    assert floor.refusal(a_market_order()) is RejectReason.NO_QUOTES
    floor.book.is_trade_allowed = False
    assert floor.refusal(a_market_order()) is RejectReason.TRADE_DISABLED


def test_a_filling_mode_the_symbol_lacks_is_refused() -> None:
    floor = a_floor(filling_modes=("SYMBOL_FILLING_FOK",))
    order = a_market_order(filling=("SYMBOL_FILLING_IOC",))
    assert floor.refusal(order) is RejectReason.INVALID_FILL
    floor.done(a_market_order(filling=("SYMBOL_FILLING_IOC", "SYMBOL_FILLING_FOK")))


def test_an_expiry_in_the_past_or_unknown_to_the_symbol_is_refused() -> None:
    floor = a_floor()
    order = a_pending_order(LIMIT, BUY, "1.09000", expires_at=floor.now)
    assert floor.refusal(order) is RejectReason.INVALID_EXPIRATION
    floor = a_floor(expiration_modes=("SYMBOL_EXPIRATION_GTC",))
    order = a_pending_order(LIMIT, BUY, "1.09000", expires_at=floor.now + timedelta(hours=1))
    assert floor.refusal(order) is RejectReason.INVALID_EXPIRATION


def test_more_than_the_free_margin_is_refused() -> None:
    floor = a_floor()
    floor.opened(lots="9")
    assert floor.refusal(a_market_order(lots="1")) is RejectReason.NO_MONEY


@pytest.mark.parametrize("lots", ["0.005", "0.11", "0.095"])
def test_a_part_that_leaves_no_tradable_rest_is_refused(lots: str) -> None:
    floor = a_floor()
    ticket = floor.opened(lots="0.10")
    part = ClosePosition(position=ticket, lots=Lots.of(lots))
    assert floor.refusal(part) is RejectReason.INVALID_CLOSE_VOLUME
    assert floor.book.positions[ticket].lots == Lots.of("0.10")


def test_a_rest_below_the_smallest_lot_is_refused() -> None:
    floor = a_floor(min_lots=Lots.of("0.05"))
    part = ClosePosition(position=floor.opened(lots="0.10"), lots=Lots.of("0.06"))
    assert floor.refusal(part) is RejectReason.INVALID_CLOSE_VOLUME


def test_what_is_not_there_cannot_be_closed_moved_or_cancelled() -> None:
    floor = a_floor()
    assert floor.refusal(ClosePosition(position=99)) is RejectReason.POSITION_NOT_FOUND
    assert floor.refusal(SetLevels(position=99)) is RejectReason.POSITION_NOT_FOUND
    assert floor.refusal(CancelOrder(order=99)) is RejectReason.ORDER_NOT_FOUND
    amend = AmendOrder(order=99, price=Price.of("1.09"))
    assert floor.refusal(amend) is RejectReason.ORDER_NOT_FOUND


def test_nothing_changes_inside_the_freeze_level() -> None:
    floor = a_floor(freeze_level=10)
    ticket = floor.opened(BUY, **levels("1.09900"))
    order = floor.placed(LIMIT, BUY, "1.09915")
    floor.quote("1.09908", "1.09918")
    frozen = RejectReason.FROZEN
    assert floor.refusal(SetLevels(position=ticket, stop_loss=Price.of("1.09000"))) is frozen
    assert floor.refusal(ClosePosition(position=ticket)) is frozen
    assert floor.refusal(CancelOrder(order=order)) is frozen
    assert floor.refusal(AmendOrder(order=order, price=Price.of("1.09000"))) is frozen


def test_the_limits_of_an_account_are_kept() -> None:
    floor = a_floor(terms=AccountTerms(max_orders=1, max_positions=1))
    floor.placed(LIMIT, BUY, "1.09000")
    order = a_pending_order(LIMIT, BUY, "1.09000")
    assert floor.refusal(order) is RejectReason.TOO_MANY_ORDERS
    floor.opened()
    assert floor.refusal(a_market_order()) is RejectReason.TOO_MANY_POSITIONS
    floor = a_floor(terms=AccountTerms(max_symbol_lots=Decimal("0.15")))
    floor.placed(LIMIT, BUY, "1.09000")
    assert floor.refusal(a_market_order()) is RejectReason.VOLUME_LIMIT


def test_hedging_and_order_of_closing_can_be_prohibited() -> None:
    floor = a_floor(terms=AccountTerms(may_hedge=False, is_fifo=True))
    first, second = floor.opened(BUY), floor.opened(BUY)
    assert floor.refusal(a_market_order(SELL)) is RejectReason.HEDGE_PROHIBITED
    assert floor.refusal(ClosePosition(position=second)) is RejectReason.FIFO_CLOSE
    floor.done(ClosePosition(position=first))
    floor.done(ClosePosition(position=second))


def test_a_board_refuses_crossed_prices_and_strangers() -> None:
    floor = a_floor()
    with pytest.raises(DomainError, match="ask is below"):
        floor.quote("1.10010", "1.10000")
    with pytest.raises(DomainError, match="no instrument"):
        floor.quote("1", "2", "DOGEUSD")
