"""SIM: the seeded simulation, many seeds beside each other."""

import asyncio
import os
import sys
from typing import Final

from bench.report import Result
from drills.sim.figures import Figures

ID: Final = "SIM"
TITLE: Final = "5,000 seeds of whole bots on virtual time under all faults: every law holds in each"
SEEDS: Final = 5_000


async def run() -> Result:
    """Play the seeds in as many processes as there are processors."""
    workers = os.cpu_count() or 1
    share = -(-SEEDS // workers)
    ranges = [(first, min(first + share - 1, SEEDS)) for first in range(1, SEEDS + 1, share)]
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_play(*one), name=f"seeds:{one[0]}") for one in ranges]
    total = Figures()
    for task in running:
        total.add(task.result())
    figures: dict[str, int | float | str | None] = {
        "seeds": total.seeds,
        "seeds_failed": len(total.failed),
        "first_failed": min(total.failed, default=None),
        "entries_sent": total.entries,
        "answers_lost": total.unsure,
        "orders_executed": total.executed,
        "worker_lives": total.lives,
        "virtual_hours": round(total.virtual_s / 3600, 1),
    }
    if total.failed:
        figures["repeat"] = f"python -m drills.sim {min(total.failed)}"
    return Result(ok=not total.failed and total.seeds == SEEDS, figures=figures)


async def _play(first: int, last: int) -> Figures:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "drills.sim",
        str(first),
        str(last),
        "--json",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return Figures.read(out)
