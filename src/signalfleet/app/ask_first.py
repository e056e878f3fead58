"""Hold a signal until the user has answered, and plan it again at the tap with fresh prices."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from signalfleet.app import explain
from signalfleet.app.asks import load_asks, put_ask
from signalfleet.app.effective_settings import effective_settings
from signalfleet.app.execute_signal import ExecuteSignal, SignalOutcome
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.accounts.asks import Answer, Ask, AskedPlan, AskKey
from signalfleet.domain.signals.describe import describe
from signalfleet.domain.signals.model import Ambiguous, OrderKind, Signal
from signalfleet.domain.trading.intents import Intent, OpenLeg
from signalfleet.domain.trading.plan import TradePlan
from signalfleet.ports.inbox import StoredMessage
from signalfleet.ports.store import CopyMode

SKIPPED: Final = "skipped_by_you"
NO_ANSWER: Final = "no_answer"
APPROVAL: Final = "awaiting_approval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What asking led to: `outcome` is a plan or a refusal, `reason` ends it unplanned.

    With neither of them the signal waits; `new` is a question that the user is told of now.
    """

    outcome: SignalOutcome | None = None
    reason: str | None = None
    new: Ask | None = None


class AskFirst:
    def __init__(self, desk: UserDesk, signals: ExecuteSignal) -> None:
        self._desk = desk
        self._signals = signals

    async def look(self, stored: StoredMessage, signal: Signal, part: int, doubt: str) -> Asked:
        """Ask, wait, or act on the answer. `doubt` is why it is a question."""
        key = AskKey(
            chat=stored.key.chat, message=stored.key.message, rev=stored.key.rev, part=part
        )
        ask = (await load_asks(self._desk.store.settings)).get(key)
        now = self._desk.clock.now()
        if ask is None:
            return await self._ask(stored, signal, key, doubt)
        if ask.answer is Answer.SKIP:
            return Asked(reason=SKIPPED)
        if ask.answer is Answer.APPROVE and ask.answered_at is not None:
            return Asked(outcome=await self._approved(stored, signal, part, ask))
        if now >= ask.until:
            return Asked(reason=NO_ANSWER if doubt == APPROVAL else doubt)
        return Asked()

    async def _ask(self, stored: StoredMessage, signal: Signal, key: AskKey, doubt: str) -> Asked:
        """Put the question, with the plan as it would be now; what is refused is not asked."""
        mode = CopyMode.APPROVE if doubt == APPROVAL else CopyMode.ON
        outcome = await self._signals.plan(stored, signal, key.part, mode)
        if outcome.must_wait:
            return Asked()
        if not outcome.plans:
            return Asked(reason=doubt) if doubt != APPROVAL else Asked(outcome=outcome)
        account = outcome.copies[0].account
        effective = await effective_settings(self._desk, key.chat, account)
        now = self._desk.clock.now()
        opening = [copy for copy in outcome.copies if copy.outcome is None]
        ask = Ask(
            key=key,
            text=describe(signal),
            why=doubt,
            asked_at=now,
            until=now + timedelta(seconds=float(effective.rules.approval_ttl)),
            plans=tuple(
                _shown(copy.account, plan, self._currency(copy.account))
                for copy, plan in zip(opening, outcome.plans, strict=True)
            ),
        )
        await put_ask(self._desk.store.settings, ask)
        return Asked(new=ask)

    async def _approved(
        self, stored: StoredMessage, signal: Signal, part: int, ask: Ask
    ) -> SignalOutcome:
        """Plan again with fresh prices; its age counts from the tap."""
        tapped = (ask.answered_at or ask.asked_at) + (self._desk.clock_offset or timedelta())
        fresh = replace(stored.message, posted_at=tapped, edited_at=None)
        mode = CopyMode.APPROVE if ask.why == APPROVAL else CopyMode.ON
        outcome = await self._signals.plan(replace(stored, message=fresh), signal, part, mode)
        if outcome.record is not None:
            outcome.record = replace(outcome.record, posted_at=stored.message.posted_at)
        outcome.trace.append(explain.answered(ask, self._desk.clock.now()))
        return outcome

    def _currency(self, account: str) -> str:
        known = {str(key): desk for key, desk in self._desk.accounts.items()}
        return known[account].account.currency or ""


def candidate_of(doubtful: Ambiguous) -> Signal | None:
    """Return the one complete signal that a message could be, for a person to decide on."""
    complete = [
        one
        for one in doubtful.candidates
        if isinstance(one, Signal)
        and one.symbol is not None
        and (one.stop is not None or one.stop_pips is not None)
        and (one.entry is not None or one.order is OrderKind.MARKET)
    ]
    return complete[0] if len(complete) == 1 and len(doubtful.candidates) == 1 else None


def _shown(account: str, plan: TradePlan, currency: str) -> AskedPlan:
    risk = f"{plan.sizing.got_money:.2f} {currency}".rstrip()
    return AskedPlan(
        account=account,
        lots=str(plan.sizing.lots),
        risk=risk,
        orders=tuple(_order(intent) for intent in plan.intents),
    )


def _order(intent: Intent) -> str:
    command = intent.command
    if not isinstance(command, OpenLeg):
        return ""
    at = f" at {command.price}" if command.price is not None else ""
    return (
        f"{command.side.value} {command.lots} {command.symbol} {command.kind.value}{at}, "
        f"stop {command.stop_loss or 'none'}, target {command.take_profit or 'open'}"
    )
