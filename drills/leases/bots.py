"""Bots of a simulated worker: a Telegram socket and now and then an order for each slot."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from drills.leases.book import Book
from drills.leases.wires import Process, WiredFleet, WorkerClock
from signalfleet.ports.errors import PortError
from signalfleet.ports.lease import FENCE_SHARE, Lease

SETTLE_S: Final = 0.5
BREAK_OFF_S: Final = 0.3
PAUSE_S: Final = 0.4


@dataclass(slots=True, kw_only=True)
class SimBots:
    """Port SlotBots. Without `has_gate` orders leave without a look at the lease."""

    cell: str
    process: Process
    clock: WorkerClock
    fleet: WiredFleet
    book: Book
    weights: Mapping[int, int]
    lease: Lease | None = None
    has_gate: bool = True
    epochs: dict[int, int] = field(default_factory=dict)
    tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)

    async def take(self, epochs: Mapping[int, int]) -> None:
        for slot, epoch in epochs.items():
            self.book.own(self._at(), self.process.name, slot, epoch)
            self.epochs[slot] = epoch
            self.tasks[slot] = asyncio.create_task(self._live(slot, epoch))

    async def release(self, slots: Collection[int]) -> None:
        mine = [slot for slot in slots if slot in self.epochs]
        self._end(mine)
        await self.clock.sleep(timedelta(seconds=self.process.rng.uniform(0, SETTLE_S)))
        self._disconnect(mine)

    async def drop(self, slots: Collection[int]) -> None:
        mine = [slot for slot in slots if slot in self.epochs]
        self._end(mine)
        await self.clock.sleep(timedelta(seconds=self.process.rng.uniform(0, BREAK_OFF_S)))
        self._disconnect(slots)

    def load(self) -> Mapping[int, int]:
        return {slot: self.weights.get(slot, 0) for slot in self.epochs}

    def die(self) -> None:
        for task in self.tasks.values():
            task.cancel()

    def _end(self, slots: Collection[int]) -> None:
        for slot in slots:
            self.epochs.pop(slot, None)
            self.tasks.pop(slot).cancel()

    def _disconnect(self, slots: Collection[int]) -> None:
        again = [slot for slot in slots if slot not in self.epochs]
        self.book.disown(self.process.name, again)
        for slot in again:
            self.book.disconnect(self.process.name, slot)
        self.book.tell(self._at(), f"{self.process.name} ended slots {sorted(again)}")

    async def _live(self, slot: int, epoch: int) -> None:
        await self.clock.sleep(timedelta(seconds=self.process.rng.uniform(0, 0.2)))
        while not self._may_act():
            await self.clock.sleep(timedelta(seconds=PAUSE_S))
        self.book.connect(self._at(), self.process.name, slot)
        while True:
            pause = self.process.rng.uniform(0, 2 * PAUSE_S)
            await self.clock.sleep(timedelta(seconds=pause))
            try:
                is_written = await self.fleet.write(
                    self.cell, slot, epoch, lambda: self._note_write(slot, epoch)
                )
            except PortError:
                continue
            if not is_written:
                self.book.refused += 1
                self._forsake(slot)
                return
            await self.clock.sleep(timedelta(seconds=self.process.rng.uniform(0, PAUSE_S)))
            if self._may_act():
                self.book.order(self._at(), self.process.name, slot, epoch)

    def _forsake(self, slot: int) -> None:
        """Somebody newer owns the slot: end it here, as a bot does whose write was refused."""
        self.epochs.pop(slot, None)
        self.tasks.pop(slot, None)
        self._disconnect([slot])

    def _note_write(self, slot: int, epoch: int) -> None:
        self.book.written(self._at(), self.process.name, slot, epoch)

    def _may_act(self) -> bool:
        lease = self.lease
        if not self.has_gate or lease is None:
            return True
        return lease.age_s() < FENCE_SHARE * lease.ttl_s

    def _at(self) -> float:
        return asyncio.get_running_loop().time()
