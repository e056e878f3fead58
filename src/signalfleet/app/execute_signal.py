"""Plan one signal of a message on each of the user's accounts."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from signalfleet.app import explain
from signalfleet.app.close_opposite import CloseOpposite
from signalfleet.app.desk import AccountDesk
from signalfleet.app.effective_settings import effective_settings
from signalfleet.app.execute_gate import entries_paused
from signalfleet.app.feeding import feeding, is_paper
from signalfleet.app.guard_facts import guard_facts, time_of
from signalfleet.app.known_signals import open_copies, open_copy
from signalfleet.app.plan_money import rates_for, with_margin
from signalfleet.app.probation import stage_of
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain import ids
from signalfleet.domain.instruments.broker_names import broker_name
from signalfleet.domain.money import Lots
from signalfleet.domain.risk.checks import BROKER, PRODUCT, Gatekeeping, OpenCopy
from signalfleet.domain.risk.probation import Stage, check_probation, reduced
from signalfleet.domain.risk.refusal import Check, Refusal, refused
from signalfleet.domain.settings.resolve import Effective
from signalfleet.domain.signals.model import Signal
from signalfleet.domain.trading.before_prices import check_before_prices, first_failure
from signalfleet.domain.trading.intents import Intent, IntentState, Lane
from signalfleet.domain.trading.plan import Place, PlanInput, TradePlan, plan_signal
from signalfleet.domain.trading.records import (
    Copy,
    CopyOutcome,
    SignalRecord,
    TraceStep,
)
from signalfleet.domain.trading.reports import AccountFacts
from signalfleet.ports.errors import PortError, RefusedError
from signalfleet.ports.inbox import StoredMessage
from signalfleet.ports.store import CopyMode

A_DAY: Final = timedelta(hours=26)
"""The longest day that trades are counted by, where clocks are set back."""
EXPIRED_CODES: Final = frozenset({"too_old"})
PASSING_CODES: Final = frozenset(
    {"outcome_unknown", "account_not_ready", "not_reconciled", "entries_paused"}
)


@dataclass(slots=True)
class SignalOutcome:
    """What a signal became on all accounts, to be stored as part of one decision.

    `must_wait`: it is fresh, and what stands against it may pass; ask again later.
    """

    record: SignalRecord | None = None
    copies: list[Copy] = field(default_factory=list)
    plans: list[TradePlan] = field(default_factory=list)
    trace: list[TraceStep] = field(default_factory=list)
    closing: list[Intent] = field(default_factory=list)
    reason: str | None = None
    must_wait: bool = False

    @property
    def opening(self) -> int:
        """Return how many copies it opens, over all accounts."""
        return sum(copy.outcome is None for copy in self.copies)

    def opened(self, account: AccountDesk) -> list[OpenCopy]:
        """Return what it opens on an account, for the guards of the message's next signal."""
        if self.record is None:
            return []
        return [
            open_copy(self.record, copy, is_live=True)
            for copy in self.copies
            if copy.account == account.account.account_id and copy.outcome is None
        ]


class ExecuteSignal:
    """Turns a signal into plans. Nothing is stored or sent here."""

    def __init__(self, desk: UserDesk) -> None:
        self._desk = desk
        self._opposite = CloseOpposite(desk)

    async def plan(
        self,
        stored: StoredMessage,
        signal: Signal,
        part: int,
        mode: CopyMode,
        before: Sequence[SignalOutcome] = (),
    ) -> SignalOutcome:
        """Plan a signal on each account that the channel feeds.

        `before` are the message's earlier parts, which count as open already. A signal without
        any level leaves no record, so that an edit which brings the levels can still enter.
        """
        outcome = SignalOutcome()
        now = self._desk.clock.now()
        message = stored.message
        signal_id = ids.signal_id(self._desk.user, message.channel, message.message, part)
        rules = (await effective_settings(self._desk, message.channel, None)).rules
        stage = Stage.FULL  # What asks first, or is on paper anyway, is on no probation.
        if mode is CopyMode.ON:
            stage = (await stage_of(self._desk.store.settings, message.channel, rules)).stage
        accounts = feeding(self._desk.accounts.values(), mode, stage, rules.copy_to)
        for account in accounts:
            drafted = [o for earlier in before for o in earlier.opened(account)]
            planned = sum(one.opening for one in (*before, outcome))
            result = await self._plan_on(
                account, stored, signal, part, stage, outcome, drafted, planned
            )
            outcome.copies.append(self._copy(account, signal_id, result))
            if isinstance(result, Refusal):
                outcome.reason = outcome.reason or result.code
                if result.code in PASSING_CODES:
                    outcome.must_wait |= await self._is_fresh(account, stored)
            else:
                outcome.plans.append(result)
                outcome.closing += await self._opposite.close(account, signal, result)
        if not accounts:
            outcome.reason = "no_account"
            outcome.trace += _no_account(part, len(self._desk.accounts), mode, now)
        if outcome.plans:
            outcome.reason, outcome.must_wait = None, False
        if outcome.plans or signal.stop is not None or signal.stop_pips is not None:
            outcome.record = SignalRecord(
                signal_id=signal_id,
                chat=message.channel,
                message=message.message,
                part=part,
                entry_rev=stored.rev,
                reading=signal,
                posted_at=message.posted_at,
                decided_at=now,
                outcome=None if outcome.copies else CopyOutcome.SKIPPED,
                reason=outcome.reason,
            )
        else:
            outcome.copies.clear()
        return outcome

    async def _is_fresh(self, account: AccountDesk, stored: StoredMessage) -> bool:
        effective = await effective_settings(
            self._desk, stored.message.channel, account.account.account_id
        )
        age = self._desk.clock.now() - time_of(stored)
        return age.total_seconds() <= float(effective.rules.max_signal_age)

    async def _plan_on(
        self,
        account: AccountDesk,
        stored: StoredMessage,
        signal: Signal,
        part: int,
        stage: Stage,
        outcome: SignalOutcome,
        drafted: Sequence[OpenCopy],
        planned: int,
    ) -> TradePlan | Refusal:
        account_id = account.account.account_id
        currency = account.account.currency or ""
        result: TradePlan | Refusal
        try:
            if account.reconciled:
                facts = await account.facts()
                currency = facts.currency
                result = await self._decide(
                    account, facts, stored, signal, part, stage, drafted, planned
                )
            else:  # It is not asked either: the other accounts must not wait for its answer.
                result = refused(
                    "not_reconciled", "compared with the broker", "no", "yes", source=PRODUCT
                )
        except RefusedError:
            result = _not_offered(signal)
        except PortError as error:
            result = refused(
                "account_not_ready",
                "account",
                str(error),
                "an answer",
                source=BROKER,
                detail=str(error),
            )
        now = self._desk.clock.now()
        outcome.trace.append(explain.checked(account_id, part, result.checks, now))
        if isinstance(result, Refusal):
            outcome.trace.append(explain.skipped(account_id, part, result.code, result.detail, now))
        else:
            outcome.trace.append(explain.sized(account_id, part, result, currency, now))
            outcome.trace.append(explain.planned(account_id, part, result, now))
        return result

    async def _decide(
        self,
        account: AccountDesk,
        facts: AccountFacts,
        stored: StoredMessage,
        signal: Signal,
        part: int,
        stage: Stage,
        drafted: Sequence[OpenCopy],
        planned: int,
    ) -> TradePlan | Refusal:
        message = stored.message
        effective = await effective_settings(
            self._desk, message.channel, account.account.account_id
        )
        effective = reduced(effective, stage)
        trial = [check_probation(stage, is_paper=is_paper(account))] if stage != Stage.FULL else []
        window = timedelta(minutes=float(effective.rules.duplicate_window))
        since = self._desk.clock.now() - max(window, A_DAY)
        stored_copies = await open_copies(self._desk, account.account.account_id, since)
        copies = (*stored_copies, *drafted)
        known = await guard_facts(self._desk, account.account, facts, effective.rules, planned)
        gate = await self._gatekeeping(account, facts, stored, signal)
        gate = replace(gate, facts=known, text=message.text)
        # The checks without prices come first: a refused signal costs the broker no reads.
        checked = check_before_prices(signal, message.channel, gate, copies, effective)
        before = first_failure((*trial, *checked))
        if before is not None:
            return before
        result = await self._plan_with_prices(
            account,
            facts,
            self._place(account, stored, part),
            signal,
            effective,
            gate,
            copies,
            checked,
        )
        return replace(result, checks=(*trial, *result.checks))

    async def _plan_with_prices(
        self,
        account: AccountDesk,
        facts: AccountFacts,
        place: Place,
        signal: Signal,
        effective: Effective,
        gate: Gatekeeping,
        copies: tuple[OpenCopy, ...],
        checked: tuple[Check, ...],
    ) -> TradePlan | Refusal:
        name = broker_name(signal.symbol or "", await account.broker.symbols())
        if name is None:
            return _not_offered(signal)
        instrument = self._desk.profiles.meant_by(
            place.chat, signal.symbol or "", await account.instrument(name)
        )
        try:
            quote = await account.quote(name)
        except RefusedError:
            return refused("no_quote", "price", "none", "one", source=BROKER, detail=name)
        plan = plan_signal(
            PlanInput(
                place=place,
                signal=signal,
                effective=effective,
                gate=gate,
                account=facts,
                instrument=instrument,
                quote=quote,
                copies=copies,
                rates=await rates_for(account, facts, effective.rules),
                checked=checked,
            )
        )
        if isinstance(plan, Refusal):
            return plan
        return await with_margin(account, facts, plan, instrument, quote, effective)

    def _place(self, account: AccountDesk, stored: StoredMessage, part: int) -> Place:
        return Place(
            user=self._desk.user,
            installation=self._desk.installation,
            account=account.account.account_id,
            chat=stored.message.channel,
            message=stored.message.message,
            part=part,
        )

    async def _gatekeeping(
        self, account: AccountDesk, facts: AccountFacts, stored: StoredMessage, signal: Signal
    ) -> Gatekeeping:
        open_intents = await self._desk.store.journal.open_intents()
        unknown = [
            intent
            for intent in open_intents
            if intent.account == account.account.account_id
            and intent.lane is Lane.ENTRY
            and intent.state is IntentState.UNKNOWN
        ]
        trades = {t.trade_id: t for t in await self._desk.store.journal.live_trades()}
        name = broker_name(signal.symbol or "", await account.broker.symbols())
        on_symbol = any(
            intent.trade in trades and trades[intent.trade].symbol == name for intent in unknown
        )
        return Gatekeeping(
            now=self._desk.clock.now(),
            posted_at=time_of(stored),
            halted=self._desk.halted,
            trade_allowed=facts.trade_allowed,
            investor=facts.investor,
            connected=facts.connected,
            reconciled=account.reconciled,
            paused=None if self._desk.halted else entries_paused(self._desk),
            clock_offset=self._desk.clock_offset or timedelta(0),
            symbol_held=facts.nets and await self._is_held(account, name),
            unknown_entries=len(unknown),
            unknown_on_symbol=on_symbol,
        )

    async def _is_held(self, account: AccountDesk, symbol: str | None) -> bool:
        """Tell whether the last look showed a position in the symbol, ours or another's."""
        view = await self._desk.store.accounts.view(account.account.account_id)
        return view is not None and any(held.symbol == symbol for held in view.positions)

    def _copy(
        self, account: AccountDesk, signal_id: ids.SignalId, result: TradePlan | Refusal
    ) -> Copy:
        account_id = account.account.account_id
        now = self._desk.clock.now()
        if isinstance(result, Refusal):
            is_old = result.code in EXPIRED_CODES
            return Copy(
                signal=signal_id,
                account=account_id,
                plan={"detail": result.detail},
                fresh_until=None,
                lots=Lots(Decimal(0)),
                budget=Decimal(0),
                outcome=CopyOutcome.EXPIRED if is_old else CopyOutcome.SKIPPED,
                reason=result.code,
                settled_at=now,
            )
        currency = account.account.currency or ""
        return Copy(
            signal=signal_id,
            account=account_id,
            plan=explain.sizing_facts(result, currency),
            fresh_until=result.fresh_until,
            lots=result.sizing.lots,
            budget=result.sizing.got_money,
        )


def _no_account(part: int, known: int, mode: CopyMode, now: datetime) -> tuple[TraceStep, ...]:
    none = refused(
        "no_account",
        "accounts for this channel",
        f"none of {known}",
        "a paper account" if mode is CopyMode.PAPER else "one that copy_to names",
        source="your accounts",
    )
    return (
        explain.checked(None, part, none.checks, now),
        explain.skipped(None, part, none.code, none.detail, now),
    )


def _not_offered(signal: Signal) -> Refusal:
    """The broker does not have the symbol, or no single one of its names can be told."""
    symbol = signal.symbol or "none"
    return refused(
        "symbol_not_at_broker",
        "symbol",
        symbol,
        "one of the broker's",
        source=BROKER,
        detail=symbol,
    )
