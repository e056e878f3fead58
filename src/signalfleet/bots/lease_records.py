"""What stands in the registers, and how it is read: other releases may have written it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from signalfleet.bots.placement import WorkerFacts
from signalfleet.ports.bus import Plain

WORKERS: Final = "lease.w."
SLOT: Final = "lease.s."
LEADER: Final = "lease.leader"
DESIRED: Final = "plan.desired"
MIN_VERSION: Final = "ctl.min_version"
WATCHED: Final = ("lease", "plan", "ctl")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """A worker's sign of life. `is_able`: it reaches the store."""

    facts: WorkerFacts
    is_able: bool
    load: Mapping[int, int]

    def to_plain(self) -> Plain:
        facts = self.facts
        return {
            "server": facts.server,
            "cap": facts.capacity,
            "server_cap": facts.server_capacity,
            "takes": facts.takes_slots,
            "pressure": round(facts.pressure, 3),
            "able": self.is_able,
            "load": {str(slot): bots for slot, bots in self.load.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who owns a slot, or leads; nobody after it was released."""

    worker: str | None
    epoch: int

    def to_plain(self) -> Plain:
        return {"o": self.worker, "e": self.epoch}


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredHomes:
    """The leader's plan."""

    leader: str
    epoch: int
    homes: Mapping[int, str]

    def to_plain(self) -> Plain:
        by_worker: dict[str, list[int]] = {}
        for slot, worker in sorted(self.homes.items()):
            by_worker.setdefault(worker, []).append(slot)
        return {"leader": self.leader, "e": self.epoch, "homes": by_worker}


def read_worker(worker: str, value: Plain) -> WorkerRecord:
    """Return the record; ValueError if it is none."""
    load = value.get("load")
    pressure = value.get("pressure", 0.0)
    facts = WorkerFacts(
        worker=worker,
        server=_text(value, "server"),
        capacity=_whole(value, "cap"),
        server_capacity=_whole(value, "server_cap"),
        takes_slots=value.get("takes") is True,
        pressure=float(pressure) if isinstance(pressure, (int, float)) else 0.0,
    )
    if not isinstance(load, dict):
        raise ValueError("a worker's record without load")  # noqa: TRY004 - One kind of refusal.
    bots = {int(slot): int(count) for slot, count in load.items()}
    return WorkerRecord(facts=facts, is_able=value.get("able") is not False, load=bots)


def read_owner(value: Plain) -> Owner:
    """Return the record; ValueError if it is none."""
    return Owner(
        worker=None if value.get("o") is None else _text(value, "o"), epoch=_whole(value, "e")
    )


def read_homes(value: Plain) -> DesiredHomes:
    """Return the record; ValueError if it is none."""
    homes = value.get("homes")
    if not isinstance(homes, dict):
        raise ValueError("a plan without homes")  # noqa: TRY004 - One kind of refusal.
    return DesiredHomes(
        leader=_text(value, "leader"),
        epoch=_whole(value, "e"),
        homes={int(slot): str(worker) for worker, slots in homes.items() for slot in slots},
    )


def read_version(value: Plain) -> int:
    """Return the lowest version that may own slots; ValueError if it is none."""
    return _whole(value, "v")


def _text(value: Plain, name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str) or not found:
        raise ValueError(f"a record without {name}")
    return found


def _whole(value: Plain, name: str) -> int:
    found = value.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise ValueError(f"a record without a number as {name}")
    return found
