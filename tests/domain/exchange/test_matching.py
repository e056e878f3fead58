from datetime import timedelta
from decimal import Decimal

import pytest

from kit.exchange import ACCOUNT, Floor, a_pending_order, an_instrument, levels
from signalfleet.domain.exchange.costs import Costs, Swap
from signalfleet.domain.exchange.model import (
    AmendOrder,
    CancelOrder,
    ClosePosition,
    Done,
    Entry,
    Label,
    OrderKind,
    OrderState,
    Reason,
    SetLevels,
)
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price


@pytest.fixture
def floor() -> Floor:
    floor = Floor()
    floor.quote("150.000", "150.020", "USDJPY")
    floor.quote("2350.00", "2350.30", "XAUUSD")
    floor.quote("1.10000", "1.10010")
    return floor


def test_a_buy_opens_at_the_ask_and_closes_at_the_bid(floor: Floor) -> None:
    ticket = floor.opened(Side.BUY)
    assert floor.book.positions[ticket].open_price == Price.of("1.10010")
    floor.done(ClosePosition(position=ticket))
    assert not floor.book.positions
    assert floor.book.deals[-1].price == Price.of("1.10000")
    assert floor.book.balance == Decimal("9999.00")


def test_a_sell_opens_at_the_bid_and_closes_at_the_ask(floor: Floor) -> None:
    ticket = floor.opened(Side.SELL)
    assert floor.book.positions[ticket].open_price == Price.of("1.10000")
    floor.done(ClosePosition(position=ticket))
    assert floor.book.deals[-1].price == Price.of("1.10010")
    assert floor.book.balance == Decimal("9999.00")


@pytest.mark.parametrize(
    ("side", "stop", "target", "untouched", "touched", "reason", "price"),
    [
        (
            Side.BUY,
            "1.09900",
            None,
            ("1.09901", "1.09911"),
            ("1.09900", "1.09910"),
            "sl",
            "1.09900",
        ),
        (
            Side.BUY,
            None,
            "1.10100",
            ("1.10099", "1.10109"),
            ("1.10100", "1.10110"),
            "tp",
            "1.10100",
        ),
        (
            Side.SELL,
            "1.10100",
            None,
            ("1.10089", "1.10099"),
            ("1.10090", "1.10100"),
            "sl",
            "1.10100",
        ),
        (
            Side.SELL,
            None,
            "1.09900",
            ("1.09891", "1.09901"),
            ("1.09890", "1.09900"),
            "tp",
            "1.09900",
        ),
    ],
)
def test_a_level_is_touched_by_the_side_that_closes(
    floor: Floor,
    side: Side,
    stop: str | None,
    target: str | None,
    untouched: tuple[str, str],
    touched: tuple[str, str],
    reason: str,
    price: str,
) -> None:
    floor.opened(side, **levels(stop, target))
    assert floor.quote(*untouched) == 0
    assert floor.quote(*touched) == 1
    deal = floor.book.deals[-1]
    assert deal.price == Price.of(price)
    assert deal.label.reason is (Reason.STOP_LOSS if reason == "sl" else Reason.TAKE_PROFIT)


@pytest.mark.parametrize(
    ("kind", "side", "price", "untouched", "touched", "fill"),
    [
        ("limit", Side.BUY, "1.09900", ("1.09891", "1.09901"), ("1.09890", "1.09900"), "1.09900"),
        ("limit", Side.SELL, "1.10100", ("1.10099", "1.10109"), ("1.10100", "1.10110"), "1.10100"),
        ("stop", Side.BUY, "1.10100", ("1.10089", "1.10099"), ("1.10090", "1.10100"), "1.10100"),
        ("stop", Side.SELL, "1.09900", ("1.09901", "1.09911"), ("1.09900", "1.09910"), "1.09900"),
    ],
)
def test_a_pending_order_is_touched_by_the_side_that_opens(
    floor: Floor,
    kind: str,
    side: Side,
    price: str,
    untouched: tuple[str, str],
    touched: tuple[str, str],
    fill: str,
) -> None:
    ticket = floor.placed(OrderKind(kind), side, price)
    assert floor.quote(*untouched) == 0
    assert floor.quote(*touched) == 1
    assert floor.book.positions[ticket].open_price == Price.of(fill)
    assert [order.state for order in floor.book.history] == [OrderState.FILLED]
    assert not floor.book.orders


@pytest.mark.parametrize(
    ("kind", "side", "price", "gap", "fill"),
    [
        ("stop", Side.BUY, "1.10100", ("1.10500", "1.10510"), "1.10510"),
        ("stop", Side.SELL, "1.09900", ("1.09500", "1.09510"), "1.09500"),
        ("limit", Side.BUY, "1.09900", ("1.09500", "1.09510"), "1.09510"),
        ("limit", Side.SELL, "1.10100", ("1.10500", "1.10510"), "1.10500"),
    ],
)
def test_a_gap_fills_a_pending_order_at_the_price_after_it(
    floor: Floor, kind: str, side: Side, price: str, gap: tuple[str, str], fill: str
) -> None:
    ticket = floor.placed(OrderKind(kind), side, price)
    floor.quote(*gap)
    assert floor.book.positions[ticket].open_price == Price.of(fill)


def test_a_gap_through_a_stop_loses_more_than_the_stop_said(floor: Floor) -> None:
    floor.opened(Side.BUY, **levels("1.09900"))
    floor.quote("1.09000", "1.09010")
    assert floor.book.deals[-1].price == Price.of("1.09000")
    assert floor.book.deals[-1].profit == Decimal("-101.00")


def test_a_continuous_path_fills_each_level_at_itself(floor: Floor) -> None:
    floor.opened(Side.BUY, **levels("1.09900"))
    floor.placed(OrderKind.STOP, Side.SELL, "1.09950")
    assert floor.quote("1.09000", "1.09010", continuous=True) == 2
    assert {deal.price for deal in floor.book.deals[2:]} == {
        Price.of("1.09900"),
        Price.of("1.09950"),
    }


def test_an_order_filled_beyond_its_own_stop_is_stopped_by_the_same_quote(floor: Floor) -> None:
    floor.placed(OrderKind.LIMIT, Side.BUY, "1.09900", **levels("1.09800"))
    assert floor.quote("1.09000", "1.09010") == 2
    assert [deal.entry for deal in floor.book.deals[1:]] == [Entry.IN, Entry.OUT]
    assert floor.book.deals[-1].profit == Decimal("-1.00")


def test_a_stop_limit_becomes_a_limit_when_touched(floor: Floor) -> None:
    ticket = floor.placed(
        OrderKind.STOP_LIMIT, Side.BUY, "1.10100", stop_limit_price=Price.of("1.10050")
    )
    floor.quote("1.10100", "1.10110")
    assert floor.book.orders[ticket].kind is OrderKind.LIMIT
    assert not floor.book.positions
    floor.quote("1.10040", "1.10050")
    assert floor.book.positions[ticket].open_price == Price.of("1.10050")


def test_a_partial_close_leaves_the_rest_with_its_levels(floor: Floor) -> None:
    ticket = floor.opened(Side.BUY, "0.10", **levels("1.09900", "1.10100"))
    floor.done(ClosePosition(position=ticket, lots=Lots.of("0.04")))
    rest = floor.book.positions[ticket]
    assert (rest.lots, rest.stop_loss) == (Lots.of("0.06"), Price.of("1.09900"))
    assert floor.quote("1.10100", "1.10110") == 1
    assert sum(deal.lots.value for deal in floor.book.deals if deal.entry is Entry.OUT) == Decimal(
        "0.10"
    )


def test_an_omitted_level_is_cleared_and_no_longer_watched(floor: Floor) -> None:
    ticket = floor.opened(Side.BUY, **levels("1.09900", "1.10100"))
    floor.done(SetLevels(position=ticket, take_profit=Price.of("1.10100")))
    assert floor.book.positions[ticket].stop_loss is None
    assert floor.quote("1.09000", "1.09010") == 0
    assert ticket in floor.book.positions


def test_a_moved_stop_fires_at_its_new_place_only(floor: Floor) -> None:
    ticket = floor.opened(Side.BUY, **levels("1.09900"))
    floor.done(SetLevels(position=ticket, stop_loss=Price.of("1.09800")))
    assert floor.quote("1.09850", "1.09860") == 0
    assert floor.quote("1.09800", "1.09810") == 1


def test_setting_the_same_levels_again_changes_nothing(floor: Floor) -> None:
    ticket = floor.opened(Side.BUY, **levels("1.09900"))
    again = floor.done(SetLevels(position=ticket, stop_loss=Price.of("1.09900")))
    assert not again.is_changed


def test_a_cancelled_order_is_history_and_never_fills(floor: Floor) -> None:
    ticket = floor.placed(OrderKind.LIMIT, Side.BUY, "1.09900")
    floor.done(CancelOrder(order=ticket))
    assert floor.quote("1.09000", "1.09010") == 0
    assert floor.book.history[-1].state is OrderState.CANCELED


def test_an_amended_order_fills_at_its_new_price_only(floor: Floor) -> None:
    ticket = floor.placed(OrderKind.LIMIT, Side.BUY, "1.09900", **levels("1.09700"))
    floor.done(AmendOrder(order=ticket, price=Price.of("1.09800")))
    assert floor.book.orders[ticket].stop_loss is None
    assert floor.quote("1.09890", "1.09900") == 0
    assert floor.quote("1.09790", "1.09800") == 1


def test_an_order_expires_at_its_moment_and_not_before(floor: Floor) -> None:
    until = floor.now + timedelta(seconds=30)
    floor.placed(OrderKind.LIMIT, Side.BUY, "1.09900", expires_at=until)
    assert floor.exchange.expire(until - timedelta(microseconds=1)) == 0
    assert floor.exchange.expire(until) == 1
    assert floor.book.history[-1].state is OrderState.EXPIRED


def test_an_expiry_that_was_moved_counts_at_its_new_moment(floor: Floor) -> None:
    first, later = floor.now + timedelta(seconds=30), floor.now + timedelta(seconds=60)
    ticket = floor.placed(OrderKind.LIMIT, Side.BUY, "1.09900", expires_at=first)
    floor.done(AmendOrder(order=ticket, price=Price.of("1.09900"), expires_at=later))
    assert floor.exchange.expire(first) == 0
    assert floor.exchange.expire(later) == 1


def test_yen_profit_is_turned_into_dollars_at_the_worse_side(floor: Floor) -> None:
    ticket = floor.opened(Side.BUY, "1", symbol="USDJPY")
    floor.quote("151.000", "151.020", "USDJPY")
    floor.done(ClosePosition(position=ticket))
    assert floor.book.deals[-1].profit == Decimal("648.92")  # 98,000 yen over 151.020
    ticket = floor.opened(Side.BUY, "1", symbol="USDJPY")
    floor.quote("150.000", "150.020", "USDJPY")
    floor.done(ClosePosition(position=ticket))
    assert floor.book.deals[-1].profit == Decimal("-680.00")  # 102,000 yen over 150.000


def test_a_dollar_of_gold_is_worth_a_hundred_dollars_a_lot(floor: Floor) -> None:
    ticket = floor.opened(Side.BUY, "0.09", symbol="XAUUSD", **levels("2340.30"))
    floor.quote("2340.30", "2340.60", "XAUUSD")
    assert ticket not in floor.book.positions
    assert floor.book.deals[-1].profit == Decimal("-90.00")


def test_commission_is_taken_at_each_deal_and_swap_at_the_close() -> None:
    floor = Floor(
        costs=Costs(
            commission_per_lot=Decimal("3.50"),
            swaps={"EURUSD": Swap(long=Decimal("-6.10"), short=Decimal("2.00"))},
        )
    )
    floor.quote("1.10000", "1.10000")
    ticket = floor.opened(Side.BUY, "1")
    assert floor.book.balance == Decimal("9996.50")
    floor.exchange.roll_over(floor.now)
    assert floor.book.positions[ticket].swap == Decimal("-6.10")
    assert floor.exchange.figures(ACCOUNT).equity == Decimal("9990.40")
    floor.done(ClosePosition(position=ticket))
    assert floor.book.balance == Decimal("9986.90")


def test_slip_worsens_a_fill_on_either_side(floor: Floor) -> None:
    outcome = floor.do(ClosePosition(position=floor.opened(Side.BUY)), slip="0.00005")
    assert isinstance(outcome, Done)
    assert outcome.price == Price.of("1.09995")


def test_margin_is_the_value_over_the_leverage(floor: Floor) -> None:
    floor.opened(Side.BUY, "0.50")
    figures = floor.exchange.figures(ACCOUNT)
    assert figures.margin == Decimal("550.05")
    assert figures.free_margin == figures.equity - figures.margin
    assert figures.margin_level == Decimal("1817.11")  # 9,995.00 over 550.05


def test_the_worst_position_goes_first_when_the_margin_is_eaten() -> None:
    floor = Floor(balance="1000")
    floor.quote("1.10000", "1.10000")
    floor.opened(Side.SELL, "0.10")
    worst = floor.opened(Side.BUY, "0.40")
    assert floor.exchange.enforce_margin(floor.now) == 0
    floor.quote("1.07500", "1.07500")
    assert floor.exchange.enforce_margin(floor.now) == 1
    assert worst not in floor.book.positions
    assert floor.book.deals[-1].label.reason is Reason.STOP_OUT


def test_an_order_without_money_at_its_fill_is_rejected() -> None:
    floor = Floor(balance="100")
    floor.quote("1.10000", "1.10010")
    floor.placed(OrderKind.LIMIT, Side.BUY, "1.09900", lots="1")
    floor.quote("1.09000", "1.09010")
    assert floor.book.history[-1].state is OrderState.REJECTED
    assert not floor.book.positions


def test_tickets_and_labels_are_those_of_the_opening_order(floor: Floor) -> None:
    label = Label(magic=1_600_000_001, client_id="S1AB_TRADE_E0")
    ticket = floor.opened(Side.BUY, label=label, **levels("1.09900"))
    floor.quote("1.09900", "1.09910")
    entry, closing = floor.book.deals[1:]
    assert entry.order == entry.position == closing.position == ticket
    assert closing.order != ticket
    assert closing.label.client_id == label.client_id


def test_a_closed_market_fires_nothing_until_it_opens(floor: Floor) -> None:
    floor.opened(Side.BUY, **levels("1.09900"))
    floor.board.set_open("EURUSD", is_open=False)
    assert floor.quote("1.09000", "1.09010") == 0
    floor.board.set_open("EURUSD", is_open=True)
    assert floor.quote("1.09000", "1.09010") == 1


def test_thousands_of_moved_stops_do_not_pile_up() -> None:
    floor = Floor(an_instrument(), balance="100000")
    floor.quote("1.10000", "1.10010")
    ticket = floor.opened(Side.BUY, **levels("1.09000"))
    for step in range(2_000):
        stop = Price(Decimal("1.09000") + Decimal(step % 500 + 1) * Decimal("0.00001"))
        floor.done(SetLevels(position=ticket, stop_loss=stop))
    heaps = floor.exchange._triggers._heaps["EURUSD"]
    assert sum(len(heap.entries) for heap in heaps) < 600
    assert floor.quote("1.09000", "1.09010") == 1


def test_history_is_found_by_time(floor: Floor) -> None:
    floor.opened(Side.BUY)
    floor.quote("1.10001", "1.10011")
    moment = floor.now
    floor.opened(Side.BUY)
    assert len(floor.book.deals_since(moment)) == len(floor.book.history_since(moment)) == 1
    assert a_pending_order(OrderKind.LIMIT, Side.BUY, "1.0").label.magic == 0
