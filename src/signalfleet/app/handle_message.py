"""Decide on one message of the inbox: read it, plan, and store the decision with its claims."""

from dataclasses import dataclass, field, replace

import structlog

from signalfleet.app import explain
from signalfleet.app.execute_follow_up import ExecuteFollowUp, FollowUpOutcome
from signalfleet.app.execute_signal import ExecuteSignal, SignalOutcome, effective_settings
from signalfleet.app.known_signals import context_of
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.settings.catalogue import DeletePolicy, EditPolicy, Rules
from signalfleet.domain.signals.judge import Verdict, judge
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
from signalfleet.domain.trading.intents import Intent
from signalfleet.domain.trading.records import Decision, TraceStep
from signalfleet.ports.store import CopyMode, DecideResult, StoredMessage

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What came of a message. `intents` were claimed and must now be sent, each once."""

    intents: tuple[Intent, ...] = ()
    must_wait: bool = False
    reason: str | None = None


@dataclass(slots=True)
class _Draft:
    decision: Decision
    must_wait: bool = False
    trace: list[TraceStep] = field(default_factory=list)
    entered: list[SignalOutcome] = field(default_factory=list)

    def add(self, outcome: FollowUpOutcome) -> None:
        self.must_wait = self.must_wait or outcome.must_wait
        self.trace.extend(outcome.trace)
        self.decision = replace(
            self.decision,
            intents=(*self.decision.intents, *outcome.intents),
            reason=self.decision.reason or outcome.reason,
        )


class HandleMessage:
    """Handles messages of one user, one at a time, in order of arrival."""

    def __init__(self, desk: UserDesk) -> None:
        self._desk = desk
        self._signals = ExecuteSignal(desk)
        self._follow_ups = ExecuteFollowUp(desk)

    async def run(self, stored: StoredMessage) -> Handled:
        """Decide and claim. The same message decided twice gives the same ids and one claim."""
        draft = _Draft(Decision(key=stored.key, reason=None))
        draft.trace.append(explain.received(stored))
        reason = await self._not_to_be_read(stored)
        if reason is not None:
            draft.decision = replace(draft.decision, reason=reason)
        elif stored.deleted_at is not None:
            await self._deleted(stored, draft)
        else:
            await self._read(stored, draft)
        if draft.must_wait:
            return Handled(must_wait=True)
        decision = replace(draft.decision, trace=tuple(draft.trace))
        if decision.intents or decision.signals:
            decision = replace(decision, reason=_kept_reason(decision))
        result = await self._desk.store.journal.decide(decision, self._desk.epoch)
        if result is DecideResult.ALREADY_DECIDED:
            log.info("message_already_decided", chat=stored.key.chat, message=stored.key.message)
            # Its rows are there already; the revision itself must not be read again and again.
            seen = Decision(key=stored.key, reason="already_decided", trace=decision.trace)
            await self._desk.store.journal.decide(seen, self._desk.epoch)
            return Handled(reason="already_decided")
        outcome = "copied" if decision.intents else "not_copied"
        self._desk.metrics.count(
            "signalfleet_signals_total", outcome=outcome, reason=decision.reason or ""
        )
        log.info(
            "message_decided",
            chat=stored.key.chat,
            message=stored.key.message,
            intents=len(decision.intents),
            reason=decision.reason,
        )
        return Handled(intents=decision.intents, reason=decision.reason)

    async def _not_to_be_read(self, stored: StoredMessage) -> str | None:
        channel = await self._desk.store.channels.get(stored.message.channel)
        if channel is None or channel.mode is CopyMode.OFF:
            return "channel_off"
        revisions = await self._desk.store.inbox.revisions(
            stored.message.channel, stored.message.message
        )
        if stored.deleted_at is None and any(r.deleted_at for r in revisions):
            return "deleted"
        # The text that the channel has replaced is not acted on; its newer one is in the inbox too.
        mine = stored.message.edited_at or stored.message.posted_at
        if any(
            r.rev > stored.rev and r.message.edited_at and r.message.edited_at >= mine
            for r in revisions
            if r.deleted_at is None
        ):
            return "superseded"
        return None

    async def _deleted(self, stored: StoredMessage, draft: _Draft) -> None:
        effective = await self._channel_rules(stored)
        if effective.delete_policy is DeletePolicy.IGNORE:
            draft.decision = replace(draft.decision, reason="deleted")
            return
        draft.add(await self._follow_ups.plan_deletion(stored))
        draft.decision = replace(draft.decision, reason=draft.decision.reason or "deleted")

    async def _read(self, stored: StoredMessage, draft: _Draft) -> None:
        context = await context_of(self._desk, stored)
        result = self._desk.parser.parse(stored.message, context)
        draft.trace.append(explain.read(result, self._desk.clock.now()))
        match result:
            case Parsed():
                await self._act(stored, result, context, draft)
            case NotASignal() | Ambiguous():
                draft.decision = replace(draft.decision, reason=_first_reason(result))

    async def _act(
        self, stored: StoredMessage, result: Parsed, context: Context, draft: _Draft
    ) -> None:
        """Follow the readings in the order of the text. An edit never enters a second time."""
        message = stored.message
        decided = await self._desk.store.journal.signals_of_message(
            message.channel, message.message
        )
        rules = await self._channel_rules(stored)
        if decided and rules.edit_policy is EditPolicy.IGNORE:
            draft.decision = replace(draft.decision, reason="edit_ignored")
            return
        part = 0
        for number, reading in enumerate(result.readings):
            if not isinstance(reading, Signal | FollowUp):
                continue
            verdict = judge(reading)
            # Levels on the wrong side are refused by planning, which shows all the checks.
            if verdict is not Verdict.ACCEPT and not _is_wrong_sided(reading):
                code = "held" if verdict is Verdict.HOLD else "low_confidence"
                self._skip(draft, part, code)
            elif isinstance(reading, FollowUp):
                drafted = draft.decision.intents
                draft.add(await self._follow_ups.plan(stored, reading, context, number, drafted))
            elif decided:
                self._skip(draft, part, "already_entered")
            else:
                await self._enter(stored, reading, part, draft)
            part += isinstance(reading, Signal)

    async def _enter(self, stored: StoredMessage, signal: Signal, part: int, draft: _Draft) -> None:
        channel = await self._desk.store.channels.get(stored.message.channel)
        mode = CopyMode.OFF if channel is None else channel.mode
        if mode is CopyMode.APPROVE:
            self._skip(draft, part, "approval_not_offered")
            return
        outcome = await self._signals.plan(stored, signal, part, mode, draft.entered)
        draft.entered.append(outcome)
        draft.must_wait = draft.must_wait or outcome.must_wait
        draft.trace.extend(outcome.trace)
        decision = draft.decision
        draft.decision = replace(
            decision,
            signals=(*decision.signals, *([outcome.record] if outcome.record else [])),
            copies=(*decision.copies, *outcome.copies),
            trades=(*decision.trades, *(t for plan in outcome.plans for t in plan.trades)),
            intents=(*decision.intents, *(i for plan in outcome.plans for i in plan.intents)),
            reason=decision.reason or outcome.reason,
        )

    def _skip(self, draft: _Draft, part: int, code: str) -> None:
        draft.trace.append(explain.skipped(None, part, code, "", self._desk.clock.now()))
        draft.decision = replace(draft.decision, reason=draft.decision.reason or code)

    async def _channel_rules(self, stored: StoredMessage) -> Rules:
        first = next(iter(self._desk.accounts), None)
        found = await effective_settings(self._desk, stored.message.channel, first)
        return found.rules


def _is_wrong_sided(reading: Signal | FollowUp) -> bool:
    wrong = {Issue.STOP_WRONG_SIDE, Issue.TARGET_WRONG_SIDE}
    return isinstance(reading, Signal) and bool(wrong & set(reading.issues))


def _first_reason(result: ParseResult) -> str:
    match result:
        case NotASignal(reasons=reasons):
            return reasons[0].value
        case Ambiguous(reasons=doubts):
            return doubts[0].value
        case Parsed():
            return ""


def _kept_reason(decision: Decision) -> str | None:
    """A message that led to orders has no reason against it; single legs have their own."""
    return None if decision.intents else decision.reason
