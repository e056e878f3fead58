"""One worker of a cell plans for all. Two of them for a moment do no harm: a claim decides."""

from collections import deque
from typing import Final

import structlog

from signalfleet.bots.lease_records import DESIRED, LEADER, WORKERS, DesiredHomes, Owner
from signalfleet.bots.lease_terms import (
    MOVES,
    MOVES_WITHIN_S,
    SETTLE_SHARE,
    KeeperPorts,
    KeeperTerms,
    WorkerLease,
)
from signalfleet.bots.lease_view import LeaseView
from signalfleet.bots.placement import Plan, WorkerFacts, plan
from signalfleet.ports.bus import Plain
from signalfleet.ports.errors import ConflictError, TemporaryError
from signalfleet.ports.registers import Register

log = structlog.get_logger()

OVERDUE: Final = 1.3
"""After so many leases a silent worker is anybody's to bury: who leads may be rid of it already."""
EXHAUSTED: Final = "signalfleet_capacity_exhausted"


class Leader:
    """Elects itself where nobody leads, buries the dead, and writes down who should own what."""

    def __init__(
        self, ports: KeeperPorts, terms: KeeperTerms, view: LeaseView, lease: WorkerLease
    ) -> None:
        self._ports = ports
        self._terms = terms
        self._view = view
        self._lease = lease
        self._moves: deque[tuple[float, str]] = deque()
        self._unplaced: tuple[int, ...] = ()
        self._is_short = False

    @property
    def is_leading(self) -> bool:
        return self._view.leader.owner.worker == self._terms.worker

    async def act(self, *, may_lead: bool) -> None:
        """Do what is to be done now; TemporaryError if the registers cannot be reached."""
        await self._bury()
        if not self._lease.is_fresh:
            return
        if may_lead and not self.is_leading and self._has_no_leader():
            await self._elect()
        if self.is_leading:
            await self._plan()
        elif self._unplaced or self._is_short:
            self._end_of_lead()

    async def resign(self) -> None:
        """Leave the lead to others at once."""
        if not self.is_leading:
            return
        seen = self._view.leader
        self._end_of_lead()
        await self._put(
            LEADER, Owner(worker=None, epoch=seen.owner.epoch).to_plain(), seen.revision
        )

    async def _bury(self) -> None:
        """Delete the records of workers that were silent for a whole lease.

        It is done under the last revision that was heard: whoever renewed meanwhile lives on, and
        whoever is buried learns it by its next renewal.
        """
        leader = self._view.leader.owner.worker
        for worker, seen in list(self._view.workers.items()):
            if worker == self._terms.worker:
                continue
            earlier = self._terms.is_earlier_life(worker)
            mine_to_do = earlier or self.is_leading or worker == leader or self._has_no_leader()
            mine_to_do = mine_to_do or self._view.is_silent(worker, OVERDUE)
            if not mine_to_do or not (earlier or self._view.is_silent(worker)):
                continue
            try:
                await self._ports.registers.delete(WORKERS + worker, seen.revision)
            except ConflictError:
                await self._look_again(WORKERS + worker)
            else:
                log.warning("worker_gone", worker=worker)
                self._view.bury(worker)

    def _has_no_leader(self) -> bool:
        leader = self._view.leader.owner.worker
        return leader is None or self._view.is_over(leader)

    async def _elect(self) -> None:
        seen = self._view.leader
        written = 0 if self._view.desired is None else self._view.desired.epoch
        epoch = max(seen.owner.epoch, written) + 1
        mine = Owner(worker=self._terms.worker, epoch=epoch)
        if await self._put(LEADER, mine.to_plain(), seen.revision):
            log.info("leading", epoch=epoch)

    async def _plan(self) -> None:
        """Write a new plan if it differs from the last one, unless a newer leader wrote that."""
        epoch, desired = self._view.leader.owner.epoch, self._view.desired
        if desired is not None and desired.epoch > epoch:
            return
        before = self._homes_so_far()
        workers = self._workers()
        living = {one.worker for one in workers}
        is_settling = self._view.known_for() < SETTLE_SHARE * self._terms.ttl_s
        if is_settling and any(before.get(one) not in living for one in range(self._terms.slots)):
            return  # Others who start with us may not have been heard yet.
        made = plan(workers, self._bots(), before, self._moves_left(workers))
        self._tell(made)
        if desired is not None and desired.epoch == epoch and made.homes == desired.homes:
            return
        value = DesiredHomes(leader=self._terms.worker, epoch=epoch, homes=made.homes)
        if await self._put(DESIRED, value.to_plain(), self._view.desired_revision):
            self._count_moves(before, made)
            log.info("slots_planned", epoch=epoch, workers=len(workers))

    def _homes_so_far(self) -> dict[int, str]:
        """Return where each slot was planned to be, or where it is; a later life inherits."""
        heirs = {one.rpartition(".")[0]: one for one in self._view.workers}
        planned, homes = self._view.homes(), dict[int, str]()
        for slot in range(self._terms.slots):
            for home in (planned.get(slot), self._view.slot(slot).owner.worker):
                living = home if home in self._view.workers else None
                heir = living or heirs.get((home or "").rpartition(".")[0])
                if heir is not None:
                    homes[slot] = heir
                    break
        return homes

    def _workers(self) -> list[WorkerFacts]:
        """Return who may get slots: of those who reach the store, if anybody does."""
        living = list(self._view.workers.values())
        able = [seen.record.facts for seen in living if seen.record.is_able]
        return able or [seen.record.facts for seen in living]

    def _bots(self) -> dict[int, int]:
        return {slot: self._view.loads.get(slot, 0) for slot in range(self._terms.slots)}

    def _moves_left(self, workers: list[WorkerFacts]) -> dict[str, int]:
        """Return in how many moves of bots each may take part now.

        Who has not told yet of all slots that it should own takes part in none: what they weigh is
        not known, as after a start, and a move for a balance that is none stops bots for nothing.
        """
        now = self._ports.clock.monotonic()
        while self._moves and now - self._moves[0][0] > MOVES_WITHIN_S:
            self._moves.popleft()
        moved = [worker for _, worker in self._moves]
        untold = self._untold()
        return {
            one.worker: 0 if one.worker in untold else max(MOVES - moved.count(one.worker), 0)
            for one in workers
        }

    def _untold(self) -> set[str]:
        """Return the workers whose last sign of life is older than some of their slots."""
        return {
            home
            for slot, home in self._view.homes().items()
            if home in self._view.workers and slot not in self._view.workers[home].record.load
        }

    def _count_moves(self, before: dict[int, str], made: Plan) -> None:
        now = self._ports.clock.monotonic()
        able = {facts.worker for facts in self._workers() if facts.takes_slots}
        for slot, home in made.homes.items():
            was = before.get(slot)
            if was != home and was in able and self._view.loads.get(slot, 0):
                self._moves += [(now, str(was)), (now, home)]

    def _tell(self, made: Plan) -> None:
        """Say once that there is no room, or not enough left; and once that there is again."""
        if made.unplaced != self._unplaced:
            if made.unplaced:
                log.error("capacity_exhausted", slots_without_owner=len(made.unplaced))
            else:
                log.info("capacity_found")
        if made.is_short and not self._is_short:
            log.warning("headroom_is_short")
        self._unplaced, self._is_short = made.unplaced, made.is_short
        self._ports.metrics.gauge("signalfleet_slots", len(made.unplaced), state="unplaced")
        self._ports.metrics.gauge(EXHAUSTED, 1 if made.unplaced or made.is_short else 0)

    def _end_of_lead(self) -> None:
        self._unplaced, self._is_short = (), False
        self._ports.metrics.gauge("signalfleet_slots", 0, state="unplaced")
        self._ports.metrics.gauge(EXHAUSTED, 0)

    async def _put(self, key: str, value: Plain, revision: int) -> bool:
        try:
            written = await self._ports.registers.put(key, value, revision)
        except ConflictError:
            await self._look_again(key)
            return False
        self._view.note(Register(key=key, value=value, revision=written))
        return True

    async def _look_again(self, key: str) -> None:
        try:
            found = await self._ports.registers.get(key)
        except TemporaryError:
            return
        if found is None:
            self._view.note_missing(key)
        else:
            self._view.note(found)
