"""Plan a follow-up on the trades of the signal that it speaks of."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from signalfleet.app import explain
from signalfleet.app.desk import AccountDesk
from signalfleet.app.effective_settings import effective_settings
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain import ids
from signalfleet.domain.ids import SignalId, TradeId
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import CopyState, EditPolicy, FollowUps, WhenPaused
from signalfleet.domain.signals.correlate import find_targets
from signalfleet.domain.signals.describe import describe_action
from signalfleet.domain.signals.model import (
    Action,
    CancelPending,
    Close,
    ClosePart,
    Context,
    FollowUp,
)
from signalfleet.domain.trading.care import Care
from signalfleet.domain.trading.follow_up import PROTECTIVE, plan_follow_up
from signalfleet.domain.trading.intents import Action as Deed
from signalfleet.domain.trading.intents import Intent, IntentState, OpenLeg, TargetStep, action_of
from signalfleet.domain.trading.leg_commands import FollowUpPlan, FollowUpQuestion, LegCommand
from signalfleet.domain.trading.management import care_now, steps_now
from signalfleet.domain.trading.progress import is_ending, order_prices, trade_as_wanted
from signalfleet.domain.trading.records import SignalRecord, TraceStep, Trade, TradeState
from signalfleet.ports.chat_source import Origin
from signalfleet.ports.errors import PortError, RefusedError
from signalfleet.ports.inbox import StoredMessage

OPERATIONS = {Deed.CLOSE: "C", Deed.REDUCE: "P"}


@dataclass(frozen=True, slots=True)
class PausedFollowUp:
    """The `number`-th instruction of a message, which a pause kept from a signal's trades."""

    number: int
    text: str
    signal: SignalId


@dataclass(slots=True)
class FollowUpOutcome:
    """What a follow-up leads to. `must_wait`: a leg is still being opened; ask again later."""

    intents: list[Intent] = field(default_factory=list)
    trace: list[TraceStep] = field(default_factory=list)
    reason: str | None = None
    must_wait: bool = False
    paused: list[PausedFollowUp] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One instruction of a message: its `number`-th. `is_edit`: an edit of the signal tells it."""

    stored: StoredMessage
    follow_up: FollowUp
    number: int
    is_edit: bool


class ExecuteFollowUp:
    """Turns follow-ups into intents. Nothing is stored or sent here.

    `is_tapped`: the user wants what a pause held back to be carried out now.
    """

    def __init__(self, desk: UserDesk, *, is_tapped: bool = False) -> None:
        self._desk = desk
        self._is_tapped = is_tapped

    async def plan(
        self,
        stored: StoredMessage,
        follow_up: FollowUp,
        context: Context,
        number: int,
        drafted: Sequence[Intent] = (),
    ) -> FollowUpOutcome:
        """Plan the `number`-th follow-up of a message; `drafted` came from the ones before it."""
        outcome = FollowUpOutcome()
        window = await self._window(stored)
        found = find_targets(follow_up, stored.message, context, window)
        if isinstance(found, str):
            self._refuse(outcome, follow_up, found)
            return outcome
        signals = await self._signals([known.signal for known in found])
        await self.plan_for(
            stored, follow_up, signals, number, outcome, drafted,
            is_edit=context.before_edit is not None,
        )  # fmt: skip
        return outcome

    async def plan_own(self, stored: StoredMessage, *actions: Action) -> FollowUpOutcome:
        """Plan what its deletion or turning round does to the signals of the message itself."""
        message = stored.message
        outcome = FollowUpOutcome()
        signals = await self._desk.store.journal.signals_of_message(
            message.channel, message.message
        )
        for number, action in enumerate(actions):
            follow_up = FollowUp(action=action)
            drafted = tuple(outcome.intents)
            await self.plan_for(stored, follow_up, signals, number, outcome, drafted)
        return outcome

    async def _window(self, stored: StoredMessage) -> timedelta:
        effective = await effective_settings(self._desk, stored.message.channel, None)
        return timedelta(hours=float(effective.rules.follow_up_window))

    async def plan_for(
        self,
        stored: StoredMessage,
        follow_up: FollowUp,
        signals: Sequence[SignalRecord],
        number: int,
        outcome: FollowUpOutcome,
        drafted: Sequence[Intent] = (),
        *,
        is_edit: bool = False,
    ) -> None:
        trades = await self._desk.store.journal.trades_of_signals([s.signal_id for s in signals])
        live = [trade for trade in trades if trade.state.is_live]
        if any(trade.state is TradeState.OPENING for trade in live):
            outcome.must_wait = True
            return
        if not live:
            self._refuse(outcome, follow_up, "no_open_trade")
            return
        under_way = await self._under_way(live, drafted)
        wanted = _as_wanted(follow_up, live, under_way)
        if not wanted:
            self._refuse(outcome, follow_up, "no_open_trade")
            return
        groups: dict[tuple[str, SignalId], list[Trade]] = defaultdict(list)
        for trade in wanted:
            groups[trade.account, trade.signal].append(trade)
        by_id = {record.signal_id: record for record in signals}
        for account in self._desk.accounts.values():
            for (account_id, signal_id), legs in groups.items():
                if account_id == account.account.account_id:
                    record = by_id[signal_id]
                    asked = _Asked(stored, follow_up, number, is_edit=is_edit)
                    await self._plan_on(account, asked, record, legs, under_way, outcome)

    async def _plan_on(
        self,
        account: AccountDesk,
        asked: _Asked,
        record: SignalRecord,
        legs: list[Trade],
        under_way: Sequence[Intent],
        outcome: FollowUpOutcome,
    ) -> None:
        stored, follow_up, number = asked.stored, asked.follow_up, asked.number
        account_id = account.account.account_id
        is_reversed = record.reading.side is not legs[0].side
        if is_reversed and not isinstance(follow_up.action, Close | ClosePart | CancelPending):
            # The channel's levels are those of the opposite trade.
            self._refuse(outcome, follow_up, "reversed_trade")
            return
        effective = await effective_settings(self._desk, stored.message.channel, account_id)
        rules = self._rules_now(effective.rules, asked, record, outcome)
        if rules is None:
            return
        try:
            plan = plan_follow_up(
                FollowUpQuestion(
                    action=follow_up.action,
                    trades=sorted(legs, key=lambda leg: leg.leg),
                    targets=record.reading.targets,
                    canonical=record.reading.symbol or "",
                    instrument=self._desk.profiles.meant_by(
                        stored.message.channel,
                        record.reading.symbol or "",
                        await account.instrument(legs[0].symbol),
                    ),
                    quote=await account.quote(legs[0].symbol),
                    rules=rules,
                    order_prices=order_prices(legs, under_way),
                    care=_care_of(legs, under_way),
                    steps=_steps_of(legs, under_way),
                    is_live=stored.via is Origin.LIVE,
                    is_edit=asked.is_edit,
                )
            )
        except RefusedError:
            self._refuse(outcome, follow_up, "symbol_not_at_broker")
            return
        except PortError:
            # The account cannot be asked just now; a protective instruction is not dropped.
            outcome.must_wait = True
            return
        if any(note.code == "open_price_unknown" for note in plan.notes):
            # Just opened: the next look brings the price, and the instruction must not be lost.
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

    def _rules_now(
        self, given: Rules, asked: _Asked, record: SignalRecord, outcome: FollowUpOutcome
    ) -> Rules | None:
        """Return the rules that the state of copying leaves; None if it holds the whole back."""
        follow_up = asked.follow_up
        rules = _rules_for(given, is_edit=asked.is_edit)
        if rules.copy_state is CopyState.PANIC:
            self._refuse(outcome, follow_up, "follow_up_panic")
            return None
        if rules.copy_state is not CopyState.PAUSED or self._is_tapped:
            return rules
        if _waits_for_tap(rules, follow_up.action):
            text = describe_action(follow_up.action)
            outcome.paused.append(PausedFollowUp(asked.number, text, record.signal_id))
            self._refuse(outcome, follow_up, "follow_up_paused")
            return None
        return replace(rules, allow_wider_stop=False)

    def _intent(self, stored: StoredMessage, item: LegCommand, number: int) -> Intent:
        key = stored.key
        cause = f"msg:{key.chat}:{key.message}:{key.rev}:{number}"
        action = action_of(item.command)
        operation = f"{OPERATIONS.get(action, 'M')}{(key.message + number) % 100}"
        # Within one message the order of the text decides which instruction is the newer one.
        now = self._desk.clock.now() + timedelta(microseconds=number)
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
        )

    async def _under_way(
        self, trades: Sequence[Trade], drafted: Sequence[Intent]
    ) -> tuple[Intent, ...]:
        """Return the trades' intents that were accepted or may still be, the oldest first."""
        stored = await self._desk.store.journal.intents_of_trades([t.trade_id for t in trades])
        ended = (IntentState.REJECTED, IntentState.EXPIRED, IntentState.CANCELLED)
        return tuple(intent for intent in (*stored, *drafted) if intent.state not in ended)

    def _refuse(self, outcome: FollowUpOutcome, follow_up: FollowUp, reason: str) -> None:
        outcome.reason = outcome.reason or reason
        action = describe_action(follow_up.action)
        now = self._desk.clock.now()
        outcome.trace.append(explain.followed(None, action, reason, (), (), now))

    async def _signals(self, signals: Sequence[SignalId]) -> list[SignalRecord]:
        found = [await self._desk.store.journal.get_signal(signal) for signal in signals]
        return [record for record in found if record is not None]


def _as_wanted(
    follow_up: FollowUp, trades: Sequence[Trade], under_way: Sequence[Intent]
) -> list[Trade]:
    """Return the trades as they will be when what is under way is done.

    Closing and cancelling look at no earlier instruction: asking twice does no harm, and an
    earlier one may have failed.
    """
    if isinstance(follow_up.action, Close | CancelPending):
        return list(trades)
    waiting = [intent for intent in under_way if not intent.state.is_final]
    return [
        trade_as_wanted(trade, [i for i in waiting if i.trade == trade.trade_id])
        for trade in trades
        if not is_ending(trade, under_way)
    ]


def _waits_for_tap(rules: Rules, action: Action) -> bool:
    """Tell whether a pause holds an instruction back that would be followed otherwise."""
    may = rules.when_paused is WhenPaused.PROTECT and isinstance(action, PROTECTIVE)
    is_followed = rules.follow_ups is FollowUps.ALL or (
        rules.follow_ups is FollowUps.PROTECTIVE_ONLY and isinstance(action, PROTECTIVE)
    )
    return is_followed and not may


def _rules_for(rules: Rules, *, is_edit: bool) -> Rules:
    """Let an edit do no more than the user allows edits to do."""
    limited = is_edit and rules.edit_policy is EditPolicy.PROTECTIVE_ONLY
    if not limited or rules.follow_ups is FollowUps.NONE:
        return rules
    return replace(rules, follow_ups=FollowUps.PROTECTIVE_ONLY)


def _care_of(legs: Sequence[Trade], intents: Sequence[Intent]) -> dict[TradeId, Care]:
    found = {leg.trade_id: care_now(leg, legs, _own(leg, intents)) for leg in legs}
    return {trade: care for trade, care in found.items() if care is not None}


def _steps_of(
    legs: Sequence[Trade], intents: Sequence[Intent]
) -> dict[TradeId, tuple[TargetStep, ...]]:
    found = {}
    for leg in legs:
        own = _own(leg, intents)
        entry = next((i.command for i in own if isinstance(i.command, OpenLeg)), None)
        if entry is not None:
            found[leg.trade_id] = steps_now(entry, own)
    return found


def _own(leg: Trade, intents: Sequence[Intent]) -> list[Intent]:
    return [intent for intent in intents if intent.trade == leg.trade_id]


def _reason(plan: FollowUpPlan) -> str | None:
    if plan.commands:
        return None
    if plan.refusal is not None:
        return plan.refusal
    return plan.notes[0].code if plan.notes else "nothing_to_do"
