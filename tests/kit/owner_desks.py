"""Desks at the address of the owner of some users' slots, as a worker has them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from signalfleet.bots.questions import Questions
from signalfleet.domain.ids import UserId
from signalfleet.ports.bus import Answerer, Bus, owner_address

CELL = "c1"


@asynccontextmanager
async def owner_desks(bus: Bus, *users: UserId, **desks: Answerer) -> AsyncIterator[None]:
    """Let the desks answer about these users for the length of the block."""
    questions = Questions()
    questions.add(desks)
    async with asyncio.TaskGroup() as tasks:
        serving = []
        for address in {owner_address(CELL, user) for user in users}:
            ready = asyncio.Event()
            serving.append(tasks.create_task(bus.serve(address, questions.answer, ready=ready)))
            await ready.wait()
        try:
            yield
        finally:
            for task in serving:
                task.cancel()
