"""A supervisor with its children over a drill rig, and what their log says of them."""

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

from drills.rig import LEGS, Rig
from kit.product_process import Running, descendants, running

UP_S = 150.0
STEP_S = 0.1


async def eventually(what: str, is_so: Callable[[], Awaitable[bool]], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if await is_so():
            return
        await asyncio.sleep(STEP_S)
    raise AssertionError(f"not within {limit_s} s: {what}")


@dataclass(kw_only=True)
class Roles:
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

    def workers(self) -> dict[int, int]:
        """Return the process of each worker that was started last, by number."""
        started = [one for one in self.events("child_started") if one["role"] == "worker"]
        return {int(str(one["number"])): int(str(one["pid"])) for one in started}

    def owner(self) -> int:
        """Return the number of the worker whose bot went live last."""
        (newest, *_) = [one for one in self.events("link_changed") if one["state"] == "live"][-1:]
        return int(str(newest["worker"]).split(".")[1])

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
async def roles(rig: Rig, *, workers: int = 1, **variables: str) -> AsyncIterator[Roles]:
    """Run a supervisor; whatever it started is gone after the block."""
    words = ("run", "--role", "supervisor", "--workers", str(workers))
    log = rig.root / "fleet.log"
    given = {**rig.environment, **variables}
    async with running(*words, cwd=rig.root, variables=given, log=log) as supervisor:
        started = Roles(rig=rig, supervisor=supervisor, log=log)
        try:
            yield started
        finally:
            for pid in descendants(supervisor.process.pid):
                os.kill(pid, signal.SIGKILL)
