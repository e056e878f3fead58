"""`bench fanout`: one post to a thousand bots, and fifty signals a second for a minute.

The product runs as the supervisor runs it: a worker for each core. The floor is measured in the
same run, in as many processes, against the same simulators: stock clients whose handlers post a
ready order. `python -m bench.fanout 100` does it with fewer bots, `100 20 1` for 20 s and in one
process.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from bench.load.crew import Crew, crew
from bench.load.disk import disk_times
from bench.load.latency import latencies
from bench.load.plan import LoadPlan, Posted
from bench.load.rig import Rig, open_rig
from bench.load.towns import Towns
from bench.report import Figure, Result
from signalfleet.bootstrap.cores import cores

NAME: Final = "fanout"
TITLE: Final = "one post to 1,000 bots against bare handlers; 50 signals a second for a minute"
BOTS: Final = 1_000
ROUNDS: Final = 5
WARM_UP: Final = 1
RATE: Final = 50.0
SECONDS: Final = 60.0
REST_S: Final = 3.0
CALM_S: Final = 15.0
CALM_SHARE: Final = 0.2
CALM_WITHIN_S: Final = 30.0
START_S: Final = 180.0
PATIENCE_S: Final = 60.0
MOST_TIMES_BARE: Final = 2.0
MOST_P50_MS: Final = 20.0
MOST_P99_MS: Final = 100.0
LOTS: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One fan-out: how long after the post the last order was executed, and who worked for it."""

    wall_s: float
    executed: int
    own_cpu_s: float
    telegram_cpu_s: float
    broker_cpu_s: float
    stages: dict[str, float]


async def run() -> Result:
    return await measure(BOTS)


async def measure(
    bots: int, *, rate: float = RATE, seconds: float = SECONDS, workers: int | None = None
) -> Result:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    workers = workers or cores()
    figures: dict[str, Figure] = {"bots": bots, "workers": workers}
    plan = LoadPlan(users=bots, room_size=1, rooms_each=1)
    async with open_rig(plan, workers=workers, late=True) as rig:
        floor = await _floor(rig, bots)
        async with rig.working():
            figures["start_s"] = round(await rig.start(limit_s=START_S + bots / 10), 1)
            await asyncio.sleep(CALM_S)
            ours = [await _round(rig.towns, rig.worker, bots) for _ in range(WARM_UP + ROUNDS)]
            await _calm(rig.worker)
            sustained, is_quick = await _sustained(rig, rate, seconds)
        violations = await rig.towns.violations()
    best, bare = _median(ours[WARM_UP:]), _median(floor[WARM_UP:])
    times = best.wall_s / bare.wall_s
    figures |= {
        "fanout_s": round(best.wall_s, 3),
        "floor_s": round(bare.wall_s, 3),
        "times_floor": round(times, 2),
        "orders": min(one.executed for one in ours),
        "own_cpu_s": round(best.own_cpu_s, 3),
        "floor_cpu_s": round(bare.own_cpu_s, 3),
        "telegram_sim_cpu_s": round(best.telegram_cpu_s, 3),
        "metaapi_sim_cpu_s": round(best.broker_cpu_s, 3),
        "floor_delivered_s": round(bare.stages["delivered"], 3),
    }
    figures |= {f"{name}_s": round(value, 3) for name, value in best.stages.items()}
    figures |= sustained
    figures |= {
        "load_average": round(os.getloadavg()[1], 1),
        "violations": "; ".join(violations[:5]) or None,
    }
    is_complete = all(one.executed == bots for one in (*ours, *floor))
    is_ok = times <= MOST_TIMES_BARE and is_quick and is_complete and not violations
    return Result(ok=is_ok, figures=figures)


def _median(rounds: Sequence[Round]) -> Round:
    return sorted(rounds, key=lambda one: one.wall_s)[len(rounds) // 2]


async def _floor(rig: Rig, bots: int) -> list[Round]:
    facts = rig.root / "bare.json"
    facts.write_text(json.dumps(rig.towns.facts | {"people": rig.towns.people}), encoding="utf-8")
    shares = [[str(facts), str(number), str(rig.workers)] for number in range(rig.workers)]
    async with crew("bench.load.bare", shares, log=rig.log) as bare:
        await asyncio.sleep(REST_S)
        return [await _bare_round(rig.towns, bare, bots, n) for n in range(WARM_UP + ROUNDS)]


async def _bare_round(towns: Towns, bare: Crew, bots: int, number: int) -> Round:
    levels = {
        "actionType": "ORDER_TYPE_BUY",
        "symbol": "EURUSD",
        "volume": LOTS,
        "stopLoss": 1.0,
        "magic": 1 + number,
    }
    await bare.ask("levels", levels=levels)
    return await _round(towns, bare, bots)


async def _round(towns: Towns, worker: Crew, bots: int) -> Round:
    """Post to everybody and wait until the broker has executed an order of each."""
    sides = (worker, towns.telegram, towns.broker)
    await towns.orders()
    before = [await side.ask("cpu") for side in sides]
    executed = await towns.executed()
    posted = await towns.post()
    deadline = time.monotonic() + PATIENCE_S
    while await towns.executed() - executed < bots and time.monotonic() < deadline:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.05)
    after = [await side.ask("cpu") for side in sides]
    orders = await towns.orders()
    own, telegram, broker = (b["cpu_s"] - a["cpu_s"] for a, b in zip(before, after, strict=True))
    stages = {"executed": max((one.executed_at for one in orders), default=0.0) - posted.at}
    stages |= await _stages(worker, posted)
    await _calm(worker)
    return Round(
        wall_s=stages["executed"],
        executed=len(orders),
        own_cpu_s=own,
        telegram_cpu_s=telegram,
        broker_cpu_s=broker,
        stages=stages,
    )


async def _calm(worker: Crew) -> None:
    """Wait until nothing follows up any more: a post into the middle of it is another figure."""
    deadline = time.monotonic() + CALM_WITHIN_S
    used, since = (await worker.ask("cpu"))["cpu_s"], time.monotonic()
    share = 1.0
    while share > CALM_SHARE and since < deadline:
        await asyncio.sleep(1.0)
        before, begun = used, since
        used, since = (await worker.ask("cpu"))["cpu_s"], time.monotonic()
        share = (used - before) / (since - begun)


async def _stages(worker: Crew, posted: Posted) -> dict[str, float]:
    """Return how long after the post the last bot was through each stage."""
    found = await worker.ask("split")
    ends = {stage: [end for _, end in spans] for stage, spans in found["stages"].items()}
    begun = [begin for begin, _ in found["stages"].get("stored", ())]
    if begun:
        ends["delivered"] = begun
    return {stage: max(moments) - posted.at for stage, moments in ends.items() if moments}


async def _sustained(rig: Rig, rate: float, seconds: float) -> tuple[dict[str, Figure], bool]:
    await rig.towns.orders()
    before = await rig.worker.ask("cpu")
    begun = time.monotonic()
    async with disk_times(rig.root) as disk:
        posted = await rig.towns.play(rate, seconds)
    took = time.monotonic() - begun
    after = await rig.worker.ask("cpu")
    await asyncio.sleep(REST_S)
    waits = latencies(posted, await rig.towns.orders())
    wanted = sum(one.members for one in posted if one.signal is not None)
    if len(waits) < 2:
        return {"sustained_orders": len(waits)}, False
    cuts = statistics.quantiles(waits, n=100)
    figures: dict[str, Figure] = {
        "sustained_signals_per_s": rate,
        "sustained_orders": len(waits),
        "sustained_missing": wanted - len(waits),
        "sustained_p50_ms": round(1000 * cuts[49], 1),
        "sustained_p95_ms": round(1000 * cuts[94], 1),
        "sustained_p99_ms": round(1000 * cuts[98], 1),
        "sustained_worst_ms": round(1000 * max(waits), 1),
        "sustained_disk_p50_ms": round(1000 * statistics.median(disk), 2),
        "sustained_disk_p99_ms": round(1000 * statistics.quantiles(disk, n=100)[98], 2),
        "sustained_disk_worst_ms": round(1000 * max(disk), 1),
        "sustained_cpu_percent": round(100 * (after["cpu_s"] - before["cpu_s"]) / took, 1),
    }
    is_quick = 1000 * cuts[49] < MOST_P50_MS and 1000 * cuts[98] < MOST_P99_MS
    return figures, is_quick and len(waits) == wanted


def main(words: Sequence[str]) -> int:
    bots = int(words[0]) if words else BOTS
    seconds = float(words[1]) if len(words) > 1 else SECONDS
    workers = int(words[2]) if len(words) > 2 else None
    result = asyncio.run(measure(bots, seconds=seconds, workers=workers))
    print(json.dumps({"ok": result.ok} | dict(result.figures), indent=1))
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
