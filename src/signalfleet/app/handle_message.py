"""Decide on one message of the inbox: read it, plan, and store the decision with its claims."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from signalfleet.app import explain, quotas
from signalfleet.app.ask_first import APPROVAL, NO_ANSWER, SKIPPED, AskFirst, candidate_of
from signalfleet.app.complete_call import CompleteCall, Completed, Withdrawn, is_naked
from signalfleet.app.doubts import (
    doubt_about,
    first_reason,
    is_alone,
    is_used_up,
    is_wrong_sided,
    kept_reason,
)
from signalfleet.app.draft import Draft, ended_signal
from signalfleet.app.effective_settings import effective_settings
from signalfleet.app.execute_follow_up import ExecuteFollowUp
from signalfleet.app.execute_signal import ExecuteSignal
from signalfleet.app.known_signals import context_of
from signalfleet.app.newer_levels import is_outdated
from signalfleet.app.not_to_be_read import not_to_be_read
from signalfleet.app.paused_follow_ups import offer_paused
from signalfleet.app.profile_document import ProfileRefusedError
from signalfleet.app.trade_notices import has_refusals
from signalfleet.app.user_desk import UserDesk
from signalfleet.app.watch_layouts import LayoutWatch, Look
from signalfleet.app.withdrawn_signals import plan_deleted, plan_turned
from signalfleet.domain.accounts.asks import Ask
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import EditPolicy
from signalfleet.domain.signals.judge import Verdict, judge
from signalfleet.domain.signals.model import (
    Ambiguous,
    Context,
    FollowUp,
    NotASignal,
    Parsed,
    Signal,
)
from signalfleet.domain.trading.intents import Intent
from signalfleet.domain.trading.records import Decision, SignalRecord
from signalfleet.ports.errors import PortError
from signalfleet.ports.inbox import StoredMessage
from signalfleet.ports.store import CopyMode, DecideResult

log = structlog.get_logger()

NEVER_CAME: Final = "levels_never_came"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What came of a message. `intents` were claimed and must now be sent, each once.

    What must wait holds back the chat's later messages too, if `holds_chat`; of what is refused,
    if `has_refusals`, the user may have to be told.
    """

    intents: tuple[Intent, ...] = ()
    must_wait: bool = False
    holds_chat: bool = True
    reason: str | None = None
    look: Look | None = None
    asked: tuple[Ask, ...] = ()
    has_refusals: bool = True


class HandleMessage:
    """Handles messages of one user, one at a time, in order of arrival."""

    def __init__(self, desk: UserDesk) -> None:
        self._desk = desk
        self._calls = CompleteCall(desk)
        self._layouts = LayoutWatch(desk.store.settings, desk.parser)
        self._signals = ExecuteSignal(desk)
        self._follow_ups = ExecuteFollowUp(desk)
        self._asks = AskFirst(desk, self._signals)

    async def run(self, stored: StoredMessage) -> Handled:
        """Decide and claim. The same message decided twice gives the same ids and one claim."""
        draft = Draft(Decision(key=stored.key, reason=None))
        draft.trace.append(explain.received(stored))
        draft.channel = await self._desk.store.channels.get(stored.message.channel)
        message = stored.message
        revisions = await self._desk.store.inbox.revisions(message.channel, message.message)
        reason = not_to_be_read(stored, draft.channel, revisions)
        if reason is not None:
            draft.give_reason(reason)
        elif stored.deleted_at is not None:
            await self._deleted(stored, draft)
        else:
            await self._read(stored, revisions, draft)
        if draft.must_wait:
            asked = tuple(draft.asked)
            return Handled(must_wait=True, holds_chat=draft.holds_chat, asked=asked)
        self._calls.forget(stored)
        await offer_paused(self._desk, stored, draft.paused)
        decision = replace(draft.decision, trace=tuple(draft.trace))
        if decision.intents or decision.signals:
            decision = replace(decision, reason=kept_reason(decision))
        decision = quotas.counted(self._desk, decision)
        result = await self._desk.store.journal.decide(decision, self._desk.epoch)
        if result is DecideResult.QUOTA_FULL:
            # Another process took the day's last place just now: planned again, it is refused.
            return Handled(must_wait=True, holds_chat=draft.holds_chat)
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
        intents, reason, told = decision.intents, decision.reason, has_refusals(decision)
        return Handled(intents=intents, reason=reason, look=draft.look, has_refusals=told)

    async def keep_look(self, handled: Handled) -> bool:
        """Count how the message was written, once its orders are on their way.

        True if with this message the channel's habits have changed.
        """
        look = handled.look
        if look is None:
            return False
        try:
            await self._layouts.keep(look)
        except PortError as error:
            log.warning("layout_count_lost", chat=look.chat, cause=type(error).__name__)
        if look.has_just_changed:
            log.warning("channel_layout_changed", chat=look.chat)
            self._desk.metrics.count("signalfleet_parse_drift_total")
        return look.has_just_changed

    async def _deleted(self, stored: StoredMessage, draft: Draft) -> None:
        rules = await self._channel_rules(stored)
        draft.follow(await plan_deleted(self._follow_ups, stored, rules))
        draft.give_reason("deleted")

    async def _read(
        self, stored: StoredMessage, revisions: Sequence[StoredMessage], draft: Draft
    ) -> None:
        try:
            draft.profile = await self._desk.profiles.of(stored.message.channel)
        except ProfileRefusedError as error:
            # Read without it, the channel could open what the user has ruled out.
            log.warning("profile_unreadable", chat=stored.message.channel, problems=error.problems)
            draft.give_reason("profile_unreadable")
            return
        now = self._desk.clock.now()
        context = await context_of(self._desk, stored, revisions)
        result = self._desk.parser.parse(stored.message, context, draft.profile)
        draft.look = await self._layouts.look(stored.message, result, draft.profile, now)
        versions = (self._desk.parser.version, draft.profile.version)
        draft.trace.append(explain.read(result, now, versions=versions))
        match result:
            case Parsed():
                await self._act(stored, result, context, draft)
            case Ambiguous() if await self._is_asked(stored, result, draft):
                pass
            case NotASignal() | Ambiguous():
                rules = await self._channel_rules(stored)
                turned = await plan_turned(self._follow_ups, stored, result, rules)
                if turned is not None:
                    draft.follow(turned)
                draft.give_reason(first_reason(result))

    async def _act(
        self, stored: StoredMessage, result: Parsed, context: Context, draft: Draft
    ) -> None:
        """Follow the readings in the order of the text. An edit never enters a second time."""
        message = stored.message
        decided = await self._desk.store.journal.signals_of_message(
            message.channel, message.message
        )
        rules = await self._channel_rules(stored)
        if decided and rules.edit_policy is EditPolicy.IGNORE:
            draft.give_reason("edit_ignored")
            return
        draft.has_follow_up = any(isinstance(one, FollowUp) for one in result.readings)
        part = 0
        for number, reading in enumerate(result.readings):
            if not isinstance(reading, Signal | FollowUp):
                continue
            verdict = judge(
                reading,
                profile=draft.profile,
                is_new_layout=draft.look is not None and draft.look.is_strange,
            )
            # Levels on the wrong side are refused by planning, which shows all the checks.
            if verdict is not Verdict.ACCEPT and not is_wrong_sided(reading):
                await self._doubtful(stored, reading, part, draft, verdict, decided)
            elif isinstance(reading, FollowUp) and is_used_up(stored, reading, context):
                self._skip(draft, part, "completed_call")
            elif isinstance(reading, FollowUp) and await is_outdated(
                self._desk, stored, reading, context, draft.profile
            ):
                self._skip(draft, part, "superseded_by_newer")
            elif isinstance(reading, FollowUp):
                drafted = draft.decision.intents
                draft.follow(await self._follow_ups.plan(stored, reading, context, number, drafted))
            elif decided:
                self._skip(draft, part, "already_entered")
            elif message.edited_at is not None and not rules.entry_on_edit:
                self._skip(draft, part, "entry_on_edit_off")
            elif reading.expires_at and reading.expires_at <= self._desk.telegram_now():
                self._skip(draft, part, "signal_ended")
            elif is_naked(reading) and is_alone(result) and self._calls.are_waited_for(rules):
                await self._call(stored, reading, draft)
            else:
                await self._enter(stored, reading, part, draft)
            part += isinstance(reading, Signal)

    async def _call(self, stored: StoredMessage, call: Signal, draft: Draft) -> None:
        """Wait for the levels of a call that has none, for two minutes; then say so.

        The message stays unread meanwhile, and the chat goes on: what comes next may complete it.
        """
        now = self._desk.clock.now()
        found = await self._calls.look(stored, call, draft.profile)
        match found:
            case Withdrawn(reason=reason, message=message):
                draft.trace.append(explain.awaited(message, (), now))
                self._skip(draft, 0, reason)
            case Completed(signal=signal, at=at, message=message, words=words):
                draft.trace.append(explain.awaited(message, words, now))
                # The time of the levels counts like that of an edit which brings them.
                completed = replace(stored, message=replace(stored.message, edited_at=at))
                planned = self._calls.at_price(stored, signal)
                await self._enter(completed, signal, 0, draft, planned)
            case None if self._calls.is_over(stored):
                self._skip(draft, 0, NEVER_CAME)
                self._end(stored, call, 0, draft, NEVER_CAME)
            case None:
                await self._calls.remember_price(stored, call)
                draft.must_wait, draft.holds_chat = True, False

    async def _enter(
        self,
        stored: StoredMessage,
        signal: Signal,
        part: int,
        draft: Draft,
        planned: Signal | None = None,
    ) -> None:
        """Plan an entry; `planned` is the signal as planning must see it, if that differs."""
        if draft.mode is CopyMode.APPROVE:
            await self._hold(stored, signal, part, draft, APPROVAL, planned)
            return
        outcome = await self._signals.plan(
            stored, planned or signal, part, draft.mode, draft.entered
        )
        draft.enter(outcome, signal)

    async def _doubtful(
        self,
        stored: StoredMessage,
        reading: Signal | FollowUp,
        part: int,
        draft: Draft,
        verdict: Verdict,
        decided: Sequence[SignalRecord],
    ) -> None:
        """Ask about a signal that may be meant; leave everything else that is in doubt alone."""
        strange = draft.look is not None and draft.look.is_strange
        doubt = doubt_about(reading, verdict, draft.profile, is_strange=strange)
        may_ask = verdict is Verdict.HOLD and not decided and draft.may_ask
        if may_ask and isinstance(reading, Signal) and reading.stop is not None:
            await self._hold(stored, reading, part, draft, doubt)
        else:
            self._skip(draft, part, doubt)

    async def _is_asked(self, stored: StoredMessage, result: Ambiguous, draft: Draft) -> bool:
        """Ask about the one complete signal that an unclear message could be."""
        signal, message = candidate_of(result), stored.message
        if signal is None or not draft.may_ask:
            return False
        journal = self._desk.store.journal
        if await journal.signals_of_message(message.channel, message.message):
            return False
        await self._hold(stored, signal, 0, draft, first_reason(result))
        return True

    async def _hold(
        self,
        stored: StoredMessage,
        signal: Signal,
        part: int,
        draft: Draft,
        doubt: str,
        planned: Signal | None = None,
    ) -> None:
        """Wait for the user's answer; an instruction about open trades does not wait for it."""
        if draft.has_follow_up:
            self._skip(draft, part, "approval_not_offered")
            return
        asked = await self._asks.look(stored, planned or signal, part, doubt)
        if asked.new is not None:
            draft.asked.append(asked.new)
        if asked.reason is not None:
            self._skip(draft, part, asked.reason)
            if asked.reason in (SKIPPED, NO_ANSWER):
                self._end(stored, signal, part, draft, asked.reason)
        elif asked.outcome is not None:
            draft.enter(asked.outcome, signal)
        else:
            draft.must_wait, draft.holds_chat = True, False

    def _skip(self, draft: Draft, part: int, code: str) -> None:
        draft.skip(part, code, self._desk.clock.now())

    def _end(
        self, stored: StoredMessage, signal: Signal, part: int, draft: Draft, reason: str
    ) -> None:
        """Keep a signal that ended without a plan, so that an edit cannot enter it later."""
        now = self._desk.clock.now()
        draft.keep(ended_signal(self._desk.user, stored, signal, part, reason, now))

    async def _channel_rules(self, stored: StoredMessage) -> Rules:
        first = next(iter(self._desk.accounts), None)
        return (await effective_settings(self._desk, stored.message.channel, first)).rules
