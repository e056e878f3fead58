"""What a token must say before it counts, on a clock of the test."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.adapters.oidc.claims import NAMELESS, Expected, read_claims
from signalfleet.ports.identity import IdentityRefusedError

NOW = datetime(2026, 3, 2, 10, 0, 0, tzinfo=UTC)
T = int(NOW.timestamp())
EXPECTED = Expected(issuer="https://issuer.example", client_id="77", nonce="n-1", now=NOW)
GOOD: dict[str, Any] = {
    "iss": "https://issuer.example",
    "aud": "77",
    "iat": T,
    "exp": T + 3600,
    "nonce": "n-1",
    "sub": "12345",
    "id": 4242,
    "name": "Ada Example",
    "preferred_username": "ada",
}


def test_a_person_is_known_by_id_and_not_by_sub() -> None:
    found = read_claims(GOOD, EXPECTED)
    assert (found.telegram_id, found.display_name) == (4242, "Ada Example")


@pytest.mark.parametrize(
    ("claim", "values"),
    [
        ("iss", [None, "", "https://issuer.example/", "https://evil.example", ["https://x"], 1]),
        ("aud", [None, "", "78", 77, [], ["77", "78"], ["78"], {"77": 1}]),
        ("azp", ["78", None, ""]),
        ("exp", [None, T, T - 1, "9" * 12, True, float("nan"), float("inf"), -(10**400)]),
        ("iat", [None, T - 301, T + 301, str(T), float("nan"), 10**400, 0, True, {}]),
        ("nbf", [T + 301, "soon", None]),
        ("nonce", [None, "", "n-2", "N-1", ["n-1"], "\ud800", 1]),
        ("id", [None, 0, -1, "", "x", "4²", 1.5, True, 2**63, "9" * 5000, [4242], "12 3"]),
    ],
)
def test_one_claim_that_does_not_hold_is_enough(claim: str, values: list[object]) -> None:
    for value in values:
        with pytest.raises(IdentityRefusedError) as refused:
            read_claims({**GOOD, claim: value}, EXPECTED)
        assert refused.value.reason == "proof"
        assert ("aud" if claim == "azp" else claim) in str(refused.value)
        assert "n-1" not in str(refused.value)


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "nonce", "id"])
def test_a_claim_that_is_missing_does_not_hold(claim: str) -> None:
    with pytest.raises(IdentityRefusedError, match=claim):
        read_claims({name: value for name, value in GOOD.items() if name != claim}, EXPECTED)


@pytest.mark.parametrize(
    "change",
    [
        {"iat": T - 300},
        {"iat": T + 300},
        {"exp": T + 1},
        {"exp": T + 0.5},
        {"exp": 10**300},
        {"nbf": T},
        {"aud": ["77"]},
        {"azp": "77"},
        {"id": "4242"},
        {"extra": {"deep": []}},
    ],
)
def test_what_is_within_the_bounds_counts(change: dict[str, object]) -> None:
    assert read_claims({**GOOD, **change}, EXPECTED).telegram_id == 4242


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("  Ada \n\t Example ", "Ada Example"),
        ("\u202eevil\u2066\x00\x07", "evil"),
        ("\ud800x", "x"),
        ("Ж" * 500, "Ж" * 128),
        ("<b>Ada</b>", "<b>Ada</b>"),
        ("", "ada"),
        (None, "ada"),
        (7, "ada"),
        ("\u200b", "ada"),
    ],
)
def test_a_name_is_kept_short_and_visible(name: object, shown: str) -> None:
    assert read_claims({**GOOD, "name": name}, EXPECTED).display_name == shown


def test_somebody_without_any_name_has_one_for_the_page() -> None:
    nameless = {**GOOD, "name": None, "preferred_username": None}
    assert read_claims(nameless, EXPECTED).display_name == NAMELESS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), JSON))
def test_whatever_is_claimed_it_is_a_person_or_a_refusal(changes: dict[str, object]) -> None:
    try:
        found = read_claims({**GOOD, **changes}, EXPECTED)
    except IdentityRefusedError:
        return
    assert found.telegram_id > 0
    assert found.display_name.encode()
