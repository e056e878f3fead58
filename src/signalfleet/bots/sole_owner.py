"""The one process that works on a data directory owns all slots, and nobody can take them over."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NoReturn

import structlog

from signalfleet.app.claim_slots import claim_slots
from signalfleet.bots.slot_bots import SlotBots
from signalfleet.domain.ids import SLOTS, UserId
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import FencedError, PortError
from signalfleet.ports.lease import Lease
from signalfleet.ports.store import Fleet

log = structlog.get_logger()

CHECK: Final = timedelta(seconds=5)


class SoleOwner:
    """Ownership without a lease: the lock on the data directory keeps every other worker out.

    Writes are fenced all the same, for the process that was here before may not have ended yet.
    `run` raises FencedError if another one, with a data directory of its own, took slots over.
    """

    def __init__(
        self,
        fleet: Fleet,
        clock: Clock,
        *,
        cell: str,
        worker: str,
        slots: Sequence[int] = range(SLOTS),
    ) -> None:
        self._fleet = fleet
        self._clock = clock
        self._cell = cell
        self._worker = worker
        self._slots = slots
        self._bots: SlotBots | None = None

    async def run(self, bots: SlotBots) -> NoReturn:
        epoch = await claim_slots(self._fleet, self._cell, self._slots, self._worker)
        log.info("slots_claimed", count=len(self._slots), epoch=epoch)
        self._bots = bots
        await bots.take(dict.fromkeys(self._slots, epoch))
        while True:
            await self._clock.sleep(CHECK)
            held = bots.load()
            lost = [slot for slot in self._slots if slot not in held]
            if lost:
                await self._require_own(lost, epoch)

    async def _require_own(self, slots: Sequence[int], epoch: int) -> None:
        try:
            stored = await self._fleet.slot_epochs(self._cell, slots)
        except PortError:
            return
        if max(stored.values()) > epoch:
            # Taking them back would only begin a quarrel that nobody wins.
            raise FencedError(
                "another process trades for the users of this database: end one of the two, or "
                "run workers that share them with `signalfleet run --role supervisor`"
            )

    async def drain(self) -> None:
        if self._bots is not None:
            await self._bots.release(self._slots)

    def lease_of(self, user: UserId) -> Lease | None:  # noqa: ARG002 - The same for everybody.
        return None
