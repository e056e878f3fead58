"""Decisions and what becomes of them in Firebase.

A decision is claimed by a conditional write of its message's node, which holds all rows that are to
be written, and then written by one multi-path update. Whoever finds a claim without its rows
writes them, with intents whose sending is not known; the broker is asked before anything is sent.
What a decision uses up is counted before its claim: a crash between the two costs the user a place
of that day's quota, and never gives one too many.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from signalfleet.adapters.firebase.client import Json, Query, Row
from signalfleet.adapters.firebase.database import Corner, at_once, whole
from signalfleet.adapters.firebase.errors import DeniedError
from signalfleet.adapters.firebase.inbox import left_new
from signalfleet.adapters.firebase.paths import (
    chat_key,
    encode_key,
    path,
    post_key,
    revision_key,
)
from signalfleet.adapters.firebase.quota import count_down, count_up
from signalfleet.adapters.firebase.rows import (
    intent_row,
    signal_row,
    steps_text,
    stored_copies,
    stored_intent,
    stored_signal,
    stored_steps,
    stored_trade,
    to_json,
    to_micros,
    trade_order,
    trade_row,
)
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import (
    AccountId,
    ChannelId,
    IntentId,
    MessageId,
    SignalId,
    TradeId,
)
from signalfleet.domain.trading.intents import Intent, IntentState
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
from signalfleet.ports.errors import ConflictError, StoreUnavailableError
from signalfleet.ports.inbox import MessageState
from signalfleet.ports.store import DecideResult

_LAST: Final = "~"
_UNDECIDED: Final = 0


class _DecidedError(Exception):
    """Somebody claimed this message before."""


@dataclass(frozen=True, slots=True)
class FirebaseJournal:
    _corner: Corner

    async def decide(self, decision: Decision, epoch: int) -> DecideResult:
        rows = _new_rows(decision, epoch)
        async with self._corner.writing():
            await self._corner.take_over(epoch)
            message = await self._corner.row("inbox", revision_key(decision.key))
            if message is None or message.get("state") != MessageState.NEW:
                return DecideResult.ALREADY_DECIDED
            claim = await self._corner.row("decisions", _claim_key(decision.key))
            if await self._finish_found(claim, decision.key, message, epoch):
                return DecideResult.ALREADY_DECIDED
            if await self._has_known_ids(decision):
                return DecideResult.ALREADY_DECIDED
            quota = decision.quota
            if quota is not None and await count_up(self._corner, quota) is None:
                return DecideResult.QUOTA_FULL
            try:
                await self._claim(decision, rows, epoch)
            except _DecidedError:
                if quota is not None:
                    await count_down(self._corner, quota.kind, quota.day, quota.count)
                return DecideResult.ALREADY_DECIDED
            await self._write(decision.key, decision.reason, rows, message, epoch)
        return DecideResult.CLAIMED

    async def settle(self, settlement: Settlement, epoch: int) -> None:
        async with self._corner.writing():
            await self._corner.take_over(epoch)
            values = await self._replaced(settlement, epoch)
            added = {one.intent_id: one for one in settlement.added_intents}
            here = await self._corner.each("intents", list(added))
            for key, intent in added.items():
                if key not in here:
                    values.setdefault(path("intents", key), intent_row(intent, epoch))
            await self._corner.fenced(epoch, values)

    async def open_intents(self) -> tuple[Intent, ...]:
        rows = await self._corner.rows("intents", Query(by="open", equal_to=True))
        return _by_age(map(stored_intent, rows.values()))

    async def get_intents(self, intents: Sequence[IntentId]) -> tuple[Intent, ...]:
        rows = await self._corner.each("intents", intents)
        return tuple(map(stored_intent, rows.values()))

    async def intents_of_trades(self, trades: Sequence[TradeId]) -> tuple[Intent, ...]:
        queries = [Query(by="trade", equal_to=one) for one in dict.fromkeys(trades)]
        rows = await self._corner.select("intents", queries)
        return _by_age(map(stored_intent, rows.values()))

    async def live_trades(self, account: AccountId | None = None) -> tuple[Trade, ...]:
        rows = await self._corner.rows("trades", Query(by="live", equal_to=True))
        wanted = [row for row in rows.values() if account in (None, row["account"])]
        return tuple(map(stored_trade, sorted(wanted, key=trade_order)))

    async def get_trade(self, trade_id: TradeId) -> Trade | None:
        row = await self._corner.row("trades", trade_id)
        return None if row is None else stored_trade(row)

    async def trades_of_signals(self, signals: Sequence[SignalId]) -> tuple[Trade, ...]:
        queries = [Query(by="signal", equal_to=one) for one in dict.fromkeys(signals)]
        rows = await self._corner.select("trades", queries)
        return tuple(map(stored_trade, sorted(rows.values(), key=trade_order)))

    async def recent_trades(self, limit: int = 100) -> tuple[Trade, ...]:
        rows = await self._corner.rows("trades", Query(by="newest", start="0", first=limit))
        return tuple(map(stored_trade, rows.values()))

    async def get_signal(self, signal_id: SignalId) -> SignalRecord | None:
        row = await self._corner.row("signals", signal_id)
        return None if row is None else stored_signal(row)

    async def signals_of_message(
        self, chat: ChannelId, message: MessageId
    ) -> tuple[SignalRecord, ...]:
        rows = await self._corner.rows(
            "signals", Query(by="post", equal_to=post_key(chat, message))
        )
        return tuple(sorted(map(stored_signal, rows.values()), key=lambda one: one.part))

    async def recent_signals(
        self, chat: ChannelId | None = None, limit: int = 20
    ) -> tuple[SignalRecord, ...]:
        if chat is None:
            query = Query(by="order", start="0", last=limit)
        else:
            first = chat_key(chat) + "_"
            query = Query(by="chat_order", start=first, end=first + _LAST, last=limit)
        rows = await self._corner.rows("signals", query)
        return tuple(map(stored_signal, reversed(rows.values())))

    async def copies_of_signals(self, signals: Sequence[SignalId]) -> tuple[Copy, ...]:
        rows = await self._corner.each("signals", sorted(signals))
        return tuple(copy for row in rows.values() for copy in stored_copies(row).values())

    async def trace(self, key: MessageKey) -> tuple[TraceStep, ...]:
        row = await self._corner.row("traces", revision_key(key))
        return () if row is None else stored_steps(str(row["steps"]))

    async def _claim(self, decision: Decision, rows: dict[str, Json], epoch: int) -> None:
        """Write the claim under the condition that nobody has; _DecidedError if somebody has."""
        rev = f"r{decision.key.rev}"
        claim: Row = {"rows": to_json(rows, "a decision"), "reason": decision.reason or ""}

        def claimed(found: Row | None) -> Row:
            before = found or {}
            entry = before.get("entry_rev", decision.key.rev)
            if rev in before or (decision.signals and entry != decision.key.rev):
                raise _DecidedError
            if decision.signals:
                before = {**before, "entry_rev": decision.key.rev}
            return {**before, rev: claim, "epoch": epoch}

        try:
            await self._corner.change(("decisions", _claim_key(decision.key)), claimed)
        except DeniedError:
            await self._corner.take_over(epoch)
            raise StoreUnavailableError(
                "the rules in Firebase refuse a claim of the owner"
            ) from None

    async def _finish_found(
        self, claim: Row | None, key: MessageKey, message: Row, epoch: int
    ) -> bool:
        """Write the rows of a claim that has none, as a crash leaves it; True if there was one."""
        found = (claim or {}).get(f"r{key.rev}")
        if not isinstance(found, dict) or "rows" not in found:
            return False
        rows: dict[str, Json] = json.loads(str(found["rows"]))
        doubtful = {node: _in_doubt(node, row, epoch) for node, row in rows.items()}
        await self._write(key, str(found["reason"]) or None, doubtful, message, epoch)
        return True

    async def _write(
        self,
        key: MessageKey,
        reason: str | None,
        rows: dict[str, Json],
        message: Row,
        epoch: int,
    ) -> None:
        claim = path("decisions", _claim_key(key))
        values: dict[str, Json] = {
            **rows,
            **left_new(key, message, MessageState.DONE, reason, epoch),
            f"{claim}/r{key.rev}": {"done": True},
            f"{claim}/epoch": epoch,
        }
        await self._corner.fenced(epoch, values)

    async def _has_known_ids(self, decision: Decision) -> bool:
        trades, intents = decision.trades, decision.intents
        ids = [
            *(("signals", one.signal_id) for one in decision.signals),
            *(("trades", one.trade_id) for one in trades),
            *(("intents", one.intent_id) for one in intents),
            *(("client", f"{one.account}|{one.client_id}") for one in trades),
            *(("part", str(one.part)) for one in decision.signals),
            *(("copy", f"{one.signal}|{one.account}") for one in decision.copies),
        ]
        if len(set(ids)) < len(ids):
            return True
        clients = [Query(by="client", equal_to=key) for kind, key in ids if kind == "client"]
        found = await at_once(
            [
                self._corner.each("trades", [one.trade_id for one in trades]),
                self._corner.each("intents", [one.intent_id for one in intents]),
                self._corner.each("signals", [one.signal_id for one in decision.signals]),
                self._corner.select("trades", clients),
            ]
        )
        if any(found):
            return True
        if decision.signals:
            post = await self.signals_of_message(decision.key.chat, decision.key.message)
            parts = {one.part for one in decision.signals}
            if any(one.entry_rev != decision.key.rev or one.part in parts for one in post):
                return True
        return False

    async def _replaced(self, settlement: Settlement, epoch: int) -> dict[str, Json]:
        """Return the rows of a settlement; ConflictError if one to be replaced is not stored."""
        signals = list(dict.fromkeys(copy.signal for copy in settlement.copies))
        intents, trades, sources = await at_once(
            [
                self._corner.each("intents", [one.intent_id for one in settlement.intents]),
                self._corner.each("trades", [one.trade_id for one in settlement.trades]),
                self._corner.each("signals", signals),
            ]
        )
        copies = {one: stored_copies(row) for one, row in sources.items()}
        known = (
            all(one.intent_id in intents for one in settlement.intents)
            and all(one.trade_id in trades for one in settlement.trades)
            and all(
                encode_key(one.account) in copies.get(one.signal, {}) for one in settlement.copies
            )
        )
        if not known:
            raise ConflictError("a settlement replaces stored rows, and one of them is not stored")
        values: dict[str, Json] = {
            path("intents", one.intent_id): intent_row(one, epoch) for one in settlement.intents
        }
        for trade in settlement.trades:
            decided_at = whole(trades[trade.trade_id], "decided_at")
            values[path("trades", trade.trade_id)] = trade_row(trade, decided_at, epoch)
        for one in settlement.copies:
            copies[one.signal][encode_key(one.account)] = one
        for signal, row in sources.items():
            record = _with_outcome(stored_signal(row), copies[SignalId(signal)].values())
            values[path("signals", signal)] = signal_row(record, copies[SignalId(signal)], epoch)
        return values


def _claim_key(key: MessageKey) -> str:
    return post_key(key.chat, key.message)


def _new_rows(decision: Decision, epoch: int) -> dict[str, Json]:
    decided = {one.signal_id: to_micros(one.decided_at) for one in decision.signals}
    if any(one.signal not in decided for one in decision.copies):
        raise DomainError("a decision's copies are of its own signals")
    values: dict[str, Json] = {}
    for signal in decision.signals:
        own = {
            encode_key(one.account): one
            for one in decision.copies
            if one.signal == signal.signal_id
        }
        record = signal if signal.outcome else _with_outcome(signal, own.values())
        values[path("signals", signal.signal_id)] = signal_row(record, own, epoch)
    for trade in decision.trades:
        row = trade_row(trade, decided.get(trade.signal, _UNDECIDED), epoch)
        values[path("trades", trade.trade_id)] = row
    for intent in decision.intents:
        values[path("intents", intent.intent_id)] = intent_row(intent, epoch)
    steps: Row = {"steps": steps_text(decision.trace), "epoch": epoch}
    values[path("traces", revision_key(decision.key))] = steps
    return values


def _with_outcome(signal: SignalRecord, copies: Iterable[Copy]) -> SignalRecord:
    own = sorted(copies, key=lambda one: one.account)
    if not own:
        return signal
    return replace(signal, outcome=outcome_of(own), reason=reason_of(own))


def _in_doubt(node: str, row: Json, epoch: int) -> Json:
    if not isinstance(row, dict):
        return row
    if not node.startswith("intents/"):
        return {**row, "epoch": epoch}
    intent = stored_intent(row)
    if intent.state is IntentState.SENDING:
        # Whoever claimed it is gone; whether it was sent, only the broker can say.
        intent = replace(intent, state=IntentState.UNKNOWN, reason="restarted")
    return intent_row(intent, epoch)


def _by_age(intents: Iterable[Intent]) -> tuple[Intent, ...]:
    return tuple(sorted(intents, key=lambda one: (one.created_at, one.intent_id)))
