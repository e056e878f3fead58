"""D13: all servers are restarted one after the other while signals arrive."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bench.report import Result
from drills.fleet_checks import result_of
from drills.fleet_rig import FleetRig, ServerRig, open_fleet, watched_listening
from drills.telegram_rig import until

ID: Final = "D13"
TITLE: Final = "rolling restart under load: bots move within seconds, nothing lost, nothing twice"
SEED: Final = 20_313
USERS: Final = 6
POST_S: Final = 1.5
BACKLOG: Final = 4
GAP_S: Final = 5.0
DRAIN_S: Final = 30.0
LIMIT_S: Final = 120.0
SETTLE_S: Final = 40.0


async def run() -> Result:
    """Stop each server in good order, wait until its bots are elsewhere, and start it again."""
    async with open_fleet(SEED, users=USERS) as fleet:
        rig = fleet.rig
        await fleet.start_all()
        async with watched_listening(fleet) as watch, posting(fleet):
            rolled = [await _restart(fleet, server) for server in fleet.servers]
        settled = await rig.until_settled(SETTLE_S, while_moving=True)
        drains = [drain for drain, _ in rolled]
        gap = watch.longest_s()
        statuses = [status for _, status in rolled]
        return await result_of(
            fleet,
            is_right=settled and gap <= GAP_S and max(drains) <= DRAIN_S and not any(statuses),
            figures={
                "drains": len(drains),
                "drain_worst_s": max(drains),
                "drain_exit_statuses": " ".join(map(str, statuses)),
                "longest_gap_s": gap,
            },
        )


async def _restart(fleet: FleetRig, server: ServerRig) -> tuple[float, int]:
    """Return how long the server took to end, and its exit status."""
    begun = time.monotonic()
    status = await server.stop()
    drain_s = round(time.monotonic() - begun, 2)
    await fleet.until_listening(LIMIT_S)
    await server.start()

    async def takes_part() -> bool:
        return server.said("worker_named") > 0

    await until(takes_part, LIMIT_S)
    await fleet.until_listening(LIMIT_S)
    return drain_s, status


@asynccontextmanager
async def posting(fleet: FleetRig) -> AsyncIterator[None]:
    """Post on, but no more than the broker has nearly seen."""

    async def post() -> None:
        while True:
            if await fleet.rig.backlog() < BACKLOG:
                await fleet.rig.post_signal()
            await asyncio.sleep(POST_S)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(post(), name="posting")
        try:
            yield
        finally:
            task.cancel()
