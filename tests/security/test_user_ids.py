"""A user id is refused before anything is read or written with it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId, new_user_id

ALPHABET = string.digits + string.ascii_lowercase
GOOD = st.text(ALPHABET, min_size=16, max_size=26).map(lambda tail: f"u_{tail}")
HOSTILE = (
    *("", ".", "..", "%2e", "%2e%2e", "u_", "u_../../etc/passwd", "u_%2e%2e%2faaaaaaaaaaaa"),
    *("u_aaaaaaaa/aaaaaaaa", "u_aaaaaaaaaaaaaaa.", "u_aaaaaaaaaaaaaaa$", "u_aaaaaaaaaaaaaaa#"),
    *("u_aaaaaaaaaaaaaaa[", "u_aaaaaaaaaaaaaaa]", "u_aaaaaaaaaaaaaaa\0", "u_aaaaaaaaaaaaaaaa\n"),
    *("\nu_aaaaaaaaaaaaaaaa", " u_aaaaaaaaaaaaaaaa", "u_aaaaaaaaaaaaaaaa ", "U_aaaaaaaaaaaaaaaa"),
    *(
        "u_AAAAAAAAAAAAAAAA",
        "u_aaaaaaaaaaaaaaa",
        "u_" + "a" * 27,
        "u_" + "a" * 767,
        "u-" + "a" * 16,
    ),
    # Look-alikes: Cyrillic a and o, full-width digits, Arabic digits, a combining mark.
    *("u_\u0430aaaaaaaaaaaaaaa", "u_\u043eaaaaaaaaaaaaaaa", "u_\uff11aaaaaaaaaaaaaaa"),
    *("u_\u0661aaaaaaaaaaaaaaa", "u_aaaaaaaaaaaaaaaa\u0301", "\uff55_aaaaaaaaaaaaaaaa"),
    *(
        "sf-worker",
        "sf-web",
        "u_*" + "a" * 15,
        "u_>" + "a" * 15,
        "u_aaaaaaaaaaaaaaa'",
        "u_;drop table--",
    ),
    *("u_aaaaaaaaaaaaaaaa,u_bbbbbbbbbbbbbbbb", "u_" + "a" * 1_000_000),
)


@pytest.mark.parametrize("text", HOSTILE, ids=[str(number) for number in range(len(HOSTILE))])
def test_what_is_no_user_id_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(DomainError) as caught:
        UserId(text)
    assert str(caught.value) == "a user id is u_ and 16 to 26 of 0-9 a-z"


@given(GOOD)
def test_a_user_id_is_safe_wherever_it_is_put(text: str) -> None:
    user = UserId(text)
    assert user == text
    assert user.isascii()
    assert len(user.encode()) <= 28
    assert set(user) <= set(ALPHABET + "_")


@given(st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    tail = text[2:]
    is_one = (
        text.startswith("u_") and 16 <= len(tail) <= 26 and all(one in ALPHABET for one in tail)
    )
    if is_one:
        assert UserId(text) == text
    else:
        with pytest.raises(DomainError):
            UserId(text)


@given(GOOD, st.characters(exclude_characters=ALPHABET), st.integers(0, 40))
def test_one_strange_character_anywhere_is_enough(text: str, strange: str, place: int) -> None:
    changed = text[:place] + strange + text[place:]
    with pytest.raises(DomainError):
        UserId(changed)


@given(st.binary(min_size=16, max_size=64))
def test_a_new_id_is_always_one(entropy: bytes) -> None:
    user = new_user_id(entropy)
    assert UserId(user) == user
    assert len(user) == 28
    assert user not in ("sf-worker", "sf-web")
