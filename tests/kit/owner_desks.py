"""Desks at the address of the owner of some users' slots, as a worker has them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from signalfleet.bots.questions import Questions
from signalfleet.domain.ids import SLOTS, UserId
from signalfleet.ports.bus import Answerer, Bus, owner_address, slot_address

CELL = "c1"


@asynccontextmanager
async def owner_desks(bus: Bus, *users: UserId, **desks: Answerer) -> AsyncIterator[None]:
    """Let the desks answer about these users, or about all, for the length of the block."""
    questions = Questions()
    questions.add(desks)
    async with asyncio.TaskGroup() as tasks:
        serving = []
        own = {owner_address(CELL, user) for user in users}
        opened = []
        for address in own or {slot_address(CELL, number) for number in range(SLOTS)}:
            ready = asyncio.Event()
            opened.append(ready)
            serving.append(tasks.create_task(bus.serve(address, questions.answer, ready=ready)))
        for ready in opened:
            await ready.wait()
        try:
            yield
        finally:
            for task in serving:
                task.cancel()
