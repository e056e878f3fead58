"""What this worker was told of the others, and when it heard it by its own clock."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from signalfleet.bots import lease_records
from signalfleet.bots.lease_records import DesiredHomes, Owner, WorkerRecord
from signalfleet.ports.registers import Register

log = structlog.get_logger()

NOBODY: Final = Owner(worker=None, epoch=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenWorker:
    record: WorkerRecord
    revision: int
    changed_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOwner:
    """Revision 0: there is no such register, since `changed_at`."""

    owner: Owner
    revision: int
    changed_at: float


class LeaseView:
    """All registers as far as they were told. No decision is made here."""

    def __init__(self, monotonic: Callable[[], float], ttl_s: float) -> None:
        self._monotonic = monotonic
        self._ttl_s = ttl_s
        self.reset()

    def reset(self) -> None:
        """Forget everything, as after a loss of the registers."""
        self._told: dict[str, set[str]] = {name: set() for name in lease_records.WATCHED}
        self._complete: set[str] = set()
        self._complete_at = self._monotonic()
        self.workers: dict[str, SeenWorker] = {}
        self.last_heard: dict[str, float] = {}
        self._gone: set[str] = set()
        self._missed: dict[str, float] = {}
        self._slots: dict[int, SeenOwner] = {}
        self.loads: dict[int, int] = {}
        self.leader = SeenOwner(owner=NOBODY, revision=0, changed_at=0.0)
        self.desired: DesiredHomes | None = None
        self.desired_revision = 0
        self.min_version = 0

    @property
    def is_complete(self) -> bool:
        return len(self._complete) == len(lease_records.WATCHED)

    def known_for(self) -> float:
        """Return for how long everything has been told."""
        return self._monotonic() - self._complete_at

    def slot(self, number: int) -> SeenOwner:
        """Return the slot's register; one that does not exist has been missing since we know."""
        found = self._slots.get(number)
        return found or SeenOwner(owner=NOBODY, revision=0, changed_at=self._complete_at)

    def homes(self) -> dict[int, str]:
        return {} if self.desired is None else dict(self.desired.homes)

    def is_silent(self, worker: str, leases: float = 1.0) -> bool:
        """Tell whether so many whole leases have passed since the worker was heard."""
        seen = self.workers.get(worker)
        return seen is not None and self._monotonic() - seen.changed_at >= leases * self._ttl_s

    def is_over(self, worker: str) -> bool:
        """Tell whether the worker has ended for good: its record was deleted, or stays missing.

        After a loss of the registers a living one is missing for a moment, and its slots with it.
        """
        if worker in self.workers:
            return False
        if worker in self._gone:
            return True
        now = self._monotonic()
        return now - self._missed.setdefault(worker, now) >= self._ttl_s

    def hear(self, bucket: str, register: Register | None) -> None:
        """Take what a watch told; None ends what is there at the moment."""
        if register is None:
            self._end_of_all(bucket)
            return
        self._told[bucket].add(register.key)
        self.note(register)

    def note(self, register: Register) -> None:
        """Take a register that was told or read."""
        try:
            self._note(register)
        except ValueError as error:
            log.warning("register_unreadable", register=register.key, reason=str(error))

    def note_missing(self, key: str) -> None:
        """Take it that a read found nothing there."""
        self._note(Register(key=key, value=None, revision=0))

    def bury(self, worker: str) -> None:
        """Take it that the worker's record is deleted."""
        self.workers.pop(worker, None)
        self._gone.add(worker)

    def _end_of_all(self, bucket: str) -> None:
        """Drop what was not told again: it is there no more."""
        told, self._told[bucket] = self._told[bucket], set()
        if bucket in self._complete:
            for key in self._known(bucket) - told:
                self.note_missing(key)
        was_complete = self.is_complete
        self._complete.add(bucket)
        if self.is_complete and not was_complete:
            self._complete_at = self._monotonic()

    def _known(self, bucket: str) -> set[str]:
        if bucket != "lease":
            return set()
        workers = {lease_records.WORKERS + one for one in self.workers}
        return workers | {f"{lease_records.SLOT}{one}" for one in self._slots}

    def _note(self, register: Register) -> None:
        key = register.key
        if key.startswith(lease_records.WORKERS):
            self._note_worker(key.removeprefix(lease_records.WORKERS), register)
        elif key.startswith(lease_records.SLOT):
            self._note_slot(int(key.removeprefix(lease_records.SLOT)), register)
        elif key == lease_records.LEADER:
            self.leader = self._owner(register)
        elif key == lease_records.DESIRED:
            value = register.value
            self.desired = None if value is None else lease_records.read_homes(value)
            self.desired_revision = 0 if value is None else register.revision
        elif key == lease_records.MIN_VERSION:
            value = register.value
            self.min_version = 0 if value is None else lease_records.read_version(value)

    def _note_worker(self, worker: str, register: Register) -> None:
        if register.value is None:
            if register.revision:
                self.bury(worker)
            else:
                self.workers.pop(worker, None)
            return
        known = self.workers.get(worker)
        if known is not None and known.revision == register.revision:
            return  # Told again: it is no sign of life.
        record = lease_records.read_worker(worker, register.value)
        now = self._monotonic()
        self.workers[worker] = SeenWorker(record=record, revision=register.revision, changed_at=now)
        self.last_heard[worker] = now
        self._gone.discard(worker)
        self._missed.pop(worker, None)
        self.loads.update(record.load)

    def _note_slot(self, number: int, register: Register) -> None:
        known = self._slots.get(number)
        if known is not None and 0 < register.revision < known.revision:
            return  # What we wrote or read ourselves is newer than what comes by the watch.
        if register.value is None and known is not None and not known.revision:
            return  # It has been missing since it was first missed.
        self._slots[number] = self._owner(register)

    def _owner(self, register: Register) -> SeenOwner:
        now = self._monotonic()
        if register.value is None:
            return SeenOwner(owner=NOBODY, revision=0, changed_at=now)
        owner = lease_records.read_owner(register.value)
        return SeenOwner(owner=owner, revision=register.revision, changed_at=now)
