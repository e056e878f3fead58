"""Heaps of marks that fuzzing found: they are no numbers, and never an exception."""

from decimal import Decimal

import pytest

from signalfleet.domain.signals.numbers import amount, expand, readings


@pytest.mark.parametrize("raw", ["70,.80.00", "1..07", "8.008.75", "70,8.008.75", "1,.09"])
def test_a_heap_of_marks_is_read_without_an_error(raw: str) -> None:
    assert all(isinstance(value, Decimal) for value in readings(raw))
    assert isinstance(amount(raw), Decimal)
    assert expand(raw, "71220.35", 0) is None or isinstance(expand(raw, "71220.35", 0), Decimal)


@pytest.mark.parametrize("anchor", ["8.008.75", "70,8.008.75"])
def test_a_level_is_not_completed_from_a_heap_of_marks(anchor: str) -> None:
    assert expand("44.5", anchor, 1) is None
