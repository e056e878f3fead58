"""The decision on one message while it is being made: what its readings add, one by one."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from signalfleet.app import explain
from signalfleet.app.ask_first import SKIPPED
from signalfleet.app.execute_follow_up import FollowUpOutcome, PausedFollowUp
from signalfleet.app.execute_signal import SignalOutcome
from signalfleet.app.watch_layouts import Look
from signalfleet.domain import ids
from signalfleet.domain.accounts.asks import Ask
from signalfleet.domain.ids import UserId
from signalfleet.domain.signals.model import Signal
from signalfleet.domain.signals.profiles import NO_PROFILE, ChannelProfile
from signalfleet.domain.trading.records import CopyOutcome, Decision, SignalRecord, TraceStep
from signalfleet.ports.inbox import StoredMessage
from signalfleet.ports.store import Channel, CopyMode


@dataclass(slots=True)
class Draft:
    """A decision that is not stored yet, and what was found out for it."""

    decision: Decision
    profile: ChannelProfile = NO_PROFILE
    channel: Channel | None = None
    must_wait: bool = False
    holds_chat: bool = True
    has_follow_up: bool = False
    look: Look | None = None
    trace: list[TraceStep] = field(default_factory=list)
    entered: list[SignalOutcome] = field(default_factory=list)
    asked: list[Ask] = field(default_factory=list)
    paused: list[PausedFollowUp] = field(default_factory=list)

    @property
    def mode(self) -> CopyMode:
        """How the channel is copied; off if it is not the user's."""
        return CopyMode.OFF if self.channel is None else self.channel.mode

    @property
    def may_ask(self) -> bool:
        """Whether the channel trades for real; where it is only read nobody is asked."""
        return self.mode in (CopyMode.ON, CopyMode.APPROVE)

    def give_reason(self, code: str | None) -> None:
        """Say why nothing came of the message, unless that was said already."""
        self.decision = replace(self.decision, reason=self.decision.reason or code)

    def follow(self, outcome: FollowUpOutcome) -> None:
        """Add what an instruction about open trades leads to."""
        self.must_wait = self.must_wait or outcome.must_wait
        self.trace.extend(outcome.trace)
        self.paused.extend(outcome.paused)
        self.decision = replace(self.decision, intents=(*self.decision.intents, *outcome.intents))
        self.give_reason(outcome.reason)

    def enter(self, outcome: SignalOutcome, signal: Signal) -> None:
        """Add the plans of an entry; the record keeps the signal as it was read."""
        if outcome.record is not None:
            outcome.record = replace(outcome.record, reading=signal)
        self.entered.append(outcome)
        self.must_wait = self.must_wait or outcome.must_wait
        self.trace.extend(outcome.trace)
        decision = self.decision
        self.decision = replace(
            decision,
            signals=(*decision.signals, *([outcome.record] if outcome.record else [])),
            copies=(*decision.copies, *outcome.copies),
            trades=(*decision.trades, *(t for plan in outcome.plans for t in plan.trades)),
            intents=(
                *decision.intents,
                *outcome.closing,
                *(i for plan in outcome.plans for i in plan.intents),
            ),
        )
        self.give_reason(outcome.reason)

    def skip(self, part: int, code: str, now: datetime) -> None:
        """Leave the reading of this part alone, and say why."""
        self.trace.append(explain.skipped(None, part, code, "", now))
        self.give_reason(code)

    def keep(self, record: SignalRecord) -> None:
        self.decision = replace(self.decision, signals=(*self.decision.signals, record))


def ended_signal(
    user: UserId, stored: StoredMessage, signal: Signal, part: int, reason: str, now: datetime
) -> SignalRecord:
    """Return the record of a signal that ended without a plan: an edit cannot enter it later."""
    message = stored.message
    return SignalRecord(
        signal_id=ids.signal_id(user, message.channel, message.message, part),
        chat=message.channel,
        message=message.message,
        part=part,
        entry_rev=stored.rev,
        reading=signal,
        posted_at=message.posted_at,
        decided_at=now,
        outcome=CopyOutcome.SKIPPED if reason == SKIPPED else CopyOutcome.EXPIRED,
        reason=reason,
    )
