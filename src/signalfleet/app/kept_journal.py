"""A user's journal that remembers what is in play, so that only what is over is read again.

The bot that owns the user's slot is the only one who writes these rows: whoever else would has a
newer epoch, and then our next write is refused. What a write comes to that failed or was cancelled
nobody knows: it may still be on its way to the database. The book is dropped then, and the journal
itself is asked until every write that had begun is surely over.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from signalfleet.app.live_book import LiveBook, Play, UnknownRowError, copies_of, trades_of
from signalfleet.domain.ids import AccountId, IntentId, SignalId, TradeId
from signalfleet.domain.trading.intents import Intent
from signalfleet.domain.trading.records import Copy, Decision, Settlement, SignalRecord, Trade
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import StoreInDoubtError, StoreUnavailableError
from signalfleet.ports.store import DecideResult, OrderJournal

T = TypeVar("T")

TRIES: Final = 3
OVER_AFTER_S: Final = 12.0
"""Longer than a store lets a write take, its queue included."""


class KeptJournal:
    """Port OrderJournal over another one. What is not changed here goes straight to it."""

    def __init__(self, journal: OrderJournal, clock: Clock, quota_used: Callable[[], None]) -> None:
        """`quota_used` is called after whatever may have used up something of a day's quota."""
        self._journal = journal
        self._quota_used = quota_used
        self._clock = clock
        self._doubtful_until = -math.inf
        self._book: LiveBook | None = None
        self._writes = 0
        self._settles = 0
        self._settling = 0
        self._writing = 0
        self._loading = asyncio.Lock()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - The journal's own method.
        return getattr(self._journal, name)

    async def decide(self, decision: Decision, epoch: int) -> DecideResult:
        with self._written():
            try:
                result = await self._journal.decide(decision, epoch)
            finally:
                if decision.quota is not None:
                    self._quota_used()
            if result is not DecideResult.CLAIMED:
                self._book = None
            elif self._book is not None:
                self._book.decided(decision)
        return result

    async def settle(self, settlement: Settlement, epoch: int) -> None:
        self._settles += 1
        number, is_alone = self._settles, not self._settling
        with self._written():
            self._settling += 1
            try:
                await self._journal.settle(settlement, epoch)
            finally:
                self._settling -= 1
            if not is_alone or number != self._settles:
                # Another one was under way: whose rows are the newer ones, the store knows.
                self._book = None
            elif self._book is not None:
                self._book.settled(settlement)

    async def open_intents(self) -> tuple[Intent, ...]:
        book = await self._read()
        return await self._journal.open_intents() if book is None else book.open_intents()

    async def live_trades(self, account: AccountId | None = None) -> tuple[Trade, ...]:
        book = await self._read()
        if book is None:
            return await self._journal.live_trades(account)
        return book.live_trades(account)

    async def get_trade(self, trade_id: TradeId) -> Trade | None:
        book = await self._read()
        found = None if book is None else book.trade(trade_id)
        return found or await self._journal.get_trade(trade_id)

    async def get_signal(self, signal_id: SignalId) -> SignalRecord | None:
        book = await self._read()
        found = None if book is None else book.record(signal_id)
        return found or await self._journal.get_signal(signal_id)

    async def get_intents(self, intents: Sequence[IntentId]) -> tuple[Intent, ...]:
        book = await self._read()
        found = None if book is None else book.intents(intents)
        return await self._journal.get_intents(intents) if found is None else found

    async def intents_of_trades(self, trades: Sequence[TradeId]) -> tuple[Intent, ...]:
        book = await self._read()
        found = None if book is None else book.intents_of(trades)
        return await self._journal.intents_of_trades(trades) if found is None else found

    async def trades_of_signals(self, signals: Sequence[SignalId]) -> tuple[Trade, ...]:
        ask = self._journal.trades_of_signals
        return await self._of_signals(signals, trades_of, ask, lambda trade: trade.signal)

    async def copies_of_signals(self, signals: Sequence[SignalId]) -> tuple[Copy, ...]:
        ask = self._journal.copies_of_signals
        return await self._of_signals(signals, copies_of, ask, lambda copy: copy.signal)

    async def _of_signals(
        self,
        signals: Sequence[SignalId],
        known: Callable[[Play], list[T]],
        ask: Callable[[Sequence[SignalId]], Awaitable[tuple[T, ...]]],
        signal_of: Callable[[T], SignalId],
    ) -> tuple[T, ...]:
        """Return the rows of each signal in the order of the signals; ask for what is over."""
        book = await self._read()
        if book is None:
            return await ask(signals)
        wanted = dict.fromkeys(signals)
        found: dict[SignalId, list[T]] = {}
        for signal in wanted:
            play = book.play(signal)
            if play is not None:
                found[signal] = known(play)
        others = [signal for signal in wanted if signal not in found]
        for row in await ask(others) if others else ():
            found.setdefault(signal_of(row), []).append(row)
        return tuple(row for signal in wanted for row in found.get(signal, ()))

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Count a write, and drop the book with one that did not end well."""
        self._writes += 1
        self._writing += 1
        try:
            yield
        except UnknownRowError:
            self._book = None
        except StoreUnavailableError as error:
            if isinstance(error, StoreInDoubtError):
                self._doubt()
            raise  # Else nothing was written.
        except BaseException:
            self._doubt()
            raise
        finally:
            self._writing -= 1

    def _doubt(self) -> None:
        self._book = None
        self._doubtful_until = self._clock.monotonic() + OVER_AFTER_S

    async def _read(self) -> LiveBook | None:
        """Return the book, read anew if it was dropped; None if it cannot be read just now."""
        if self._book is not None:
            return self._book
        if self._clock.monotonic() < self._doubtful_until:
            return None
        async with self._loading:
            for _ in range(TRIES):
                if self._book is not None or self._writing:
                    break
                writes = self._writes
                try:
                    book = await self._load()
                except StoreUnavailableError:
                    break  # The journal may know an answer to the one question all the same.
                if writes == self._writes:
                    self._book = book
        return self._book

    async def _load(self) -> LiveBook:
        journal, book = self._journal, LiveBook()
        live, under_way = await journal.live_trades(), await journal.open_intents()
        ended = {one.trade for one in under_way} - {trade.trade_id for trade in live}
        others = [await journal.get_trade(trade) for trade in sorted(ended)]
        signals = _signals_of((*live, *(one for one in others if one is not None)))
        if not signals:
            return book
        trades = await journal.trades_of_signals(signals)
        copies = await journal.copies_of_signals(signals)
        intents = await journal.intents_of_trades([trade.trade_id for trade in trades])
        for signal in signals:
            play = Play(signal, await journal.get_signal(signal))
            play.trades = {one.trade_id: one for one in trades if one.signal == signal}
            play.copies = {one.account: one for one in copies if one.signal == signal}
            for intent in intents:
                if intent.trade in play.trades:
                    play.add_intent(intent)
            book.put(play)
        return book


def _signals_of(trades: Iterable[Trade]) -> list[SignalId]:
    return list(dict.fromkeys(trade.signal for trade in trades))
