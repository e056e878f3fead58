"""How an intent moves from event to event, as one function over all states.

A contradiction (an event that must not happen in that state) keeps the state unless the broker
proves that an order exists; it is named in `Step.alarm` for the operator.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias, assert_never

from signalfleet.domain.trading.intents import Intent, IntentState, Lane
from signalfleet.domain.trading.outcomes import Accepted, Outcome, Rejected, Unknown

MAX_ENTRY_ATTEMPTS: Final = 5
"""Each attempt after the first follows a proof that the one before never came, while fresh."""
MAX_AFTER_REFUSAL: Final = 2
"""A broker that refuses for a passing reason, such as a requote, is asked once more."""


@dataclass(frozen=True, slots=True)
class Released:
    """All checks passed again: the held intent goes out."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Somebody wants it no more: the user, a stop, a deletion."""

    reason: str


@dataclass(frozen=True, slots=True)
class WentStale:
    """Too old to send."""

    reason: str = "too_old"


@dataclass(frozen=True, slots=True)
class NotSent:
    """Provably nothing left the process."""

    reason: str


@dataclass(frozen=True, slots=True)
class Replied:
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Loaded:
    """Read at a start: whoever was sending it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A look at the broker shows that it was done."""

    evidence: str
    order_id: str | None = None
    position_id: str | None = None


@dataclass(frozen=True, slots=True)
class AbsenceProved:
    """Looks after the settle window prove that it was not done."""


Event: TypeAlias = (
    Released | Dropped | WentStale | NotSent | Replied | Loaded | Found | AbsenceProved
)


@dataclass(frozen=True, slots=True)
class Step:
    intent: Intent
    alarm: str | None = None


def advance(intent: Intent, event: Event, now: datetime) -> Step:
    """Return the intent after the event; the same object where the event changes nothing."""
    match event:
        case Released():
            return _released(intent)
        case Dropped(reason):
            return _dropped(intent, reason, now)
        case WentStale(reason):
            if intent.state is IntentState.HELD:
                return Step(_settled(intent, IntentState.EXPIRED, now, reason=reason))
            return Step(intent)
        case NotSent(reason):
            return _not_sent(intent, reason)
        case Replied(outcome):
            return _replied(intent, outcome, now)
        case Loaded():
            if intent.state is IntentState.SENDING:
                # It left by now or never will: whoever sent it lost the slot before this moment.
                return Step(
                    replace(intent, state=IntentState.UNKNOWN, reason="restarted", sending_at=now)
                )
            return Step(intent)
        case Found():
            return _found(intent, event, now)
        case AbsenceProved():
            return _absent(intent, now)
        case _:
            assert_never(event)


def may_try_again(intent: Intent, most: int = MAX_ENTRY_ATTEMPTS) -> bool:
    """Tell whether one more attempt may be made at all; freshness is looked at when it goes out."""
    return intent.lane is Lane.PROTECTIVE or intent.attempt < most


def _settled(
    intent: Intent,
    state: IntentState,
    now: datetime,
    *,
    reason: str | None = None,
    evidence: str | None = None,
) -> Intent:
    return replace(
        intent,
        state=state,
        settled_at=now,
        reason=reason,
        evidence=evidence or intent.evidence,
    )


def _released(intent: Intent) -> Step:
    if intent.state is not IntentState.HELD:
        return Step(intent)
    return Step(
        replace(
            intent,
            state=IntentState.SENDING,
            attempt=intent.attempt + 1,
            sending_at=None,
            reason=None,
        )
    )


def _dropped(intent: Intent, reason: str, now: datetime) -> Step:
    match intent.state:
        case IntentState.HELD:
            return Step(_settled(intent, IntentState.CANCELLED, now, reason=reason))
        case IntentState.SENDING | IntentState.UNKNOWN:
            return Step(replace(intent, cancel_wanted=True))
        case _:
            return Step(intent)


def _not_sent(intent: Intent, reason: str) -> Step:
    match intent.state:
        case IntentState.SENDING:
            # What never left was no attempt; protective ones go on counting for their back-off.
            unsent = 1 if intent.lane is Lane.ENTRY else 0
            attempt = max(intent.attempt - unsent, 0)
            return Step(replace(intent, state=IntentState.HELD, attempt=attempt, reason=reason))
        case IntentState.HELD:
            return Step(intent)
        case _:
            return Step(intent, alarm="not_sent_after_settling")


def _replied(intent: Intent, outcome: Outcome, now: datetime) -> Step:
    match outcome:
        case Accepted():
            return _accepted(intent, outcome, now)
        case Rejected():
            return _rejected(intent, outcome, now)
        case Unknown(cause=cause):
            match intent.state:
                case IntentState.SENDING:
                    return Step(replace(intent, state=IntentState.UNKNOWN, reason=cause))
                case IntentState.HELD:
                    return Step(intent, alarm="reply_without_sending")
                case _:
                    return Step(intent)
        case _:
            assert_never(outcome)


def _accepted(intent: Intent, reply: Accepted, now: datetime) -> Step:
    done = replace(
        _settled(intent, IntentState.ACCEPTED, now, evidence=f"reply {reply.code}"),
        order_id=reply.order_id or intent.order_id,
        position_id=reply.position_id or intent.position_id,
    )
    match intent.state:
        case IntentState.SENDING | IntentState.UNKNOWN:
            return Step(done)
        case IntentState.ACCEPTED:
            known, told = intent.order_id, reply.order_id
            if known is not None and told is not None and known != told:
                return Step(intent, alarm="double_fill")
            return Step(intent)
        case _:
            return Step(done, alarm="accepted_after_a_no")


def _rejected(intent: Intent, reply: Rejected, now: datetime) -> Step:
    match intent.state:
        case IntentState.SENDING | IntentState.UNKNOWN:
            if reply.again and may_try_again(intent, MAX_AFTER_REFUSAL):
                return Step(replace(intent, state=IntentState.HELD, reason=reply.code))
            evidence = f"reply {reply.code}"
            return Step(
                _settled(intent, IntentState.REJECTED, now, reason=reply.code, evidence=evidence)
            )
        case IntentState.HELD:
            return Step(intent, alarm="reply_without_sending")
        case IntentState.ACCEPTED:
            return Step(intent, alarm="rejected_after_accepted")
        case _:
            return Step(intent)


def _found(intent: Intent, event: Found, now: datetime) -> Step:
    done = replace(
        _settled(intent, IntentState.ACCEPTED, now, evidence=event.evidence),
        order_id=event.order_id or intent.order_id,
        position_id=event.position_id or intent.position_id,
    )
    match intent.state:
        case IntentState.ACCEPTED:
            return Step(intent)
        case IntentState.SENDING | IntentState.UNKNOWN:
            return Step(done)
        case _:
            return Step(done, alarm="found_after_a_no")


def _absent(intent: Intent, now: datetime) -> Step:
    if intent.state is not IntentState.UNKNOWN:
        return Step(intent)
    if intent.lane is Lane.PROTECTIVE:
        return Step(replace(intent, state=IntentState.HELD, reason="not_done"))
    is_fresh = intent.valid_until is not None and now <= intent.valid_until
    if is_fresh and may_try_again(intent) and not intent.cancel_wanted:
        return Step(replace(intent, state=IntentState.HELD, reason="absence_proved"))
    return Step(_settled(intent, IntentState.EXPIRED, now, reason="absent_after_doubt"))
