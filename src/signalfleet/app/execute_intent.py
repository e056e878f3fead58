"""Send one written-down intent once, and write down what came of it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from signalfleet.app.copies import copies_after
from signalfleet.app.effective_settings import effective_settings
from signalfleet.app.execute_gate import PRICE_AGE, check_gate, entries_paused
from signalfleet.app.quotas import give_back_unopened
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain import ids
from signalfleet.domain.money import Lots
from signalfleet.domain.settings.choices import CopyState
from signalfleet.domain.trading.entry import against_entry, against_quote
from signalfleet.domain.trading.intents import (
    AmendLeg,
    CancelLeg,
    CloseLeg,
    Intent,
    IntentState,
    Lane,
    OpenLeg,
    ProtectLeg,
    ReduceLeg,
)
from signalfleet.domain.trading.lifecycle import (
    Dropped,
    Event,
    NotSent,
    Released,
    Replied,
    WentStale,
    advance,
)
from signalfleet.domain.trading.matching import TradeFacts, facts_of
from signalfleet.domain.trading.orders import (
    BrokerOrder,
    CancelOrder,
    ClosePosition,
    ModifyOrder,
    ModifyPosition,
    OpenOrder,
    ReducePosition,
)
from signalfleet.domain.trading.outcomes import Outcome, Rejected, Unknown
from signalfleet.domain.trading.progress import stop_to_send, supersedes, trade_after
from signalfleet.domain.trading.protect import tighter
from signalfleet.domain.trading.reconcile import is_done
from signalfleet.domain.trading.records import Copy, Settlement, Trade
from signalfleet.ports.broker import Broker
from signalfleet.ports.errors import NotSentError, PortError, RefusedError, TemporaryError

log = structlog.get_logger()

HISTORY_MARGIN: Final = timedelta(seconds=120)
MAX_UNKNOWN: Final = 3
SOON_OLD: Final = 0.8
"""A price of this share of the age that the last check allows is read again before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """The intent as it is stored now; a held one must not go out before `not_before`."""

    intent: Intent
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What to send, or the event that makes sending needless."""

    order: BrokerOrder | None = None
    instead: Event | None = None


class ExecuteIntent:
    """Executes intents of one user; each call sends at most one request."""

    def __init__(self, desk: UserDesk) -> None:
        self._desk = desk

    async def run(self, intent: Intent) -> Executed:
        """Send an intent that is SENDING in the store, and write down what came of it.

        When it left is written with the outcome: one write less before the order goes out. A
        cancelled call leaves the row SENDING: the next start takes it for unknown.
        """
        trade = await self._trade(intent)
        account = self._desk.accounts[intent.account]
        prepared = await self._prepare(intent, trade, account.broker)
        if prepared.order is None:
            event = prepared.instead or NotSent("nothing_to_send")
        else:
            intent, event = await self._send(intent, prepared.order, account.broker)
        settled = await self.settle(intent, event)
        account.facts_changed()
        return Executed(intent=settled, not_before=_retry_at(event))

    async def release(self, intent: Intent) -> Intent:
        """Take a held intent to SENDING again if it may still go, else end it.

        It comes back HELD where that cannot be told now, or where what stands against it may pass.
        """
        try:
            against = await self._against(intent)
            if against is None and await self._must_wait(intent):
                return intent
        except TemporaryError:
            return intent
        if against is not None:
            return await self.settle(intent, against)
        step = advance(intent, Released(), self._desk.clock.now())
        again = step.intent
        if again.attempt > 1:
            again = replace(again, client_id=self._next_client_id(again))
        await self._commit(Settlement(intents=(again,)))
        return again

    async def settle(self, intent: Intent, event: Event) -> Intent:
        """Apply the event and store intent, trade and copy as one unit."""
        step = advance(intent, event, self._desk.clock.now())
        if step.intent.cancel_wanted and step.intent.state is IntentState.HELD:
            step = advance(step.intent, Dropped("stopped"), self._desk.clock.now())
        if step.alarm is not None:
            log.error("intent_contradiction", alarm=step.alarm, intent=intent.intent_id)
            self._desk.metrics.count("signalfleet_contradictions_total", kind=step.alarm)
        async with self._desk.settling:
            await self._store(step.intent)
        return step.intent

    async def _store(self, intent: Intent) -> None:
        trade = await self._trade(intent)
        after = trade_after(trade, intent)
        copies: tuple[Copy, ...] = ()
        if intent.lane is Lane.ENTRY:
            copies = await copies_after(
                self._desk, intent.account, [after.signal], [after], [intent]
            )
        trades = (after,) if after != trade else ()
        await self._commit(Settlement(intents=(intent,), trades=trades, copies=copies))
        await give_back_unopened(self._desk.store, copies)
        if intent.state.is_final:
            self._desk.metrics.count(
                "signalfleet_intents_total",
                lane=intent.lane.value,
                action=intent.action.value,
                state=intent.state.value,
            )
        log.info(
            "intent_settled" if intent.state.is_final else "intent_changed",
            intent=intent.intent_id,
            action=intent.action.value,
            state=intent.state.value,
            reason=intent.reason,
        )

    async def _commit(self, settlement: Settlement) -> None:
        begun = self._desk.clock.monotonic()
        await self._desk.store.journal.settle(settlement, self._desk.epoch)
        self._desk.pulse.committed(begun, self._desk.clock.monotonic())

    async def _trade(self, intent: Intent) -> Trade:
        found = await self._desk.store.journal.get_trade(intent.trade)
        if found is None:
            raise PortError("an intent without a trade is in the store")
        return found

    async def _against(self, intent: Intent) -> Event | None:
        """Return what ends a held intent instead of sending it; None if nothing does."""
        if intent.lane is Lane.PROTECTIVE:
            others = await self._desk.store.journal.intents_of_trades([intent.trade])
            is_superseded = any(supersedes(other, intent) for other in others)
            return Dropped("superseded") if is_superseded else None
        if self._desk.halted:
            return Dropped("halted")
        if is_stale(intent, self._desk.telegram_now()):
            return WentStale()
        return await self._against_entry(intent)

    async def _must_wait(self, intent: Intent) -> bool:
        """Hold an entry while entries are paused, or while another order of its symbol is unknown.

        The legs of one signal do not wait for each other: they were decided and sized together.
        """
        if not isinstance(intent.command, OpenLeg):
            return False
        if entries_paused(self._desk) is not None:
            return True
        journal = self._desk.store.journal
        unknown = {
            one.trade
            for one in await journal.open_intents()
            if one.state is IntentState.UNKNOWN
            and one.account == intent.account
            and one.lane is Lane.ENTRY
        }
        trade = await self._trade(intent)
        others = [
            other
            for other in await journal.live_trades(intent.account)
            if other.trade_id in unknown and other.signal != trade.signal
        ]
        return len(others) >= MAX_UNKNOWN or any(o.symbol == trade.symbol for o in others)

    async def _against_entry(self, intent: Intent) -> Event | None:
        trade = await self._trade(intent)
        record = await self._desk.store.journal.get_signal(trade.signal)
        command = intent.command
        if record is None or not isinstance(command, OpenLeg):
            raise PortError("an entry without its signal is in the store")
        revisions = await self._desk.store.inbox.revisions(record.chat, record.message)
        if any(revision.deleted_at is not None for revision in revisions):
            return Dropped("deleted")
        try:
            quote = await self._desk.accounts[intent.account].quote(command.symbol)
        except RefusedError:
            return Dropped("symbol_not_at_broker")
        effective = await effective_settings(self._desk, record.chat, intent.account)
        if effective.rules.copy_state is not CopyState.ON:
            return Dropped(effective.rules.copy_state.value)
        code = against_entry(
            command, record.reading.entry, quote, effective.rules
        ) or against_quote(command, quote)
        return Dropped(code) if code is not None else None

    def _next_client_id(self, intent: Intent) -> ids.ClientId:
        if intent.lane is not Lane.ENTRY:
            return intent.client_id
        operation = f"E{intent.attempt - 1}"
        return ids.client_id(self._desk.installation, intent.trade, operation)

    async def _prepare(self, intent: Intent, trade: Trade, broker: Broker) -> _Prepared:
        """Look at the account before a protective request: targets, not steps, are sent."""
        if isinstance(intent.command, OpenLeg):
            return await self._prepare_entry(intent, intent.command, trade, broker)
        try:
            snapshot = await broker.snapshot(self._desk.clock.now(), full=False, urgent=True)
        except TemporaryError:
            return _Prepared(instead=NotSent("account_unreadable"))
        facts = facts_of(trade, snapshot)
        done = is_done(intent, trade, facts, snapshot)
        if done is not None:
            return _Prepared(instead=done)
        return _order_for(intent, trade, facts)

    async def _prepare_entry(
        self, intent: Intent, command: OpenLeg, trade: Trade, broker: Broker
    ) -> _Prepared:
        if intent.attempt > 1:
            # The absence was proved, yet one complete look more is cheap and a double is not.
            since = intent.created_at - HISTORY_MARGIN
            try:
                snapshot = await broker.snapshot(since, full=True)
            except TemporaryError:
                return _Prepared(instead=NotSent("account_unreadable"))
            found = is_done(intent, trade, facts_of(trade, snapshot), snapshot)
            if found is not None or not snapshot.complete:
                return _Prepared(instead=found or NotSent("account_unreadable"))
        return _Prepared(
            order=OpenOrder(
                symbol=command.symbol,
                side=command.side,
                kind=command.kind,
                lots=command.lots,
                price=command.price,
                stop_loss=command.stop_loss,
                take_profit=command.take_profit,
                client_id=intent.client_id,
                magic=command.magic,
                expires_at=command.expires_at,
            )
        )

    async def _send(
        self, intent: Intent, order: BrokerOrder, broker: Broker
    ) -> tuple[Intent, Event]:
        """Send once; return the intent with the time at which the last check let it pass."""
        left_at = self._desk.clock.now()

        def gate() -> None:
            nonlocal left_at
            check_gate(self._desk, intent)
            left_at = self._desk.clock.now()

        await self._see_price(intent)
        log.info("order_sending", intent=intent.intent_id, action=intent.action.value)
        try:
            outcome = await broker.submit(order, gate)
        except NotSentError as error:
            return intent, NotSent(error.reason)
        event = await self._event_of(intent, outcome, broker)
        return replace(intent, sending_at=left_at), event

    async def _see_price(self, intent: Intent) -> None:
        """Read the price again if it would be too old for the last check in a moment.

        Else a busy moment makes work: what is held back for it looks at the whole account again.
        """
        if not isinstance(intent.command, OpenLeg):
            return
        account, name = self._desk.accounts[intent.account], intent.command.symbol
        at_hand = account.quote_at_hand(name)
        if at_hand is not None and at_hand.age <= PRICE_AGE * SOON_OLD:
            return
        try:
            await account.quote(name)
        except PortError as error:
            log.info("price_unreadable", symbol=name, cause=type(error).__name__)

    async def _event_of(self, intent: Intent, outcome: Outcome, broker: Broker) -> Event:
        if isinstance(outcome, Unknown):
            # The order may exist: sending it again could open it twice.
            log.warning("order_outcome_unknown", intent=intent.intent_id, cause=outcome.cause)
        is_protective = intent.lane is Lane.PROTECTIVE
        if isinstance(outcome, Rejected) and outcome.already_so and is_protective:
            return await self._look_again(intent, outcome, broker)
        return Replied(outcome)

    async def _look_again(self, intent: Intent, outcome: Rejected, broker: Broker) -> Event:
        """The broker says that it is so already: believe the account, not the words."""
        since = intent.created_at - HISTORY_MARGIN
        try:
            snapshot = await broker.snapshot(since, full=True, urgent=True)
        except TemporaryError:
            return Replied(Unknown(cause="account_unreadable"))
        trade = await self._trade(intent)
        done = is_done(intent, trade, facts_of(trade, snapshot), snapshot)
        return done or Replied(replace(outcome, again=True))


def _retry_at(event: Event) -> datetime | None:
    match event:
        case Replied(outcome=Rejected(again=True, retry_at=moment)):
            return moment
        case _:
            return None


def is_stale(intent: Intent, telegram_now: datetime) -> bool:
    """Tell whether an entry is too old to be sent, by the clock that dated its message."""
    return intent.valid_until is None or telegram_now > intent.valid_until


def _order_for(intent: Intent, trade: Trade, facts: TradeFacts) -> _Prepared:
    """Make the request for a protective intent from the account as it is now.

    What was just opened may not be listed yet; what the broker called it in its reply does.
    """
    position = facts.positions[0] if facts.positions else None
    order = facts.orders[0] if facts.orders else None
    position_id = position.position_id if position else trade.position_id
    order_id = order.order_id if order else trade.order_id
    match intent.command:
        case CloseLeg(position_id=str(extra)):
            request: BrokerOrder = ClosePosition(position_id=extra, client_id=intent.client_id)
        case CancelLeg(order_id=str(extra)):
            request = CancelOrder(order_id=extra)
        case CloseLeg() if position_id:
            request = ClosePosition(position_id=position_id, client_id=intent.client_id)
        case ReduceLeg(remaining=remaining) if position:
            request = ReducePosition(
                position_id=position.position_id,
                lots=Lots(position.lots.value - remaining.value),
                client_id=intent.client_id,
            )
        case ProtectLeg(take_profit=target, trailing=trailing) as levels if position_id:
            # Positions show a move late; what was accepted last stands in the row.
            now = tighter(trade.side, position.stop_loss if position else None, trade.stop_loss)
            request = ModifyPosition(
                position_id=position_id,
                stop_loss=stop_to_send(trade.side, now, levels),
                take_profit=target,
                trailing=trailing,
            )
        case CancelLeg() if order_id:
            request = CancelOrder(order_id=order_id)
        case AmendLeg(price=price, stop_loss=stop, take_profit=target) if order_id:
            request = ModifyOrder(
                order_id=order_id, price=price, stop_loss=stop, take_profit=target
            )
        case _:
            return _Prepared(instead=NotSent("not_seen_at_broker"))
    return _Prepared(order=request)
