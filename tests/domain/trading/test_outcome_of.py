"""A signal's outcome follows from its copies: the one that matters most to the user wins."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.store_rows import ME, Rows
from signalfleet.domain.ids import AccountId
from signalfleet.domain.trading.outcome_of import PRECEDENCE, outcome_of, reason_of
from signalfleet.domain.trading.records import Copy, CopyOutcome

OUT = CopyOutcome


def copies(*outcomes: CopyOutcome | None) -> list[Copy]:
    rows = Rows(user=ME)
    return [
        rows.copy(account=AccountId(f"a{number}"), outcome=outcome)
        for number, outcome in enumerate(outcomes)
    ]


@pytest.mark.parametrize("outcome", OUT)
def test_copies_that_agree_decide(outcome: CopyOutcome) -> None:
    assert outcome_of(copies(outcome)) is outcome_of(copies(outcome, outcome)) is outcome


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((OUT.SKIPPED, OUT.FILLED), OUT.FILLED),
        ((OUT.UNKNOWN, OUT.WORKING, OUT.REJECTED), OUT.WORKING),
        ((OUT.REJECTED, OUT.UNKNOWN), OUT.UNKNOWN),
        ((OUT.EXPIRED, OUT.REJECTED, OUT.SKIPPED), OUT.REJECTED),
        ((OUT.CANCELLED, OUT.EXPIRED), OUT.EXPIRED),
        ((OUT.SKIPPED, OUT.CANCELLED), OUT.CANCELLED),
        ((OUT.FILLED, None), None),
        ((None,), None),
        ((), None),
    ],
)
def test_the_one_that_outranks_the_others_decides(
    outcomes: Sequence[CopyOutcome | None], expected: CopyOutcome | None
) -> None:
    assert outcome_of(copies(*outcomes)) is expected


def test_every_outcome_has_a_rank() -> None:
    assert sorted(PRECEDENCE) == sorted(OUT)


@given(st.lists(st.sampled_from(OUT), min_size=1))
def test_the_order_of_copies_does_not_matter(outcomes: list[CopyOutcome]) -> None:
    shuffled = sorted(outcomes)
    assert outcome_of(copies(*outcomes)) is outcome_of(copies(*shuffled))
    assert outcome_of(copies(*outcomes)) in outcomes


def test_the_reason_is_that_of_the_copies_that_decide() -> None:
    rejected, skipped = copies(OUT.REJECTED, OUT.SKIPPED)
    rejected = replace(rejected, reason="no_money")
    skipped = replace(skipped, reason="too_old")
    assert reason_of([rejected, skipped]) == "no_money"
    other = replace(rejected, account=AccountId("b"), reason="market_closed")
    assert reason_of([rejected, other, skipped]) is None
    assert reason_of(copies(None)) is None
