"""The table of sizes in docs/ was worked out by hand; the code must find the same."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from kit.builders import GOLD, a_quote, rules
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.budget import Layer, SizingQuestion
from signalfleet.domain.risk.refusal import Refusal
from signalfleet.domain.risk.sizing import SizingReport, size_copy
from signalfleet.domain.settings.catalogue import CATALOGUE, Rules

PAGE = Path(__file__).parents[3] / "docs" / "sizing-examples.md"


def table() -> list[dict[str, str]]:
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(head, row, strict=True)) for row in rows]


def rules_of(row: dict[str, str]) -> Rules:
    doc: dict[str, object] = {}
    for part in filter(None, row["Settings"].split(";")):
        name, _, text = part.strip().partition("=")
        doc[name] = CATALOGUE[name].kind.of_text(text)
    return rules(**doc)


def question_of(row: dict[str, str], in_force: Rules, tick_value: Decimal) -> SizingQuestion:
    entries = [Price.of(price) for price in row["Entry"].split()]
    balance, currency = row["Account"].split()
    bid, spread = entries[0].value, Decimal(row["Spread"])
    # Legs of one layer are targets; layers have one target each.
    legs = 1 if row["Legs"].startswith("refused") else len(row["Legs"].split()) // len(entries)
    weights = in_force.target_weights or (Decimal(1),) * legs
    return SizingQuestion(
        balance=Decimal(balance),
        equity=Decimal(balance),
        currency=currency,
        instrument=replace(
            GOLD,
            tick_size=Decimal(row["Tick"]),
            contract_size=Decimal(row["Contract"]),
            min_lots=Lots.of(row["Min"]),
            lot_step=Decimal(row["Step"]),
        ),
        quote=a_quote(str(bid), str(bid + spread), tick_value=str(tick_value)),
        side=Side(row["Side"]),
        layers=tuple(Layer(entry=price, share=Decimal(1) / len(entries)) for price in entries),
        stop=Price.of(row["Stop"]),
        weights=weights,
        rates={"EUR": Decimal("1.08")},
    )


@pytest.mark.parametrize("number", range(len(table())))
def test_a_row_of_the_table_is_what_the_code_finds(number: int) -> None:
    row = table()[number]
    tick_value = Decimal(row["Tick"]) * Decimal(row["Contract"]) * Decimal(row["Rate"])
    assert tick_value == Decimal(row["Tick is worth"]), row["Case"]
    in_force = rules_of(row)
    report = size_copy(question_of(row, in_force, tick_value), in_force)
    if row["Legs"].startswith("refused"):
        assert isinstance(report, Refusal)
        assert f"refused {report.code}" == row["Legs"]
        return
    assert isinstance(report, SizingReport), report
    assert report.loss_per_lot == Decimal(row["One lot loses"]), row["Case"]
    assert report.asked_money == Decimal(row["Asked"]), row["Case"]
    assert [leg.lots for leg in report.legs] == [Lots.of(lots) for lots in row["Legs"].split()]
    assert report.got_money == Decimal(row["Got"]), row["Case"]


def test_the_table_has_the_kinds_of_instruments_that_differ() -> None:
    text = PAGE.read_text("utf-8")
    for kind in ("EURUSD", "JPY", "XAUUSD", "XAGUSD", "tick 0.5", "step 0.001", "min 0.1"):
        assert kind in text
    assert {row["Account"].split()[1] for row in table()} == {"USD", "EUR", "JPY"}
