"""Several workers on one server: what one leaves behind, another goes on with."""

import os
import signal
import time

import pytest

from drills.rig import Rig, open_rig
from kit.product_process import is_alive
from kit.roles import Roles, eventually, roles

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(500)]

SEED = 90
TTL_S = 3
FAST = {"LEASE_TTL_S": str(TTL_S), "WORKER_FREEZE_S": "4"}
TAKE_OVER_S = 120.0


async def taken_over(fleet: Roles, number: int, times: int) -> float:
    """Wait until another worker than this one reads for the user; return how long it took."""
    begun = time.monotonic()

    async def is_so() -> bool:
        return fleet.times_live() >= times and fleet.owner() != number

    await eventually("another worker has the bot", is_so, TAKE_OVER_S)
    return time.monotonic() - begun


async def each_leg_once(rig: Rig, fleet: Roles) -> None:
    await fleet.until_orders()
    assert {leg: count for leg, count in (await rig.legs()).items() if count != 1} == {}


async def test_bots_of_a_worker_that_dies_freezes_or_leaves_go_on_in_another_one() -> None:
    async with open_rig(SEED) as rig, roles(rig, workers=3, **FAST) as fleet:
        await fleet.until_live(1)
        killed = fleet.owner()
        os.kill(fleet.workers()[killed], signal.SIGKILL)
        await rig.post_signal()
        await taken_over(fleet, killed, 2)
        await each_leg_once(rig, fleet)

        # A worker that stands still is killed by the supervisor.
        frozen = fleet.owner()
        pid = fleet.workers()[frozen]
        os.kill(pid, signal.SIGSTOP)
        await rig.post_signal()
        await taken_over(fleet, frozen, 3)
        await eventually("the supervisor has killed it", lambda: is_gone(pid), TAKE_OVER_S)
        assert fleet.events("child_frozen")
        await each_leg_once(rig, fleet)

        # One that is asked to end hands over what it has.
        leaving = fleet.owner()
        pid = fleet.workers()[leaving]
        await eventually("the killed one is back", lambda: is_back(fleet, killed), TAKE_OVER_S)
        os.kill(pid, signal.SIGTERM)
        await rig.post_signal()
        await taken_over(fleet, leaving, 4)
        await each_leg_once(rig, fleet)
        await eventually("it ends in order", lambda: ended_well(fleet, leaving), TAKE_OVER_S)

        status, _ = await fleet.supervisor.stop()
        assert status == 0


async def is_gone(pid: int) -> bool:
    return not is_alive(pid)


async def ended_well(fleet: Roles, number: int) -> bool:
    ended = [one["status"] for one in fleet.events("child_ended") if one["number"] == number]
    return ended[-1:] == [0]


async def is_back(fleet: Roles, number: int) -> bool:
    """Tell whether the newest life of this number has slots again."""
    lives = [
        one for one in fleet.events("worker_named") if str(one["name"]).split(".")[1] == str(number)
    ]
    newest = lives[-1]["name"]
    claims = [one for one in fleet.events("slots_claimed") if one.get("worker") == newest]
    return len(lives) > 1 and bool(claims)
