"""Prices and volumes refuse what is no number, and volumes are never rounded up."""

from decimal import Decimal
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.domain.errors import DomainError
from signalfleet.domain.money import Lots, Money, Price

STEPS = ("0.001", "0.01", "0.03", "0.07", "0.1", "1", "2.5")


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity", "0", "-1", "-0.00001"])
def test_a_price_is_finite_and_above_zero(text: str) -> None:
    with pytest.raises(DomainError):
        Price(Decimal(text))


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity", "-0.01"])
def test_a_volume_is_finite_and_not_negative(text: str) -> None:
    with pytest.raises(DomainError):
        Lots(Decimal(text))


@pytest.mark.parametrize("text", ["NaN", "Infinity"])
def test_an_amount_is_finite(text: str) -> None:
    with pytest.raises(DomainError):
        Money(Decimal(text), "USD")


@pytest.mark.parametrize("value", [1.5, "1.5", None, 2])
def test_a_price_is_made_of_a_decimal_only(value: object) -> None:
    with pytest.raises(DomainError):
        Price(cast("Decimal", value))


@pytest.mark.parametrize("text", ["", "abc", "1,5", "1.2.3"])
def test_a_text_that_is_no_number_is_refused_in_our_own_words(text: str) -> None:
    with pytest.raises(DomainError, match="a price must be a number"):
        Price.of(text)
    with pytest.raises(DomainError, match="a volume must be a number"):
        Lots.of(text)


@given(
    st.decimals(0, 1_000, allow_nan=False, allow_infinity=False),
    st.sampled_from([Decimal(step) for step in STEPS]),
)
def test_a_volume_is_never_rounded_up_and_loses_less_than_a_step(
    value: Decimal, step: Decimal
) -> None:
    floored = Lots(value).floor_to(step).value
    assert floored <= value
    assert value - floored < step
    assert floored % step == 0


def test_a_volume_a_hair_below_a_step_does_not_reach_it() -> None:
    hair_below = Decimal("0.08999999999999999999999999999")
    assert Lots(hair_below).floor_to(Decimal("0.03")) == Lots.of("0.06")


@given(
    st.decimals("0.01", 10_000, places=5),
    st.sampled_from([Decimal(tick) for tick in ("0.01", "0.25", "0.5", "0.00001")]),
)
def test_a_price_is_rounded_to_the_nearest_tick(value: Decimal, tick: Decimal) -> None:
    if value < tick:
        return
    rounded = Price(value).rounded(tick).value
    assert rounded % tick == 0
    assert abs(rounded - value) <= tick / 2


def test_amounts_of_two_currencies_do_not_mix() -> None:
    with pytest.raises(DomainError, match="do not mix"):
        Money(Decimal(1), "USD") + Money(Decimal(1), "EUR")
    assert Money(Decimal(3), "USD") - Money(Decimal(1), "USD") == Money(Decimal(2), "USD")


def test_equal_values_are_equal_whatever_their_zeros() -> None:
    assert Price.of("2350") == Price.of("2350.00")
    assert str(Price.of("2350.10")) == "2350.10"
    assert str(Lots(Decimal("1E+1"))) == "10"
