"""`bench soak`: a thousand bots trade for half an hour, and nothing that they hold may grow.

`python -m bench.soak 100 300` has a hundred bots trade for 300 seconds.
"""

import asyncio
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from bench.growth import growth
from bench.load.latency import latencies
from bench.load.plan import LoadPlan, Mix, Posted
from bench.load.rig import Rig, open_rig
from bench.report import Result

NAME: Final = "soak"
TITLE: Final = "1,000 bots for half an hour, signals coming and going: memory, files, tasks level"
BOTS: Final = 1_000
LENGTH_S: Final = 1_800.0
POSTS_PER_S: Final = 10.0
COMING_AND_GOING: Final = Mix(signals=0, closes=100)
"""What has no trade to end opens one: by turns in each room, so that as many stay open."""
WARM_SHARE: Final = 1 / 3
"""What caches and pools take at first is no leak."""
SAMPLE_S: Final = 10.0
SETTLE_S: Final = 10.0
KB_PER_BOT_MINUTE: Final = 1.0
"""A trade kept for good would be several times as much."""
PIECES_PER_MINUTE: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the worker holds at a time, in seconds by a monotonic clock."""

    at: float
    rss_kb: float
    files: int
    tasks: int


async def run() -> Result:
    return await soak(BOTS, LENGTH_S)


async def soak(bots: int, length_s: float) -> Result:
    """Open and end trades at a steady pace, and fit a line through what the worker holds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    plan = LoadPlan(users=bots, rooms_each=1, room_size=1)
    async with open_rig(plan) as rig:
        await rig.start()
        posted, samples = await _play(rig, length_s)
        waits = latencies(posted, await rig.towns.orders())
        wanted = sum(one.signal is not None for one in posted)
        violations = await rig.towns.violations()
    late = samples[int(len(samples) * WARM_SHARE) :]
    rss = growth([(one.at, one.rss_kb) for one in late]) / bots
    files = growth([(one.at, one.files) for one in late])
    tasks = growth([(one.at, one.tasks) for one in late])
    is_level = rss <= KB_PER_BOT_MINUTE and max(files, tasks) <= PIECES_PER_MINUTE
    cuts = statistics.quantiles(waits, n=100) if len(waits) > 1 else [0.0] * 99
    return Result(
        ok=is_level and len(waits) == wanted and not violations,
        figures={
            "bots": bots,
            "length_s": length_s,
            "signals": wanted,
            "orders": len(waits),
            "p50_ms": round(1000 * cuts[49], 1),
            "p99_ms": round(1000 * cuts[98], 1),
            "rss_kb_per_bot_and_minute": round(rss, 2),
            "files_per_minute": round(files, 2),
            "tasks_per_minute": round(tasks, 2),
            "rss_mb_at_first": round(samples[0].rss_kb / 1024, 1),
            "rss_mb_when_warm": round(late[0].rss_kb / 1024, 1),
            "rss_mb_at_the_end": round(late[-1].rss_kb / 1024, 1),
            "violations": "; ".join(violations) or None,
        },
    )


async def _play(rig: Rig, length_s: float) -> tuple[list[Posted], list[Sample]]:
    samples: list[Sample] = []
    async with asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(rig.towns.play(POSTS_PER_S, length_s, COMING_AND_GOING))
        while not playing.done():
            samples.append(await _sample(rig))
            await asyncio.wait([playing], timeout=SAMPLE_S)
    await asyncio.sleep(SETTLE_S)
    return playing.result(), samples


async def _sample(rig: Rig) -> Sample:
    # What the load itself keeps of each stage of each order is no growth of the product.
    await rig.worker.ask("split")
    seen = await rig.stats()
    return Sample(at=seen["at"], rss_kb=seen["rss_kb"], files=seen["files"], tasks=seen["tasks"])


def main(words: Sequence[str]) -> int:
    bots, length_s = (int(words[0]), float(words[1])) if len(words) > 1 else (BOTS, LENGTH_S)
    result = asyncio.run(soak(bots, length_s))
    print(json.dumps({"ok": result.ok} | dict(result.figures), indent=1))
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
