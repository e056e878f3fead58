"""Exits beside the states of copying: kept, read back, and found for each trade."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalfleet.domain.accounts.copy_states import USER, CopyStates
from signalfleet.domain.accounts.exits import POLICY_WORDS, Exit, ExitCause
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId, ChannelId
from signalfleet.domain.settings.choices import CopyState, ExitPolicy

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
SCOPES = st.sampled_from([USER, "account:a_1", "account:a_2", "channel:-5"])
EXITS = st.builds(
    Exit,
    cause=st.sampled_from(ExitCause),
    at=st.just(AT),
    policy=st.none() | st.sampled_from(ExitPolicy),
)


@given(
    states=st.dictionaries(SCOPES, st.sampled_from(CopyState)),
    exits=st.dictionaries(SCOPES, EXITS),
)
def test_what_is_kept_is_read_back(states: dict[str, CopyState], exits: dict[str, Exit]) -> None:
    kept = CopyStates(by_scope=states, exits=exits)
    assert CopyStates.of_document(kept.document()) == kept


@pytest.mark.parametrize(
    "exits",
    [[], "gone", {"user": {}}, {"user": {"cause": "whim", "at": "2026-03-02", "policy": None}}],
    ids=["list", "word", "empty", "unknown cause"],
)
def test_an_exit_that_cannot_be_read_is_told(exits: object) -> None:
    with pytest.raises(DomainError):
        CopyStates.of_document({"user": "paused", "exits": exits})


def test_a_trade_follows_the_exits_of_its_user_account_and_channel() -> None:
    mine = {
        scope: Exit(cause=cause, at=AT)
        for scope, cause in [
            (USER, ExitCause.TELEGRAM),
            ("account:a_1", ExitCause.ACCOUNT),
            ("channel:-5", ExitCause.CHANNEL),
        ]
    }
    states = CopyStates(exits=mine)
    found = states.exits_of(AccountId("a_1"), ChannelId(-5))
    assert [one.cause for one in found] == [
        ExitCause.TELEGRAM,
        ExitCause.ACCOUNT,
        ExitCause.CHANNEL,
    ]
    assert len(states.exits_of(AccountId("a_2"), None)) == 1
    assert states.with_exit(USER, None).exits_of(AccountId("a_2"), None) == ()


def test_every_wish_and_every_cause_is_said_in_words() -> None:
    assert set(POLICY_WORDS) == set(ExitPolicy)
    assert all(cause.words.startswith("you") for cause in ExitCause)
