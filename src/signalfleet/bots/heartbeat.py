"""A worker's sign of life in the registers, and the lease that follows from it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NoReturn

import structlog

from signalfleet.bots.lease_records import WORKERS, WorkerRecord
from signalfleet.bots.lease_terms import (
    BEAT_LIMIT_SHARE,
    RENEW_SHARE,
    TICK_SHARE,
    KeeperPorts,
    KeeperTerms,
    WorkerLease,
)
from signalfleet.ports.errors import ConflictError, TemporaryError

log = structlog.get_logger()


class Heartbeat:
    """Renews the lease. `on_gone` is awaited when the record was deleted by others, or lost."""

    def __init__(
        self,
        ports: KeeperPorts,
        terms: KeeperTerms,
        *,
        record: Callable[[], WorkerRecord],
        on_gone: Callable[[], Awaitable[None]],
    ) -> None:
        self._ports = ports
        self._terms = terms
        self._record = record
        self._on_gone = on_gone
        self._key = WORKERS + terms.worker
        self._revision = 0
        self._hurry = asyncio.Event()
        self.lease = WorkerLease(terms.ttl_s, ports.clock.monotonic)

    async def run(self) -> NoReturn:
        """Renew until cancelled."""
        while True:
            self._hurry.clear()
            begun = self._ports.clock.monotonic()
            pause = RENEW_SHARE
            try:
                async with asyncio.timeout(BEAT_LIMIT_SHARE * self._terms.ttl_s):
                    is_there = await self._beat(begun)
            except (TemporaryError, TimeoutError, ConflictError) as error:
                # Whether it was written is not known, so it does not count.
                log.warning("lease_not_renewed", cause=type(error).__name__)
                pause = TICK_SHARE
            else:
                if not is_there:
                    self.lease.end()
                    await self._on_gone()
                    continue
            taken = self._ports.clock.monotonic() - begun
            await self._wait(max(pause * self._terms.ttl_s - taken, 0.0))

    def beat_soon(self) -> None:
        """Tell the others at once what has changed."""
        self._hurry.set()

    async def leave(self) -> None:
        """Delete the record, as nothing is owned any more; others need not wait for the end."""
        self.lease.end()
        try:
            await self._ports.registers.delete(self._key, self._revision)
        except (TemporaryError, ConflictError) as error:
            log.warning("lease_not_ended", cause=type(error).__name__)

    async def _beat(self, begun: float) -> bool:
        """Write the record anew; False if it is there no more."""
        try:
            await self._put()
        except ConflictError:
            found = await self._ports.registers.get(self._key)
            if found is None and self._revision:
                self._revision = 0
                return False
            # An earlier write of ours had an effect without an answer: nobody else writes it.
            self._revision = 0 if found is None else found.revision
            await self._put()
        self.lease.renew(begun)
        return True

    async def _put(self) -> None:
        value = self._record().to_plain()
        self._revision = await self._ports.registers.put(self._key, value, self._revision)

    async def _wait(self, seconds: float) -> None:
        async with asyncio.TaskGroup() as tasks:
            waits = [
                tasks.create_task(self._ports.clock.sleep(timedelta(seconds=seconds))),
                tasks.create_task(self._hurry.wait()),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
