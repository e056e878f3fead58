"""How others reach the users of a slot: its work queue, and questions about its users."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import Final, NoReturn

import structlog

from signalfleet.ports.bus import Answerer, Bus, WorkItem, slot_address
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import FencedError, PortError

log = structlog.get_logger()

AGAIN_S: Final = 1.0
AGAIN_AT_MOST_S: Final = 15.0
STEADY_S: Final = 30.0
"""A door that was open for so long begins again with the shortest pause."""
SPREAD: Final = 32
CLOSE_GRACE_S: Final = 3.0


class SlotDoors:
    """One task for each slot's questions, and one for the work of a slot that has users.

    `took` gets what was taken from a queue; `lost` is called if the queue has a newer owner.
    """

    def __init__(
        self,
        *,
        cell: str,
        bus: Bus,
        clock: Clock,
        answer: Answerer | None,
        took: Callable[[WorkItem], Awaitable[None]],
        lost: Callable[[int, int], None],
    ) -> None:
        self._cell = cell
        self._bus = bus
        self._clock = clock
        self._answer = answer
        self._took = took
        self._lost = lost
        self._questions: dict[int, asyncio.Task[None]] = {}
        self._work: dict[int, asyncio.Task[None]] = {}

    def open(self, number: int, tasks: asyncio.TaskGroup) -> None:
        """Answer questions about the slot's users from now on."""
        if self._answer is not None and number not in self._questions:
            serving = self._serve(number, self._answer)
            self._questions[number] = tasks.create_task(serving, name=f"questions:{number}")

    def listen(self, number: int, epoch: int, tasks: asyncio.TaskGroup) -> None:
        """Take the slot's work from now on; what was begun already stays as it is."""
        if number not in self._work:
            taking = self._take(number, epoch)
            self._work[number] = tasks.create_task(taking, name=f"work:{number}")

    async def close(self, slots: Collection[int]) -> None:
        """Close both doors of the slots, in a bounded time."""
        closing = self.shut(slots)
        if closing:
            await asyncio.wait(closing, timeout=CLOSE_GRACE_S)

    def shut(self, slots: Collection[int]) -> list[asyncio.Task[None]]:
        """Begin to close the doors; return what is still on its way out."""
        found = [doors.pop(n, None) for doors in (self._questions, self._work) for n in slots]
        closing = [task for task in found if task is not None]
        for task in closing:
            task.cancel()
        return closing

    async def _serve(self, number: int, answer: Answerer) -> NoReturn:
        pauses = _Pauses(self._clock, number)
        while True:
            try:
                await self._bus.serve(slot_address(self._cell, number), answer)
            except PortError as error:
                log.warning("questions_unreachable", slot=number, cause=type(error).__name__)
            await pauses.wait()

    async def _take(self, number: int, epoch: int) -> None:
        """Pass on what wakes bots; the rows hold the work, so a wake-up is acked at once."""
        pauses = _Pauses(self._clock, number)
        while True:
            try:
                async with self._bus.work(number, epoch) as deliveries:
                    async for delivery in deliveries:
                        await self._took(delivery.item)
                        await delivery.ack()
            except FencedError:
                log.warning("slot_lost", slot=number)
                self._lost(number, epoch)
                return
            except PortError as error:
                log.warning("work_queue_lost", slot=number, cause=type(error).__name__)
                await pauses.wait()


class _Pauses:
    """Longer and longer, and apart by slot: doors that close together must not knock together."""

    def __init__(self, clock: Clock, number: int) -> None:
        self._clock = clock
        self._share = 0.75 + (number % SPREAD) / (2 * SPREAD)
        self._failures = 0
        self._opened = clock.monotonic()

    async def wait(self) -> None:
        """Wait before the next try; it begins when this returns."""
        if self._clock.monotonic() - self._opened >= STEADY_S:
            self._failures = 0
        pause = min(AGAIN_S * 2.0**self._failures, AGAIN_AT_MOST_S)
        self._failures = min(self._failures + 1, 8)
        await self._clock.sleep(timedelta(seconds=pause * self._share))
        self._opened = self._clock.monotonic()
