"""A whole load: the simulators, users in a store, and the product's worker in its own process."""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from bench.load.people import settle_in
from bench.load.pipe import Facts, Other, other
from bench.load.plan import LoadPlan
from bench.load.towns import Towns, open_towns
from signalfleet.bootstrap.platform import open_platform

LOOK_S: Final = 0.1
DRAIN_S: Final = 120.0


@dataclass(slots=True, kw_only=True)
class Rig:
    """`worker.facts` is what the worker weighed before its first bot."""

    root: Path
    towns: Towns
    log: IO[bytes]
    settled_s: float
    process: Other | None = None

    @property
    def worker(self) -> Other:
        if self.process is None:
            raise RuntimeError("the worker does not run: use `working`")
        return self.process

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Other]:
        """Have the worker's process for the length of the block, without a bot at first."""
        words = [json.dumps(self.towns.facts), str(self.root), str(self.towns.plan.users)]
        async with other("bench.load.worker", words, log=self.log) as process:
            self.process = process
            try:
                yield process
            finally:
                self.process = None

    async def start(self, *, limit_s: float = 300.0) -> float:
        """Start all bots; return the seconds until each of them runs and reads."""
        begun = time.monotonic()
        await self.worker.ask("run")
        async with asyncio.timeout(limit_s):
            while not is_up(await self.worker.ask("counts"), self.towns.plan.users):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)
        return time.monotonic() - begun

    async def stats(self) -> Facts:
        return await self.worker.ask("stats")

    async def drain(self) -> Facts:
        return await self.worker.ask("drain", limit_s=DRAIN_S)


def is_up(counts: Facts, users: int) -> bool:
    """Tell whether each bot runs and has read what it missed."""
    return bool(counts["states"].get("RUNNING") == counts["links"].get("live") == users)


@asynccontextmanager
async def open_rig(plan: LoadPlan, *, late: bool = False, keep: bool = False) -> AsyncIterator[Rig]:
    """Start everything but the bots; `late` leaves the worker's process to `working`, too.

    The folder with store and logs goes in the end, unless it is kept.
    """
    root = Path(tempfile.mkdtemp(prefix="signalfleet-load-"))
    try:
        async with AsyncExitStack() as stack:
            towns = await stack.enter_async_context(open_towns(plan, root / "towns"))
            begun = time.monotonic()
            async with open_platform(towns.settings(root)) as platform:
                await platform.armed.arm_if_new()
                await settle_in(platform, towns.people)
            settled_s = time.monotonic() - begun
            log = stack.enter_context((root / "worker.log").open("ab"))
            rig = Rig(root=root, towns=towns, log=log, settled_s=settled_s)
            if not late:
                await stack.enter_async_context(rig.working())
            yield rig
    finally:
        if not keep:
            await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)
