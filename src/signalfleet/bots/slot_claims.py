"""Taking slots and giving them back: the register first, then the store, then the bots."""

import asyncio
from collections import Counter
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from signalfleet.bots.lease_records import SLOT, Owner
from signalfleet.bots.lease_terms import (
    AT_ONCE,
    SIDE_BY_SIDE,
    KeeperPorts,
    KeeperTerms,
    WorkerLease,
)
from signalfleet.bots.lease_view import LeaseView
from signalfleet.bots.slot_bots import SlotBots
from signalfleet.ports.errors import ConflictError, PortError, TemporaryError
from signalfleet.ports.registers import Register

log = structlog.get_logger()

AGAIN_SHARE: Final = 0.1
"""A slot that could not be claimed is left alone for this share of a lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A slot that is ours, and the revision of the register that says so."""

    epoch: int
    revision: int


class SlotClaims:
    """The slots of this worker, under one lease."""

    def __init__(
        self, ports: KeeperPorts, terms: KeeperTerms, view: LeaseView, lease: WorkerLease
    ) -> None:
        self._ports = ports
        self._terms = terms
        self._view = view
        self._lease = lease
        self._bots: SlotBots | None = None
        self._started: set[int] = set()
        self._not_before: dict[int, float] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._leaving = asyncio.Semaphore(SIDE_BY_SIDE)
        self._busy: Counter[int] = Counter()
        self.held: dict[int, Held] = {}
        self.is_closed = False

    def use(self, bots: SlotBots) -> None:
        self._bots = bots

    @property
    def bots(self) -> SlotBots:
        if self._bots is None:
            raise RuntimeError("the keeper is not running yet")
        return self._bots

    def load(self) -> Mapping[int, int]:
        """Return how many bots there are in each slot that is held and was begun with."""
        if self._bots is None:
            return {}
        load = self._bots.load()
        return {slot: load[slot] for slot in self._started & self.held.keys() if slot in load}

    def forsaken(self) -> list[int]:
        """Return slots whose bots ended for somebody newer, though they are held by our record."""
        running = self.bots.load()
        return [slot for slot in self._started & self.held.keys() if slot not in running]

    def may_claim(self, slot: int) -> bool:
        """Tell whether nobody can be at work on the slot any more."""
        if self._ports.clock.monotonic() < self._not_before.get(slot, 0.0):
            return False
        owner = self._view.slot(slot).owner.worker
        return owner in {None, self._terms.worker} or self._view.is_over(owner or "")

    def is_busy(self, slot: int) -> bool:
        """Tell whether the slot is being taken, given back or dropped just now."""
        return slot in self._busy

    def reserve(self, slots: Iterable[int]) -> None:
        """Mark slots as busy before the task begins that takes or frees them and ends this."""
        self._busy.update(slots)

    async def claim(self, slots: Sequence[int]) -> None:
        """Take the reserved slots and start their bots; what cannot be taken is left for later."""
        before = {slot: self._heard(slot) for slot in slots}
        ended = self._lease.ended
        try:
            epochs = await self._take_registers(slots)
            mine = await self._take_fences(epochs)
        except PortError as error:
            log.warning("slots_not_claimed", count=len(slots), cause=type(error).__name__)
            self._leave_alone(slots)
        else:
            # The registers may be lost since they were written, with the lease that they were for.
            if ended == self._lease.ended:
                await self._begin(mine, before)
        finally:
            self._settle(slots)

    async def hand_over(self, slots: Collection[int]) -> None:
        """Let the bots of these slots end well, each for itself, and say that they are free."""
        async with asyncio.TaskGroup() as tasks:
            for slot in slots:
                tasks.create_task(self._hand_over(slot), name=f"hand_over:{slot}")

    async def free(self, slot: int) -> None:
        """Say that a slot is free which is ours by its register only."""
        try:
            seen = self._view.slot(slot)
            if seen.owner.worker == self._terms.worker:
                await self._write(slot, Owner(worker=None, epoch=seen.owner.epoch), seen.revision)
        except PortError as error:
            log.warning("slot_not_freed", slot=slot, cause=type(error).__name__)
            self._leave_alone([slot])
        finally:
            self._settle([slot])

    async def drop(self, slots: Collection[int]) -> None:
        """Break everything off in these slots. They must be claimed anew."""
        for slot in slots:
            self.held.pop(slot, None)
            self._started.discard(slot)
        self.reserve(slots)
        try:
            await self.bots.drop(slots)
        finally:
            self._settle(slots)

    async def _take_registers(self, slots: Sequence[int]) -> dict[int, Held]:
        """Write our name under an epoch above the register's and the store's."""
        stored = await self._ports.fleet.slot_epochs(self._terms.cell, slots)
        ready = [slot for slot in slots if not self._may_be_held(slot, stored[slot])]
        self._leave_alone(set(slots) - set(ready))
        taken: dict[int, Held] = {}

        async def take(slot: int) -> None:
            # Under this very revision: another one may have taken it since it was chosen.
            seen = self._view.slot(slot)
            if not self.may_claim(slot) or self._may_be_held(slot, stored[slot]):
                return
            epoch = max(seen.owner.epoch, stored[slot]) + 1
            mine = Owner(worker=self._terms.worker, epoch=epoch)
            try:
                revision = await self._write(slot, mine, seen.revision)
            except TemporaryError:
                # The register may be ours now: if so it is claimed once more, under a newer epoch.
                self._leave_alone([slot])
            except ConflictError:
                await self._look_again(slot)
            else:
                taken[slot] = Held(epoch=epoch, revision=revision)

        await self._each(take(slot) for slot in ready)
        return taken

    def _may_be_held(self, slot: int, stored_epoch: int) -> bool:
        """Tell whether a slot without a register may have an owner that has not noticed it yet."""
        seen = self._view.slot(slot)
        waited = self._ports.clock.monotonic() - seen.changed_at >= self._terms.ttl_s
        is_known = self._view.is_complete and (waited or not stored_epoch)
        return seen.revision == 0 and not is_known

    async def _take_fences(self, taken: Mapping[int, Held]) -> dict[int, Held]:
        """Raise the store's fences; where somebody newer owns, say so in the register again."""
        if not taken:
            return {}
        epochs = {slot: held.epoch for slot, held in taken.items()}
        won = await self._ports.fleet.raise_fences(self._terms.cell, epochs, self._terms.worker)
        for slot in taken.keys() - won:
            log.warning("slot_owned_by_newer", slot=slot, epoch=taken[slot].epoch)
            self._leave_alone([slot])
        return {slot: taken[slot] for slot in taken if slot in won}

    async def _begin(self, mine: Mapping[int, Held], heard: Mapping[int, float | None]) -> None:
        # Looked at without a pause before the first bot: meanwhile others may have taken them.
        if not mine or self.is_closed or not self._lease.is_fresh:
            return
        now = self._ports.clock.monotonic()
        for before in filter(None, (heard[slot] for slot in mine)):
            self._ports.metrics.observe("signalfleet_takeover_seconds", now - before)
        self.held.update(mine)
        try:
            await self.bots.take({slot: held.epoch for slot, held in mine.items()})
        except PortError as error:
            log.warning("slots_not_started", count=len(mine), cause=type(error).__name__)
            self._leave_alone(mine)
            await self.drop(mine)
            return
        lost = mine.keys() - self.held.keys()
        if lost:  # The lease ended while their bots were starting.
            await self.drop(lost)
        self._started |= mine.keys() - lost
        log.info("slots_claimed", count=len(mine), held=len(self.held))

    def _heard(self, slot: int) -> float | None:
        """Return when the slot's last owner was heard, if that was another one who ended."""
        owner = self._view.slot(slot).owner.worker
        return None if owner in {None, self._terms.worker} else self._view.last_heard.get(owner)

    async def _hand_over(self, slot: int) -> None:
        async with self._leaving:
            try:
                await self.bots.release([slot])
                held = self.held.pop(slot, None)
                self._started.discard(slot)
                if held is None:
                    return  # Its lease ended meanwhile.
                await self._write(slot, Owner(worker=None, epoch=held.epoch), held.revision)
            except PortError as error:
                log.warning("slot_not_freed", slot=slot, cause=type(error).__name__)
                self._leave_alone([slot])
            finally:
                self._settle([slot])

    async def _write(self, slot: int, owner: Owner, revision: int) -> int:
        key, value = f"{SLOT}{slot}", owner.to_plain()
        written = await self._ports.registers.put(key, value, revision)
        self._view.note(Register(key=key, value=value, revision=written))
        return written

    async def _look_again(self, slot: int) -> None:
        self._leave_alone([slot])
        try:
            found = await self._ports.registers.get(f"{SLOT}{slot}")
        except TemporaryError:
            return
        if found is None:
            self._view.note_missing(f"{SLOT}{slot}")
        else:
            self._view.note(found)

    def _settle(self, slots: Iterable[int]) -> None:
        self._busy.subtract(slots)
        self._busy = +self._busy

    def _leave_alone(self, slots: Collection[int]) -> None:
        until = self._ports.clock.monotonic() + AGAIN_SHARE * self._terms.ttl_s
        self._not_before.update(dict.fromkeys(slots, until))

    async def _each(self, works: Iterable[Coroutine[None, None, None]]) -> None:
        async def one(work: Coroutine[None, None, None]) -> None:
            async with self._places:
                await work

        async with asyncio.TaskGroup() as tasks:
            for work in works:
                tasks.create_task(one(work))
