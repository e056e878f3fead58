"""Runs seeds and says which laws they break."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from drills.sim.laws import broken_laws
from drills.sim.loop import DeadlockError, run_virtually
from drills.sim.plan import Plan, make_plan
from drills.sim.world import World
from signalfleet.domain.trading.orders import OpenOrder

SILENT_LEVEL: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedReport:
    """What came of one seed. `digest` is equal for equal histories."""

    seed: int
    broken: tuple[str, ...]
    lines: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    entries: int = 0
    executed: int = 0
    lives: int = 0
    unsure: int = 0
    virtual_s: float = 0.0

    @property
    def digest(self) -> str:
        return hashlib.blake2b("\n".join(self.lines).encode(), digest_size=8).hexdigest()


def run_seed(seed: int, plan: Plan | None = None) -> SeedReport:
    """Play one seed on virtual time; `plan` replaces the one that the seed would draw."""
    rng = random.Random(seed)
    chosen = plan or make_plan(rng)

    async def main() -> SeedReport:
        world = World(chosen, rng)
        await world.run()
        broken = await broken_laws(world)
        return _report(seed, world, broken)

    with quiet():
        try:
            return run_virtually(main)
        except DeadlockError as error:
            return SeedReport(seed=seed, broken=(f"I7 {error}",))
        except ExceptionGroup as group:
            causes = "; ".join(repr(one) for one in _causes(group))
            return SeedReport(seed=seed, broken=(f"it ended with {causes}",))


def _causes(group: ExceptionGroup[Exception]) -> list[Exception]:
    found: list[Exception] = []
    for one in group.exceptions:
        found += _causes(one) if isinstance(one, ExceptionGroup) else [one]
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the product's log lines out of the way."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(SILENT_LEVEL))
    try:
        yield
    finally:
        structlog.configure(**before)


def _report(seed: int, world: World, broken: list[str]) -> SeedReport:
    received = world.market.received
    return SeedReport(
        seed=seed,
        broken=tuple(broken),
        lines=tuple(world.history.lines),
        points=tuple(world.history.points),
        entries=sum(1 for one in received if isinstance(one.order, OpenOrder)),
        executed=len(world.market.executed),
        lives=world.lives,
        unsure=sum(1 for one in received if one.fate in ("lost", "late", "never", "no_id_lost")),
        virtual_s=world.clock.monotonic(),
    )
