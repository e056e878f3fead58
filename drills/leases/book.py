"""What really happened, seen from outside: who was connected, what left, what was written."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Book:
    """Ground truth for the laws. Epochs rise, so a higher one that has begun makes others old."""

    loop_time: float = 0.0
    broken: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    sockets: dict[int, set[str]] = field(default_factory=dict)
    begun: dict[int, int] = field(default_factory=dict)
    owners: dict[int, set[str]] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    orders: int = 0
    refused: int = 0

    def tell(self, at: float, text: str) -> None:
        self.lines.append(f"{at:9.3f} {text}")

    def breaks(self, at: float, text: str) -> None:
        self.tell(at, f"BROKEN {text}")
        self.broken.append(f"{at:.3f} {text}")

    def own(self, at: float, worker: str, slot: int, epoch: int) -> None:
        """A worker's bots of a slot begin."""
        self.tell(at, f"{worker} begins slot {slot} under {epoch}")
        if epoch <= self.begun.get(slot, 0):
            self.breaks(at, f"L1 {worker} began slot {slot} under {epoch}, not above all before")
        self.begun[slot] = max(self.begun.get(slot, 0), epoch)
        self.owners.setdefault(slot, set()).add(worker)

    def disown(self, worker: str, slots: Iterable[int]) -> None:
        for slot in slots:
            self.owners.get(slot, set()).discard(worker)

    def connect(self, at: float, worker: str, slot: int) -> None:
        there = self.sockets.setdefault(slot, set())
        others = there - {worker} - self.frozen
        if others:
            self.breaks(at, f"L2 {worker} connects for slot {slot} beside {sorted(others)}")
        there.add(worker)

    def disconnect(self, worker: str, slot: int) -> None:
        self.sockets.get(slot, set()).discard(worker)

    def order(self, at: float, worker: str, slot: int, epoch: int) -> None:
        self.orders += 1
        if epoch < self.begun.get(slot, 0):
            self.breaks(at, f"L3 an order of {worker} left under {epoch}, slot {slot} is newer")

    def written(self, at: float, worker: str, slot: int, epoch: int) -> None:
        if epoch < self.begun.get(slot, 0):
            self.breaks(at, f"L4 a write of {worker} under {epoch} was taken, slot {slot} is newer")

    def die(self, worker: str) -> None:
        """The process is gone, and the system has closed what it had open."""
        for there in (*self.sockets.values(), *self.owners.values()):
            there.discard(worker)
        self.frozen.discard(worker)

    def unowned(self, slots: int) -> list[int]:
        """Return slots that have not exactly one owner."""
        return [slot for slot in range(slots) if len(self.owners.get(slot, set())) != 1]
