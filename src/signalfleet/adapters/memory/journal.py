"""Decisions and what becomes of them, in memory."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from signalfleet.adapters.memory.state import State, UserRows, json_copy
from signalfleet.domain.ids import (
    AccountId,
    ChannelId,
    IntentId,
    MessageId,
    SignalId,
    TradeId,
    UserId,
)
from signalfleet.domain.trading.intents import Intent
from signalfleet.domain.trading.outcome_of import outcome_of, reason_of
from signalfleet.domain.trading.records import (
    Copy,
    Decision,
    MessageKey,
    Settlement,
    SignalRecord,
    TraceStep,
    Trade,
)
from signalfleet.ports.errors import ConflictError
from signalfleet.ports.inbox import MessageState
from signalfleet.ports.store import DecideResult

_NO_DECISION: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class MemoryJournal:
    _state: State
    _user: UserId

    async def decide(self, decision: Decision, epoch: int) -> DecideResult:
        copies = [_detached(copy) for copy in decision.copies]
        trace = tuple(
            replace(step, facts=json_copy(step.facts, "a trace step")) for step in decision.trace
        )
        rows = self._state.write_fenced(self._user, epoch)
        message = rows.messages.get(decision.key)
        if message is None or message.stored.state is not MessageState.NEW:
            return DecideResult.ALREADY_DECIDED
        if _is_decided_otherwise(rows, decision) or _has_known_ids(rows, decision):
            return DecideResult.ALREADY_DECIDED
        if decision.quota is not None and rows.count_up(decision.quota) is None:
            return DecideResult.QUOTA_FULL
        message.stored = replace(message.stored, state=MessageState.DONE, reason=decision.reason)
        rows.signals.update((one.signal_id, one) for one in decision.signals)
        rows.copies.update(((copy.signal, copy.account), copy) for copy in copies)
        rows.trades.update((trade.trade_id, trade) for trade in decision.trades)
        rows.intents.update((intent.intent_id, intent) for intent in decision.intents)
        rows.traces[decision.key] = trace
        for signal in decision.signals:
            if signal.outcome is None:
                _derive_outcome(rows, signal.signal_id)
        return DecideResult.CLAIMED

    async def settle(self, settlement: Settlement, epoch: int) -> None:
        copies = [_detached(copy) for copy in settlement.copies]
        rows = self._state.write_fenced(self._user, epoch)
        _require_known(rows, settlement)
        rows.intents.update((intent.intent_id, intent) for intent in settlement.intents)
        rows.trades.update((trade.trade_id, trade) for trade in settlement.trades)
        rows.copies.update(((copy.signal, copy.account), copy) for copy in copies)
        for intent in settlement.added_intents:
            rows.intents.setdefault(intent.intent_id, intent)
        for signal in {copy.signal for copy in copies}:
            _derive_outcome(rows, signal)

    async def open_intents(self) -> tuple[Intent, ...]:
        intents = self._state.read(self._user).intents.values()
        return _by_age(intent for intent in intents if not intent.state.is_final)

    async def get_intents(self, intents: Sequence[IntentId]) -> tuple[Intent, ...]:
        stored = self._state.read(self._user).intents
        return tuple(stored[one] for one in dict.fromkeys(intents) if one in stored)

    async def intents_of_trades(self, trades: Sequence[TradeId]) -> tuple[Intent, ...]:
        wanted = set(trades)
        intents = self._state.read(self._user).intents.values()
        return _by_age(intent for intent in intents if intent.trade in wanted)

    async def live_trades(self, account: AccountId | None = None) -> tuple[Trade, ...]:
        rows = self._state.read(self._user)
        return _by_decision(
            rows,
            (
                trade
                for trade in rows.trades.values()
                if trade.state.is_live and account in (None, trade.account)
            ),
        )

    async def get_trade(self, trade_id: TradeId) -> Trade | None:
        return self._state.read(self._user).trades.get(trade_id)

    async def trades_of_signals(self, signals: Sequence[SignalId]) -> tuple[Trade, ...]:
        rows = self._state.read(self._user)
        wanted = set(signals)
        return _by_decision(rows, (one for one in rows.trades.values() if one.signal in wanted))

    async def recent_trades(self, limit: int = 100) -> tuple[Trade, ...]:
        rows = self._state.read(self._user)
        trades = list(_by_decision(rows, rows.trades.values()))
        trades.sort(key=lambda one: _decided_at(rows, one), reverse=True)
        return tuple(trades[:limit])

    async def get_signal(self, signal_id: SignalId) -> SignalRecord | None:
        return self._state.read(self._user).signals.get(signal_id)

    async def signals_of_message(
        self, chat: ChannelId, message: MessageId
    ) -> tuple[SignalRecord, ...]:
        return tuple(_signals_of(self._state.read(self._user), chat, message))

    async def recent_signals(
        self, chat: ChannelId | None = None, limit: int = 20
    ) -> tuple[SignalRecord, ...]:
        signals = self._state.read(self._user).signals.values()
        wanted = [one for one in signals if chat in (None, one.chat)]
        wanted.sort(key=lambda one: (one.posted_at, one.message, one.part), reverse=True)
        return tuple(wanted[:limit])

    async def copies_of_signals(self, signals: Sequence[SignalId]) -> tuple[Copy, ...]:
        wanted = set(signals)
        copies = self._state.read(self._user).copies
        return tuple(_detached(copy) for key, copy in sorted(copies.items()) if key[0] in wanted)

    async def trace(self, key: MessageKey) -> tuple[TraceStep, ...]:
        steps = self._state.read(self._user).traces.get(key, ())
        return tuple(replace(one, facts=json_copy(one.facts, "a trace step")) for one in steps)


def _signals_of(rows: UserRows, chat: ChannelId, message: MessageId) -> list[SignalRecord]:
    found = [one for one in rows.signals.values() if (one.chat, one.message) == (chat, message)]
    return sorted(found, key=lambda one: one.part)


def _is_decided_otherwise(rows: UserRows, decision: Decision) -> bool:
    if not decision.signals:
        return False
    stored = _signals_of(rows, decision.key.chat, decision.key.message)
    return any(one.entry_rev != decision.key.rev for one in stored)


def _has_known_ids(rows: UserRows, decision: Decision) -> bool:
    new: list[Hashable] = [
        *(one.signal_id for one in decision.signals),
        *((one.chat, one.message, one.part) for one in decision.signals),
        *(("copy", one.signal, one.account) for one in decision.copies),
        *(one.trade_id for one in decision.trades),
        *((one.account, one.client_id) for one in decision.trades),
        *(one.intent_id for one in decision.intents),
    ]
    stored: set[Hashable] = {
        *rows.signals,
        *((one.chat, one.message, one.part) for one in rows.signals.values()),
        *(("copy", *key) for key in rows.copies),
        *rows.trades,
        *((one.account, one.client_id) for one in rows.trades.values()),
        *rows.intents,
    }
    return len(set(new)) < len(new) or not stored.isdisjoint(new)


def _require_known(rows: UserRows, settlement: Settlement) -> None:
    known = (
        all(one.intent_id in rows.intents for one in settlement.intents)
        and all(one.trade_id in rows.trades for one in settlement.trades)
        and all((one.signal, one.account) in rows.copies for one in settlement.copies)
    )
    if not known:
        raise ConflictError("a settlement replaces stored rows, and one of them is not stored")


def _derive_outcome(rows: UserRows, signal_id: SignalId) -> None:
    signal = rows.signals.get(signal_id)
    copies = [copy for key, copy in sorted(rows.copies.items()) if key[0] == signal_id]
    if signal is not None and copies:
        rows.signals[signal_id] = replace(
            signal, outcome=outcome_of(copies), reason=reason_of(copies)
        )


def _detached(copy: Copy) -> Copy:
    return replace(copy, plan=json_copy(copy.plan, "a copy's plan"))


def _by_age(intents: Iterable[Intent]) -> tuple[Intent, ...]:
    return tuple(sorted(intents, key=lambda one: (one.created_at, one.intent_id)))


def _by_decision(rows: UserRows, trades: Iterable[Trade]) -> tuple[Trade, ...]:
    return tuple(
        sorted(
            trades,
            key=lambda one: (
                _decided_at(rows, one),
                one.signal,
                one.account,
                one.leg,
            ),
        )
    )


def _decided_at(rows: UserRows, trade: Trade) -> datetime:
    signal = rows.signals.get(trade.signal)
    return signal.decided_at if signal else _NO_DECISION
