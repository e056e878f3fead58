"""The product's worker as a process of a load: the real parts, and an ear for questions.

It is started with the users in the store already. `run` begins with the bots, `stats` tells what
they cost, `drain` ends them in order, `profile` writes what was busy to standard error.
"""

import asyncio
import cProfile
import gc
import json
import os
import pstats
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from bench.load.pipe import Facts, allow_files, cpu_s, open_files, rss_kb, say, serve
from bench.load.split import Split
from bench.load.towns import settings_for
from signalfleet.bootstrap.place import OneOf
from signalfleet.bootstrap.platform import Platform, open_platform
from signalfleet.bootstrap.process import leave_program_uncollected
from signalfleet.bootstrap.worker import Worker, open_worker
from signalfleet.observability.logs import set_up_logs

FILES_EACH = 4
SHOWN = 70


@dataclass(slots=True)
class Measured:
    """The worker, and what is asked about it."""

    platform: Platform
    worker: Worker
    tasks: asyncio.TaskGroup
    split: Split
    running: asyncio.Task[None] | None = None
    profile: cProfile.Profile = field(default_factory=cProfile.Profile)

    async def obey(self, question: Facts) -> Facts:
        match question["do"]:
            case "run":
                self.running = self.tasks.create_task(self.worker.run(), name="worker")
            case "cpu":
                return {"cpu_s": time.process_time(), "at": time.monotonic()}
            case "counts":
                return self._counts()
            case "split":
                return {"stages": self.split.take()}
            case "drain":
                return await self._drain()
            case "profile" if question["on"]:
                self.profile.enable()
            case "profile":
                self.profile.disable()
                stats = pstats.Stats(self.profile, stream=sys.stderr)
                stats.sort_stats(question.get("by", "tottime")).print_stats(SHOWN)
                sys.stderr.flush()
            case "settle":
                gc.collect()
            case _:
                pass
        return self._stats()

    async def _drain(self) -> Facts:
        begun = time.monotonic()
        await self.worker.ownership.drain()
        spent = time.monotonic() - begun
        return self._stats() | {"drain_s": spent}

    def _counts(self) -> Facts:
        """Tell how far the bots are; it costs little, so it may be asked often."""
        states = Counter(state.value for state in self.worker.manager.states().values())
        bots = self.worker.manager.active_bots.values()
        links = Counter(bot.link.state.value for bot in bots if bot.link is not None)
        return {"states": dict(states), "links": dict(links)}

    def _stats(self) -> Facts:
        nats = self.platform.nats
        names = Counter(
            task.get_name().partition(":")[0].rstrip("0123456789") for task in asyncio.all_tasks()
        )
        return self._counts() | {
            "rss_kb": rss_kb(),
            "cpu_s": time.process_time(),
            "nats_cpu_s": 0.0 if nats is None or nats.pid is None else cpu_s(nats.pid),
            "at": time.monotonic(),
            "tasks": len(asyncio.all_tasks()),
            "task_names": dict(names.most_common(30)),
            "files": open_files(),
        }


async def main(facts: Facts, root: Path, users: int, one_of: OneOf | None) -> None:
    allow_files(FILES_EACH * users + 1000)
    bus = {}
    if one_of is not None:
        bus = {"nats_url": facts["nats_url"], "nats_token": SecretStr(facts["nats_token"])}
    settings = settings_for(facts, root, users=users, **bus)
    async with AsyncExitStack() as stack:
        platform = await stack.enter_async_context(open_platform(settings))
        await platform.armed.arm_if_new()
        worker = await stack.enter_async_context(open_worker(platform, one_of=one_of))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        measured = Measured(platform, worker, tasks, Split.put_in())
        leave_program_uncollected()
        say(await measured.obey({"do": "stats"}) | {"pid": os.getpid()})
        await serve(measured.obey)
        if measured.running is not None:
            measured.running.cancel()


if __name__ == "__main__":
    set_up_logs(as_json=True)
    people, number, workers = (int(word) for word in sys.argv[3:])
    place = OneOf(number=number, workers=workers) if workers > 1 else None
    asyncio.run(main(json.loads(sys.argv[1]), Path(sys.argv[2]), people, place))
