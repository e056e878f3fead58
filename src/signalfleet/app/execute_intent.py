"""Send one written-down intent once, and write down what came of it."""

from dataclasses import dataclass, replace

import structlog

from signalfleet.app.user_desk import UserDesk
from signalfleet.domain import ids
from signalfleet.domain.money import Lots
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
from signalfleet.domain.trading.outcomes import Rejected, Unknown
from signalfleet.domain.trading.progress import copy_outcome, trade_after
from signalfleet.domain.trading.reconcile import is_done
from signalfleet.domain.trading.records import Copy, Settlement, Trade
from signalfleet.ports.broker import Broker
from signalfleet.ports.errors import NotSentError, PortError, TemporaryError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What to send, or the event that makes sending needless."""

    order: BrokerOrder | None = None
    instead: Event | None = None


class ExecuteIntent:
    """Executes intents of one user; each call sends at most one request."""

    def __init__(self, desk: UserDesk) -> None:
        self._desk = desk

    async def run(self, intent: Intent) -> Intent:
        """Send an intent that is SENDING in the store; return it as it was stored afterwards.

        A cancelled call leaves the row SENDING: the next start takes it for unknown.
        """
        trade = await self._trade(intent)
        account = self._desk.accounts[intent.account]
        prepared = await self._prepare(intent, trade, account.broker)
        if prepared.order is None:
            event = prepared.instead or NotSent("nothing_to_send")
        else:
            event = await self._send(intent, prepared.order, account.broker)
        settled = await self.settle(intent, event)
        account.facts_changed()
        return settled

    async def release(self, intent: Intent) -> Intent:
        """Take a held intent to SENDING again if it may still go, else end it."""
        now = self._desk.clock.now()
        if intent.lane is Lane.ENTRY and (
            self._desk.halted or intent.valid_until is None or now > intent.valid_until
        ):
            return await self.settle(
                intent, WentStale("halted" if self._desk.halted else "too_old")
            )
        step = advance(intent, Released(), now)
        again = step.intent
        if again.attempt > 1:
            again = replace(again, client_id=self._next_client_id(again))
        await self._desk.store.journal.settle(Settlement(intents=(again,)), self._desk.epoch)
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
        journal = self._desk.store.journal
        trade = await self._trade(intent)
        after = trade_after(trade, intent)
        copies: tuple[Copy, ...] = ()
        if intent.lane is Lane.ENTRY:
            copies = await self._copies(intent, after)
        trades = (after,) if after != trade else ()
        await journal.settle(
            Settlement(intents=(intent,), trades=trades, copies=copies), self._desk.epoch
        )
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

    async def _copies(self, intent: Intent, after: Trade) -> tuple[Copy, ...]:
        journal = self._desk.store.journal
        trades = [
            after if trade.trade_id == after.trade_id else trade
            for trade in await journal.trades_of_signals([after.signal])
            if trade.account == intent.account
        ]
        entries = [
            intent if other.intent_id == intent.intent_id else other
            for other in await journal.intents_of_trades([t.trade_id for t in trades])
            if other.lane is Lane.ENTRY
        ]
        outcome = copy_outcome(trades, entries)
        return tuple(
            replace(
                copy,
                outcome=outcome,
                reason=intent.reason if intent.state.is_final else copy.reason,
                settled_at=self._desk.clock.now(),
            )
            for copy in await journal.copies_of_signals([after.signal])
            if copy.account == intent.account
        )

    async def _trade(self, intent: Intent) -> Trade:
        found = await self._desk.store.journal.get_trade(intent.trade)
        if found is None:
            raise PortError("an intent without a trade is in the store")
        return found

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
            snapshot = await broker.snapshot(self._desk.clock.now(), full=False)
        except TemporaryError:
            return _Prepared(instead=NotSent("account_unreadable"))
        facts = facts_of(trade, snapshot)
        done = is_done(intent, facts, snapshot)
        if done is not None:
            return _Prepared(instead=done)
        return _order_for(intent, facts)

    async def _prepare_entry(
        self, intent: Intent, command: OpenLeg, trade: Trade, broker: Broker
    ) -> _Prepared:
        if intent.attempt > 1:
            # The absence was proved, yet one complete look more is cheap and a double is not.
            since = intent.created_at
            try:
                snapshot = await broker.snapshot(since, full=True)
            except TemporaryError:
                return _Prepared(instead=NotSent("account_unreadable"))
            found = is_done(intent, facts_of(trade, snapshot), snapshot)
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

    async def _send(self, intent: Intent, order: BrokerOrder, broker: Broker) -> Event:
        def gate() -> None:
            self._gate(intent)

        log.info("order_sending", intent=intent.intent_id, action=intent.action.value)
        try:
            outcome = await broker.submit(order, gate)
        except NotSentError as error:
            return NotSent(error.reason)
        if isinstance(outcome, Unknown):
            # The order may exist: sending it again could open it twice.
            log.warning("order_outcome_unknown", intent=intent.intent_id, cause=outcome.cause)
        is_protective = intent.lane is Lane.PROTECTIVE
        if isinstance(outcome, Rejected) and outcome.already_so and is_protective:
            return await self._look_again(intent, outcome, broker)
        return Replied(outcome)

    async def _look_again(self, intent: Intent, outcome: Rejected, broker: Broker) -> Event:
        """The broker says that it is so already: believe the account, not the words."""
        try:
            snapshot = await broker.snapshot(self._desk.clock.now(), full=False)
        except TemporaryError:
            return Replied(Unknown(cause="account_unreadable"))
        facts = facts_of(await self._trade(intent), snapshot)
        return is_done(intent, facts, snapshot) or Replied(replace(outcome, again=True))

    def _gate(self, intent: Intent) -> None:
        if intent.lane is not Lane.ENTRY:
            return
        if self._desk.halted:
            raise NotSentError("copying was stopped", reason="halted")
        if intent.valid_until is not None and self._desk.clock.now() > intent.valid_until:
            raise NotSentError("the signal is too old", reason="too_old")


def _order_for(intent: Intent, facts: TradeFacts) -> _Prepared:
    """Make the request for a protective intent from the account as it is now."""
    position = facts.positions[0] if facts.positions else None
    order = facts.orders[0] if facts.orders else None
    match intent.command:
        case CloseLeg() if position:
            request: BrokerOrder = ClosePosition(
                position_id=position.position_id, client_id=intent.client_id
            )
        case ReduceLeg(remaining=remaining) if position:
            request = ReducePosition(
                position_id=position.position_id,
                lots=Lots(position.lots.value - remaining.value),
                client_id=intent.client_id,
            )
        case ProtectLeg(stop_loss=stop, take_profit=target) if position:
            request = ModifyPosition(
                position_id=position.position_id, stop_loss=stop, take_profit=target
            )
        case CancelLeg() if order:
            request = CancelOrder(order_id=order.order_id)
        case AmendLeg(price=price, stop_loss=stop, take_profit=target) if order:
            request = ModifyOrder(
                order_id=order.order_id, price=price, stop_loss=stop, take_profit=target
            )
        case _:
            return _Prepared(instead=NotSent("not_seen_at_broker"))
    return _Prepared(order=request)
