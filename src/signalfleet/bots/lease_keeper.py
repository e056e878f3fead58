"""Ownership by leases: many workers of a cell share its slots, and take over from the dead."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import NoReturn

import structlog

from signalfleet.bots.heartbeat import Heartbeat
from signalfleet.bots.leader import Leader
from signalfleet.bots.lease_records import WATCHED, WorkerRecord
from signalfleet.bots.lease_terms import (
    DRAIN_LIMIT_S,
    DROP_SHARE,
    PROTOCOL,
    SIDE_BY_SIDE,
    STORE_AWAY_SHARE,
    STORE_CHECK_SHARE,
    TICK_SHARE,
    KeeperPorts,
    KeeperTerms,
)
from signalfleet.bots.lease_view import LeaseView
from signalfleet.bots.placement import WorkerFacts
from signalfleet.bots.slot_bots import SlotBots
from signalfleet.bots.slot_claims import SlotClaims
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import PortError, TemporaryError
from signalfleet.ports.lease import FENCE_SHARE, Lease

log = structlog.get_logger()


class LeaseKeeper:
    """Keeps a worker's lease, and claims and hands over slots as the leader plans it.

    `pressure` gives the used share, 0 to 1, of what the worker is short of besides places.
    """

    def __init__(
        self,
        ports: KeeperPorts,
        terms: KeeperTerms,
        *,
        pressure: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._ports = ports
        self._terms = terms
        self._pressure = pressure
        self._view = LeaseView(ports.clock.monotonic, terms.ttl_s)
        self._heartbeat = Heartbeat(ports, terms, record=self._record, on_gone=self._on_gone)
        self._lease = self._heartbeat.lease
        self._claims = SlotClaims(ports, terms, self._view, self._lease)
        self._leader = Leader(ports, terms, self._view, self._lease)
        self._changed = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._beating: asyncio.Task[NoReturn] | None = None
        self._watching: list[asyncio.Task[NoReturn]] = []
        self._is_draining = False
        self._store_away_since: float | None = None

    async def run(self, bots: SlotBots) -> NoReturn:
        self._claims.use(bots)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._watch_all()
            self._beating = tasks.create_task(self._heartbeat.run(), name="heartbeat")
            tasks.create_task(self._guard(), name="lease_guard")
            tasks.create_task(self._probe_store(), name="store_probe")
            while True:
                await self._step()
                await self._pause()
        raise AssertionError("an endless loop ended")

    async def drain(self) -> None:
        self._is_draining = self._claims.is_closed = True
        if self._tasks is None:
            return
        self._heartbeat.beat_soon()
        try:
            async with asyncio.timeout(DRAIN_LIMIT_S):
                try:
                    await self._leader.resign()
                except TemporaryError:
                    log.warning("lead_not_left")
                while self._claims.held:
                    left = [one for one in self._claims.held if not self._claims.is_busy(one)]
                    self._claims.reserve(left)
                    await self._claims.hand_over(left)
                    await self._sleep(TICK_SHARE / 10)
        except TimeoutError:
            log.error("drain_timed_out", slots_left=len(self._claims.held))  # noqa: TRY400
        if self._beating is not None:
            self._beating.cancel()
        if not self._claims.held:
            await self._heartbeat.leave()

    def lease_of(self, user: UserId) -> Lease | None:  # noqa: ARG002 - One lease for all slots.
        return self._lease

    @property
    def may_own(self) -> bool:
        """Tell whether this worker may have slots at all."""
        return not self._is_draining and self._view.min_version <= PROTOCOL

    def _record(self) -> WorkerRecord:
        facts = WorkerFacts(
            worker=self._terms.worker,
            server=self._terms.server,
            capacity=self._terms.capacity,
            server_capacity=self._terms.server_capacity,
            takes_slots=self.may_own,
            pressure=self._pressure(),
        )
        return WorkerRecord(facts=facts, is_able=self._reaches_store(), load=self._claims.load())

    async def _on_gone(self) -> None:
        """Others took us for dead, or the registers were lost: begin as a new worker would."""
        log.error("lease_lost", held=len(self._claims.held))
        self._count_loss()
        self._view.reset()
        self._watch_all()
        await self._claims.drop(list(self._claims.held))

    async def _guard(self) -> NoReturn:
        """Break everything off when the lease was not renewed in time."""
        while True:
            age = self._lease.age_s()
            left = FENCE_SHARE * self._terms.ttl_s - age
            self._ports.metrics.gauge("signalfleet_lease_seconds_left", max(left, 0.0))
            if age >= DROP_SHARE * self._terms.ttl_s and self._claims.held:
                log.error("lease_over", held=len(self._claims.held))
                self._count_loss()
                await self._claims.drop(list(self._claims.held))
            await self._sleep(TICK_SHARE)

    def _count_loss(self) -> None:
        if self._claims.held:
            self._ports.metrics.count("signalfleet_lease_losses_total")

    async def _probe_store(self) -> NoReturn:
        """Notice when this worker does not reach the store; others may."""
        while True:
            try:
                await self._ports.fleet.slot_epochs(self._terms.cell, (0,))
            except PortError:
                if self._store_away_since is None:
                    self._store_away_since = self._ports.clock.monotonic()
            else:
                self._store_away_since = None
            await self._sleep(STORE_CHECK_SHARE)

    def _reaches_store(self) -> bool:
        since = self._store_away_since
        limit = STORE_AWAY_SHARE * self._terms.ttl_s
        return since is None or self._ports.clock.monotonic() - since < limit

    def _watch_all(self) -> None:
        for task in self._watching:
            task.cancel()
        if self._tasks is not None:
            self._watching = [
                self._tasks.create_task(self._watch(bucket), name=f"watch:{bucket}")
                for bucket in WATCHED
            ]

    async def _watch(self, bucket: str) -> NoReturn:
        while True:
            try:
                async with self._ports.registers.watch(bucket) as told:
                    async for register in told:
                        self._view.hear(bucket, register)
                        self._changed.set()
            except TemporaryError as error:
                log.warning("registers_not_watched", bucket=bucket, cause=type(error).__name__)
            await self._sleep(TICK_SHARE)

    async def _step(self) -> None:
        """Compare what is with what is planned, and set right what differs."""
        if not self._view.is_complete:
            return
        try:
            await self._leader.act(may_lead=self.may_own)
        except TemporaryError as error:
            log.warning("lead_failed", cause=type(error).__name__)
        lost = self._lost()
        if lost:
            self._start(self._claims.drop(lost), "drop")
        homes = self._view.homes()
        self._give_back(homes)
        wanted = [slot for slot, home in homes.items() if home == self._terms.worker]
        missing = [slot for slot in wanted if slot not in self._claims.held]
        if self.may_own and self._lease.is_fresh:
            self._take(missing)
        self._ports.metrics.gauge("signalfleet_slots", len(self._claims.held), state="held")
        self._ports.metrics.gauge("signalfleet_slots", len(missing), state="missing")

    def _lost(self) -> list[int]:
        """Return slots that are held here and not in their register, or not by the bots."""
        forsaken = self._claims.forsaken()
        overruled = [
            slot
            for slot, held in self._claims.held.items()
            if (seen := self._view.slot(slot)).revision > held.revision
            and seen.owner.worker != self._terms.worker
        ]
        return [slot for slot in {*forsaken, *overruled} if not self._claims.is_busy(slot)]

    def _give_back(self, homes: dict[int, str]) -> None:
        """Hand over what another living worker should have, and free what is ours by name only."""
        moving = [
            slot
            for slot in self._claims.held
            if not self._claims.is_busy(slot)
            and homes.get(slot) != self._terms.worker
            and homes.get(slot) in self._view.workers
        ]
        if moving:
            self._claims.reserve(moving)
            self._start(self._claims.hand_over(moving), "hand_over")
        for slot in range(self._terms.slots):
            is_named = self._view.slot(slot).owner.worker == self._terms.worker
            is_used = slot in self._claims.held or self._claims.is_busy(slot)
            is_wanted = self.may_own and homes.get(slot) == self._terms.worker
            if is_named and not is_used and not is_wanted and self._claims.may_claim(slot):
                self._claims.reserve([slot])
                self._start(self._claims.free(slot), "free")

    def _take(self, missing: list[int]) -> None:
        ready = [
            slot
            for slot in missing
            if not self._claims.is_busy(slot) and self._claims.may_claim(slot)
        ]
        for first in range(0, len(ready), SIDE_BY_SIDE):
            some = ready[first : first + SIDE_BY_SIDE]
            self._claims.reserve(some)
            self._start(self._claims.claim(some), "claim")

    def _start(self, work: Coroutine[None, None, None], name: str) -> None:
        if self._tasks is not None:
            self._tasks.create_task(work, name=f"slots:{name}")

    async def _pause(self) -> None:
        """Wait for news, a moment at most; news that come together are taken together."""
        await self._sleep(TICK_SHARE / 10)
        async with asyncio.TaskGroup() as tasks:
            waits = [
                tasks.create_task(self._sleep(TICK_SHARE)),
                tasks.create_task(self._changed.wait()),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        self._changed.clear()

    async def _sleep(self, share: float) -> None:
        await self._ports.clock.sleep(timedelta(seconds=share * self._terms.ttl_s))
