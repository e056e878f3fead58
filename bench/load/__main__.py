"""`python -m bench.load --bots 100 --rate 50`: put a load on the product and report."""

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Sequence
from typing import Any, Final

import structlog

from bench.load.latency import latencies
from bench.load.plan import EVERYDAY, SIGNALS_ONLY, LoadPlan
from bench.load.rig import open_rig

SETTLING_S: Final = 10.0


async def put_on(
    plan: LoadPlan,
    *,
    rate: float,
    seconds: float,
    is_everyday: bool,
    workers: int = 1,
    settling_s: float = SETTLING_S,
) -> dict[str, Any]:
    """Start everything, post for so long, and tell what came of it."""
    async with open_rig(plan, workers=workers) as rig:
        start_s = await rig.start()
        await asyncio.sleep(settling_s)
        before = await rig.stats()
        await rig.towns.orders()
        posted = await rig.towns.play(rate, seconds, EVERYDAY if is_everyday else SIGNALS_ONLY)
        await asyncio.sleep(settling_s)
        after = await rig.stats()
        waits = latencies(posted, await rig.towns.orders())
        wanted = sum(one.members for one in posted if one.signal is not None)
        cuts = statistics.quantiles(waits, n=100) if len(waits) > 1 else []
        end = await rig.drain()
        return {
            "bots": plan.users,
            "start_s": round(start_s, 1),
            "posted": len(posted),
            "signals_to_copy": wanted,
            "orders": len(waits),
            "p50_ms": round(1000 * cuts[49], 1) if cuts else None,
            "p99_ms": round(1000 * cuts[98], 1) if cuts else None,
            "cpu_percent": round(
                100 * (after["cpu_s"] - before["cpu_s"]) / (after["at"] - before["at"]), 1
            ),
            "rss_mb": round(after["rss_kb"] / 1024),
            "drain_s": round(end["drain_s"], 2),
            "violations": await rig.towns.violations(),
        }


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bots", type=int, default=100)
    parser.add_argument("--rate", type=float, default=10.0, help="posts a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--room-size", type=int, default=5, help="bots that a post reaches")
    parser.add_argument("--rooms-each", type=int, default=2, help="rooms that a bot reads")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the bots")
    parser.add_argument("--seed", type=int, default=20_271)
    parser.add_argument("--everyday", action="store_true", help="with chatter, edits, follow-ups")
    wanted = parser.parse_args(words)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    plan = LoadPlan(
        users=wanted.bots,
        rooms_each=wanted.rooms_each,
        room_size=wanted.room_size,
        seed=wanted.seed,
    )
    told = asyncio.run(
        put_on(
            plan,
            rate=wanted.rate,
            seconds=wanted.seconds,
            is_everyday=wanted.everyday,
            workers=wanted.workers,
        )
    )
    print(json.dumps(told))
    return 0 if told["orders"] == told["signals_to_copy"] and not told["violations"] else 1


if __name__ == "__main__":
    sys.exit(main())
