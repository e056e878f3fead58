"""What a follow-up does to open, pending and partly closed legs: trading.md 7."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.builders import GOLD, a_price, a_quote, a_range, a_trade, rules
from signalfleet.domain.ids import TradeId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import (
    Action,
    BreakEven,
    CancelPending,
    Close,
    ClosePart,
    EntryOffset,
    MoveEntry,
    MoveStop,
    MoveTarget,
    SetTargets,
    TpRef,
    Trail,
)
from signalfleet.domain.trading.care import Care
from signalfleet.domain.trading.follow_up import plan_follow_up
from signalfleet.domain.trading.intents import (
    AmendLeg,
    CancelLeg,
    CloseLeg,
    Command,
    ProtectLeg,
    ReduceLeg,
)
from signalfleet.domain.trading.leg_commands import FollowUpPlan, FollowUpQuestion, LegCommand
from signalfleet.domain.trading.records import Trade, TradeState

OPEN = a_trade(1)
SECOND = a_trade(2, take_profit=Price.of("2370"))
PENDING = a_trade(1, TradeState.PENDING)
TARGETS = (Price.of("2360"), Price.of("2370"))
RISEN = a_quote("2356", "2356.10")


def plan(
    action: Action,
    *trades: Trade,
    quote: Any = RISEN,
    instrument: Any = GOLD,
    order_at: str | None = "2345",
    **doc: Any,
) -> FollowUpPlan:
    prices: dict[TradeId, Price] = {}
    if order_at is not None:
        prices = {t.trade_id: Price.of(order_at) for t in trades if t.state is TradeState.PENDING}
    return plan_follow_up(
        FollowUpQuestion(
            action=action,
            trades=trades,
            targets=TARGETS,
            canonical="XAUUSD",
            instrument=instrument,
            quote=quote,
            rules=rules(**doc),
            order_prices=prices,
        )
    )


def commands(found: FollowUpPlan) -> list[Command]:
    return [item.command for item in found.commands]


def plain(price: Price | None) -> str:
    return "None" if price is None else f"{price.value.normalize():f}"


def outcome(found: FollowUpPlan) -> str:
    """The one command as text, else the note, else the refusal."""
    if found.commands:
        (command,) = commands(found)
        match command:
            case ProtectLeg(care=Care(armed=Price() as armed)):
                return f"armed {plain(armed)}"
            case ProtectLeg(care=Care(distance=distance)):
                return f"follow {distance}"
            case ProtectLeg(stop_loss=stop, take_profit=target):
                return f"protect {plain(stop)} {plain(target)}"
            case AmendLeg(price=price, stop_loss=stop, take_profit=target):
                return f"amend {plain(price)} {plain(stop)} {plain(target)}"
            case ReduceLeg(remaining=remaining):
                return f"reduce to {remaining}"
            case CloseLeg():
                return "close"
            case CancelLeg():
                return "cancel"
            case _:
                raise AssertionError(command)
    return found.refusal or found.notes[0].code


PART_CLOSED = a_trade(1, volume_open=Lots.of("0.05"))
TABLE: list[tuple[Action, str, str, str]] = [
    # action, open, pending, partly closed
    (BreakEven(), "protect 2350.1 2360", "order_not_filled", "protect 2350.1 2360"),
    (BreakEven(price=Price.of("2352")), "protect 2352 2360", "order_not_filled",
     "protect 2352 2360"),
    (MoveStop(to=Price.of("2343")), "protect 2343 2360", "amend 2345 2343 2360",
     "protect 2343 2360"),
    (MoveStop(to=Price.of("2340.00")), "already_so", "already_so", "already_so"),
    (MoveStop(to=Price.of("2339")), "wider_stop", "wider_stop", "wider_stop"),
    (MoveStop(to=Price.of("2356")), "late_stop", "stop_wrong_side", "late_stop"),
    (MoveStop(to=Price.of("2358")), "late_stop", "stop_wrong_side", "late_stop"),
    (MoveStop(to=TpRef(index=2)), "late_stop", "stop_wrong_side", "late_stop"),
    (MoveStop(to=TpRef(index=3)), "target_unknown", "target_unknown", "target_unknown"),
    (MoveStop(to=TpRef(index=3, price=Price.of("2353"))), "protect 2353 2360",
     "stop_wrong_side", "protect 2353 2360"),
    (MoveStop(to=EntryOffset(pips=Decimal(20))), "protect 2352 2360", "open_price_unknown",
     "protect 2352 2360"),
    (MoveStop(to=Trail(pips=Decimal(50))), "follow 50 pips", "order_not_filled",
     "follow 50 pips"),
    (MoveStop(to=Trail()), "trailing_unknown", "order_not_filled", "trailing_unknown"),
    (MoveTarget(index=1, price=Price.of("2365")), "protect 2340 2365", "amend 2345 2340 2365",
     "protect 2340 2365"),
    (MoveTarget(index=1, price=None), "protect 2340 None", "amend 2345 2340 None",
     "protect 2340 None"),
    (MoveTarget(index=1, price=Price.of("2360")), "already_so", "already_so", "already_so"),
    (MoveTarget(index=1, price=Price.of("2355")), "close", "amend 2345 2340 2355", "close"),
    (MoveTarget(index=4, price=Price.of("2365")), "no_such_target", "no_such_target",
     "no_such_target"),
    (SetTargets(prices=(Price.of("2362"),)), "protect 2340 2362", "amend 2345 2340 2362",
     "protect 2340 2362"),
    (MoveEntry(entry=a_range("2344")), "already_filled", "amend 2344 2340 2360",
     "already_filled"),
    (Close(), "close", "cancel", "close"),
    (ClosePart(fraction=Decimal("0.5")), "reduce to 0.05", "no_open_trade", "reduce to 0.02"),
    (ClosePart(fraction=Decimal(1)), "close", "no_open_trade", "close"),
    (ClosePart(), "fraction_unstated", "no_open_trade", "fraction_unstated"),
    (ClosePart(leg=1), "close", "no_open_trade", "close"),
    (ClosePart(leg=2), "no_such_leg", "no_open_trade", "no_such_leg"),
    (CancelPending(), "nothing_pending", "cancel", "nothing_pending"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "is_open", "pending", "partly"), TABLE, ids=lambda value: str(value)[:40]
)
def test_each_action_on_an_open_a_pending_and_a_partly_closed_leg(
    action: Action, is_open: str, pending: str, partly: str
) -> None:
    assert outcome(plan(action, OPEN)) == is_open
    assert outcome(plan(action, PENDING)) == pending
    assert outcome(plan(action, PART_CLOSED)) == partly


def test_without_a_live_leg_nothing_is_done() -> None:
    for trades in ((), (a_trade(1, TradeState.CLOSED),)):
        assert outcome(plan(Close(), *trades)) == "no_open_trade"


@pytest.mark.parametrize("action", [row[0] for row in TABLE], ids=lambda value: str(value)[:40])
def test_a_user_who_wants_no_follow_ups_gets_none(action: Action) -> None:
    assert outcome(plan(action, OPEN, follow_ups="none")) == "follow_ups_off"


def test_a_user_who_wants_protection_only_gets_that_and_no_more() -> None:
    def only(action: Action, *trades: Trade) -> str:
        found = plan(action, *trades, follow_ups="protective_only", allow_wider_stop=True)
        return outcome(found)

    assert only(BreakEven(), OPEN) == "protect 2350.1 2360"
    assert only(Close(), OPEN) == "close"
    assert only(ClosePart(fraction=Decimal("0.5")), OPEN) == "reduce to 0.05"
    assert only(CancelPending(), PENDING) == "cancel"
    assert only(MoveStop(to=Price.of("2345")), OPEN) == "protect 2345 2360"
    assert only(MoveStop(to=Price.of("2330")), OPEN) == "wider_stop"
    assert only(SetTargets(prices=(Price.of("2400"),)), OPEN) == "follow_ups_off"
    assert only(MoveEntry(entry=a_range("2344")), PENDING) == "follow_ups_off"


def test_break_even_uses_each_legs_own_open_price_and_the_users_offset() -> None:
    other = a_trade(2, open_price=Price.of("2351.5"))
    found = plan(BreakEven(), OPEN, other, break_even_offset="3")
    stops = [c.stop_loss for c in commands(found) if isinstance(c, ProtectLeg)]
    assert stops == [Price.of("2350.30"), Price.of("2351.80")]


def test_break_even_never_loosens_a_stop_that_is_past_it_already() -> None:
    ahead = a_trade(1, stop_loss=Price.of("2353"))
    assert outcome(plan(BreakEven(), ahead, allow_wider_stop=True)) == "already_so"


def test_break_even_waits_for_the_price() -> None:
    fallen = a_quote("2349", "2349.1")
    found = plan(BreakEven(), OPEN, quote=fallen)
    assert outcome(found) == "armed 2350.1"
    (command,) = commands(found)
    assert isinstance(command, ProtectLeg)
    assert (command.stop_loss, command.take_profit) == (OPEN.stop_loss, OPEN.take_profit)
    assert "as soon as the price allows it" in found.commands[0].text
    assert outcome(plan(BreakEven(price=Price.of("2357")), OPEN)) == "armed 2357"
    assert outcome(plan(BreakEven(), OPEN, break_even="off")) == "break_even_off"


def test_a_sell_is_the_mirror_of_a_buy() -> None:
    sell = a_trade(1, side=Side.SELL, stop_loss=Price.of("2360"), take_profit=Price.of("2340"))
    fallen = a_quote("2344", "2344.10")
    assert outcome(plan(BreakEven(), sell, quote=fallen)) == "protect 2349.9 2340"
    assert outcome(plan(MoveStop(to=Price.of("2361")), sell, quote=fallen)) == "wider_stop"
    assert outcome(plan(MoveStop(to=Price.of("2344.1")), sell, quote=fallen)) == "late_stop"
    assert outcome(plan(MoveStop(to=Price.of("2345")), sell, quote=fallen)) == "protect 2345 2340"


def test_a_stop_keeps_the_brokers_distance() -> None:
    wide = replace(GOLD, stops_level=200)
    exact, closer = (MoveStop(to=Price.of(text)) for text in ("2354", "2354.01"))
    assert outcome(plan(exact, OPEN, instrument=wide)) == "protect 2354 2360"
    assert outcome(plan(closer, OPEN, instrument=wide)) == "late_stop"


def test_a_wider_stop_goes_out_only_where_the_user_allows_it() -> None:
    wider = MoveStop(to=Price.of("2330"))
    assert outcome(plan(wider, OPEN)) == "wider_stop"
    assert outcome(plan(wider, OPEN, allow_wider_stop=True)) == "protect 2330 2360"


def test_a_trade_without_a_stop_may_get_one() -> None:
    naked = a_trade(1, stop_loss=None)
    assert outcome(plan(MoveStop(to=Price.of("2330")), naked)) == "protect 2330 2360"


@pytest.mark.parametrize(
    ("entry", "doc", "expected"),
    [
        (a_range("2346"), {}, "wider_stop"),
        (a_range("2346"), {"allow_wider_stop": True}, "amend 2346 2340 2360"),
        (a_range("2345"), {}, "already_so"),
        (a_range("2343", "2344"), {}, "amend 2344 2340 2360"),
        (a_range("2339"), {"allow_wider_stop": True}, "stop_wrong_side"),
        (a_range("2361"), {"allow_wider_stop": True}, "target_wrong_side"),
    ],
)
def test_a_pending_order_moves_only_where_its_risk_does_not_grow(
    entry: Any, doc: dict[str, Any], expected: str
) -> None:
    assert outcome(plan(MoveEntry(entry=entry), PENDING, **doc)) == expected


def test_a_pending_order_whose_price_is_not_known_is_left_alone() -> None:
    assert outcome(plan(MoveEntry(entry=a_range("2344")), PENDING, order_at=None)) == "wider_stop"
    stop = MoveStop(to=Price.of("2343"))
    assert outcome(plan(stop, PENDING, order_at=None)) == "order_not_filled"


def test_targets_are_set_leg_by_leg_and_the_rest_keeps_its_own() -> None:
    found = plan(SetTargets(prices=(None,)), OPEN, SECOND)
    assert [item.trade.leg for item in found.commands] == [1]
    both = plan(SetTargets(prices=(Price.of("2361"), Price.of("2371"))), OPEN, SECOND)
    assert [c.take_profit for c in commands(both) if isinstance(c, ProtectLeg)] == [
        Price.of("2361"),
        Price.of("2371"),
    ]


def test_a_target_without_number_is_the_last_one() -> None:
    found = plan(MoveTarget(price=Price.of("2380")), OPEN, SECOND)
    assert [item.trade.leg for item in found.commands] == [2]


def test_a_part_close_takes_whole_legs_nearest_to_their_target_first() -> None:
    third = a_trade(3)
    found = plan(ClosePart(fraction=Decimal("0.5")), third, OPEN, SECOND)
    assert [(i.trade.leg, type(i.command).__name__) for i in found.commands] == [
        (1, "CloseLeg"),
        (2, "ReduceLeg"),
    ]
    assert commands(found)[1] == ReduceLeg(remaining=Lots.of("0.05"))


def test_what_remains_is_rounded_down() -> None:
    odd = a_trade(1, volume_open=Lots.of("0.09"))
    assert outcome(plan(ClosePart(fraction=Decimal("0.5")), odd)) == "reduce to 0.04"


def test_a_single_step_is_not_closed_in_part() -> None:
    smallest = a_trade(1, volume_open=Lots.of("0.01"))
    assert outcome(plan(ClosePart(fraction=Decimal("0.5")), smallest)) == "below_one_step"


volumes = st.integers(1, 60).map(lambda steps: Lots(Decimal(steps) / 100))


@given(
    st.lists(volumes, min_size=1, max_size=5),
    st.decimals("0.01", "0.99", places=2),
    st.sampled_from([1, 5, 10]),
)
def test_a_part_close_never_closes_all_and_never_adds(
    open_volumes: list[Lots], fraction: Decimal, least: int
) -> None:
    smallest = Lots(Decimal(least) / 100)
    open_volumes = [max(volume, smallest) for volume in open_volumes]
    instrument = replace(GOLD, min_lots=smallest)
    legs = [a_trade(at, volume_open=v) for at, v in enumerate(open_volumes, start=1)]
    found = plan(ClosePart(fraction=fraction), *legs, instrument=instrument)
    left = {leg.leg: leg.volume_open.value for leg in legs}
    for item in found.commands:
        match item.command:
            case CloseLeg():
                left[item.trade.leg] = Decimal(0)
            case ReduceLeg(remaining=remaining):
                assert remaining.value % instrument.lot_step == 0
                assert remaining >= smallest
                assert item.trade.volume_open.value - remaining.value >= smallest.value
                left[item.trade.leg] = remaining.value
            case _:
                raise AssertionError(item.command)
    total = sum((leg.volume_open.value for leg in legs), Decimal(0))
    kept = sum(left.values(), Decimal(0))
    assert 0 < kept <= total
    assert all(left[leg.leg] <= leg.volume_open.value for leg in legs)
    assert found.commands or found.refusal == "below_one_step"
    if found.commands:
        assert kept < total


prices = st.decimals("2300", "2400", places=2).map(Price)
every_action = st.one_of(
    st.builds(BreakEven, price=st.none() | prices),
    st.builds(MoveStop, to=prices | st.builds(Trail, pips=st.none() | st.just(Decimal(50)))),
    st.builds(MoveTarget, index=st.none() | st.integers(1, 3), price=st.none() | prices),
    st.builds(SetTargets, prices=st.lists(st.none() | prices, max_size=3).map(tuple)),
    st.builds(ClosePart, fraction=st.none() | st.decimals("0.01", "1", places=2)),
    st.just(Close()),
    st.just(CancelPending()),
)


def money_at_risk(trade: Trade) -> Decimal:
    """What the leg loses at its stop, in price times lots."""
    assert trade.stop_loss is not None
    away = (Decimal(2350) - trade.stop_loss.value) * trade.side.sign
    return max(away, Decimal(0)) * trade.volume_open.value


@given(
    st.lists(every_action, min_size=1, max_size=6),
    st.sampled_from(Side),
    st.decimals("2335", "2365", places=2),
    st.sampled_from(["flag", "close"]),
    st.booleans(),
)
def test_no_message_raises_volume_or_risk_without_permission(
    messages: list[Action], side: Side, bid: Decimal, late_stop: str, is_edit: bool
) -> None:
    """Whole conversations, each command carried out, on legs with a stop."""
    first = Price.of("2340") if side is Side.BUY else Price.of("2360")
    legs = [
        a_trade(n, side=side, stop_loss=first, take_profit=None, volume_open=Lots.of("0.04"))
        for n in (1, 2)
    ]
    quote = a_quote(str(bid), str(bid + Decimal("0.1")))
    for action in messages:
        asked = FollowUpQuestion(
            action=action,
            trades=[leg for leg in legs if leg.state is TradeState.OPEN],
            targets=TARGETS,
            canonical="XAUUSD",
            instrument=GOLD,
            quote=quote,
            rules=rules(late_stop=late_stop, partial_default="0.5"),
            is_edit=is_edit,
        )
        before = {leg.trade_id: leg for leg in legs}
        for item in plan_follow_up(asked).commands:
            legs = [carried_out(leg, item) for leg in legs]
        for leg in legs:
            old = before[leg.trade_id]
            assert leg.volume_open <= old.volume_open
            assert money_at_risk(leg) <= money_at_risk(old)
            assert leg.stop_loss is not None


def carried_out(leg: Trade, item: LegCommand) -> Trade:
    if item.trade.trade_id != leg.trade_id:
        return leg
    match item.command:
        case CloseLeg():
            return replace(leg, state=TradeState.CLOSED, volume_open=Lots.of(0))
        case ReduceLeg(remaining=remaining):
            return replace(leg, volume_open=remaining)
        case ProtectLeg(stop_loss=stop, take_profit=target):
            return replace(leg, stop_loss=stop, take_profit=target)
        case command:
            raise AssertionError(command)


actions = st.one_of(
    st.builds(BreakEven, price=st.none() | prices),
    st.builds(MoveStop, to=prices),
    st.builds(MoveTarget, index=st.none() | st.integers(1, 3), price=st.none() | prices),
    st.builds(SetTargets, prices=st.lists(st.none() | prices, max_size=3).map(tuple)),
    st.builds(MoveEntry, entry=prices.map(lambda price: a_range(str(price)))),
)


@given(
    actions,
    st.sampled_from(Side),
    st.sampled_from([TradeState.OPEN, TradeState.PENDING]),
    st.none() | prices,
    st.decimals("2300", "2400", places=2),
)
def test_no_message_widens_a_stop_or_puts_it_past_the_price_without_permission(
    action: Action, side: Side, state: TradeState, stop: Price | None, bid: Decimal
) -> None:
    leg = a_trade(1, state, side=side, stop_loss=stop, take_profit=None)
    quote = a_quote(str(bid), str(bid + Decimal("0.1")))
    found = plan(action, leg, quote=quote, order_at="2350")
    for command in commands(found):
        assert isinstance(command, ProtectLeg | AmendLeg | CloseLeg)
        if isinstance(command, CloseLeg):
            assert isinstance(action, MoveTarget | SetTargets)
            continue
        entry = command.price if isinstance(command, AmendLeg) else quote.to_close(side)
        if stop is not None:
            assert command.stop_loss is not None
        if command.stop_loss is not None and command.stop_loss != stop:
            assert (entry.value - command.stop_loss.value) * side.sign > 0
        if isinstance(command, AmendLeg) and stop is not None and command.stop_loss is not None:
            before = abs(Decimal(2350) - stop.value)
            assert abs(command.price.value - command.stop_loss.value) <= before
        if isinstance(command, ProtectLeg) and stop is not None:
            assert command.stop_loss is not None
            assert (command.stop_loss.value - stop.value) * side.sign >= 0


def test_the_words_of_a_command_say_from_where_to_where() -> None:
    (item,) = plan(MoveStop(to=Price.of("2345")), OPEN).commands
    assert item.text == f"move stop: {a_price('2340')} to 2345"
