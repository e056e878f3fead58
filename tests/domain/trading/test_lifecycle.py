"""What each event does to an intent in each state, and what no sequence of events may do."""

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.builders import a_trade, after, an_entry, an_intent
from signalfleet.domain.trading.intents import CloseLeg, Intent, IntentState
from signalfleet.domain.trading.lifecycle import (
    MAX_ENTRY_ATTEMPTS,
    AbsenceProved,
    Dropped,
    Event,
    Found,
    Loaded,
    NotSent,
    Released,
    Replied,
    WentStale,
    advance,
)
from signalfleet.domain.trading.outcomes import Accepted, Rejected, Unknown

S = IntentState
YES = Replied(Accepted(code="10009", order_id="O1"))
NO = Replied(Rejected(code="10019", text="no money"))
AGAIN = Replied(Rejected(code="10004", text="requote", again=True))
SILENCE = Replied(Unknown(cause="timeout"))
FOUND = Found(evidence="seen in positions", position_id="P1")

EVENTS: Final[dict[str, Event]] = {
    "released": Released(),
    "dropped": Dropped("deleted"),
    "stale": WentStale(),
    "not sent": NotSent("connect_refused"),
    "accepted": YES,
    "rejected": NO,
    "rejected, again": AGAIN,
    "no usable reply": SILENCE,
    "loaded": Loaded(),
    "found": FOUND,
    "absence proved": AbsenceProved(),
}

# execution.md 5.1 for a first attempt of an entry that is still fresh. "-": nothing changes;
# "!": nothing changes and somebody is called; "X !": it changes and somebody is called.
TABLE: Final[dict[str, dict[IntentState, str]]] = {
    "released": {
        S.HELD: "SENDING",
        **dict.fromkeys(
            (S.SENDING, S.UNKNOWN, S.ACCEPTED, S.REJECTED, S.EXPIRED, S.CANCELLED), "-"
        ),
    },
    "dropped": {
        S.HELD: "CANCELLED",
        S.SENDING: "noted",
        S.UNKNOWN: "noted",
        **dict.fromkeys((S.ACCEPTED, S.REJECTED, S.EXPIRED, S.CANCELLED), "-"),
    },
    "stale": {
        S.HELD: "EXPIRED",
        **dict.fromkeys(
            (S.SENDING, S.UNKNOWN, S.ACCEPTED, S.REJECTED, S.EXPIRED, S.CANCELLED), "-"
        ),
    },
    "not sent": {
        S.SENDING: "HELD",
        S.HELD: "-",
        **dict.fromkeys((S.UNKNOWN, S.ACCEPTED, S.REJECTED, S.EXPIRED, S.CANCELLED), "!"),
    },
    "accepted": {
        S.HELD: "ACCEPTED !",
        S.SENDING: "ACCEPTED",
        S.UNKNOWN: "ACCEPTED",
        S.ACCEPTED: "-",
        S.REJECTED: "ACCEPTED !",
        S.EXPIRED: "ACCEPTED !",
        S.CANCELLED: "ACCEPTED !",
    },
    "rejected": {
        S.HELD: "!",
        S.SENDING: "REJECTED",
        S.UNKNOWN: "REJECTED",
        S.ACCEPTED: "!",
        **dict.fromkeys((S.REJECTED, S.EXPIRED, S.CANCELLED), "-"),
    },
    "rejected, again": {
        S.HELD: "!",
        S.SENDING: "HELD",
        S.UNKNOWN: "HELD",
        S.ACCEPTED: "!",
        **dict.fromkeys((S.REJECTED, S.EXPIRED, S.CANCELLED), "-"),
    },
    "no usable reply": {
        S.HELD: "!",
        S.SENDING: "UNKNOWN",
        **dict.fromkeys((S.UNKNOWN, S.ACCEPTED, S.REJECTED, S.EXPIRED, S.CANCELLED), "-"),
    },
    "loaded": {
        S.SENDING: "UNKNOWN",
        **dict.fromkeys((S.HELD, S.UNKNOWN, S.ACCEPTED, S.REJECTED, S.EXPIRED, S.CANCELLED), "-"),
    },
    "found": {
        S.HELD: "ACCEPTED !",
        S.SENDING: "ACCEPTED",
        S.UNKNOWN: "ACCEPTED",
        S.ACCEPTED: "-",
        S.REJECTED: "ACCEPTED !",
        S.EXPIRED: "ACCEPTED !",
        S.CANCELLED: "ACCEPTED !",
    },
    "absence proved": {
        S.UNKNOWN: "HELD",
        **dict.fromkeys((S.HELD, S.SENDING, S.ACCEPTED, S.REJECTED, S.EXPIRED, S.CANCELLED), "-"),
    },
}


def entry(state: IntentState, attempt: int = 1) -> Intent:
    intent = an_entry(a_trade(), state, attempt=attempt)
    return replace(intent, order_id="O1") if state is S.ACCEPTED else intent


def protective(state: IntentState, attempt: int = 1) -> Intent:
    return an_intent(a_trade(), CloseLeg(), state, attempt=attempt)


def test_the_table_names_every_event_and_every_state() -> None:
    assert set(TABLE) == set(EVENTS)
    assert all(set(row) == set(IntentState) for row in TABLE.values())


@pytest.mark.parametrize("event", TABLE)
@pytest.mark.parametrize("state", IntentState)
def test_every_event_does_in_every_state_what_the_table_says(
    event: str, state: IntentState
) -> None:
    before = entry(state)
    step = advance(before, EVENTS[event], after(10))
    expected = TABLE[event][state]
    assert (step.alarm is not None) is expected.endswith("!")
    word = expected.removesuffix("!").strip()
    match word:
        case "-" | "":
            assert step.intent is before
        case "noted":
            assert step.intent == replace(before, cancel_wanted=True)
        case _:
            assert step.intent.state is IntentState(word)


@pytest.mark.parametrize("state", [s for s in IntentState if s.is_final])
@pytest.mark.parametrize("event", [name for name in TABLE if name not in {"accepted", "found"}])
def test_nothing_but_proof_of_an_order_moves_a_final_state(event: str, state: IntentState) -> None:
    assert advance(entry(state), EVENTS[event], after(10)).intent.state is state


def test_a_second_order_id_for_one_intent_is_called_a_double_fill() -> None:
    step = advance(entry(S.ACCEPTED), Replied(Accepted(code="0", order_id="O2")), after(1))
    assert step.alarm == "double_fill"
    assert step.intent.order_id == "O1"


@pytest.mark.parametrize("state", [S.SENDING, S.UNKNOWN])
def test_an_entry_gets_one_more_try_and_a_protective_intent_as_many_as_it_needs(
    state: IntentState,
) -> None:
    assert advance(entry(state, 1), AGAIN, after(1)).intent.state is S.HELD
    assert advance(entry(state, 2), AGAIN, after(1)).intent.state is S.REJECTED
    assert advance(protective(state, 9), AGAIN, after(1)).intent.state is S.HELD


def test_an_entry_that_never_left_was_no_attempt() -> None:
    held = advance(entry(S.SENDING), NotSent("connect_refused"), after(1)).intent
    assert (held.state, held.attempt, held.reason) == (S.HELD, 0, "connect_refused")
    assert advance(held, Released(), after(2)).intent.attempt == 1


def test_a_protective_intent_that_never_left_counts_for_its_back_off() -> None:
    assert advance(protective(S.SENDING, 3), NotSent("not_seen"), after(1)).intent.attempt == 3


@pytest.mark.parametrize(
    ("attempt", "at", "wanted", "state"),
    [
        (1, 45, False, S.HELD),
        (1, 46, False, S.EXPIRED),
        (4, 10, False, S.HELD),
        (5, 10, False, S.EXPIRED),
        (1, 10, True, S.EXPIRED),
    ],
)
def test_a_proved_absence_allows_few_more_tries_and_only_of_what_is_fresh(
    attempt: int, at: float, wanted: bool, state: IntentState
) -> None:
    intent = replace(entry(S.UNKNOWN, attempt), cancel_wanted=wanted)
    after_it = advance(intent, AbsenceProved(), after(at)).intent
    assert after_it.state is state
    if state is S.EXPIRED:
        assert after_it.reason == "absent_after_doubt"
        assert after_it.settled_at == after(at)


def test_a_protective_intent_is_decided_again_however_old_it_is() -> None:
    step = advance(protective(S.UNKNOWN, 5), AbsenceProved(), after(9_999))
    assert step.intent.state is S.HELD


def test_what_settles_an_intent_is_kept_as_evidence() -> None:
    assert advance(entry(S.SENDING), YES, after(1)).intent.evidence == "reply 10009"
    assert advance(entry(S.SENDING), NO, after(1)).intent.evidence == "reply 10019"
    found = advance(entry(S.UNKNOWN), FOUND, after(1)).intent
    assert (found.evidence, found.position_id) == ("seen in positions", "P1")


@given(st.lists(st.sampled_from(sorted(EVENTS)), max_size=25), st.booleans())
def test_no_sequence_sends_a_third_time_or_reopens_what_is_final(
    events: list[str], is_entry: bool
) -> None:
    intent = entry(S.SENDING) if is_entry else protective(S.SENDING)
    sends = 1
    for seconds, name in enumerate(events):
        step = advance(intent, EVENTS[name], after(seconds))
        moved = step.intent
        if intent.state.is_final:
            assert moved.state in (intent.state, S.ACCEPTED)
        if moved.state is S.SENDING and intent.state is not S.SENDING:
            assert intent.state is S.HELD
            assert name == "released"
        if intent.state is S.SENDING and name == "not sent":
            sends -= 1
        if intent.state is S.HELD and moved.state is S.SENDING:
            sends += 1
        intent = moved
        if is_entry:
            assert intent.attempt <= MAX_ENTRY_ATTEMPTS
            assert sends == intent.attempt
        assert (intent.settled_at is not None) is intent.state.is_final


@given(st.lists(st.sampled_from(sorted(EVENTS)), max_size=25))
def test_silence_alone_never_lets_an_entry_out_again(events: list[str]) -> None:
    """Only a proved absence or a plain "no" may lead from doubt to another sending."""
    intent = advance(entry(S.SENDING), SILENCE, after(1)).intent
    proofs = {"absence proved", "rejected, again"}
    for name in events:
        if name in proofs:
            return
        intent = advance(intent, EVENTS[name], after(2)).intent
        assert intent.state is not S.SENDING
        assert intent.state is not S.HELD
