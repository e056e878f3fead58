"""A queue that cannot be reached is tried again, but not by all slots together each second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

from kit.clock import LoopClock, settle_down
from signalfleet.adapters.memory.bus import MemoryBus
from signalfleet.bots.slot_doors import SlotDoors
from signalfleet.ports.bus import WorkDelivery, WorkItem
from signalfleet.ports.errors import TemporaryError

MINUTE = 60
SLOTS = range(64)


class CutBus(MemoryBus):
    """The bus of a cell whose server is away; notes when each slot asked for it."""

    def __init__(self) -> None:
        super().__init__()
        self.tries: list[tuple[float, int]] = []

    @asynccontextmanager
    async def work(self, slot: int, epoch: int) -> AsyncIterator[AsyncIterator[WorkDelivery]]:
        del epoch
        self.tries.append((asyncio.get_running_loop().time(), slot))
        raise TemporaryError("cut off")
        yield  # type: ignore[unreachable]


async def nothing(item: WorkItem) -> None:
    raise AssertionError(item)


def never_lost(slot: int, epoch: int) -> NoReturn:
    raise AssertionError(slot, epoch)


async def test_slots_that_lost_the_queue_knock_apart_and_ever_more_seldom() -> None:
    bus = CutBus()
    doors = SlotDoors(
        cell="c", bus=bus, clock=LoopClock(), answer=None, took=nothing, lost=never_lost
    )
    async with asyncio.TaskGroup() as tasks:
        for slot in SLOTS:
            doors.listen(slot, 1, tasks)
        await settle_down(MINUTE)
        await doors.close(SLOTS)
    of_one = [at for at, slot in bus.tries if slot == 5]
    assert 5 <= len(of_one) <= 9
    later = [round(at, 3) for at, _ in bus.tries[len(SLOTS) :]]
    assert max(later.count(at) for at in later) <= len(SLOTS) // 8
