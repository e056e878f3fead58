"""A sign-in attempt in a cookie: readable by us alone, and only as it was."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.adapters.oidc.seal import AttemptSeal
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.identity import SignInAttempt

KEY = b"0123456789abcdef0123456789abcdef"
ATTEMPT = SignInAttempt(
    state="the-state" * 5,
    nonce="the-nonce" * 5,
    verifier="the-verifier" * 4,
    begun_at=datetime(2026, 3, 2, 10, 0, 0, tzinfo=UTC),
)


def test_servers_with_one_key_open_each_others_attempts() -> None:
    assert AttemptSeal(KEY).open(AttemptSeal(KEY).close(ATTEMPT)) == ATTEMPT


def test_nothing_of_it_can_be_read_and_no_two_are_alike() -> None:
    seal = AttemptSeal(KEY)
    box = seal.close(ATTEMPT)
    assert box != seal.close(ATTEMPT)
    raw = base64.urlsafe_b64decode(box + "==")
    assert not [part for part in (b"the-state", b"the-nonce", b"the-verifier") if part in raw]
    assert len(box) < 512
    assert "the-" not in repr(ATTEMPT)
    assert repr(seal) == "AttemptSeal(***)"


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(RefusedError):
        AttemptSeal(KEY[::-1]).open(AttemptSeal(KEY).close(ATTEMPT))


def test_one_changed_character_is_noticed() -> None:
    seal = AttemptSeal(KEY)
    box = seal.close(ATTEMPT)
    for place in range(0, len(box), 7):
        other = "A" if box[place] != "A" else "B"
        with pytest.raises(RefusedError):
            seal.open(box[:place] + other + box[place + 1 :])


@given(st.text(max_size=200) | st.sampled_from(["", "A", "é", "A" * 5000, "=" * 9, "..", "\x00"]))
def test_what_is_not_ours_is_refused(box: str) -> None:
    with pytest.raises(RefusedError):
        AttemptSeal(KEY).open(box)
