"""Which order a signal becomes: the table of trading.md 5 for both sides, and its geometry."""

from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.builders import a_price, a_quote, a_range, rules
from signalfleet.domain.instruments.model import Quote, Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.refusal import Refusal
from signalfleet.domain.signals.model import OrderKind, PriceRange
from signalfleet.domain.trading.entry import (
    EntryChoice,
    EntryQuestion,
    against_entry,
    choose_order,
)
from signalfleet.domain.trading.intents import OpenLeg

MIRROR = Decimal(4700)
"""Selling is buying in a mirror at 2350."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A buy with stop 2340 and first target 2370; `now` is the ask, the bid 0.10 below."""

    name: str
    now: str
    becomes: str
    order: OrderKind | None = None
    entry: tuple[str, str] | None = ("2350", "2350")
    policy: str = "market_if_near"
    pending: bool = True
    at: str | None = None
    sized_at: str | None = None


MARKET, LIMIT, STOP = OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP
ZONE = ("2346", "2350")
CASES = [
    Case(name="no entry stated", now="2351", entry=None, becomes="market", sized_at="2351"),
    Case(name="at the entry", now="2350", becomes="market", sized_at="2350"),
    Case(name="worse within the gap", now="2352.5", becomes="market", sized_at="2352.5"),
    Case(name="worse than the gap", now="2352.51", becomes="limit", at="2350"),
    Case(name="worse, no pendings", now="2352.51", pending=False, becomes="price_moved"),
    Case(name="worse, market always", now="2352.51", policy="market_always", becomes="price_moved"),
    Case(name="worse, a market order", now="2352.51", order=MARKET, becomes="price_moved"),
    Case(name="near, market order", now="2352", order=MARKET, becomes="market", sized_at="2352"),
    Case(name="better, half is left", now="2345", becomes="market", sized_at="2350"),
    Case(name="better, less is left", now="2344.99", becomes="near_stop"),
    Case(name="better, waits always", now="2348", policy="pending_always", becomes="entry_passed"),
    Case(
        name="worse, waits always", now="2351", policy="pending_always", becomes="limit", at="2350"
    ),
    Case(
        name="waits always, no pendings",
        now="2351",
        policy="pending_always",
        pending=False,
        becomes="order_kind_blocked",
    ),
    Case(name="inside the zone", now="2348", entry=ZONE, becomes="market", sized_at="2350"),
    Case(name="above the zone", now="2353", entry=ZONE, becomes="limit", at="2350"),
    Case(name="below the zone", now="2345.5", entry=ZONE, becomes="market", sized_at="2350"),
    Case(name="limit, above", now="2355", order=LIMIT, becomes="limit", at="2350"),
    Case(name="limit, just above", now="2350.01", order=LIMIT, becomes="limit", at="2350"),
    Case(name="limit, at it", now="2350", order=LIMIT, becomes="market", sized_at="2350"),
    Case(
        name="limit, through in gap", now="2347.5", order=LIMIT, becomes="market", sized_at="2350"
    ),
    Case(name="limit, through", now="2347.49", order=LIMIT, becomes="entry_passed"),
    Case(name="limit, in zone", now="2346", order=LIMIT, entry=ZONE, becomes="market"),
    Case(name="limit, past zone", now="2345.99", order=LIMIT, entry=ZONE, becomes="entry_passed"),
    Case(
        name="limit, none wanted",
        now="2355",
        order=LIMIT,
        pending=False,
        becomes="order_kind_blocked",
    ),
    Case(name="stop, below", now="2345", order=STOP, becomes="stop", at="2350"),
    Case(name="stop, at it", now="2350", order=STOP, becomes="market", sized_at="2350"),
    Case(
        name="stop, through in gap", now="2352.5", order=STOP, becomes="market", sized_at="2352.5"
    ),
    Case(name="stop, through", now="2352.51", order=STOP, becomes="entry_passed"),
    Case(
        name="stop, none wanted",
        now="2345",
        order=STOP,
        pending=False,
        becomes="order_kind_blocked",
    ),
    *(
        Case(name=f"stop passed, {order}", now="2340.10", order=order, becomes="sl_passed")
        for order in (None, MARKET, LIMIT, STOP)
    ),
    *(
        Case(name=f"target passed, {order}", now="2370", order=order, becomes="tp_passed")
        for order in (None, MARKET, LIMIT, STOP)
    ),
]


def mirrored(value: str) -> str:
    return str(MIRROR - Decimal(value))


def question(case: Case, side: Side) -> tuple[EntryQuestion, Quote]:
    flip = mirrored if side is Side.SELL else str
    ask = Decimal(flip(case.now))
    bid, ask = (ask - Decimal("0.1"), ask) if side is Side.BUY else (ask, ask + Decimal("0.1"))
    entry = None if case.entry is None else sorted(flip(edge) for edge in case.entry)
    return (
        EntryQuestion(
            side=side,
            order=case.order,
            entry=None if entry is None else a_range(entry[0], entry[1]),
            stop=Price.of(flip("2340")),
            first_target=Price.of(flip("2370")),
        ),
        a_quote(str(bid), str(ask)),
    )


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_row_of_the_table_on_both_sides(case: Case, side: Side) -> None:
    asked, quote = question(case, side)
    in_force = rules(entry_policy=case.policy, copy_pending=case.pending)
    result = choose_order(asked, quote, in_force)
    if isinstance(result, Refusal):
        assert result.code == case.becomes
        assert result.detail
        return
    assert result.kind == case.becomes
    flip = mirrored if side is Side.SELL else str
    assert result.price == a_price(None if case.at is None else flip(case.at))
    if case.at is not None or case.sized_at is not None:
        assert result.reference == Price.of(flip(case.sized_at or case.at or ""))


prices = st.decimals("2300", "2400", places=2)


@given(
    st.sampled_from(Side),
    st.sampled_from([None, MARKET, LIMIT, STOP]),
    st.none() | st.tuples(prices, prices),
    prices,
    st.none() | prices,
    prices,
    st.sampled_from(["market_if_near", "market_always", "pending_always"]),
    st.booleans(),
)
def test_no_order_goes_out_past_its_stop_or_target_or_against_the_users_wish(
    side: Side,
    order: OrderKind | None,
    zone: tuple[Decimal, Decimal] | None,
    stop: Decimal,
    target: Decimal | None,
    bid: Decimal,
    policy: str,
    pending: bool,
) -> None:
    quote = a_quote(str(bid), str(bid + Decimal("0.2")))
    entry = None if zone is None else PriceRange.of(Price(zone[0]), Price(zone[1]))
    asked = EntryQuestion(
        side=side,
        order=order,
        entry=entry,
        stop=Price(stop),
        first_target=None if target is None else Price(target),
    )
    in_force = rules(entry_policy=policy, copy_pending=pending)
    result = choose_order(asked, quote, in_force)
    assert result == choose_order(asked, quote, in_force)
    if isinstance(result, Refusal):
        return
    sign = side.sign
    assert (quote.to_close(side).value - stop) * sign > 0
    if target is not None:
        assert (target - quote.to_open(side).value) * sign > 0
    assert (result.price is None) is (result.kind is MARKET)
    now = quote.to_open(side).value
    if result.kind is LIMIT:
        assert result.price is not None
        assert (now - result.price.value) * sign > 0
    if result.kind is STOP:
        assert order is STOP
        assert result.price is not None
        assert (result.price.value - now) * sign > 0
    if result.kind is not MARKET:
        assert pending
    else:
        # The size allows for the worse of the price now and the stated entry.
        assert (result.reference.value - now) * sign >= 0


def a_leg(kind: OrderKind, price: str | None = None) -> OpenLeg:
    return OpenLeg(
        symbol="XAUUSD",
        side=Side.BUY,
        kind=kind,
        lots=Lots.of("0.1"),
        price=a_price(price),
        stop_loss=Price.of("2340"),
        take_profit=Price.of("2360"),
        magic=1,
    )


@pytest.mark.parametrize(
    ("leg", "ask", "code"),
    [
        (a_leg(MARKET), "2350", None),
        (a_leg(MARKET), "2352.5", None),
        (a_leg(MARKET), "2352.6", "price_moved"),
        (a_leg(MARKET), "2340", "sl_passed"),
        (a_leg(MARKET), "2360", "tp_passed"),
        (a_leg(LIMIT, "2350"), "2351", None),
        (a_leg(LIMIT, "2350"), "2349", "price_moved"),
        (a_leg(STOP, "2350"), "2349", None),
        (a_leg(STOP, "2350"), "2351", "price_moved"),
    ],
)
def test_an_order_that_was_held_is_held_to_the_price_of_now(
    leg: OpenLeg, ask: str, code: str | None
) -> None:
    quote = a_quote(str(Decimal(ask) - Decimal("0.1")), ask)
    assert against_entry(leg, a_range("2350"), quote, rules()) == code


def test_an_order_without_a_stated_entry_is_stopped_by_its_levels_only() -> None:
    assert against_entry(a_leg(MARKET), None, a_quote("2358", "2359"), rules()) is None


def test_the_choice_is_a_plain_value() -> None:
    asked, quote = question(CASES[1], Side.BUY)
    assert choose_order(asked, quote, rules()) == EntryChoice(
        kind=MARKET, price=None, reference=Price.of("2350"), worst=Price.of("2352.50")
    )
