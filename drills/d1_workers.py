"""D1 with three servers: workers, and whole servers, are killed while signals arrive."""

import asyncio
import signal
import time
from typing import Final

from bench.report import Result
from drills.d13_drain import posting
from drills.fleet_checks import result_of
from drills.fleet_rig import TTL_S, FleetRig, ServerRig, open_fleet

ID: Final = "D1W"
TITLE: Final = "kill -9 of workers and servers: others take over, no leg twice, none lost"
SEED: Final = 20_301
USERS: Final = 6
OWNED_S: Final = TTL_S + 2.0
BACK_S: Final = 20.0
LIMIT_S: Final = 120.0
SETTLE_S: Final = 40.0


async def run() -> Result:
    """Kill each worker once, its supervisor lives; then a whole server, which stays away."""
    async with open_fleet(SEED, users=USERS) as fleet:
        rig = fleet.rig
        await fleet.start_all()
        async with posting(fleet):
            taken = [await _kill_worker(fleet, server) for server in fleet.servers]
            taken.append(await _kill_server(fleet, fleet.servers[0]))
        settled = await rig.until_settled(SETTLE_S, while_moving=True)
        owned_s = max(owned for owned, _ in taken)
        back_s = max(back for _, back in taken)
        return await result_of(
            fleet,
            is_right=settled and owned_s <= OWNED_S and back_s <= BACK_S,
            figures={
                "kills": len(taken),
                "slots_owned_worst_s": owned_s,
                "bots_back_worst_s": back_s,
            },
        )


async def _kill_worker(fleet: FleetRig, server: ServerRig) -> tuple[float, float]:
    before, slots = await fleet.epochs(), fleet.slots_of(server)
    server.send_worker(signal.SIGKILL)
    return await _taken_over(fleet, before, slots)


async def _kill_server(fleet: FleetRig, server: ServerRig) -> tuple[float, float]:
    before, slots = await fleet.epochs(), fleet.slots_of(server)
    await server.kill()
    return await _taken_over(fleet, before, slots)


async def _taken_over(
    fleet: FleetRig, before: dict[int, int], slots: set[int]
) -> tuple[float, float]:
    """Return when the slots had a new owner, and when all bots listened again."""
    begun = time.monotonic()
    owned_s = await fleet.until_raised(before, slots, LIMIT_S)
    await fleet.until_listening(LIMIT_S)
    back_s = round(time.monotonic() - begun, 2)
    await asyncio.sleep(fleet.rig.rng.uniform(0.5, 2.0))
    return owned_s, back_s
