"""One user's journal that goes on with protective intents while the store is away."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import structlog

from signalfleet.adapters.emergency.entries import Change, Entry, EntryFile
from signalfleet.adapters.emergency.known import Known
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import AccountId, IntentId, SignalId, TradeId
from signalfleet.domain.trading.emergency import may_act_unstored
from signalfleet.domain.trading.intents import Intent
from signalfleet.domain.trading.records import Copy, Decision, Settlement, Trade
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import (
    ConflictError,
    FencedError,
    RefusedError,
    StoreUnavailableError,
)
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.store import DecideResult, OrderJournal

T = TypeVar("T")

log = structlog.get_logger()

ASK_AGAIN_S: Final = 3.0
"""How long the store is not asked again after it did not answer."""


class EmergencyJournal:
    """Port OrderJournal. What is not changed here goes straight to the store."""

    def __init__(
        self, journal: OrderJournal, file: EntryFile, clock: Clock, metrics: Metrics
    ) -> None:
        self._journal = journal
        self._file = file
        self._clock = clock
        self._metrics = metrics
        self._known = Known()
        self._lock = asyncio.Lock()
        self._away_until: float | None = None
        self._is_told = False

    def is_away(self) -> bool:
        """Tell whether the store did not answer a moment ago, so that asking would only delay."""
        return self._away_until is not None and self._clock.monotonic() < self._away_until

    def note_away(self, error: StoreUnavailableError) -> None:
        self._away_until = self._clock.monotonic() + ASK_AGAIN_S
        if not self._is_told:
            self._is_told = True
            self._metrics.count("signalfleet_store_away_total")
            log.error("store_away", cause=str(error))

    def note_written(self) -> None:
        self._away_until = None
        if self._is_told:
            self._is_told = False
            log.info("store_back")

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - The store's own method.
        return getattr(self._journal, name)

    async def recover(self, epoch: int) -> None:
        """Begin an ownership: forget what was known, and tell the store what others have left."""
        if await asyncio.to_thread(self._file.begin, epoch):
            self._known = Known()
        await self.replay(epoch)

    async def replay(self, epoch: int | None = None) -> None:
        """Write into the store what it does not know yet, in order; then forget it here."""
        if self._file.is_empty():
            return
        async with self._lock:
            if self._file.is_empty():
                return
            entries = await asyncio.to_thread(self._file.read)
            try:
                for entry in entries:
                    await self._write(entry.change, epoch or entry.epoch)
                self.note_written()
            except FencedError:
                self.note_written()
                raise  # The next owner has them.
            except (ConflictError, RefusedError, DomainError) as error:
                self.note_written()
                await asyncio.to_thread(self._file.set_aside)
                self._metrics.count("signalfleet_emergency_refused_total")
                log.error("emergency_entries_refused", cause=type(error).__name__)  # noqa: TRY400
                return
            await asyncio.to_thread(self._file.clear)
            self._known.stored()
            log.warning("emergency_entries_replayed", count=len(entries))

    async def decide(self, decision: Decision, epoch: int) -> DecideResult:
        try:
            result = await self._asked(lambda: self._journal.decide(decision, epoch))
        except StoreUnavailableError:
            if decision.signals or not decision.intents:
                raise
            await self._write_here(decision, decision.intents, epoch)
            return DecideResult.CLAIMED
        self.note_written()
        if result is DecideResult.CLAIMED:
            self._known.apply(decision)
            self._known.stored(decision)
        return result

    async def settle(self, settlement: Settlement, epoch: int) -> None:
        try:
            await self._asked(lambda: self._journal.settle(settlement, epoch))
        except StoreUnavailableError:
            intents = (*settlement.intents, *settlement.added_intents)
            await self._write_here(settlement, intents, epoch)
            return
        self.note_written()
        self._known.apply(settlement)
        self._known.stored(settlement)

    async def open_intents(self) -> tuple[Intent, ...]:
        since = self._known.mark()
        try:
            found = await self._asked(self._journal.open_intents)
        except StoreUnavailableError:
            return self._known.open_intents()
        self._known.saw_open_intents(found, since)
        return found

    async def get_intents(self, intents: Sequence[IntentId]) -> tuple[Intent, ...]:
        since = self._known.mark()
        try:
            found = await self._asked(lambda: self._journal.get_intents(intents))
        except StoreUnavailableError:
            return self._known.intents(intents)
        self._known.saw_single(intents=found, since=since)
        return found

    async def intents_of_trades(self, trades: Sequence[TradeId]) -> tuple[Intent, ...]:
        since = self._known.mark()
        try:
            found = await self._asked(lambda: self._journal.intents_of_trades(trades))
        except StoreUnavailableError:
            return self._known.intents_of(trades)
        self._known.saw_intents_of(trades, found, since)
        return found

    async def live_trades(self, account: AccountId | None = None) -> tuple[Trade, ...]:
        since = self._known.mark()
        try:
            found = await self._asked(lambda: self._journal.live_trades(account))
        except StoreUnavailableError:
            return self._known.live_trades(account)
        self._known.saw_live_trades(account, found, since)
        return found

    async def get_trade(self, trade_id: TradeId) -> Trade | None:
        since = self._known.mark()
        try:
            found = await self._asked(lambda: self._journal.get_trade(trade_id))
        except StoreUnavailableError:
            return self._known.trade(trade_id)
        if found is not None:
            self._known.saw_single(trades=(found,), since=since)
        return found

    async def trades_of_signals(self, signals: Sequence[SignalId]) -> tuple[Trade, ...]:
        since = self._known.mark()
        try:
            found = await self._asked(lambda: self._journal.trades_of_signals(signals))
        except StoreUnavailableError:
            return self._known.trades_of(signals)
        self._known.saw_trades_of(signals, found, since)
        return found

    async def copies_of_signals(self, signals: Sequence[SignalId]) -> tuple[Copy, ...]:
        try:
            found = await self._asked(lambda: self._journal.copies_of_signals(signals))
        except StoreUnavailableError:
            return self._known.copies_of(signals)
        self._known.saw_copies_of(signals, found)
        return found

    async def _asked(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ask the store, after it was told what it does not know yet."""
        if self.is_away():
            raise StoreUnavailableError("the store did not answer a moment ago")
        try:
            await self.replay()
            return await call()
        except StoreUnavailableError as error:
            self.note_away(error)
            raise

    async def _write_here(self, change: Change, intents: Sequence[Intent], epoch: int) -> None:
        """Write to the file what lessens a known risk; anything else waits for the store.

        What was seen of trades and copies may be written too: nothing is sent because of it.
        """
        for intent in intents:
            if not may_act_unstored(intent.command, self._known.find_trade(intent.trade)):
                raise StoreUnavailableError("the store is away, and this must be written first")
        async with self._lock:
            await asyncio.to_thread(self._file.append, Entry(epoch=epoch, change=change))
        self._known.apply(change)
        self._metrics.count("signalfleet_emergency_entries_total")
        log.error("emergency_entry_written", intents=[intent.intent_id for intent in intents])

    async def _write(self, change: Change, epoch: int) -> None:
        if isinstance(change, Decision):
            await self._journal.decide(change, epoch)
        else:
            await self._journal.settle(change, epoch)
