"""Credits: what is counted, who stops first, and what the service's own word changes."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.adapters.metaapi import json_text, limits
from signalfleet.adapters.metaapi.credits import AccountCredits, Bucket, CreditBook, period_s
from signalfleet.adapters.metaapi.lanes import Lane
from signalfleet.ports.secrets import Secret

REGION = "new-york"

# metaapi.cloud/docs/client/restApi/api/retrieveCPUCreditUsage, example response
USAGE = b"""{"perAccount": [{"period": "10s", "total": 1000, "available": 500}],
"perUser": [{"period": "1s", "total": 500, "available": 250}],
"perServer": [{"period": "1m", "total": 5000, "available": 2500}]}"""
# An older copy of the same page.
OLDER_USAGE = b"""{"perDeployedAccounts": [
{"periodInSeconds": 1, "creditsUsed": 50, "creditsLeft": 1950, "creditsAvailable": 2000},
{"periodInSeconds": 21600, "creditsUsed": 50, "creditsLeft": 431950, "creditsAvailable": 432000}],
"perAccount": [
{"periodInSeconds": 3600, "creditsUsed": 50, "creditsLeft": 90000, "creditsAvailable": 180000}]}"""
# metaapi.cloud/docs/client/models/tooManyRequestsError, `metadata` of the example
METADATA = {
    "total": Decimal(1000),
    "available": Decimal(0),
    "needed": Decimal(50),
    "resourceId": "user:userId",
    "multiplierId": "accountCount:userId",
    "exceededConfig": "perUser",
    "exceededPeriod": "1s",
    "recommendedRetryTime": "2022-05-31T09:00:52.361Z",
    "method": "getAccountInformation",
}


def an_account(
    account_id: str = "a", token: str = "t.t.t", book: CreditBook | None = None
) -> AccountCredits:
    return (book or CreditBook()).of(Secret(token), account_id)


def drained_to(share: float, now: float = 0.0) -> AccountCredits:
    account = an_account()
    account.spend((1 - share) * limits.USER_CREDITS["1s"], REGION, now)
    return account


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("4m", 240), ("6h", 21_600), ("1d", 86_400)]
)
def test_a_period_is_read_in_seconds(text: str, seconds: int) -> None:
    assert period_s(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "1", "1w", "-1s", "1.5s", "10 s", "None"])
def test_what_is_no_period_is_none(text: str) -> None:
    assert period_s(text) is None


@given(
    spends=st.lists(st.tuples(st.floats(0, 200), st.integers(1, 100)), min_size=1, max_size=60),
    period=st.sampled_from([1, 10, 60]),
)
def test_no_window_of_the_service_has_seen_more_than_we_count(
    spends: list[tuple[float, int]], period: int
) -> None:
    bucket = Bucket(period, 1_000_000)
    moments = sorted(spends)
    for at, cost in moments:
        bucket.spend(at, cost)
        window = sum(
            c for t, c in moments[: moments.index((at, cost)) + 1] if at - period < t <= at
        )
        assert bucket.total - bucket.left(at) >= window - 1e-6


def test_what_was_spent_comes_back_when_the_period_is_over() -> None:
    bucket = Bucket(10, 100)
    bucket.spend(0, 60)
    assert bucket.left(5) == 40
    assert bucket.left(10.6) == 100


def test_entries_stop_below_their_share_and_nothing_else_does() -> None:
    account = drained_to(0.31)
    assert account.wait(Lane.ENTRY, 0, REGION, 0.0) is None
    assert account.wait(Lane.ENTRY, 50, REGION, 0.0) is not None
    for lane in (Lane.LOOK, Lane.PROTECTIVE):
        assert account.wait(lane, 50, REGION, 0.0) is None


def test_protective_calls_go_even_when_we_count_nothing_left() -> None:
    account = drained_to(0.0)
    assert account.wait(Lane.PROTECTIVE, 50, REGION, 0.0) is None
    assert account.share(REGION, 0.0) == 0


def test_every_scope_counts() -> None:
    account = an_account()
    for _ in range(20):  # Slowly enough for the user's second, too fast for the account's ten.
        account.spend(190, REGION, 0.0)
    assert account.wait(Lane.ENTRY, 50, REGION, 2.0) is not None
    assert account.wait(Lane.ENTRY, 50, REGION, 12.0) is None


def test_accounts_of_one_token_share_its_credits_and_bring_their_own() -> None:
    book = CreditBook()
    first, second = an_account("a", book=book), an_account("b", book=book)
    first.spend(2 * limits.USER_CREDITS["1s"], REGION, 0.0)
    assert second.share(REGION, 0.0) == 0
    assert an_account("a", "other.t.t", book).share(REGION, 0.0) == 1


def test_a_token_is_kept_as_a_digest_only() -> None:
    book = CreditBook()
    an_account(token="canary.t.t", book=book)
    assert "canary" not in repr(vars(book))


def test_a_refusal_stops_everybody_of_its_scope_until_the_stated_time() -> None:
    book = CreditBook()
    first, second = an_account("a", book=book), an_account("b", book=book)
    first.refused(METADATA, 30.0, REGION, 100.0)
    for account in (first, second):
        wait = account.wait(Lane.PROTECTIVE, 50, REGION, 110.0)
        assert wait is not None
        assert (wait.seconds, wait.asked) == (20.0, True)
        assert account.wait(Lane.LOOK, 50, REGION, 131.0) is None


def test_a_refusal_of_an_account_stops_no_other() -> None:
    book = CreditBook()
    first, second = an_account("a", book=book), an_account("b", book=book)
    first.refused(METADATA | {"exceededConfig": "perAccount"}, 30.0, REGION, 100.0)
    assert first.wait(Lane.LOOK, 50, REGION, 110.0) is not None
    assert second.wait(Lane.LOOK, 50, REGION, 110.0) is None


def test_a_refusal_of_a_server_stops_only_its_region() -> None:
    account = an_account()
    account.refused(METADATA | {"exceededConfig": "perServer"}, 30.0, REGION, 100.0)
    assert account.wait(Lane.LOOK, 50, REGION, 110.0) is not None
    assert account.wait(Lane.LOOK, 50, "london", 110.0) is None


@pytest.mark.parametrize("metadata", [None, {}, {"exceededConfig": 7, "total": "x"}])
def test_a_refusal_that_names_nothing_stops_this_account(metadata: dict[str, object]) -> None:
    account = an_account()
    account.refused(metadata, 30.0, REGION, 100.0)
    assert account.wait(Lane.LOOK, 50, REGION, 110.0) is not None
    assert account.wait(Lane.LOOK, 50, REGION, 131.0) is None


def test_what_the_service_states_replaces_our_guess() -> None:
    account = an_account()
    account.learn(json_text.parse(USAGE), REGION, 0.0)
    assert account.share(REGION, 0.0) == 0.5
    account.spend(150, REGION, 0.0)
    assert account.wait(Lane.ENTRY, 50, REGION, 0.0) is not None


def test_the_older_form_of_the_statement_is_read_too() -> None:
    account = an_account()
    account.learn(json_text.parse(OLDER_USAGE), REGION, 0.0)
    assert account.share(REGION, 0.0) == 0.5


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=8),
        lambda part: (
            st.lists(part, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["perUser", "perAccount", "period", "total", "available", "periodInSeconds"]
                ),
                part,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_statement_however_strange_breaks_anything(payload: object) -> None:
    account = an_account()
    account.learn(json_text.parse(json.dumps(payload).encode()), REGION, 0.0)
    assert 0 <= account.share(REGION, 0.0) <= 1


def test_the_service_is_asked_at_first_and_every_five_minutes_and_once_for_a_token() -> None:
    book = CreditBook()
    first, second = an_account("a", book=book), an_account("b", book=book)
    assert first.wants_facts(1000.0)
    first.asking(1000.0)
    assert not second.wants_facts(1001.0)
    assert not first.wants_facts(1299.0)
    assert second.wants_facts(1300.0)
