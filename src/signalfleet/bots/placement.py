"""Which worker should own which slot: few moves, nobody above capacity, servers counted whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

SPREAD: Final = 0.15
"""A difference of load below this is left alone: each move stops bots for a moment."""
HEADROOM: Final = 0.10
EMPTY_SPREAD: Final = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """What a worker says of itself. `pressure`: used share of whatever else it is short of."""

    worker: str
    server: str
    capacity: int
    server_capacity: int
    takes_slots: bool = True
    pressure: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A home for each slot but those in `unplaced`, for which nobody has room.

    `is_short`: the fleet has less headroom left than it should have.
    """

    homes: Mapping[int, str]
    unplaced: tuple[int, ...]
    is_short: bool


def plan(
    workers: Iterable[WorkerFacts],
    bots: Mapping[int, int],
    previous: Mapping[int, str],
    moves_left: Mapping[str, int],
) -> Plan:
    """Place every slot in `bots` (which says how many each has); the same input, the same plan.

    A slot stays in its previous home while that takes slots. Slots without a home go, heaviest
    first, to where the load is lowest. For balance a worker takes part in as many moves of bots as
    it has left.
    """
    hosts = {
        one.worker: _Host(one)
        for one in sorted(workers, key=lambda one: one.worker)
        if one.takes_slots
    }
    fleet = _Fleet(hosts, bots)
    for slot in sorted(bots):
        home = previous.get(slot)
        if home in hosts:
            fleet.put(slot, hosts[home])
    unplaced = [
        slot
        for slot in sorted(bots.keys() - fleet.homes.keys(), key=lambda slot: (-bots[slot], slot))
        if not fleet.place(slot)
    ]
    fleet.balance(dict(moves_left))
    fleet.even_out()
    return Plan(
        homes=dict(sorted(fleet.homes.items())),
        unplaced=tuple(sorted(unplaced)),
        is_short=sum(bots.values()) > (1 - HEADROOM) * fleet.capacity(),
    )


class _Host:
    """A worker that takes slots, with what it would own by the plan so far."""

    def __init__(self, facts: WorkerFacts) -> None:
        self.facts = facts
        self.name = facts.worker
        self.bots = 0
        self.slots: set[int] = set()
        self.pressure_of_a_bot = 0.0

    def load(self, more: int = 0) -> float:
        bots = self.bots + more
        return max(bots / max(self.facts.capacity, 1), bots * self.pressure_of_a_bot)


@dataclass(slots=True)
class _Fleet:
    hosts: Mapping[str, _Host]
    weights: Mapping[int, int]
    homes: dict[int, str] = field(default_factory=dict)
    servers: dict[str, int] = field(default_factory=dict)

    def put(self, slot: int, host: _Host) -> None:
        weight, server = self.weights[slot], host.facts.server
        self.homes[slot] = host.name
        host.slots.add(slot)
        host.bots += weight
        self.servers[server] = self.servers.get(server, 0) + weight

    def move(self, slot: int, source: _Host, target: _Host) -> None:
        weight, server = self.weights[slot], source.facts.server
        source.slots.discard(slot)
        source.bots -= weight
        self.servers[server] -= weight
        self.put(slot, target)

    def place(self, slot: int) -> bool:
        """Give the slot to whoever has the lowest load and room for it."""
        weight = self.weights[slot]
        able = [host for host in self.hosts.values() if self.has_room(host, weight)]
        if not able:
            return False
        if weight:
            best = min(able, key=lambda one: (one.load(), len(one.slots), one.name))
        else:
            best = min(able, key=lambda one: (len(one.slots), one.load(), one.name))
        self.put(slot, best)
        return True

    def has_room(self, host: _Host, weight: int, leaving: str = "") -> bool:
        """Tell whether so many more fit; a slot without bots always does."""
        facts = host.facts
        on_server = self.servers.get(facts.server, 0) - (weight if leaving == facts.server else 0)
        return not weight or (
            host.bots + weight <= facts.capacity and on_server + weight <= facts.server_capacity
        )

    def is_over(self, host: _Host) -> bool:
        facts = host.facts
        over_server = self.servers.get(facts.server, 0) > facts.server_capacity
        return host.bots > facts.capacity or over_server

    def balance(self, moves_left: dict[str, int]) -> None:
        """Move slots with bots away from the most loaded worker, as far as moves are left."""
        for host in self.hosts.values():
            host.pressure_of_a_bot = host.facts.pressure / host.bots if host.bots else 0.0
        while True:
            able = [host for host in self.hosts.values() if moves_left.get(host.name, 0) > 0]
            found = self._next_move(able)
            if found is None:
                return
            slot, source, target = found
            self.move(slot, source, target)
            moves_left[source.name] -= 1
            moves_left[target.name] -= 1

    def _next_move(self, able: Sequence[_Host]) -> tuple[int, _Host, _Host] | None:
        """Return the heaviest slot that can go from a high to a low load without turning them."""
        by_load = sorted(able, key=lambda one: (one.load(), one.name))
        for source in reversed(by_load):
            for target in by_load:
                gap = source.load() - target.load()
                if gap <= 0 or (gap <= SPREAD and not self.is_over(source)):
                    break
                slot = self._fitting(source, target)
                if slot is not None:
                    return slot, source, target
        return None

    def _fitting(self, source: _Host, target: _Host) -> int | None:
        fits = [
            slot
            for slot in source.slots
            if (weight := self.weights[slot])
            and self.has_room(target, weight, source.facts.server)
            and target.load(weight) < source.load()
        ]
        smooth = [
            slot
            for slot in fits
            if target.load(self.weights[slot]) <= source.load(-self.weights[slot])
        ]
        if smooth:
            return min(smooth, key=lambda slot: (-self.weights[slot], slot))
        # Even the lightest turns the two around: worth it only if the higher of them gets lower.
        return min(fits, key=lambda slot: (self.weights[slot], slot), default=None)

    def even_out(self) -> None:
        """Spread slots without bots evenly, so that users to come are spread: it costs nothing."""
        if not self.hosts:
            return
        allowed = max(2.0, EMPTY_SPREAD * len(self.homes) / len(self.hosts))
        empty = {
            host.name: sorted((slot for slot in host.slots if not self.weights[slot]), reverse=True)
            for host in self.hosts.values()
        }
        while True:
            givers = [host for host in self.hosts.values() if empty[host.name]]
            if not givers:
                return
            source = max(givers, key=lambda one: (len(one.slots), one.name))
            target = min(self.hosts.values(), key=lambda one: (len(one.slots), one.name))
            if len(source.slots) - len(target.slots) <= allowed:
                return
            slot = empty[source.name].pop()
            self.move(slot, source, target)
            empty[target.name].insert(0, slot)

    def capacity(self) -> int:
        """Return how many bots the fleet can run, each server counted whole."""
        servers: dict[str, tuple[int, int]] = {}
        for host in self.hosts.values():
            total, _ = servers.get(host.facts.server, (0, 0))
            servers[host.facts.server] = (
                total + host.facts.capacity,
                host.facts.server_capacity,
            )
        return sum(min(total, limit) for total, limit in servers.values())
