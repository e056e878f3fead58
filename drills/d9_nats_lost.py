"""D9: all NATS servers are killed and come back without a memory; the store's fences hold."""

import asyncio
import time
from typing import Final

from bench.report import Result
from drills.fleet_checks import result_of
from drills.fleet_rig import TTL_S, FleetRig, open_fleet, watched_listening

ID: Final = "D9"
TITLE: Final = "NATS killed and restarted empty: epochs go on, what was posted meanwhile is traded"
SEED: Final = 20_309
USERS: Final = 4
POSTS: Final = 3
OUTAGE_S: Final = TTL_S + 1.0
BACK_S: Final = 20.0
LIMIT_S: Final = 60.0
SETTLE_S: Final = 40.0


async def run() -> Result:
    """Lose NATS for longer than a lease lasts, with everything that it had stored."""
    async with open_fleet(SEED, users=USERS) as fleet:
        rig = fleet.rig
        await fleet.start_all()
        await rig.post_signal()
        opened = await rig.until_settled(SETTLE_S, while_moving=True)
        before = await fleet.epochs()
        async with watched_listening(fleet) as watch:
            await _lose_nats(fleet)
            begun = time.monotonic()
            owned_s = await fleet.until_raised(before, set(before), LIMIT_S)
            await fleet.until_listening(LIMIT_S)
            back_s = round(time.monotonic() - begun, 2)
            await rig.post_signal()
            settled = await rig.until_settled(SETTLE_S, while_moving=True)
        after = await fleet.epochs()
        goes_on = all(after[slot] > epoch for slot, epoch in before.items())
        return await result_of(
            fleet,
            is_right=opened and settled and goes_on and back_s <= BACK_S,
            figures={
                "epochs_go_on": goes_on,
                "slots_owned_s": owned_s,
                "bots_back_s": back_s,
                "longest_gap_s": watch.longest_s(),
            },
        )


async def _lose_nats(fleet: FleetRig) -> None:
    cluster = fleet.cluster
    begun = time.monotonic()
    for node in cluster.nodes:
        await asyncio.to_thread(cluster.kill, node.number)
        cluster.wipe(node.number)
    for _ in range(POSTS):
        await fleet.rig.post_signal()
        await asyncio.sleep(1.0)
    await asyncio.sleep(max(0.0, OUTAGE_S - (time.monotonic() - begun)))
    for node in cluster.nodes:
        cluster.start(node.number)
    await cluster.until_ready()
