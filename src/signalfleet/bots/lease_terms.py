"""What a lease keeper works with, and the times that follow from the length of a lease."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from signalfleet.domain.ids import SLOTS
from signalfleet.ports.clock import Clock
from signalfleet.ports.lease import FENCE_SHARE
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.registers import Registers
from signalfleet.ports.store import Fleet

PROTOCOL: Final = 1
"""An operator's `ctl.min_version` above this number makes the worker hand its slots over."""
RENEW_SHARE: Final = 0.2
BEAT_LIMIT_SHARE: Final = 0.3
"""So long an answer to a renewal is waited for; after a late one there is time for a second."""
DROP_SHARE: Final = 0.8
"""After this share of a lease without renewal connections are broken off, all before its end."""
TICK_SHARE: Final = 0.05
AT_ONCE: Final = 16
SIDE_BY_SIDE: Final = 64
STORE_CHECK_SHARE: Final = 0.5
STORE_AWAY_SHARE: Final = 2.0
"""A worker that does not reach the store for so many leases gives its slots to those that do."""
MOVES: Final = 5
MOVES_WITHIN_S: Final = 30.0
SETTLE_SHARE: Final = 0.3
"""A worker that leads soon after its start waits so long for others before it places slots."""
DRAIN_LIMIT_S: Final = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperPorts:
    fleet: Fleet
    registers: Registers
    clock: Clock
    metrics: Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperTerms:
    """`worker` is `<server>.<number>.<life>`.

    Whoever makes it has proved that earlier lives of the same server and number are gone.
    """

    cell: str
    worker: str
    capacity: int
    server_capacity: int
    ttl_s: float
    slots: int = SLOTS

    @property
    def server(self) -> str:
        return self.worker.partition(".")[0]

    def is_earlier_life(self, worker: str) -> bool:
        return worker != self.worker and worker.rpartition(".")[0] == self.worker.rpartition(".")[0]


class WorkerLease:
    """Port Lease: one for all slots of a worker, as they are renewed together."""

    def __init__(self, ttl_s: float, monotonic: Callable[[], float]) -> None:
        self._ttl_s = ttl_s
        self._monotonic = monotonic
        self._renewed_at: float | None = None
        self.ended = 0

    @property
    def ttl_s(self) -> float:
        return self._ttl_s

    def age_s(self) -> float:
        return float("inf") if self._renewed_at is None else self._monotonic() - self._renewed_at

    @property
    def is_fresh(self) -> bool:
        """Tell whether slots may be claimed and used."""
        return self.age_s() < FENCE_SHARE * self._ttl_s

    def renew(self, begun: float) -> None:
        """Count from the moment before the renewal that succeeded was asked for."""
        self._renewed_at = begun

    def end(self) -> None:
        """End it. What was begun before must not be finished under a later one."""
        self._renewed_at = None
        self.ended += 1
