"""Where the user's rules want the stop of an open position: trading.md 6."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.builders import GOLD, a_price, a_quote, a_trade, effective, rules
from signalfleet.domain.errors import DomainError
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.settings.choices import Trailing
from signalfleet.domain.trading.care import Care, care_of_plan
from signalfleet.domain.trading.management import may_move
from signalfleet.domain.trading.protect import (
    Held,
    StopMove,
    broker_stops,
    even_price,
    protect,
    tighter,
)

BUY_TARGETS = ("2360", "2370", "2380")
SELL_TARGETS = ("2340", "2330", "2320")


def care(side: Side = Side.BUY, **doc: object) -> Care:
    targets = BUY_TARGETS if side is Side.BUY else SELL_TARGETS
    return care_of_plan(
        rules(**doc),
        GOLD,
        a_quote("2349.90", "2350.00"),
        pip=Decimal("0.1"),
        stop=Price.of("2340" if side is Side.BUY else "2360"),
        targets=[(n, Price.of(price)) for n, price in enumerate(targets, start=1)],
    )


def held(
    side: Side = Side.BUY, *, stop: str | None = "", best: str = "2350", reached: int = 0
) -> Held:
    first = "2340" if side is Side.BUY else "2360"
    return Held(
        side=side,
        open_price=Price.of(2350),
        stop=None if stop is None else Price.of(stop or first),
        best=Price.of(best),
        reached=reached,
    )


def at(price: str) -> Any:
    value = Decimal(price)
    return a_quote(f"{value}", f"{value + Decimal('0.10')}")


def moved(position: Held, price: str, **doc: object) -> str | None:
    move = protect(position, at(price), care(position.side, **doc), GOLD)
    return None if move is None else f"{move.rule} {move.stop.value.normalize():f}"


class TestBreakEven:
    @pytest.mark.parametrize(
        ("when", "before", "after", "rule"),
        [
            ("at_target 1", "2359.99", "2360", "be_after_tp1"),
            ("at_target 2", "2369.99", "2370", "be_after_tp2"),
            ("at_r 1", "2359.99", "2360", "be_at_1r"),
            ("at_r 0.5", "2354.99", "2355", "be_at_0.5r"),
            ("at_pips 30", "2352.99", "2353", "be_at_30pips"),
        ],
        ids=["target-1", "target-2", "one-r", "half-r", "pips"],
    )
    def test_the_stop_goes_to_the_entry_and_the_costs_once_the_price_is_there(
        self, when: str, before: str, after: str, rule: str
    ) -> None:
        assert moved(held(), before, break_even=when) is None
        assert moved(held(), after, break_even=when) == f"{rule} 2350.1"

    def test_a_sell_is_the_mirror_of_a_buy(self) -> None:
        sell = held(Side.SELL)
        assert moved(sell, "2339.95") is None, "the ask closes a sell"
        assert moved(sell, "2339.90") == "be_after_tp1 2349.9"

    def test_the_offset_is_in_pips_or_the_costs_with_commission(self) -> None:
        assert moved(held(), "2360", break_even_offset="3") == "be_after_tp1 2350.3"
        assert moved(held(), "2360", break_even_offset="0") == "be_after_tp1 2350"
        assert moved(held(), "2360", commission_per_lot="7") == "be_after_tp1 2350.17"

    @pytest.mark.parametrize("when", ["off", "message_only"])
    def test_nothing_moves_by_itself_where_the_user_does_not_want_it(self, when: str) -> None:
        assert moved(held(), "2379", break_even=when) is None

    def test_a_target_that_was_reached_between_two_looks_counts(self) -> None:
        assert moved(held(reached=1), "2355") == "be_after_tp1 2350.1"
        assert moved(held(best="2360.50"), "2355") == "be_after_tp1 2350.1"

    def test_it_waits_where_the_price_has_come_back_beyond_the_entry(self) -> None:
        assert moved(held(reached=1), "2350.05") is None
        assert moved(held(reached=1), "2350.30") == "be_after_tp1 2350.1"

    def test_it_keeps_the_brokers_distance_and_leaves_a_frozen_stop(self) -> None:
        wide = replace(GOLD, stops_level=200)
        position, wanted = held(reached=1), care()
        assert protect(position, at("2352.05"), wanted, wide) is None
        assert protect(position, at("2352.10"), wanted, wide) is not None
        frozen = replace(GOLD, freeze_level=1300)
        assert protect(position, at("2352.10"), wanted, frozen) is None

    def test_a_rule_that_has_acted_does_not_act_again(self) -> None:
        once = frozenset({"be_after_tp1"})
        assert protect(held(), at("2365"), care(), GOLD, done=once) is None

    def test_a_stop_that_is_past_it_stays(self) -> None:
        assert moved(held(stop="2355"), "2365") is None

    def test_an_armed_stop_is_set_as_soon_as_the_price_allows_it(self) -> None:
        wanted = replace(care(break_even="message_only"), armed=Price.of("2350.10"))
        assert protect(held(), at("2350.05"), wanted, GOLD) is None
        move = protect(held(), at("2350.20"), wanted, GOLD)
        assert move is not None
        assert (move.rule, move.stop) == ("armed_2350.1", Price.of("2350.10"))


class TestTrailing:
    def test_it_follows_the_best_price_at_a_distance_in_steps(self) -> None:
        doc: dict[str, Any] = {
            "trailing": "distance",
            "trailing_distance": "50 pips",
            "trailing_step": "10 pips",
        }
        quiet = {**doc, "break_even": "off"}
        assert moved(held(), "2345.50", **quiet) == "trail_2345 2345", "behind the opening price"
        assert moved(held(), "2352", **quiet) == "trail_2347 2347"
        assert moved(held(stop="2347"), "2352.90", **quiet) is None
        assert moved(held(stop="2347"), "2353", **quiet) == "trail_2348 2348"
        assert moved(held(stop="2347", best="2356"), "2353", **quiet) == "trail_2351 2351"

    def test_it_waits_for_its_start(self) -> None:
        doc: dict[str, Any] = {
            "trailing": "distance",
            "trailing_distance": "0.5 R",
            "trailing_start": "1 R",
            "break_even": "off",
        }
        assert moved(held(), "2359.90", **doc) is None
        assert moved(held(), "2360", **doc) == "trail_2355 2355"

    def test_a_table_of_steps_locks_in_what_it_says(self) -> None:
        table = ["30 pips: entry", "60 pips: 20 pips", "1 R: 50 pips"]
        doc: dict[str, Any] = {"trailing": "steps", "trailing_table": table, "break_even": "off"}
        assert moved(held(), "2352.90", **doc) is None
        assert moved(held(), "2353", **doc) == "step_1 2350"
        assert moved(held(), "2356", **doc) == "step_2 2352"
        assert moved(held(), "2360", **doc) == "step_3 2355"

    def test_it_moves_one_target_behind(self) -> None:
        doc: dict[str, Any] = {"trailing": "moving_target", "break_even": "off"}
        found = [moved(held(), price, **doc) for price in ("2359", "2360", "2370", "2380")]
        assert found == [None, "moved_at_tp1 2350.1", "moved_at_tp2 2360", "moved_at_tp3 2370"]

    def test_or_two_targets_behind(self) -> None:
        doc: dict[str, Any] = {"trailing": "moving_2_target", "break_even": "off"}
        found = [moved(held(), price, **doc) for price in ("2360", "2370", "2380")]
        assert found == [None, "moved_at_tp2 2350.1", "moved_at_tp3 2360"]

    def test_it_keeps_a_share_of_the_best_profit(self) -> None:
        doc: dict[str, Any] = {
            "trailing": "share_of_peak",
            "trailing_distance": "40 %",
            "trailing_start": "50 pips",
            "break_even": "off",
        }
        assert moved(held(), "2354", **doc) is None
        assert moved(held(), "2360", **doc) == "trail_2356 2356"
        assert moved(held(best="2360"), "2357", **doc) == "trail_2356 2356"

    def test_a_distance_in_r_without_a_stop_moves_nothing(self) -> None:
        doc: dict[str, Any] = {
            "trailing": "distance",
            "trailing_distance": "1 R",
            "break_even": "at_r 1",
        }
        wanted = replace(care(**doc), first_stop=None)
        assert protect(held(stop=None), at("2375"), wanted, GOLD) is None


class TestWhatTheBrokersSideIsTold:
    def test_break_even_is_a_threshold(self) -> None:
        told = broker_stops(held(), care(), GOLD)
        assert told is not None
        (step,) = told.steps
        assert (step.reached, step.stop_loss) == (Price.of("2360"), Price.of("2350.10"))
        assert told.distance is None

    def test_a_distance_is_one_and_with_a_start_it_is_a_ladder(self) -> None:
        doc: dict[str, Any] = {
            "trailing": "distance",
            "trailing_distance": "50 pips",
            "break_even": "off",
        }
        told = broker_stops(held(), care(**doc), GOLD)
        assert told is not None
        assert (told.distance, told.steps) == (Decimal("5.0"), ())
        later = broker_stops(held(), care(**doc, trailing_start="80 pips"), GOLD)
        assert later is not None
        assert later.distance is None
        assert later.steps[0].reached == Price.of("2358")
        assert later.steps[0].stop_loss == Price.of("2353")

    def test_a_leg_that_ends_at_that_very_target_needs_none(self) -> None:
        assert broker_stops(replace(held(), target=Price.of("2360")), care(), GOLD) is None
        assert broker_stops(replace(held(), target=Price.of("2370")), care(), GOLD) is not None

    def test_what_only_we_can_follow_is_not_told(self) -> None:
        doc: dict[str, Any] = {
            "trailing": "share_of_peak",
            "trailing_distance": "40 %",
            "break_even": "off",
        }
        assert broker_stops(held(), care(**doc), GOLD) is None


@st.composite
def _documents(draw: Any) -> dict[str, object]:
    lengths = st.sampled_from(["20 pips", "0.5 R", "1 R", "150 points", "0.2 %"])
    doc: dict[str, object] = {
        "break_even": draw(
            st.sampled_from(["off", "at_target 1", "at_target 2", "at_r 0.5", "at_pips 25"])
        ),
        "break_even_offset": draw(st.sampled_from(["costs", "0", "5"])),
        "trailing": draw(st.sampled_from([str(kind) for kind in Trailing])),
        "trailing_distance": draw(st.one_of(lengths, st.just("30 %"))),
        "trailing_table": ["20 pips: entry", "60 pips: 20 pips"],
    }
    if draw(st.booleans()):
        doc["trailing_start"] = draw(lengths)
    if draw(st.booleans()):
        doc["trailing_step"] = draw(lengths)
    return doc


@given(
    doc=_documents(),
    side=st.sampled_from(Side),
    path=st.lists(st.integers(min_value=-1200, max_value=4000), min_size=1, max_size=25),
)
def test_whatever_the_price_does_a_stop_only_ever_tightens_and_stays_behind_it(
    doc: dict[str, object], side: Side, path: list[int]
) -> None:
    wanted, sign = care(side, **doc), side.sign
    position = held(side)
    for cents in path:
        quote = at(f"{Decimal(2350) + Decimal(cents) / 100 * sign}")
        now = quote.to_close(side)
        best = tighter(side, position.best, now)
        assert best is not None
        position = replace(position, best=best)
        move: StopMove | None = protect(position, quote, wanted, GOLD)
        if move is None:
            continue
        assert position.stop is not None
        assert (move.stop.value - position.stop.value) * sign > 0
        assert (now.value - move.stop.value) * sign > 0
        position = replace(position, stop=move.stop)
        assert protect(position, quote, wanted, GOLD) is None, "one look asks for one change"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("break_even", "at_target"),
        ("break_even", "at_target 1.5"),
        ("break_even", "at_target 0"),
        ("break_even", "off 3"),
        ("break_even", "soon"),
        ("trailing_table", ["20 pips: 20 pips"]),
        ("trailing_table", ["20 pips"]),
        ("trailing_distance", "20"),
        ("max_trade_age", "0"),
    ],
    ids=str,
)
def test_a_setting_that_makes_no_sense_is_refused(key: str, value: object) -> None:
    with pytest.raises(DomainError, match=key):
        effective(**{key: value})


PAGE = Path(__file__).parents[3] / "docs" / "management.md"


def worked() -> list[dict[str, str]]:
    """The rows that were worked by hand on the page."""
    lines = PAGE.read_text("utf-8").splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("| Case |"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    head, _, *cells = rows
    return [dict(zip(head, row, strict=True)) for row in cells]


class TestCosts:
    @pytest.mark.parametrize("number", range(6))
    def test_the_stop_at_break_even_pays_what_the_trade_costs(self, number: int) -> None:
        rows = worked()
        assert len(rows) == 6
        row = rows[number]
        side, opened, tick = Side(row["Side"]), Price.of(row["Opened at"]), Decimal(row["Tick"])
        instrument = replace(GOLD, tick_size=tick, point=tick)
        ask = opened.value + Decimal(row["Spread"])
        quote = a_quote(str(opened), str(ask), tick_value=row["A tick of one lot"])
        planned = care_of_plan(
            rules(commission_per_lot=row["commission_per_lot"]),
            instrument,
            quote,
            pip=tick * 10,
            stop=None,
            targets=(),
        )
        known = planned.charged(Decimal(row["On the position"]), Lots.of(row["Lots"]))
        found = even_price(side, opened, known, instrument)
        assert found == Price.of(row["Stop at break-even"])
        again = known.charged(Decimal(row["On the position"]), Lots.of(row["Lots"]))
        assert again == known

    @given(
        lots=st.integers(1, 500).map(lambda one: Decimal(one) / 100),
        rate=st.integers(1, 2000).map(lambda one: Decimal(one) / 100),
        spread=st.integers(0, 50).map(lambda one: Decimal(one) / 100),
        side=st.sampled_from(Side),
    )
    def test_who_is_stopped_at_break_even_has_lost_nothing(
        self, lots: Decimal, rate: Decimal, spread: Decimal, side: Side
    ) -> None:
        quote = a_quote("2350.00", str(Decimal(2350) + spread))
        planned = care_of_plan(rules(), GOLD, quote, pip=Decimal("0.1"), stop=None, targets=())
        taken = -(rate * lots)
        known = planned.charged(taken, Lots(lots))
        stop = even_price(side, Price.of(2350), known, GOLD)
        won = (stop.value - 2350) * side.sign / GOLD.tick_size * lots
        assert won + 2 * taken >= 0


@pytest.mark.parametrize(
    ("target", "doc", "expected"),
    [
        ("2360", {}, False),
        ("2370", {}, True),
        (None, {}, True),
        ("2360", {"break_even": "at_target 4"}, False),
        ("2360", {"break_even": "at_r 0.5"}, True),
        ("2360", {"break_even": "message_only"}, False),
        ("2360", {"trailing": "distance", "trailing_distance": "20 pips"}, True),
    ],
    ids="own_target next_leg open no_such_target at_r by_message trailing".split(),
)
def test_a_leg_that_ends_where_its_rule_would_begin_needs_no_price_and_no_call(
    target: str | None, doc: dict[str, Any], expected: bool
) -> None:
    trade = a_trade(take_profit=a_price(target))
    assert may_move(trade, care(**doc)) is expected
    if not expected:
        position = replace(held(), target=trade.take_profit)
        assert broker_stops(position, care(**doc), GOLD) is None
