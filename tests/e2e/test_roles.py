"""The roles as processes of their own: a supervisor, its workers, and who may work where."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from drills.rig import LEGS, Rig, open_rig
from kit.product_process import Running, descendants, is_alive, running

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(240)]

SEED = 77
UP_S = 60.0
STEP_S = 0.1


async def eventually(what: str, is_so: Callable[[], Awaitable[bool]], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if await is_so():
            return
        await asyncio.sleep(STEP_S)
    raise AssertionError(f"not within {limit_s} s: {what}")


@dataclass(kw_only=True)
class Fleet:
    """A running supervisor over the rig's data; its log is JSON on standard output."""

    rig: Rig
    supervisor: Running
    log: Path

    def events(self, name: str) -> list[dict[str, object]]:
        lines = self.log.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [entry for entry in found if entry["event"] == name]

    def child(self, role: str) -> int:
        """The process of a role that was started last."""
        pids = [entry["pid"] for entry in self.events("child_started") if entry["role"] == role]
        assert isinstance(pids[-1], int)
        return pids[-1]

    def times_live(self) -> int:
        return sum(1 for entry in self.events("link_changed") if entry["state"] == "live")

    async def until_live(self, times: int) -> None:
        async def is_live() -> bool:
            return self.times_live() >= times

        await eventually("the worker reads its channels", is_live, UP_S)

    async def until_orders(self) -> None:
        async def are_there() -> bool:
            return len(await self.rig.legs()) >= self.rig.posted * LEGS

        await eventually("every posted signal has its orders", are_there, UP_S)

    async def page(self, client: aiohttp.ClientSession, path: str) -> tuple[int, str]:
        (entry, *_) = self.events("serving")[-1:]
        async with client.get(f"{entry['address']}{path}") as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def fleet(rig: Rig) -> AsyncIterator[Fleet]:
    words = ("run", "--role", "supervisor")
    log = rig.root / "fleet.log"
    async with running(*words, cwd=rig.root, variables=rig.environment, log=log) as supervisor:
        started = Fleet(rig=rig, supervisor=supervisor, log=log)
        try:
            yield started
        finally:
            for pid in descendants(supervisor.process.pid):
                os.kill(pid, signal.SIGKILL)


async def test_the_supervisor_runs_all_roles_and_brings_a_killed_worker_back() -> None:
    async with open_rig(SEED) as rig, fleet(rig) as roles, aiohttp.ClientSession() as client:
        await roles.until_live(1)
        await rig.post_signal()
        await roles.until_orders()

        assert await roles.page(client, "/healthz") == (200, "ok\n")
        assert await roles.page(client, "/readyz") == (200, "ready\n")
        status, figures = await roles.page(client, "/metrics")
        assert status == 200
        assert "# TYPE" in figures
        assert (await roles.page(client, "/signin"))[0] == 200

        killed = roles.child("worker")
        os.kill(killed, signal.SIGKILL)
        # What arrives while nobody works is read as soon as somebody works again.
        await rig.post_signal()
        await roles.until_live(2)
        await roles.until_orders()
        assert roles.child("worker") != killed
        assert (await roles.page(client, "/readyz"))[0] == 200

        started = descendants(roles.supervisor.process.pid)
        assert len(started) >= 3, "the bus, the pages, the worker"
        status, seconds = await roles.supervisor.stop()
        assert status == 0
        assert seconds < 25
        assert [pid for pid in started if is_alive(pid)] == []
        doubled = {leg: count for leg, count in (await rig.legs()).items() if count != 1}
        assert doubled == {}


async def test_children_do_not_outlive_a_supervisor_that_is_killed() -> None:
    async with open_rig(SEED + 1) as rig, fleet(rig) as roles:
        await roles.until_live(1)
        started = descendants(roles.supervisor.process.pid)
        roles.supervisor.process.kill()

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
