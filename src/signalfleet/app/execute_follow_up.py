"""Plan a follow-up on the trades of the signal that it speaks of."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from signalfleet.app import explain
from signalfleet.app.desk import AccountDesk
from signalfleet.app.execute_signal import effective_settings
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain import ids
from signalfleet.domain.ids import SignalId
from signalfleet.domain.signals.correlate import find_targets
from signalfleet.domain.signals.describe import describe_action
from signalfleet.domain.signals.model import CancelPending, Context, FollowUp
from signalfleet.domain.trading.follow_up import (
    FollowUpPlan,
    FollowUpQuestion,
    LegCommand,
    plan_follow_up,
)
from signalfleet.domain.trading.intents import Action, Intent, IntentState, action_of
from signalfleet.domain.trading.records import SignalRecord, TraceStep, Trade, TradeState
from signalfleet.ports.errors import PortError
from signalfleet.ports.store import StoredMessage

OPERATIONS = {Action.CLOSE: "C", Action.REDUCE: "P"}


@dataclass(slots=True)
class FollowUpOutcome:
    """What a follow-up leads to. `must_wait`: a leg is still being opened; ask again later."""

    intents: list[Intent] = field(default_factory=list)
    trace: list[TraceStep] = field(default_factory=list)
    reason: str | None = None
    must_wait: bool = False


class ExecuteFollowUp:
    """Turns follow-ups into intents. Nothing is stored or sent here."""

    def __init__(self, desk: UserDesk) -> None:
        self._desk = desk

    async def plan(
        self, stored: StoredMessage, follow_up: FollowUp, context: Context, number: int
    ) -> FollowUpOutcome:
        """Plan the `number`-th follow-up of a message."""
        outcome = FollowUpOutcome()
        found = find_targets(follow_up, stored.message, context)
        if isinstance(found, str):
            self._refuse(outcome, follow_up, found)
            return outcome
        signals = await self._signals([known.signal for known in found])
        await self.plan_for(stored, follow_up, signals, number, outcome)
        return outcome

    async def plan_deletion(self, stored: StoredMessage) -> FollowUpOutcome:
        """Cancel the pending orders of a deleted message; open trades keep their stop."""
        message = stored.message
        outcome = FollowUpOutcome()
        signals = await self._desk.store.journal.signals_of_message(
            message.channel, message.message
        )
        follow_up = FollowUp(action=CancelPending())
        await self.plan_for(stored, follow_up, signals, 0, outcome)
        return outcome

    async def plan_for(
        self,
        stored: StoredMessage,
        follow_up: FollowUp,
        signals: Sequence[SignalRecord],
        number: int,
        outcome: FollowUpOutcome,
    ) -> None:
        trades = await self._desk.store.journal.trades_of_signals([s.signal_id for s in signals])
        live = [trade for trade in trades if trade.state.is_live]
        if any(trade.state is TradeState.OPENING for trade in live):
            outcome.must_wait = True
            return
        if not live:
            self._refuse(outcome, follow_up, "no_open_trade")
            return
        groups: dict[tuple[str, SignalId], list[Trade]] = defaultdict(list)
        for trade in live:
            groups[trade.account, trade.signal].append(trade)
        by_id = {record.signal_id: record for record in signals}
        for account in self._desk.accounts.values():
            for (account_id, signal_id), legs in groups.items():
                if account_id == account.account.account_id:
                    record = by_id[signal_id]
                    await self._plan_on(account, stored, follow_up, record, legs, number, outcome)

    async def _plan_on(
        self,
        account: AccountDesk,
        stored: StoredMessage,
        follow_up: FollowUp,
        record: SignalRecord,
        legs: list[Trade],
        number: int,
        outcome: FollowUpOutcome,
    ) -> None:
        account_id = account.account.account_id
        effective = await effective_settings(self._desk, stored.message.channel, account_id)
        try:
            plan = plan_follow_up(
                FollowUpQuestion(
                    action=follow_up.action,
                    trades=sorted(legs, key=lambda leg: leg.leg),
                    targets=record.reading.targets,
                    canonical=record.reading.symbol or "",
                    instrument=await account.instrument(legs[0].symbol),
                    quote=await account.quote(legs[0].symbol),
                    rules=effective.rules,
                )
            )
        except PortError:
            # The account cannot be asked just now; a protective instruction is not dropped.
            outcome.must_wait = True
            return
        now = self._desk.clock.now()
        pairs = [(self._intent(stored, item, number), item.text) for item in plan.commands]
        outcome.intents.extend(intent for intent, _ in pairs)
        reason = _reason(plan)
        outcome.reason = outcome.reason or reason
        notes = [f"leg {note.trade.leg}: {note.code} ({note.text})" for note in plan.notes]
        action = describe_action(follow_up.action)
        outcome.trace.append(explain.followed(account_id, action, reason, pairs, notes, now))

    def _intent(self, stored: StoredMessage, item: LegCommand, number: int) -> Intent:
        key = stored.key
        cause = f"msg:{key.chat}:{key.message}:{key.rev}:{number}"
        action = action_of(item.command)
        operation = f"{OPERATIONS.get(action, 'M')}{(key.message + number) % 100}"
        now = self._desk.clock.now()
        trade = item.trade
        return Intent(
            intent_id=ids.intent_id(self._desk.user, trade.account, trade.trade_id, action, cause),
            account=trade.account,
            trade=trade.trade_id,
            cause=cause,
            client_id=ids.client_id(self._desk.installation, trade.trade_id, operation),
            command=item.command,
            state=IntentState.SENDING,
            attempt=1,
            created_at=now,
            sending_at=now,
        )

    def _refuse(self, outcome: FollowUpOutcome, follow_up: FollowUp, reason: str) -> None:
        outcome.reason = outcome.reason or reason
        action = describe_action(follow_up.action)
        now = self._desk.clock.now()
        outcome.trace.append(explain.followed(None, action, reason, (), (), now))

    async def _signals(self, signals: Sequence[SignalId]) -> list[SignalRecord]:
        found = [await self._desk.store.journal.get_signal(signal) for signal in signals]
        return [record for record in found if record is not None]


def _reason(plan: FollowUpPlan) -> str | None:
    if plan.commands:
        return None
    if plan.refusal is not None:
        return plan.refusal
    return plan.notes[0].code if plan.notes else "nothing_to_do"
