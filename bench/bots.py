"""`bench bots`: what a bot costs while nothing happens, and how fast many start and stop.

Each number of bots has processes and a store of its own. `python -m bench.bots 100 500` measures
some of them.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from bench.load.plan import LoadPlan
from bench.load.rig import Rig, open_rig
from bench.report import Figure, Result

NAME: Final = "bots"
TITLE: Final = "100 to 5,000 bots on the simulators: memory, idle work, start and drain"
SIZES: Final = (100, 500, 1_000, 2_000, 5_000)
JUDGED: Final = 1_000
CALM_S: Final = 60.0
"""By then pings and comparisons with Telegram are as spread as they stay."""
IDLE_S: Final = 90.0
"""What comes round every 60 to 90 s is in it; in half of that it was in or not, by chance."""
MOST_RSS_KB: Final = 150.0
MOST_CPU_PERCENT: Final = 3.0
MOST_START_S: Final = 30.0
MOST_DRAIN_S: Final = 10.0
MOST_UNEVEN: Final = 0.15
PATIENCE_S: Final = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What so many bots cost one process. Shares are of one core."""

    bots: int
    rss_kb: float
    cpu_percent: float
    nats_percent: float
    tasks: float
    files: float
    start_s: float
    start_cpu_ms: float
    drain_s: float
    drained: bool
    violations: Sequence[str]

    @property
    def figures(self) -> dict[str, Figure]:
        named = {
            "rss_kb_per_bot": round(self.rss_kb / self.bots, 1),
            "idle_cpu_percent": round(self.cpu_percent, 2),
            "idle_nats_percent": round(self.nats_percent, 2),
            "tasks_per_bot": round(self.tasks / self.bots, 1),
            "files_per_bot": round(self.files / self.bots, 2),
            "start_s": round(self.start_s, 1),
            "start_cpu_ms_per_bot": round(self.start_cpu_ms, 1),
            "drain_s": round(self.drain_s, 2),
        }
        return {f"{self.bots}_{name}": value for name, value in named.items()}


async def run() -> Result:
    return await measure(SIZES)


async def measure(sizes: Sequence[int], *, idle_s: float = IDLE_S) -> Result:
    """Measure each number of bots; the goals are judged at a thousand, if that is among them."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    costs = {}
    for size in sizes:
        async with open_rig(LoadPlan(users=size)) as rig:
            costs[size] = await _cost(rig, size, idle_s)
    figures: dict[str, Figure] = {"load_average": round(os.getloadavg()[1], 1)}
    for cost in costs.values():
        figures |= cost.figures
    uneven = {
        "rss_uneven": _uneven({size: cost.rss_kb for size, cost in costs.items()}),
        "cpu_uneven": _uneven({size: cost.cpu_percent for size, cost in costs.items()}),
    }
    figures |= {name: None if one is None else round(one, 3) for name, one in uneven.items()}
    violations = [one for cost in costs.values() for one in cost.violations]
    figures["violations"] = "; ".join(violations[:5]) or None
    is_flat = all(one is None or one <= MOST_UNEVEN for one in uneven.values())
    judged = costs.get(JUDGED)
    is_cheap = judged is None or (
        judged.rss_kb / judged.bots <= MOST_RSS_KB
        and judged.cpu_percent <= MOST_CPU_PERCENT
        and judged.start_s <= MOST_START_S
        and judged.drain_s <= MOST_DRAIN_S
    )
    is_clean = not violations and all(cost.drained for cost in costs.values())
    return Result(ok=is_flat and is_cheap and is_clean, figures=figures)


async def _cost(rig: Rig, size: int, idle_s: float) -> Cost:
    base = rig.worker.facts
    start_s = await rig.start(limit_s=PATIENCE_S + size / 10)
    started = await rig.stats()
    await asyncio.sleep(CALM_S)
    calm = await rig.worker.ask("settle")
    await asyncio.sleep(idle_s)
    idle = await rig.stats()
    took = idle["at"] - calm["at"]
    end = await rig.drain()
    return Cost(
        bots=size,
        rss_kb=calm["rss_kb"] - base["rss_kb"],
        cpu_percent=100 * (idle["cpu_s"] - calm["cpu_s"]) / took,
        nats_percent=100 * (idle["nats_cpu_s"] - calm["nats_cpu_s"]) / took,
        tasks=calm["tasks"] - base["tasks"],
        files=calm["files"] - base["files"],
        start_s=start_s,
        start_cpu_ms=1000 * (started["cpu_s"] - base["cpu_s"]) / size,
        drain_s=end["drain_s"],
        drained=not end["links"],
        violations=await rig.towns.violations(),
    )


def _uneven(costs: Mapping[int, float]) -> float | None:
    """Return by how much the cost of one more bot differs between the steps, at most.

    Each step counts from the smallest fleet, so that what a process costs anyhow is left out.
    """
    sizes = sorted(costs)
    steps = [(costs[n] - costs[sizes[0]]) / (n - sizes[0]) for n in sizes[1:] if n >= 500]
    if len(steps) < 2 or min(steps) <= 0:
        return None
    return max(steps) / min(steps) - 1


def main(words: Sequence[str]) -> int:
    sizes = [int(word) for word in words] or list(SIZES)
    result = asyncio.run(measure(sizes))
    print(json.dumps({"ok": result.ok} | dict(result.figures), indent=1))
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
