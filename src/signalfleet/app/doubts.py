"""Why a reading is not simply acted on, in codes."""

from signalfleet.domain.signals.correlate import restates
from signalfleet.domain.signals.judge import Verdict
from signalfleet.domain.signals.model import (
    Ambiguous,
    Context,
    FollowUp,
    Issue,
    NotASignal,
    Parsed,
    ParseResult,
    Signal,
)
from signalfleet.domain.signals.profiles import ChannelProfile
from signalfleet.domain.trading.records import Decision
from signalfleet.ports.inbox import StoredMessage


def is_alone(result: Parsed) -> bool:
    return sum(isinstance(reading, Signal) for reading in result.readings) == 1


def is_used_up(stored: StoredMessage, follow_up: FollowUp, context: Context) -> bool:
    """Tell whether a follow-up only repeats the levels with which it completed a call."""
    return any(
        known.levels_from == stored.message.message and restates(follow_up, known)
        for known in context.recent
    )


def doubt_about(
    reading: Signal | FollowUp, verdict: Verdict, profile: ChannelProfile, *, is_strange: bool
) -> str:
    """Say why a reading waits for the user, or is not acted on."""
    if verdict is Verdict.IGNORE:
        return "low_confidence"
    if is_strange:
        return Issue.NEW_LAYOUT.value
    if isinstance(reading, Signal) and not (reading.entry or profile.no_price_means_market):
        return "no_price"
    return "held"


def is_wrong_sided(reading: Signal | FollowUp) -> bool:
    wrong = {Issue.STOP_WRONG_SIDE, Issue.TARGET_WRONG_SIDE}
    return isinstance(reading, Signal) and bool(wrong & set(reading.issues))


def first_reason(result: ParseResult) -> str:
    match result:
        case NotASignal(reasons=reasons):
            return reasons[0].value
        case Ambiguous(reasons=doubts):
            return doubts[0].value
        case Parsed():
            return ""


def kept_reason(decision: Decision) -> str | None:
    """A message that led to orders has no reason against it; single legs have their own."""
    return None if decision.intents else decision.reason
