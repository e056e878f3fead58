"""Decisions and what becomes of them, in SQL."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from signalfleet.adapters.sql.codec import decode_trace, encode_trace
from signalfleet.adapters.sql.database import Database
from signalfleet.adapters.sql.quota import count_up
from signalfleet.adapters.sql.rows import (
    Params,
    copy_params,
    intent_params,
    key_params,
    signal_copy,
    signal_params,
    signal_record,
    stored_intent,
    stored_trade,
    trade_params,
)
from signalfleet.adapters.sql.session import Row, Session, Undo, is_long
from signalfleet.adapters.sql.texts import Statement
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
from signalfleet.domain.trading.outcome_of import combined, outcome_of, reason_of
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

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SqlJournal:
    _database: Database
    _user: UserId

    async def decide(self, decision: Decision, epoch: int) -> DecideResult:
        sql = self._database.sql
        key = key_params(self._user, decision.key)
        done = key | {"state": MessageState.DONE, "reason": decision.reason}
        leave = sql.leave_new_to_enter if decision.signals else sql.leave_new
        new_rows, quota = self._new_rows(decision, epoch), decision.quota

        async def operation(session: Session) -> DecideResult:
            if not await session.run(leave, done):
                return DecideResult.ALREADY_DECIDED
            if quota is not None and await count_up(session, sql, self._user, quota) is None:
                raise Undo(DecideResult.QUOTA_FULL)
            for text, params in new_rows:
                if await session.run_all(text, params) < len(params):
                    raise Undo(DecideResult.ALREADY_DECIDED)
            return DecideResult.CLAIMED

        return await self._database.write_fenced(self._user, epoch, operation)

    async def settle(self, settlement: Settlement, epoch: int) -> None:
        sql = self._database.sql
        replaced = [
            (sql.replace_intent, [self._intent(one, epoch) for one in settlement.intents]),
            (sql.replace_trade, [trade_params(self._user, one) for one in settlement.trades]),
            (sql.replace_copy, [copy_params(self._user, one) for one in settlement.copies]),
        ]
        added = [self._intent(one, epoch) for one in settlement.added_intents]
        signals = dict.fromkeys(copy.signal for copy in settlement.copies)

        async def operation(session: Session) -> None:
            for text, params in replaced:
                if await session.run_all(text, params) < len(params):
                    raise ConflictError(
                        "a settlement replaces stored rows, and one of them is not stored"
                    )
            await session.run_all(sql.add_intent, added)
            for signal in signals:
                await self._derive_outcome(session, signal)

        await self._database.write_fenced(self._user, epoch, operation)

    async def open_intents(self) -> tuple[Intent, ...]:
        return await self._list(self._database.sql.open_intents, stored_intent)

    async def get_intents(self, intents: Sequence[IntentId]) -> tuple[Intent, ...]:
        return await self._each(self._database.sql.get_intent, "intent_id", intents, stored_intent)

    async def intents_of_trades(self, trades: Sequence[TradeId]) -> tuple[Intent, ...]:
        found = await self._each(
            self._database.sql.intents_of_trade, "trade_id", trades, stored_intent
        )
        return tuple(sorted(found, key=lambda one: (one.created_at, one.intent_id)))

    async def live_trades(self, account: AccountId | None = None) -> tuple[Trade, ...]:
        if account is None:
            return await self._list(self._database.sql.live_trades, stored_trade)
        sql = self._database.sql.live_trades_of_account
        return await self._list(sql, stored_trade, account_id=account)

    async def get_trade(self, trade_id: TradeId) -> Trade | None:
        sql = self._database.sql.get_trade
        found = await self._list(sql, stored_trade, trade_id=trade_id)
        return found[0] if found else None

    async def trades_of_signals(self, signals: Sequence[SignalId]) -> tuple[Trade, ...]:
        sql = self._database.sql.trades_of_signal
        return await self._each(sql, "signal_id", signals, stored_trade)

    async def recent_trades(self, limit: int = 100) -> tuple[Trade, ...]:
        return await self._list(self._database.sql.recent_trades, stored_trade, limit=limit)

    async def get_signal(self, signal_id: SignalId) -> SignalRecord | None:
        sql = self._database.sql.get_signal
        found = await self._list(sql, signal_record, signal_id=signal_id)
        return found[0] if found else None

    async def signals_of_message(
        self, chat: ChannelId, message: MessageId
    ) -> tuple[SignalRecord, ...]:
        sql = self._database.sql.signals_of_message
        return await self._list(sql, signal_record, chat_id=chat, msg_id=message)

    async def recent_signals(
        self, chat: ChannelId | None = None, limit: int = 20
    ) -> tuple[SignalRecord, ...]:
        sql = self._database.sql
        if chat is None:
            return await self._list(sql.recent_signals, signal_record, limit=limit)
        return await self._list(
            sql.recent_signals_of_chat, signal_record, chat_id=chat, limit=limit
        )

    async def copies_of_signals(self, signals: Sequence[SignalId]) -> tuple[Copy, ...]:
        sql = self._database.sql.copies_of_signal
        return await self._each(sql, "signal_id", signals, signal_copy)

    async def trace(self, key: MessageKey) -> tuple[TraceStep, ...]:
        params = key_params(self._user, key)
        sql = self._database.sql.get_trace
        row = await self._database.row(sql, params)
        return () if row is None else decode_trace(row["steps"])

    def _new_rows(self, decision: Decision, epoch: int) -> list[tuple[Statement, list[Params]]]:
        sql = self._database.sql
        trace = key_params(self._user, decision.key) | {"steps": encode_trace(decision.trace)}
        return [
            (sql.add_signal, [self._signal(one, decision.copies) for one in decision.signals]),
            (sql.add_copy, [copy_params(self._user, one) for one in decision.copies]),
            (sql.add_trade, [trade_params(self._user, one) for one in decision.trades]),
            (sql.add_intent, [self._intent(one, epoch) for one in decision.intents]),
            (sql.add_trace, [trace]),
        ]

    def _signal(self, signal: SignalRecord, copies: Sequence[Copy]) -> Params:
        params = signal_params(self._user, signal)
        own = [copy for copy in copies if copy.signal == signal.signal_id]
        if own and signal.outcome is None:
            params |= {"outcome": outcome_of(own), "reason": reason_of(own)}
        return params

    def _intent(self, intent: Intent, epoch: int) -> Params:
        return intent_params(self._user, intent, epoch)

    async def _derive_outcome(self, session: Session, signal: SignalId) -> None:
        sql = self._database.sql
        address: Params = {"user_id": self._user, "signal_id": signal}
        rows = await session.rows(sql.ends_of_copies, address)
        outcome, reason = combined([(row["outcome"], row["reason"]) for row in rows])
        await session.run(sql.set_outcome, address | {"outcome": outcome, "reason": reason})

    async def _list(
        self, sql: Statement, mapping: Callable[[Row], T], **params: object
    ) -> tuple[T, ...]:
        mine = {"user_id": self._user, **params}
        rows = await self._database.rows(sql, mine, is_long=is_long(params))
        return tuple(map(mapping, rows))

    async def _each(
        self, sql: Statement, column: str, values: Iterable[str], mapping: Callable[[Row], T]
    ) -> tuple[T, ...]:
        """Return the rows of each value, in the order of the values, from one state."""
        wanted = [{"user_id": self._user, column: one} for one in dict.fromkeys(values)]
        if not wanted:
            return ()
        rows = await self._database.rows_of_each(sql, wanted)
        return tuple(map(mapping, rows))
