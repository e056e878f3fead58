"""Plays seeds of the lease protocol and says which laws they break."""

import random
from dataclasses import dataclass
from typing import Final

from drills.leases.cell import Cell, Sabotage
from drills.leases.plan import Script, make_script
from drills.sim.loop import DeadlockError, run_virtually
from drills.sim.run import quiet

NOTHING: Final = Sabotage()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedReport:
    seed: int
    broken: tuple[str, ...]
    lines: tuple[str, ...] = ()
    orders: int = 0
    refused: int = 0
    lives: int = 0


def run_seed(seed: int, sabotage: Sabotage = NOTHING, script: Script | None = None) -> SeedReport:
    """Play one seed on virtual time; `script` replaces the one that the seed would draw.

    L1: epochs of a slot rise. L2: never two connections. L3: no order leaves under an epoch when a
    newer owner has begun. L4: nor is anything written under it. L5: every slot is owned again.
    """
    rng = random.Random(seed)
    chosen = script or make_script(rng)

    async def main() -> SeedReport:
        cell = Cell(chosen, rng, sabotage)
        await cell.run()
        return SeedReport(
            seed=seed,
            broken=tuple(cell.book.broken),
            lines=tuple(cell.book.lines),
            orders=cell.book.orders,
            refused=cell.book.refused,
            lives=cell.lives,
        )

    with quiet():
        try:
            return run_virtually(main)
        except DeadlockError as error:
            return SeedReport(seed=seed, broken=(f"it did not come to rest: {error}",))
