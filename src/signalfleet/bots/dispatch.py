"""Which claimed intent goes out next: one at a time for each trade, protective ones first."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog

from signalfleet.domain.ids import IntentId, TradeId
from signalfleet.domain.trading.intents import Intent, Lane
from signalfleet.ports.errands import LightEvent

log = structlog.get_logger()

CALLS: Final = 4
ENTRY_CALLS: Final = 3
"""One call of an account is kept for protective intents."""


class Dispatcher:
    """Runs intents of one account beside each other within its limits.

    An intent of a trade that is busy waits for its turn. Nothing is dropped and nothing repeated.
    `added` hears of each new one, as it may be that nothing runs just now.
    """

    def __init__(
        self,
        execute: Callable[[Intent], Awaitable[None]],
        added: Callable[[], None] = lambda: None,
    ) -> None:
        self._execute = execute
        self._added = added
        self._ready: list[tuple[int, float, int, Intent]] = []
        self._sequence = 0
        self._busy: dict[TradeId, IntentId] = {}
        self._entries = 0
        self._changed = LightEvent()
        self._stopping = False

    def add(self, intents: Iterable[Intent]) -> None:
        for intent in intents:
            if self._is_known(intent):
                continue
            rank = 0 if intent.lane is Lane.PROTECTIVE else 1
            created = intent.created_at.timestamp()
            heapq.heappush(self._ready, (rank, created, self._sequence, intent))
            self._sequence += 1
            self._added()
        self._changed.set()

    def in_flight(self) -> frozenset[IntentId]:
        """Return the intents that wait or run here: their end comes from their own reply."""
        waiting = {item[3].intent_id for item in self._ready}
        return frozenset(waiting | set(self._busy.values()))

    async def run(self) -> None:
        """Run until cancelled. An intent that fails unexpectedly ends the bot: it is unknown."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._start_ready(tasks)
                await self._changed.wait()
                self._changed.clear()

    async def drain(self) -> None:
        """Start nothing more and wait until what runs has settled."""
        self._stopping = True
        while self._busy:
            self._changed.clear()
            await self._changed.wait()
            self._changed.set()
            await asyncio.sleep(0)

    def waiting(self) -> tuple[Intent, ...]:
        """Return the intents that have not begun, in the order of their turn."""
        return tuple(item[3] for item in sorted(self._ready, key=lambda item: item[:3]))

    def _is_known(self, intent: Intent) -> bool:
        return intent.intent_id in self.in_flight()

    def _start_ready(self, tasks: asyncio.TaskGroup) -> None:
        if self._stopping:
            return
        later = []
        while self._ready and len(self._busy) < CALLS:
            item = heapq.heappop(self._ready)
            intent = item[3]
            is_entry = intent.lane is Lane.ENTRY
            if intent.trade in self._busy or (is_entry and self._entries >= ENTRY_CALLS):
                later.append(item)
                continue
            self._busy[intent.trade] = intent.intent_id
            self._entries += is_entry
            tasks.create_task(self._run_one(intent), name=f"execute:{intent.intent_id}")
        for item in later:
            heapq.heappush(self._ready, item)

    async def _run_one(self, intent: Intent) -> None:
        try:
            await self._execute(intent)
        finally:
            del self._busy[intent.trade]
            self._entries -= intent.lane is Lane.ENTRY
            self._changed.set()
