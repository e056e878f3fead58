"""D6: a worker is cut off, then frozen, while its lease runs out: others take over, once."""

import asyncio
import signal
import time
from typing import Any, Final

from bench.report import Figure, Result
from drills.fleet_checks import result_of
from drills.fleet_rig import TTL_S, FleetRig, ServerRig, open_fleet
from drills.telegram_rig import people, until

ID: Final = "D6"
TITLE: Final = "cut off from NATS and store, or frozen, past the lease: others own, never two"
SEED: Final = 20_306
USERS: Final = 6
BACK_S: Final = 20.0
OWNED_S: Final = TTL_S + 2.0
LIMIT_S: Final = 60.0
SETTLE_S: Final = 40.0
AFTERWARDS_S: Final = 3.0


async def run() -> Result:
    """Three servers, six users; one is cut off, then the worker of one is frozen."""
    async with open_fleet(SEED, users=USERS, cuttable=(0, 1, 2)) as fleet:
        rig = fleet.rig
        await fleet.start_all()
        await fleet.until_listening(LIMIT_S)
        await rig.post_signal()
        opened = await rig.until_settled(SETTLE_S, while_moving=True)
        cut = await _cut_off(fleet, _busiest(fleet))
        frozen = await _freeze(fleet, _busiest(fleet))
        settled = await rig.until_settled(SETTLE_S, while_moving=True)
        figures: dict[str, Figure] = {f"cut_{name}": value for name, value in cut.items()}
        figures |= {f"frozen_{name}": value for name, value in frozen.items()}
        return await result_of(
            fleet,
            is_right=opened and settled and _is_right(cut, frozen),
            figures=figures,
        )


def _busiest(fleet: FleetRig) -> ServerRig:
    """Return the server with most bots: names are drawn, so one of them may have none."""
    return max(fleet.servers, key=lambda server: len(server.users()))


async def _cut_off(fleet: FleetRig, server: ServerRig) -> dict[str, Any]:
    """Bytes to NATS and the store go nowhere; Telegram and the broker still answer."""
    rig, users = fleet.rig, server.users()
    phones = [phone for user, phone in fleet.phones.items() if user in users]
    slots = fleet.slots_of(server)
    before = await fleet.epochs()
    server.cut_off()
    begun = time.monotonic()
    await rig.post_signal()

    async def is_closed() -> bool:
        found = await people(rig)
        return all(found[phone]["sockets"] == 0 for phone in phones)

    async with asyncio.TaskGroup() as tasks:
        closing = tasks.create_task(until(is_closed, LIMIT_S))
        raising = tasks.create_task(fleet.until_raised(before, slots, LIMIT_S))
    await fleet.until_listening(LIMIT_S)
    back_s = round(time.monotonic() - begun, 2)
    await rig.post_signal()
    server.join_again()
    await asyncio.sleep(AFTERWARDS_S)
    return {
        "bots": len(users),
        "sockets_closed_s": closing.result(),
        "slots_owned_s": raising.result(),
        "bots_back_s": back_s,
    }


async def _freeze(fleet: FleetRig, server: ServerRig) -> dict[str, Any]:
    """The worker stands still with an order on its way, and is let go on after its lease."""
    users = server.users()
    slots = fleet.slots_of(server)
    before = await fleet.epochs()
    await fleet.rig.post_signal()
    frozen = server.worker
    server.send_worker(signal.SIGSTOP)
    begun = time.monotonic()
    owned_s = await fleet.until_raised(before, slots, LIMIT_S)
    await fleet.until_listening(LIMIT_S)
    back_s = round(time.monotonic() - begun, 2)
    await asyncio.sleep(max(0.0, 2 * TTL_S - back_s))
    server.send_worker(signal.SIGCONT)
    return {
        "bots": len(users),
        "worker_replaced": server.worker != frozen,
        "slots_owned_s": owned_s,
        "bots_back_s": back_s,
    }


def _is_right(cut: dict[str, Any], frozen: dict[str, Any]) -> bool:
    closed_s = cut["sockets_closed_s"]
    return (
        closed_s is not None
        and closed_s <= TTL_S
        and bool(cut["bots"] and frozen["bots"])
        and max(cut["slots_owned_s"], frozen["slots_owned_s"]) <= OWNED_S
        and max(cut["bots_back_s"], frozen["bots_back_s"]) <= BACK_S
    )
