"""What became of a message, as one chip and one sentence."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from signalfleet.domain.signals.model import Doubt
from signalfleet.domain.trading.intents import Action, Intent, IntentState
from signalfleet.domain.trading.records import Copy, CopyOutcome, SignalRecord, TraceStep
from signalfleet.ports.chat_source import Origin
from signalfleet.ports.inbox import MessageState, StoredMessage
from signalfleet.web.present.formats import Times
from signalfleet.web.present.stored import dicts
from signalfleet.web.present.words import Words

TONES: Final[Mapping[str, str]] = {
    "copied": "good",
    "partly": "warn",
    "working": "good",
    "sending": "busy",
    "reading": "busy",
    "held": "warn",
    "rejected": "warn",
    "unknown": "alarm",
    "set_aside": "warn",
    "followed": "good",
    "unsure": "warn",
}
_BY_COPY: Final[Mapping[CopyOutcome, str]] = {
    CopyOutcome.FILLED: "copied",
    CopyOutcome.WORKING: "working",
    CopyOutcome.REJECTED: "rejected",
    CopyOutcome.SKIPPED: "skipped",
    CopyOutcome.EXPIRED: "expired",
    CopyOutcome.CANCELLED: "cancelled",
    CopyOutcome.UNKNOWN: "unknown",
}
DOUBTS: Final = frozenset(doubt.value for doubt in Doubt)
FAILED: Final = frozenset({IntentState.REJECTED, IntentState.EXPIRED, IntentState.CANCELLED})
ENDED: Final[Mapping[str, str]] = {
    "cancelled": "The order was cancelled before it was filled.",
    "expired": "The order expired before it was filled.",
    "rejected": "The broker rejected the order.",
}
UNKNOWN_FOR_LONG: Final = timedelta(seconds=120)
"""From then on the user is asked to look; the operator has been told too."""
OLD_ORIGINS: Final = frozenset({Origin.CONTEXT, Origin.BACKFILL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """`kind` is a stable word, `tone` one of good, busy, warn, alarm, quiet."""

    kind: str
    label: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    chip: Chip
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFacts:
    """All that the store knows of one message, ready to be shown.

    `text` is the newest one that was not deleted. `asked` are commands on other messages' trades.
    """

    stored: StoredMessage
    text: str = ""
    signals: tuple[SignalRecord, ...] = ()
    copies: tuple[Copy, ...] = ()
    intents: tuple[Intent, ...] = ()
    trace: tuple[TraceStep, ...] = ()
    asked: tuple[Intent, ...] = ()

    @property
    def entries(self) -> tuple[Intent, ...]:
        return tuple(one for one in self.intents if one.action is Action.OPEN)


def chip_of(kind: str, words: Words) -> Chip:
    return Chip(kind=kind, label=words.say("outcome", kind), tone=TONES.get(kind, "quiet"))


def outcome_of_message(facts: MessageFacts, times: Times, words: Words) -> Outcome:
    """Tell what became of a message and why, in plain words with its numbers."""
    kind = _kind(facts)
    return Outcome(chip=chip_of(kind, words), sentence=_sentence(kind, facts, times, words))


def _kind(facts: MessageFacts) -> str:
    if facts.signals:
        return kind_of_signals(facts.signals, facts.entries)
    stored = facts.stored
    if stored.state is MessageState.NEW:
        return "reading"
    if stored.state is MessageState.QUARANTINED:
        return "set_aside"
    if stored.deleted_at is not None:
        return "deleted"
    if stored.via in OLD_ORIGINS:
        return "history"
    steps = [step for step in facts.trace if step.stage == "followed"]
    if steps:
        done = any(step.facts.get("intents") for step in steps)
        return "followed" if done else "noted"
    if stored.reason is None:
        return "noted"
    if stored.reason in DOUBTS or _was_ambiguous(facts):
        return "unsure"
    return "not_a_signal" if _was_no_signal(facts) else "skipped"


def kind_of_signals(signals: Sequence[SignalRecord], entries: Sequence[Intent]) -> str:
    """Return the chip's word for the signals of one message and their entries."""
    states = {intent.state for intent in entries}
    if IntentState.UNKNOWN in states:
        return "unknown"
    outcomes = [signal.outcome for signal in signals]
    decided = next((one for one in outcomes if one is not None), None)
    if None in outcomes or decided is None:
        return "held" if IntentState.HELD in states else "sending"
    best = min((one for one in outcomes if one is not None), key=list(_BY_COPY).index)
    if best is CopyOutcome.FILLED and states & FAILED:
        return "partly"
    return _BY_COPY[best]


def _was_ambiguous(facts: MessageFacts) -> bool:
    return any(step.facts.get("result") == "ambiguous" for step in facts.trace)


def _was_no_signal(facts: MessageFacts) -> bool:
    results = {step.facts.get("result") for step in facts.trace if step.stage == "read"}
    return "parsed" not in results


def _sentence(kind: str, facts: MessageFacts, times: Times, words: Words) -> str:
    if kind in ("copied", "partly", "working"):
        return _volume(facts, kind)
    if kind == "reading":
        return "The message has arrived and is being read."
    if kind == "unknown":
        return _unknown(facts, times)
    if kind in ("followed", "noted"):
        return _followed(facts, words)
    if kind == "sending":
        return "The order is on its way to the broker."
    if kind == "deleted":
        return f"The channel deleted this message. {_done(facts)}".rstrip()
    code = _reason(kind, facts)
    return reason_sentence(code, facts.trace, words) if code else ENDED.get(kind, "")


def _unknown(facts: MessageFacts, times: Times) -> str:
    sent = min((one.sending_at for one in facts.entries if one.sending_at), default=None)
    since = (
        f"Checking since {times.at(sent).shown}, for {times.age(sent)}"
        if sent
        else "It is being checked"
    )
    said = f"We do not know yet whether this order was executed. {since}; nothing is sent again."
    if sent is None or times.now - sent < UNKNOWN_FOR_LONG:
        return said
    return f"{said} This takes too long: look at the account in your terminal."


def _reason(kind: str, facts: MessageFacts) -> str:
    if kind == "held":
        held = (one.reason for one in facts.entries if one.state is IntentState.HELD)
        return next((reason for reason in held if reason), "awaiting_approval")
    reasons = [signal.reason for signal in facts.signals]
    reasons += [copy.reason for copy in facts.copies]
    reasons += [one.reason for one in facts.entries if one.state in FAILED]
    reasons += [facts.stored.reason]
    return next((reason for reason in reasons if reason), "")


def _volume(facts: MessageFacts, kind: str) -> str:
    opened = [one for one in facts.entries if one.state is IntentState.ACCEPTED]
    lots = sum(
        (_lots(intent) for intent in opened),
        Decimal(0),
    )
    orders = "1 order" if len(opened) == 1 else f"{len(opened)} orders"
    waiting = ", waiting for the price" if kind == "working" else ""
    failed = len([one for one in facts.entries if one.state in FAILED])
    missing = f", {failed} not opened" if failed else ""
    return f"{lots:f} lot in {orders}{waiting}{missing}." if opened else ""


def _lots(intent: Intent) -> Decimal:
    lots = getattr(intent.command, "lots", None)
    return lots.value if lots is not None else Decimal(0)


def _followed(facts: MessageFacts, words: Words) -> str:
    done = _done(facts)
    if done:
        return done
    reasons = [step.facts.get("reason") for step in facts.trace if step.stage == "followed"]
    reason = next((one for one in (*reasons, facts.stored.reason) if isinstance(one, str)), "")
    return words.reason(reason) if reason else "Nothing had to be done."


def _done(facts: MessageFacts) -> str:
    """Say what a follow-up did to the trades it was about, equal commands once with their count."""
    steps = [step for step in facts.trace if step.stage == "followed"]
    intents = [one for step in steps for one in dicts(step.facts.get("intents"))]
    counts = Counter(str(one.get("text", "")) for one in intents)
    said = [text if n == 1 else f"{text} on {n} legs" for text, n in counts.items() if text]
    line = "; ".join(said)
    return f"{line[:1].upper()}{line[1:]}." if line else ""


def reason_sentence(code: str, trace: Sequence[TraceStep], words: Words) -> str:
    """Say a reason with its numbers: those of the failed check, else the decision's own detail."""
    values = values_of(code, trace)
    said = words.reason(code, values)
    details = (step.facts.get("detail") for step in trace if step.facts.get("reason") == code)
    detail = next((one for one in details if isinstance(one, str) and one), "")
    return said if values or not detail else f"{said.rstrip('.')} ({detail})."


def values_of(code: str, trace: Sequence[TraceStep]) -> dict[str, str]:
    """Find the value and the limit of the check that failed with this code."""
    for step in trace:
        for check in dicts(step.facts.get("checks")):
            if check.get("code") == code and not check.get("passed"):
                return {"value": str(check.get("value", "")), "limit": str(check.get("limit", ""))}
    return {}
