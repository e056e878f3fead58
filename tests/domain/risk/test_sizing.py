"""One budget over all legs, rounded down; what was asked and what was got is told."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kit.builders import GOLD, a_quote, rules
from signalfleet.domain.instruments.model import Instrument, Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.refusal import Refusal
from signalfleet.domain.risk.sizing import (
    SizingQuestion,
    SizingReport,
    loss_per_lot,
    size_copy,
    split_lots,
)
from signalfleet.domain.settings.catalogue import Rules


def ask(
    *,
    balance: str = "10000",
    equity: str | None = None,
    side: Side = Side.BUY,
    entry: str = "2350",
    stop: str = "2340",
    legs: int = 1,
    instrument: Instrument = GOLD,
    is_half: bool = False,
) -> SizingQuestion:
    return SizingQuestion(
        balance=Decimal(balance),
        equity=Decimal(equity or balance),
        instrument=instrument,
        quote=a_quote(),
        side=side,
        entry=Price.of(entry),
        stop=Price.of(stop),
        legs=legs,
        is_half=is_half,
    )


def sized(question: SizingQuestion, in_force: Rules) -> SizingReport:
    result = size_copy(question, in_force)
    assert isinstance(result, SizingReport), result
    return result


def refused(question: SizingQuestion, in_force: Rules) -> Refusal:
    result = size_copy(question, in_force)
    assert isinstance(result, Refusal), result
    return result


class TestWorkedExample:
    """10,000 dollars, 1 %, gold 2350 to 2340, commission 7: trading.md 4."""

    RULES = rules(risk_percent="1", commission_per_lot="7")

    def test_is_sized_to_the_cent(self) -> None:
        report = sized(ask(), self.RULES)
        assert report.loss_per_lot == 1_007
        assert report.asked_money == 100
        assert f"{report.lots_exact:.4f}" == "0.0993"
        assert report.lots == Lots.of("0.09")
        assert report.got_money == Decimal("90.63")
        assert f"{report.got_percent:.2f}" == "0.91"
        assert report.caps == ()

    @pytest.mark.parametrize(
        ("targets", "legs"),
        [
            (1, ["0.09"]),
            (3, ["0.03", "0.03", "0.03"]),
            (4, ["0.03", "0.02", "0.02", "0.02"]),
            (9, ["0.01"] * 9),
        ],
    )
    def test_is_split_with_the_rest_on_the_nearest(self, targets: int, legs: list[str]) -> None:
        assert [str(leg) for leg in sized(ask(legs=targets), self.RULES).legs] == legs

    def test_keeps_the_nearest_targets_where_the_lots_do_not_suffice_and_says_so(self) -> None:
        report = sized(ask(legs=12), self.RULES)
        assert len(report.legs) == 9
        assert report.caps == ("few_lots",)


def test_three_targets_risk_as_much_as_one() -> None:
    one, three = (sized(ask(legs=n), rules()) for n in (1, 3))
    assert one.got_money == three.got_money


def test_a_half_size_is_half_of_the_budget() -> None:
    whole, half = sized(ask(), rules()), sized(ask(is_half=True), rules())
    assert half.asked_money == whole.asked_money / 2
    assert half.lots == Lots.of("0.05")
    assert "half_size" in half.caps


def test_half_of_fixed_lots_is_half_of_them() -> None:
    in_force = rules(size_mode="fixed_lots", fixed_lots="0.10")
    assert sized(ask(is_half=True), in_force).lots == Lots.of("0.05")


@pytest.mark.parametrize(("base", "asked"), [("balance", "100"), ("equity", "80"), ("lower", "80")])
def test_the_budget_counts_from_what_the_user_chose(base: str, asked: str) -> None:
    report = sized(ask(equity="8000"), rules(risk_base=base))
    assert report.asked_money == Decimal(asked)


def test_a_sells_stop_is_reached_by_the_ask() -> None:
    question = ask(side=Side.SELL, stop="2360")
    assert loss_per_lot(question, rules()) == 1_010
    assert loss_per_lot(question, rules(costs_in_risk=False)) == 1_000


def test_the_risk_is_capped_and_the_cap_is_told() -> None:
    report = sized(ask(), rules(risk_percent="5", max_risk_percent="0.5"))
    assert report.got_money <= 50
    assert report.caps == ("max_risk_percent",)
    assert report.asked_percent == 5


def test_fixed_lots_are_held_to_the_same_limit() -> None:
    report = sized(ask(), rules(size_mode="fixed_lots", fixed_lots="1", max_risk_percent="1"))
    assert report.lots == Lots.of("0.10")


def test_the_volume_is_capped_by_the_users_and_the_brokers_maximum() -> None:
    assert sized(ask(), rules(max_lots="0.04")).lots == Lots.of("0.04")
    small = replace(GOLD, max_lots=Lots.of("0.03"))
    report = sized(ask(legs=2, instrument=small), rules())
    assert report.legs == (Lots.of("0.03"), Lots.of("0.03"))
    assert report.caps == ("max_volume",)


def test_below_the_smallest_lot_nothing_is_traded_unless_the_user_said_so() -> None:
    poor = ask(balance="900")
    assert refused(poor, rules()).code == "below_min_lot"
    report = sized(poor, rules(below_min_lot="use_min"))
    assert report.lots == Lots.of("0.01")
    assert report.got_money == 10
    assert report.caps == ("use_min",)


@pytest.mark.parametrize(
    ("balance", "doc"),
    [
        ("800", {"below_min_lot": "use_min"}),
        ("900", {"below_min_lot": "use_min", "max_risk_percent": "1.05"}),
        ("900", {"below_min_lot": "use_min", "max_lots": "0.005"}),
    ],
)
def test_the_smallest_lot_is_not_used_where_it_passes_a_limit(
    balance: str, doc: dict[str, str]
) -> None:
    assert refused(ask(balance=balance), rules(**doc)).code == "below_min_lot"


@pytest.mark.parametrize("balance", ["0", "-5"])
def test_an_empty_account_trades_nothing(balance: str) -> None:
    assert refused(ask(balance=balance), rules()).code == "no_balance"


def test_a_stop_at_the_entry_is_no_stop() -> None:
    assert refused(ask(stop="2350"), rules(costs_in_risk=False)).code == "stop_distance"


prices = st.decimals("1", "5000", places=2)
instruments = st.builds(
    lambda step, least, most: replace(
        GOLD,
        lot_step=Decimal(step),
        min_lots=Lots(Decimal(step) * least),
        max_lots=Lots(Decimal(step) * (least + most)),
    ),
    st.sampled_from(["0.001", "0.01", "0.1", "1"]),
    st.integers(1, 10),
    st.integers(0, 500),
)
documents = st.fixed_dictionaries(
    {
        "size_mode": st.sampled_from(["risk_percent", "fixed_lots"]),
        "risk_percent": st.decimals("0.01", 10, places=2).map(str),
        "fixed_lots": st.decimals("0.001", 100, places=3).map(str),
        "risk_base": st.sampled_from(["balance", "equity", "lower"]),
        "max_risk_percent": st.decimals("0.01", 10, places=2).map(str),
        "max_lots": st.decimals("0.001", 100, places=3).map(str),
        "below_min_lot": st.sampled_from(["refuse", "use_min"]),
        "costs_in_risk": st.booleans(),
        "commission_per_lot": st.decimals(0, 50, places=2).map(str),
    }
)


@st.composite
def questions(draw: st.DrawFn) -> SizingQuestion:
    return SizingQuestion(
        balance=draw(st.decimals(0, 1_000_000, places=2)),
        equity=draw(st.decimals(0, 1_000_000, places=2)),
        instrument=draw(instruments),
        quote=a_quote(tick_value=str(draw(st.decimals("0.01", 100, places=2)))),
        side=draw(st.sampled_from(Side)),
        entry=Price(draw(prices)),
        stop=Price(draw(prices)),
        legs=draw(st.integers(1, 10)),
        is_half=draw(st.booleans()),
    )


@given(questions(), documents)
def test_the_legs_never_pass_the_budget_nor_any_limit(
    question: SizingQuestion, doc: dict[str, object]
) -> None:
    in_force = rules(**doc)
    report = size_copy(question, in_force)
    if isinstance(report, Refusal):
        return
    step, least = question.instrument.lot_step, question.instrument.min_lots
    total = sum((leg.value for leg in report.legs), Decimal(0))
    losses = sum((leg.value * report.loss_per_lot for leg in report.legs), Decimal(0))
    assert total == report.lots.value
    assert 1 <= len(report.legs) <= question.legs
    assert all(leg.value % step == 0 for leg in report.legs)
    assert all(least <= leg <= question.instrument.max_lots for leg in report.legs)
    used_min = "use_min" in report.caps
    assert losses == report.got_money
    assert losses <= report.asked_money * (Decimal("1.2") if used_min else 1)
    base = {
        "balance": question.balance,
        "equity": question.equity,
        "lower": min(question.balance, question.equity),
    }[in_force.risk_base.value]
    assert losses <= base * in_force.max_risk_percent / 100
    assert total <= in_force.max_lots


def lots_of(question: SizingQuestion, in_force: Rules) -> Decimal:
    report = size_copy(question, in_force)
    return Decimal(0) if isinstance(report, Refusal) else report.lots.value


@given(questions(), documents, st.decimals("0.01", 500, places=2))
def test_a_wider_stop_never_buys_more_lots(
    question: SizingQuestion, doc: dict[str, object], further: Decimal
) -> None:
    distance = question.stop.value - question.entry.value
    assume(distance != 0)
    wider = question.stop.value + further.copy_sign(distance)
    assume(wider > 0)
    in_force = rules(**doc)
    moved = replace(question, stop=Price(wider))
    assert lots_of(moved, in_force) <= lots_of(question, in_force)


@given(questions(), documents, st.decimals("0.01", 5, places=2))
def test_more_risk_never_buys_fewer_lots(
    question: SizingQuestion, doc: dict[str, object], more: Decimal
) -> None:
    percent = Decimal(str(doc["risk_percent"]))
    raised = doc | {"risk_percent": str(min(percent + more, Decimal(10)))}
    assert lots_of(question, rules(**raised)) >= lots_of(question, rules(**doc))


@given(questions(), documents, st.decimals(0, 1, places=3))
def test_with_less_money_a_refused_signal_stays_refused(
    question: SizingQuestion, doc: dict[str, object], share: Decimal
) -> None:
    assume(isinstance(size_copy(question, rules(**doc)), Refusal))
    poorer = replace(question, balance=question.balance * share, equity=question.equity * share)
    assert isinstance(size_copy(poorer, rules(**doc)), Refusal)


@given(st.integers(1, 5_000), st.integers(1, 10), instruments)
def test_splitting_loses_nothing_but_what_the_broker_cannot_take(
    steps: int, wanted: int, instrument: Instrument
) -> None:
    total = Lots(instrument.lot_step * steps)
    assume(total >= instrument.min_lots)
    legs = split_lots(total, wanted, instrument)
    assert max(legs).value - min(legs).value <= instrument.lot_step
    assert sorted(legs, reverse=True) == list(legs)
    spilled = total.value - sum(leg.value for leg in legs)
    assert spilled == 0 or max(legs) == instrument.max_lots
