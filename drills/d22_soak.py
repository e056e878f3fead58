"""D22: a soak: while signals come and go, neither memory nor files nor threads may grow.

`python -m drills.d22_soak 1800` measures for half an hour.
"""

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.growth import growth
from bench.report import Named, Result, run_named
from drills.fleet_checks import result_of
from drills.fleet_rig import FleetRig, open_fleet
from drills.posts import Posted

ID: Final = "D22"
TITLE: Final = "soak: memory, files and threads of the workers stay level while signals come and go"
SEED: Final = 20_322
USERS: Final = 6
SERVERS: Final = 2
LENGTH_S: Final = 180.0
WARM_S: Final = 240.0
"""What caches and pools take at first is no leak: each connection learns each statement."""
WARM_POST_S: Final = 1.0
POST_S: Final = 3.0
OPEN_SIGNALS: Final = 4
SAMPLE_S: Final = 2.0
SETTLE_S: Final = 40.0
KB_PER_BOT_MINUTE: Final = 200.0
"""Half of what it is where each trade that is over stays in memory; the noise of a short run."""
PIECES_PER_MINUTE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What the workers hold together: kilobytes, open files, threads."""

    at: float
    rss_kb: int
    files: int
    threads: int


async def run() -> Result:
    return await soak(LENGTH_S)


async def soak(length_s: float) -> Result:
    """Post signals, close each after a while, and fit a line through what the workers hold."""
    async with open_fleet(SEED, users=USERS, servers=SERVERS) as fleet:
        await fleet.start_all()
        await _load(fleet, WARM_S, WARM_POST_S)
        late = await _load(fleet, length_s, POST_S)
        settled = await fleet.rig.until_settled(SETTLE_S, while_moving=True)
        rss = growth([(one.at, one.rss_kb) for one in late]) / USERS
        files = growth([(one.at, one.files) for one in late])
        threads = growth([(one.at, one.threads) for one in late])
        is_level = rss <= KB_PER_BOT_MINUTE and max(files, threads) <= PIECES_PER_MINUTE
        return await result_of(
            fleet,
            is_right=settled and is_level,
            figures={
                "length_s": length_s,
                "samples": len(late),
                "rss_kb_per_bot_and_minute": round(rss, 1),
                "files_per_minute": round(files, 2),
                "threads_per_minute": round(threads, 2),
                "rss_mb_when_warm": round(late[0].rss_kb / 1024, 1),
                "rss_mb_at_the_end": round(late[-1].rss_kb / 1024, 1),
                "files_at_the_end": late[-1].files,
                "threads_at_the_end": late[-1].threads,
            },
        )


async def _load(fleet: FleetRig, length_s: float, every_s: float) -> list[Sample]:
    rig = fleet.rig
    begun = time.monotonic()
    samples: list[Sample] = []
    open_posts: list[Posted] = []
    next_post = begun
    while (now := time.monotonic()) - begun < length_s:
        if now >= next_post and await rig.backlog() < OPEN_SIGNALS:
            next_post = now + every_s
            open_posts.append(await rig.post_signal())
            if len(open_posts) > OPEN_SIGNALS:
                await rig.reply(open_posts.pop(0), "Close now")
        samples.append(_sample(fleet, now - begun))
        await asyncio.sleep(min(SAMPLE_S, every_s))
    for post in open_posts:
        await rig.reply(post, "Close now")
    return samples


def _sample(fleet: FleetRig, at: float) -> Sample:
    found = [_held(pid) for server in fleet.servers if (pid := server.worker) is not None]
    rss, files, threads = (sum(column) for column in zip(*found, strict=True))
    return Sample(at, rss, files, threads)


def _held(pid: int) -> tuple[int, int, int]:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    values = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return int(values["VmRSS"].split()[0]), files, int(values["Threads"])


if __name__ == "__main__":
    wanted = float(sys.argv.pop(1)) if len(sys.argv) > 1 else LENGTH_S
    sys.exit(run_named({ID: Named(title=TITLE, run=lambda: soak(wanted))}))
