"""The roles as processes of their own: a supervisor, its workers, and who may work where."""

import asyncio
import os
import signal

import aiohttp
import pytest

from drills.rig import open_rig
from kit.product_process import descendants, is_alive, running
from kit.roles import UP_S, eventually, roles

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(240)]

SEED = 77


async def test_the_supervisor_runs_all_roles_and_brings_a_killed_worker_back() -> None:
    async with open_rig(SEED) as rig, roles(rig) as fleet, aiohttp.ClientSession() as client:
        await fleet.until_live(1)
        await rig.post_signal()
        await fleet.until_orders()

        assert await fleet.page(client, "/healthz") == (200, "ok\n")
        assert await fleet.page(client, "/readyz") == (200, "ready\n")
        status, figures = await fleet.page(client, "/metrics")
        assert status == 200
        assert "# TYPE" in figures
        assert (await fleet.page(client, "/signin"))[0] == 200

        killed = fleet.child("worker")
        os.kill(killed, signal.SIGKILL)
        # What arrives while nobody works is read as soon as somebody works again.
        await rig.post_signal()
        await fleet.until_live(2)
        await fleet.until_orders()
        assert fleet.child("worker") != killed
        assert (await fleet.page(client, "/readyz"))[0] == 200

        started = descendants(fleet.supervisor.process.pid)
        assert len(started) >= 3, "the bus, the pages, the worker"
        status, seconds = await fleet.supervisor.stop()
        assert status == 0
        assert seconds < 25
        assert [pid for pid in started if is_alive(pid)] == []
        doubled = {leg: count for leg, count in (await rig.legs()).items() if count != 1}
        assert doubled == {}


async def test_children_do_not_outlive_a_supervisor_that_is_killed() -> None:
    async with open_rig(SEED + 1) as rig, roles(rig) as fleet:
        await fleet.until_live(1)
        started = descendants(fleet.supervisor.process.pid)
        fleet.supervisor.process.kill()

        async def are_gone() -> bool:
            return not any(is_alive(pid) for pid in started)

        await eventually("no child is left", are_gone, 30)


async def test_a_second_worker_on_the_same_data_is_refused_and_says_why() -> None:
    async with open_rig(SEED + 2) as rig:
        await rig.start()
        await rig.until_live()
        assert rig.process is not None
        async with running("run", cwd=rig.root, variables=rig.environment) as second:
            async with asyncio.timeout(UP_S):
                status = await second.process.wait()
        said = (rig.root / "stderr.txt").read_text()
        assert status == 2
        assert "Traceback" not in said
        assert "stop it" in said
        assert rig.process.returncode is None
        assert await rig.stop() == 0
