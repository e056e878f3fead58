"""The ports of one simulated worker: slow, cut off, unsure, and silent while it is frozen."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar, cast

from drills.sim.loop import START
from signalfleet.adapters.memory.registers import MemoryRegisters
from signalfleet.ports.bus import Plain
from signalfleet.ports.errors import StoreUnavailableError, TemporaryError
from signalfleet.ports.registers import Register
from signalfleet.ports.store import Fleet

T = TypeVar("T")

ANSWER_LIMIT_S: Final = 2.0
HELD_SHARE: Final = 0.5
"""Of what meets a cut so much is lost; the rest is held, and arrives when the cut is over."""
HELD_LOOK_S: Final = 0.1


@dataclass(slots=True)
class Process:
    """One life of a worker as the machine sees it. A frozen one runs nothing of its own."""

    name: str
    rng: random.Random
    rate: float
    slow: float
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    hears: asyncio.Event = field(default_factory=asyncio.Event)
    cut_from_registers: bool = False
    cut_from_store: bool = False

    def __post_init__(self) -> None:
        self.awake.set()
        self.hears.set()

    def delay(self) -> float:
        """Return how long one way over the network takes."""
        if self.rng.random() < self.slow:
            return self.rng.uniform(0.05, 1.5)
        return self.rng.uniform(0.0005, 0.01)

    async def until_joined(self, is_cut: Callable[[], bool]) -> None:
        while is_cut():  # noqa: ASYNC110 - a cut is two flags and its end tells nobody
            await asyncio.sleep(HELD_LOOK_S)

    async def way(self) -> None:
        await asyncio.sleep(self.delay())


@dataclass(frozen=True, slots=True)
class WorkerClock:
    """A clock with a rate of its own, as real ones have."""

    process: Process

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() * self.process.rate

    async def sleep(self, delay: timedelta) -> None:
        await asyncio.sleep(max(delay.total_seconds(), 0.0) / self.process.rate)
        await self.process.awake.wait()


async def over_the_wire(
    process: Process,
    operation: Callable[[], Awaitable[T]],
    *,
    is_cut: Callable[[], bool],
    error: Exception,
    running: set["asyncio.Task[Any]"],
) -> T:
    """Ask and be answered. What was asked happens even if the asker dies or gives up."""
    await process.awake.wait()

    async def there() -> T:
        await process.way()
        if is_cut():
            if process.rng.random() < HELD_SHARE:
                raise error
            await process.until_joined(is_cut)
        return await operation()

    task: asyncio.Task[T] = asyncio.create_task(there())
    running.add(task)
    task.add_done_callback(running.discard)
    # Maybe nobody takes its outcome any more.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        await asyncio.wait([task], timeout=ANSWER_LIMIT_S + process.delay())
        if not task.done():
            raise error
        await process.way()
        if is_cut():
            raise error
        return task.result()
    finally:
        await process.awake.wait()


@dataclass(slots=True)
class WiredRegisters:
    """Port Registers: the shared ones, over one worker's network.

    Where `is_blind` it deletes what is there, whatever its revision.
    """

    core: MemoryRegisters
    process: Process
    running: set["asyncio.Task[Any]"]
    is_blind: bool = False

    async def get(self, key: str) -> Register | None:
        return await self._ask(lambda: self.core.get(key))

    async def put(self, key: str, value: Plain, revision: int) -> int:
        return await self._ask(lambda: self.core.put(key, value, revision))

    async def delete(self, key: str, revision: int) -> None:
        async def operation() -> None:
            found = await self.core.get(key) if self.is_blind else None
            await self.core.delete(key, revision if found is None else found.revision)

        await self._ask(operation)

    @asynccontextmanager
    async def watch(self, prefix: str) -> AsyncIterator[AsyncIterator[Register | None]]:
        yield self._told(prefix)

    async def _told(self, prefix: str) -> AsyncIterator[Register | None]:
        """Tell all anew after each time without a connection."""
        while True:
            await self.process.hears.wait()
            async with self.core.watch(prefix) as told:
                async for register in told:
                    await self.process.way()
                    if not self.process.hears.is_set():
                        break
                    await self.process.awake.wait()
                    yield register

    async def _ask(self, operation: Callable[[], Awaitable[T]]) -> T:
        return await over_the_wire(
            self.process,
            operation,
            is_cut=lambda: self.process.cut_from_registers,
            error=TemporaryError("cut off"),
            running=self.running,
        )


@dataclass(slots=True)
class WiredFleet:
    """The part of port Fleet that keepers use. Without `is_fencing` the store refuses nobody."""

    core: Fleet
    process: Process
    running: set["asyncio.Task[Any]"]
    is_fencing: bool = True

    async def slot_epochs(self, cell: str, slots: Sequence[int]) -> Mapping[int, int]:
        return await self._ask(lambda: self.core.slot_epochs(cell, slots))

    async def raise_fences(
        self, cell: str, epochs: Mapping[int, int], worker: str
    ) -> frozenset[int]:
        won = await self._ask(lambda: self.core.raise_fences(cell, epochs, worker))
        return won if self.is_fencing else frozenset(epochs)

    async def write(self, cell: str, slot: int, epoch: int, done: Callable[[], None]) -> bool:
        """Write something of a slot's user under the epoch; False if somebody newer owns it."""

        async def operation() -> bool:
            stored = (await self.core.slot_epochs(cell, [slot]))[slot]
            if self.is_fencing and stored != epoch:
                return False
            done()
            return True

        return await self._ask(operation)

    def as_port(self) -> Fleet:
        return cast("Fleet", self)

    async def _ask(self, operation: Callable[[], Awaitable[T]]) -> T:
        return await over_the_wire(
            self.process,
            operation,
            is_cut=lambda: self.process.cut_from_store,
            error=StoreUnavailableError("cut off"),
            running=self.running,
        )
