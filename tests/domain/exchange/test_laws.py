"""Laws that hold for any sequence of commands and prices."""

from decimal import Decimal
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from kit.exchange import ACCOUNT, Floor, a_market_order, a_pending_order, an_instrument
from signalfleet.domain.exchange.costs import Costs, Swap
from signalfleet.domain.exchange.model import (
    AccountTerms,
    CancelOrder,
    ClosePosition,
    Deal,
    Entry,
    MarginMode,
    OrderKind,
    Reason,
    SetLevels,
)
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price

TICK = Decimal("0.00001")
SPREAD = 10

mids = st.integers(109_000, 111_000)
sides = st.sampled_from(Side)
lots = st.integers(1, 30).map(lambda steps: Lots(steps * Decimal("0.01")))
maybe_level = st.none() | mids.map(lambda ticks: Price(ticks * TICK))
nth = st.integers(0, 5)

Step: TypeAlias = tuple[object, ...]
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        st.tuples(st.just("price"), mids),
        st.tuples(st.just("open"), sides, lots, maybe_level, maybe_level),
        st.tuples(st.just("place"), sides, st.sampled_from(OrderKind), lots, mids, maybe_level),
        st.tuples(st.just("close"), nth, st.none() | lots),
        st.tuples(st.just("levels"), nth, maybe_level, maybe_level),
        st.tuples(st.just("cancel"), nth),
        st.tuples(st.just("night")),
    ),
    max_size=40,
)


def run(script: list[Step], mode: MarginMode) -> Floor:
    floor = Floor(
        an_instrument(),
        balance="2000",
        terms=AccountTerms(mode=mode),
        costs=Costs(
            commission_per_lot=Decimal("3.33"),
            swaps={"EURUSD": Swap(long=Decimal("-5.01"), short=Decimal("1.07"))},
        ),
    )
    set_price(floor, 110_000)
    for step in script:
        apply(floor, step)
    return floor


def set_price(floor: Floor, mid: int) -> None:
    floor.quote(str(mid * TICK), str((mid + SPREAD) * TICK))
    floor.exchange.enforce_margin(floor.now)


def apply(floor: Floor, step: Step) -> None:
    match step:
        case ("price", int(mid)):
            set_price(floor, mid)
        case ("open", Side() as side, Lots() as size, stop, target):
            floor.do(a_market_order(side, str(size), stop_loss=stop, take_profit=target))
        case ("place", Side() as side, OrderKind() as kind, Lots() as size, int(mid), stop):
            price = str(mid * TICK)
            floor.do(a_pending_order(kind, side, price, str(size), stop_loss=stop))
        case ("close", int(index), part):
            if tickets := list(floor.book.positions):
                ticket = tickets[index % len(tickets)]
                assert part is None or isinstance(part, Lots)
                floor.do(ClosePosition(position=ticket, lots=part))
        case ("levels", int(index), stop, target):
            if tickets := list(floor.book.positions):
                assert stop is None or isinstance(stop, Price)
                assert target is None or isinstance(target, Price)
                ticket = tickets[index % len(tickets)]
                floor.do(SetLevels(position=ticket, stop_loss=stop, take_profit=target))
        case ("cancel", int(index)):
            if tickets := list(floor.book.orders):
                floor.do(CancelOrder(order=tickets[index % len(tickets)]))
        case _:
            floor.exchange.roll_over(floor.now)


@given(steps, st.sampled_from(MarginMode))
def test_the_balance_is_the_sum_of_the_deals(script: list[Step], mode: MarginMode) -> None:
    book = run(script, mode).book
    assert book.balance == sum(deal.total for deal in book.deals)


@given(steps)
def test_no_more_is_closed_than_was_opened_and_the_rest_is_open(script: list[Step]) -> None:
    book = run(script, MarginMode.HEDGING).book
    opened, closed = by_position(book.deals, Entry.IN), by_position(book.deals, Entry.OUT)
    for ticket, volume in opened.items():
        held = book.positions.get(ticket)
        rest = held.lots.value if held else Decimal(0)
        assert rest >= 0
        assert closed.get(ticket, Decimal(0)) + rest == volume
    assert closed.keys() <= opened.keys()


def by_position(deals: list[Deal], entry: Entry) -> dict[int, Decimal]:
    sums: dict[int, Decimal] = {}
    for deal in deals:
        if deal.entry is entry and deal.position is not None:
            sums[deal.position] = sums.get(deal.position, Decimal(0)) + deal.lots.value
    return sums


@given(steps)
def test_a_level_is_never_better_than_it_said_for_a_stop_nor_worse_for_a_target(
    script: list[Step],
) -> None:
    for deal in run(script, MarginMode.HEDGING).book.deals:
        if deal.price is None:
            continue
        closes = deal.side.opposite
        if deal.label.reason is Reason.STOP_LOSS:
            assert deal.stop_loss is not None
            assert (deal.price.value - deal.stop_loss.value) * closes.sign <= 0
        if deal.label.reason is Reason.TAKE_PROFIT:
            assert deal.take_profit is not None
            assert (deal.price.value - deal.take_profit.value) * closes.sign >= 0


@given(steps, st.sampled_from(MarginMode))
def test_nothing_that_the_price_touches_stays_untouched(
    script: list[Step], mode: MarginMode
) -> None:
    floor = run(script, mode)
    quote = floor.board.quote("EURUSD", "USD")
    assert quote is not None
    for held in floor.book.positions.values():
        near, sign = quote.to_close(held.side).value, held.side.sign
        assert held.stop_loss is None or (held.stop_loss.value - near) * sign < 0
        assert held.take_profit is None or (held.take_profit.value - near) * sign > 0
    for order in floor.book.orders.values():
        away = -order.side.sign if order.kind is OrderKind.LIMIT else order.side.sign
        assert (order.price.value - quote.to_open(order.side).value) * away > 0


@given(steps, st.sampled_from(MarginMode))
def test_the_same_script_gives_the_same_books(script: list[Step], mode: MarginMode) -> None:
    first, second = run(script, mode), run(script, mode)
    assert first.book.deals == second.book.deals
    assert first.book.history == second.book.history
    assert first.exchange.figures(ACCOUNT) == second.exchange.figures(ACCOUNT)


@given(steps, mids)
def test_closing_in_parts_moves_the_same_volume_at_the_same_price(
    script: list[Step], mid: int
) -> None:
    floor = run(script, MarginMode.HEDGING)
    set_price(floor, mid)
    quote = floor.board.quote("EURUSD", "USD")
    assert quote is not None
    for held in list(floor.book.positions.values()):
        whole = floor.exchange.floating(ACCOUNT, held)
        before = len(floor.book.deals)
        while floor.book.positions.get(held.ticket):
            floor.done(ClosePosition(position=held.ticket, lots=Lots.of("0.01")))
        parts = floor.book.deals[before:]
        assert sum(deal.lots.value for deal in parts) == held.lots.value
        assert {deal.price for deal in parts} == {quote.to_close(held.side)}
        # Each deal is rounded to the cent, so the sum may differ by half a cent a deal.
        earned = sum(deal.profit for deal in parts)
        assert abs(earned - whole) <= Decimal("0.005") * len(parts) + Decimal("0.005")
        assert sum(deal.swap for deal in parts) == held.swap
