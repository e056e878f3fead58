"""Names outside the store: the user first, and no two alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.domain.accounts.keys import user_key, visitor_key
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId

ANN = UserId("u_mfrggzdfmztwq2lk")
BOB = UserId("u_nbswy3dpo5xxe3de")
parts = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4)


@given(parts, parts)
def test_different_parts_give_different_keys_and_users_never_meet(
    one: list[str], other: list[str]
) -> None:
    assert (user_key(ANN, *one) == user_key(ANN, *other)) == (one == other)
    assert user_key(ANN, *one).startswith(f"{ANN}|")
    assert user_key(ANN, *one) != user_key(BOB, *other)


@pytest.mark.parametrize("hostile", ["", "u_a|b", "*", "u_" + "a" * 40])
def test_a_key_without_a_user_is_refused(hostile: str) -> None:
    with pytest.raises(DomainError):
        user_key(hostile, "x")  # type: ignore[arg-type]


def test_an_empty_or_endless_part_is_refused() -> None:
    for part in ("", "x" * 600):
        with pytest.raises(DomainError):
            user_key(ANN, part)


def test_a_visitor_is_not_named_by_address_and_never_looks_like_a_user() -> None:
    key = visitor_key("203.0.113.7")
    assert "203" not in key
    assert key != visitor_key("203.0.113.8")
    assert not key.startswith("u_")
