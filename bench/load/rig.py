"""A whole load: the simulators, users in a store, and the product's workers in their processes."""

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

from bench.load.crew import Crew, crew
from bench.load.people import settle_in
from bench.load.pipe import Facts
from bench.load.plan import LoadPlan
from bench.load.towns import Towns, open_towns
from signalfleet.adapters.nats.server import EmbeddedNats
from signalfleet.bootstrap.clock import SystemClock
from signalfleet.bootstrap.platform import make_directories, open_platform

LOOK_S: Final = 0.1
DRAIN_S: Final = 120.0


@dataclass(slots=True, kw_only=True)
class Rig:
    """`worker.facts` is what the workers weighed before their first bot.

    One worker has the users for itself; several share them by leases over one NATS server, as
    under `signalfleet run --role supervisor`.
    """

    root: Path
    towns: Towns
    log: IO[bytes]
    settled_s: float
    workers: int = 1
    crew: Crew | None = None

    @property
    def worker(self) -> Crew:
        if self.crew is None:
            raise RuntimeError("the workers do not run: use `working`")
        return self.crew

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Crew]:
        """Have the workers' processes for the length of the block, without a bot at first."""
        async with AsyncExitStack() as stack:
            facts = self.towns.facts
            if self.workers > 1:
                nats = await stack.enter_async_context(self._nats())
                facts |= {"nats_url": nats.url, "nats_token": nats.token.reveal()}
            words = [json.dumps(facts), str(self.root), str(self.towns.plan.users)]
            numbered = [[*words, str(one), str(self.workers)] for one in range(self.workers)]
            self.crew = await stack.enter_async_context(
                crew("bench.load.worker", numbered, log=self.log)
            )
            try:
                yield self.crew
            finally:
                self.crew = None

    def _nats(self) -> EmbeddedNats:
        settings = self.towns.settings(self.root)
        make_directories(settings.data_dir, settings.run_dir)
        return EmbeddedNats(
            data_dir=settings.data_dir, run_dir=settings.run_dir, clock=SystemClock()
        )

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
async def open_rig(
    plan: LoadPlan, *, workers: int = 1, late: bool = False, keep: bool = False
) -> AsyncIterator[Rig]:
    """Start everything but the bots; `late` leaves the workers' processes to `working`, too.

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
            rig = Rig(root=root, towns=towns, log=log, settled_s=settled_s, workers=workers)
            if not late:
                await stack.enter_async_context(rig.working())
            yield rig
    finally:
        if not keep:
            await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)
