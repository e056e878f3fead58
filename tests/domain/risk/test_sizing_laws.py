"""Laws of every size: one budget over all layers and targets, whatever the settings are."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from kit.builders import GOLD, a_quote, rules
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.budget import Layer, SizingQuestion
from signalfleet.domain.risk.refusal import Refusal
from signalfleet.domain.risk.shares import layer_shares, share_over
from signalfleet.domain.risk.sizing import SizingReport, loss_per_lot, size_copy
from signalfleet.domain.settings.choices import FewLotsOrder
from signalfleet.domain.settings.kinds import FewLots

BY_LOTS = ("fixed_lots", "balance_ratio")
FEW = st.sampled_from(["nearest_first", "farthest_first", "one_at 2"])
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
        "size_mode": st.sampled_from(["risk_percent", "risk_money", *BY_LOTS]),
        "risk_percent": st.decimals("0.01", 10, places=2).map(str),
        "risk_money": st.sampled_from(["1", "150.50", "400 EUR", "60000 JPY"]),
        "fixed_lots": st.decimals("0.001", 100, places=3).map(str),
        "balance_ratio": st.sampled_from(["1", "500", "1000", "20000"]),
        "size_factor": st.decimals("0.05", 5, places=2).map(str),
        "use_signal_size": st.sampled_from(["never", "risk", "risk_and_lots"]),
        "risk_base": st.sampled_from(["balance", "equity", "lower"]),
        "max_risk_percent": st.decimals("0.01", 10, places=2).map(str),
        "max_lots": st.decimals("0.001", 100, places=3).map(str),
        "below_min_lot": st.sampled_from(["refuse", "use_min"]),
        "costs_in_risk": st.booleans(),
        "commission_per_lot": st.decimals(0, 50, places=2).map(str),
        "few_lots": FEW,
    }
)
weights = st.lists(st.integers(0, 100), min_size=1, max_size=10).filter(any)


@st.composite
def questions(draw: st.DrawFn) -> SizingQuestion:
    """Buy layers fall and sell layers rise towards the stop, as those of a zone do."""
    side = draw(st.sampled_from(Side))
    near = draw(st.integers(3_000, 5_000))
    steps = draw(st.lists(st.integers(1, 50), min_size=0, max_size=9))
    entries = [near]
    for step in steps:
        entries.append(entries[-1] - step * side.sign)
    stop = entries[-1] - draw(st.integers(1, 500)) * side.sign
    shape = draw(st.sampled_from(["even", "decreasing", "increasing"]))
    shares = layer_shares(shape, len(entries))
    return SizingQuestion(
        balance=draw(st.decimals(0, 1_000_000, places=2)),
        equity=draw(st.decimals(0, 1_000_000, places=2)),
        currency="USD",
        instrument=draw(instruments),
        quote=a_quote(tick_value=str(draw(st.decimals("0.01", 100, places=2)))),
        side=side,
        layers=tuple(
            Layer(entry=Price(Decimal(entry)), share=share)
            for entry, share in zip(entries, shares, strict=True)
        ),
        stop=Price(Decimal(stop)),
        weights=tuple(Decimal(weight) for weight in draw(weights)),
        is_half=draw(st.booleans()),
        signal_risk=draw(st.none() | st.decimals("0.1", 20, places=1)),
        signal_lots=draw(st.none() | st.decimals("0.001", 20, places=3).map(Lots)),
        rates={"EUR": Decimal("1.0852"), "JPY": Decimal("0.0064")},
    )


def starts_from_lots(question: SizingQuestion, doc: dict[str, Any]) -> bool:
    said = doc["use_signal_size"]
    if said == "risk_and_lots" and question.signal_lots is not None:
        return True
    if said != "never" and question.signal_risk is not None:
        return False
    return doc["size_mode"] in BY_LOTS


@given(questions(), documents)
def test_the_legs_never_pass_the_budget_nor_any_limit(
    question: SizingQuestion, doc: dict[str, Any]
) -> None:
    in_force = rules(**doc)
    report = size_copy(question, in_force)
    if isinstance(report, Refusal):
        return
    step, least = question.instrument.lot_step, question.instrument.min_lots
    losses = [loss_per_lot(question, layer, in_force) for layer in question.layers]
    assert report.lots.value == sum(leg.lots.value for leg in report.legs)
    assert report.got_money == sum(leg.lots.value * losses[leg.layer] for leg in report.legs)
    assert len({(leg.layer, leg.slot) for leg in report.legs}) == len(report.legs)
    assert all(question.weights[leg.slot] > 0 for leg in report.legs)
    assert all(leg.lots.value % step == 0 for leg in report.legs)
    assert all(least <= leg.lots <= question.instrument.max_lots for leg in report.legs)
    base = {
        "balance": question.balance,
        "equity": question.equity,
        "lower": min(question.balance, question.equity),
    }[in_force.risk_base.value]
    assert report.got_money <= base * in_force.max_risk_percent / 100
    assert report.lots.value <= in_force.max_lots
    if not starts_from_lots(question, doc):
        used_min = "use_min" in report.caps
        assert report.got_money <= report.asked_money * (Decimal("1.2") if used_min else 1)
    elif "use_min" not in report.caps:
        assert report.rounding >= 0


def lots_of(question: SizingQuestion, doc: dict[str, Any]) -> Decimal:
    """The lots before the broker's largest order cuts single legs."""
    instrument = replace(question.instrument, max_lots=Lots.of(10**9))
    report = size_copy(replace(question, instrument=instrument), rules(**doc))
    return Decimal(0) if isinstance(report, Refusal) else report.lots.value


@given(questions(), documents, st.decimals("0.01", 500, places=2))
def test_a_wider_stop_never_buys_more_lots(
    question: SizingQuestion, doc: dict[str, Any], further: Decimal
) -> None:
    assert question.stop is not None
    wider = question.stop.value - further * question.side.sign
    assume(wider > 0)
    moved = replace(question, stop=Price(wider))
    assert lots_of(moved, doc) <= lots_of(question, doc)


@given(questions(), documents, st.decimals("0.01", 5, places=2))
def test_more_risk_never_buys_fewer_lots(
    question: SizingQuestion, doc: dict[str, Any], more: Decimal
) -> None:
    percent = Decimal(doc["risk_percent"])
    raised = doc | {"risk_percent": str(min(percent + more, Decimal(10)))}
    assert lots_of(question, raised) >= lots_of(question, doc)


@given(questions(), documents, st.decimals(0, 1, places=3))
def test_with_less_money_a_refused_signal_stays_refused(
    question: SizingQuestion, doc: dict[str, Any], share: Decimal
) -> None:
    assume(doc["size_mode"] != "risk_money")
    assume(isinstance(size_copy(question, rules(**doc)), Refusal))
    poorer = replace(question, balance=question.balance * share, equity=question.equity * share)
    assert isinstance(size_copy(poorer, rules(**doc)), Refusal)


@given(questions(), documents)
def test_more_targets_never_risk_more(question: SizingQuestion, doc: dict[str, Any]) -> None:
    one = replace(question, weights=(Decimal(1),))
    many = size_copy(question, rules(**doc))
    if isinstance(many, SizingReport):
        assert lots_of(question, doc) == lots_of(one, doc)


@given(
    st.integers(0, 5_000),
    st.lists(st.decimals(0, 100, places=3), min_size=1, max_size=12).filter(any),
    st.integers(1, 20),
    st.sampled_from([FewLots(order=o) for o in list(FewLotsOrder)[:2]]),
)
def test_sharing_loses_nothing_and_makes_no_order_below_the_smallest(
    steps: int, shares: list[Decimal], least: int, few: FewLots
) -> None:
    found = share_over(steps, shares, least, few)
    assert sum(found) == (steps if steps >= least else 0)
    assert all(share == 0 or share >= least for share in found)
    assert all(not got for got, weight in zip(found, shares, strict=True) if weight == 0)
