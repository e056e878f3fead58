"""The one process that works on a data directory owns all slots, and nobody can take them over."""

import asyncio
from collections.abc import Sequence
from typing import NoReturn

import structlog

from signalfleet.app.claim_slots import claim_slots
from signalfleet.bots.slot_bots import SlotBots
from signalfleet.domain.ids import SLOTS, UserId
from signalfleet.ports.lease import Lease
from signalfleet.ports.store import Fleet

log = structlog.get_logger()


class SoleOwner:
    """Ownership without a lease: the lock on the data directory keeps every other worker out.

    Writes are fenced all the same, for the process that was here before may not have ended yet.
    """

    def __init__(
        self, fleet: Fleet, *, cell: str, worker: str, slots: Sequence[int] = range(SLOTS)
    ) -> None:
        self._fleet = fleet
        self._cell = cell
        self._worker = worker
        self._slots = slots
        self._bots: SlotBots | None = None

    async def run(self, bots: SlotBots) -> NoReturn:
        epoch = await claim_slots(self._fleet, self._cell, self._slots, self._worker)
        log.info("slots_claimed", count=len(self._slots), epoch=epoch)
        self._bots = bots
        await bots.take(dict.fromkeys(self._slots, epoch))
        await asyncio.get_running_loop().create_future()
        raise AssertionError("an endless wait ended")

    async def drain(self) -> None:
        if self._bots is not None:
            await self._bots.release(self._slots)

    def lease_of(self, user: UserId) -> Lease | None:  # noqa: ARG002 - The same for everybody.
        return None
