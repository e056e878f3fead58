"""A cell of simulated workers: the product's keepers over shared registers and a shared store."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from drills.leases.book import Book
from drills.leases.bots import SimBots
from drills.leases.plan import SLOTS, TTL_S, Event, Fault, Script
from drills.leases.wires import Process, WiredFleet, WiredRegisters, WorkerClock
from signalfleet.adapters.memory import MemoryStore
from signalfleet.adapters.memory.registers import MemoryRegisters
from signalfleet.bots.lease_keeper import LeaseKeeper
from signalfleet.bots.lease_terms import KeeperPorts, KeeperTerms
from signalfleet.domain.ids import UserId

CELL: Final = "c1"
WATCHDOG_S: Final = 0.5 * TTL_S
RESTART_S: Final = 1.0
LINGER_S: Final = 2.0
ALLOWED_S: Final = 2.0
SLOW_ALLOWED_S: Final = 20.0
"""Where one way in ten takes more than a second: about six of them follow each other."""


class NoMetrics:
    """Port Metrics, not looked at."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None: ...

    def gauge(self, name: str, value: float, **labels: str) -> None: ...

    def observe(self, name: str, seconds: float, **labels: str) -> None: ...

    def distribution(self, name: str, values: Sequence[float]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabotage:
    """Which guard is taken out, to see that the laws notice."""

    no_epoch_check: bool = False
    no_gate: bool = False
    blind_burial: bool = False


@dataclass(slots=True, kw_only=True)
class Worker:
    process: Process
    bots: SimBots
    keeper: LeaseKeeper
    task: asyncio.Task[Any]


@dataclass(slots=True)
class Cell:
    script: Script
    rng: random.Random
    sabotage: Sabotage
    book: Book = field(default_factory=Book)
    registers: MemoryRegisters = field(default_factory=MemoryRegisters)
    store: MemoryStore = field(default_factory=lambda: MemoryStore(cell=CELL))
    workers: dict[int, Worker] = field(default_factory=dict)
    lives: int = 0
    running: set["asyncio.Task[Any]"] = field(default_factory=set)
    leaving: list["asyncio.Task[None]"] = field(default_factory=list)

    async def run(self) -> None:
        """Play the script, then let the cell come to rest and look whether everything is owned."""
        for place in range(self.script.workers):
            self.start(place)
        async with asyncio.TaskGroup() as tasks:
            for event in self.script.events:
                tasks.create_task(self._happen(event))
        await self._expect_all_owned()
        await asyncio.sleep(LINGER_S)  # What was held back arrives now.
        for worker in list(self.workers.values()):
            self._end(worker)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest)

    def start(self, place: int) -> None:
        if place in self.workers:
            return  # The lock of that place is held.
        self.lives += 1
        rates = self.script.rates
        process = Process(
            name=f"s{place}.0.{self.lives}",
            rng=random.Random(self.rng.random()),
            rate=rates[place % len(rates)],
            slow=self.script.slow,
        )
        clock = WorkerClock(process)
        fleet = WiredFleet(
            self.store.fleet, process, self.running, is_fencing=not self.sabotage.no_epoch_check
        )
        ports = KeeperPorts(
            fleet=fleet.as_port(),
            registers=WiredRegisters(
                self.registers, process, self.running, is_blind=self.sabotage.blind_burial
            ),
            clock=clock,
            metrics=NoMetrics(),
        )
        terms = KeeperTerms(
            cell=CELL,
            worker=process.name,
            capacity=100,
            server_capacity=100,
            ttl_s=TTL_S,
            slots=SLOTS,
        )
        keeper = LeaseKeeper(ports, terms)
        bots = SimBots(
            cell=CELL,
            process=process,
            clock=clock,
            fleet=fleet,
            book=self.book,
            weights=self.script.weights,
            lease=keeper.lease_of(UserId("u_" + "a" * 16)),
            has_gate=not self.sabotage.no_gate,
        )
        task = asyncio.create_task(keeper.run(bots), name=process.name)
        self.workers[place] = Worker(process=process, bots=bots, keeper=keeper, task=task)
        self._tell(f"{process.name} starts")

    async def _happen(self, event: Event) -> None:
        await asyncio.sleep(max(event.at - self._now(), 0.0))
        worker = self.workers.get(event.place)
        self._tell(f"{event.fault} of {event.place} for {event.lasts:.1f} s")
        if event.fault is Fault.WIPE:
            self.registers.wipe()
        elif event.fault is Fault.REGISTERS_AWAY:
            await self._all_cut(event.lasts)
        elif event.fault is Fault.JOIN:
            self.start(len(self.workers) + self.lives)
        elif worker is not None:
            await self._befall(event, worker)

    async def _befall(self, event: Event, worker: Worker) -> None:
        process = worker.process
        if event.fault is Fault.KILL:
            self._end(worker)
        elif event.fault is Fault.RESTART:
            self._end(worker)
            await asyncio.sleep(RESTART_S)
            self.start(event.place)
        elif event.fault is Fault.FREEZE:
            await self._freeze(event, worker)
        elif event.fault is Fault.NO_REGISTERS:
            process.cut_from_registers = True
            process.hears.clear()
            await asyncio.sleep(event.lasts)
            process.cut_from_registers = False
            process.hears.set()
        elif event.fault is Fault.NO_STORE:
            process.cut_from_store = True
            await asyncio.sleep(event.lasts)
            process.cut_from_store = False
        elif event.fault is Fault.DEAF:
            process.hears.clear()
            await asyncio.sleep(event.lasts)
            process.hears.set()
        elif event.fault is Fault.DRAIN:
            self.leaving.append(asyncio.create_task(self._drain(worker)))

    async def _drain(self, worker: Worker) -> None:
        await worker.keeper.drain()
        self._end(worker)

    async def _freeze(self, event: Event, worker: Worker) -> None:
        process = worker.process
        process.awake.clear()
        self.book.frozen.add(process.name)
        if self.script.has_watchdog and event.lasts > WATCHDOG_S:
            self.book.frozen.discard(process.name)
            await asyncio.sleep(WATCHDOG_S)
            self._end(worker)
            await asyncio.sleep(RESTART_S)
            self.start(event.place)
            return
        await asyncio.sleep(event.lasts)
        process.awake.set()

    async def _all_cut(self, lasts: float) -> None:
        cut = list(self.workers.values())
        for worker in cut:
            worker.process.cut_from_registers = True
            worker.process.hears.clear()
        await asyncio.sleep(lasts)
        for worker in cut:
            worker.process.cut_from_registers = False
            worker.process.hears.set()

    def _end(self, worker: Worker) -> None:
        """The process ends at once. What it has asked of others may still happen."""
        if worker not in self.workers.values():
            return
        if worker.task.done():
            self.book.breaks(self._now(), f"{worker.process.name}: {worker.task.exception()!r}")
        self._tell(f"{worker.process.name} is gone")
        worker.task.cancel()
        worker.process.awake.set()  # What was cancelled must be able to end.
        worker.bots.die()
        self.book.die(worker.process.name)
        for place, one in list(self.workers.items()):
            if one is worker:
                del self.workers[place]

    async def _expect_all_owned(self) -> None:
        """After the last fault: within a lease and two seconds each slot has its one owner."""
        if not self.workers:
            return
        limit = TTL_S + (SLOW_ALLOWED_S if self.script.slow else ALLOWED_S)
        if any(event.fault is Fault.WIPE for event in self.script.events):
            limit += TTL_S  # Nobody may think that a slot without a register is free.
        for task in list(self.leaving):
            with suppress(asyncio.CancelledError):
                await task
        if not self.workers:
            return
        end = self._now() + limit
        while left := self.book.unowned(SLOTS):
            if self._now() > end:
                self.book.breaks(self._now(), f"L5 {limit:.0f} s after the last fault: {left}")
                return
            await asyncio.sleep(0.1)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _tell(self, text: str) -> None:
        self.book.tell(self._now(), text)
