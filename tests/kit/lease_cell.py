"""Lease keepers of one cell over registers and a store in memory, on virtual time."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, cast

from kit.clock import LoopClock
from kit.counting_metrics import CountingMetrics
from signalfleet.adapters.memory import MemoryStore
from signalfleet.adapters.memory.registers import MemoryRegisters
from signalfleet.bots.lease_keeper import LeaseKeeper
from signalfleet.bots.lease_terms import KeeperPorts, KeeperTerms
from signalfleet.ports.errors import StoreUnavailableError
from signalfleet.ports.registers import Registers
from signalfleet.ports.store import Fleet

CELL: Final = "c1"
TTL: Final = 10.0
SLOTS: Final = 12


@dataclass(slots=True)
class NotedBots:
    """Port SlotBots. `owned` is shared: a slot taken while another one has it is an overlap."""

    name: str
    owned: dict[int, set[str]]
    overlaps: list[int]
    weights: Mapping[int, int]
    start_s: float = 0.0
    settle_s: float = 0.5
    epochs: dict[int, int] = field(default_factory=dict)
    started: set[int] = field(default_factory=set)
    taken: list[dict[int, int]] = field(default_factory=list)
    released: list[set[int]] = field(default_factory=list)
    dropped: list[set[int]] = field(default_factory=list)

    async def take(self, epochs: Mapping[int, int]) -> None:
        self.taken.append(dict(epochs))
        for slot, epoch in epochs.items():
            self.epochs[slot] = epoch
            there = self.owned.setdefault(slot, set())
            if there - {self.name}:
                self.overlaps.append(slot)
            there.add(self.name)
        if self.start_s:
            await LoopClock().sleep(timedelta(seconds=self.start_s))
        self.started.update(epochs)

    async def release(self, slots: Collection[int]) -> None:
        self.released.append(set(slots))
        await LoopClock().sleep(timedelta(seconds=self.settle_s))
        self.forget(slots)

    async def drop(self, slots: Collection[int]) -> None:
        self.dropped.append(set(slots))
        self.forget(slots)

    def load(self) -> Mapping[int, int]:
        return {
            slot: self.weights.get(slot, 0) if slot in self.started else 0 for slot in self.epochs
        }

    def forget(self, slots: Iterable[int]) -> None:
        for slot in list(slots):
            self.epochs.pop(slot, None)
            self.started.discard(slot)
            self.owned.get(slot, set()).discard(self.name)


@dataclass(slots=True)
class CutFleet:
    """The store's part, which one worker may not reach."""

    fleet: Fleet
    is_cut: bool = False

    def __getattr__(self, name: str) -> Any:
        if self.is_cut:
            raise StoreUnavailableError("cut off")
        return getattr(self.fleet, name)


@dataclass(slots=True)
class CutRegisters:
    """The registers, which one worker may not reach; what it asks then waits for ever."""

    registers: MemoryRegisters
    is_cut: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.registers, name)

    async def put(self, key: str, value: Mapping[str, object], revision: int) -> int:
        await self._way()
        return await self.registers.put(key, value, revision)

    async def delete(self, key: str, revision: int) -> None:
        await self._way()
        await self.registers.delete(key, revision)

    async def _way(self) -> None:
        if self.is_cut:
            await asyncio.get_running_loop().create_future()


@dataclass(slots=True, kw_only=True)
class Kept:
    """One worker."""

    name: str
    keeper: LeaseKeeper
    bots: NotedBots
    metrics: CountingMetrics
    fleet: CutFleet
    registers: CutRegisters
    task: asyncio.Task[Any]

    @property
    def slots(self) -> set[int]:
        return set(self.bots.epochs)


@dataclass(slots=True)
class LeaseCell:
    """`weights`: how many bots each slot has. `start_s`: until their users are read."""

    weights: dict[int, int] = field(default_factory=dict)
    start_s: float = 0.0
    registers: MemoryRegisters = field(default_factory=MemoryRegisters)
    store: MemoryStore = field(default_factory=lambda: MemoryStore(cell=CELL))
    owned: dict[int, set[str]] = field(default_factory=dict)
    overlaps: list[int] = field(default_factory=list)
    workers: list[Kept] = field(default_factory=list)

    def start(self, name: str, *, capacity: int = 100) -> Kept:
        metrics = CountingMetrics()
        fleet = CutFleet(self.store.fleet)
        registers = CutRegisters(self.registers)
        keeper = LeaseKeeper(
            KeeperPorts(
                fleet=cast("Fleet", fleet),
                registers=cast("Registers", registers),
                clock=LoopClock(),
                metrics=metrics,
            ),
            KeeperTerms(
                cell=CELL,
                worker=name,
                capacity=capacity,
                server_capacity=capacity,
                ttl_s=TTL,
                slots=SLOTS,
            ),
        )
        bots = NotedBots(name, self.owned, self.overlaps, self.weights, self.start_s)
        task = asyncio.create_task(keeper.run(bots), name=name)
        kept = Kept(
            name=name,
            keeper=keeper,
            bots=bots,
            metrics=metrics,
            fleet=fleet,
            registers=registers,
            task=task,
        )
        self.workers.append(kept)
        return kept

    async def kill(self, kept: Kept) -> None:
        """End a worker without a word; the system closes what it had open."""
        kept.task.cancel()
        await asyncio.wait([kept.task])
        kept.bots.forget(list(kept.bots.epochs))
        self.workers.remove(kept)

    async def aclose(self) -> None:
        for kept in list(self.workers):
            await self.kill(kept)

    def all_owned_once(self) -> bool:
        return all(len(self.owned.get(slot, set())) == 1 for slot in range(SLOTS))

    async def epochs(self) -> Mapping[int, int]:
        return await self.store.fleet.slot_epochs(CELL, range(SLOTS))
