"""LEASES: the protocol of leases, many seeds on virtual time, and the same with a guard missing."""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from bench.report import Result
from drills.leases.cell import Sabotage
from drills.leases.plan import BEGIN_S, TTL_S, Event, Fault, Script
from drills.leases.run import SeedReport, run_seed

ID: Final = "LEASES"
TITLE: Final = "600 seeds of lease keepers under faults: never two owners; missing guards are found"
SEEDS: Final = 600
GUARDED: Final = 12
PROCESSES: Final = 2

FROZEN: Final = Script(
    workers=3,
    events=(Event(at=BEGIN_S, fault=Fault.FREEZE, place=0, lasts=1.5 * TTL_S),),
    has_watchdog=False,
    slow=0.0,
    rates=(1.0, 0.99, 1.01),
    weights=dict.fromkeys(range(12), 1),
)
DEAF: Final = Script(
    workers=3,
    events=tuple(
        Event(at=BEGIN_S, fault=Fault.DEAF, place=place, lasts=1.2 * TTL_S) for place in (0, 1)
    ),
    has_watchdog=False,
    slow=0.0,
    rates=(1.0, 0.99, 1.01),
    weights=dict.fromkeys(range(12), 1),
)
CUT_OFF: Final = Script(
    workers=3,
    events=(
        Event(at=BEGIN_S, fault=Fault.NO_STORE, place=0, lasts=2 * TTL_S),
        Event(at=BEGIN_S, fault=Fault.NO_REGISTERS, place=0, lasts=2 * TTL_S),
    ),
    has_watchdog=False,
    slow=0.0,
    rates=(1.0, 0.99, 1.01),
    weights=dict.fromkeys(range(12), 1),
)


async def run() -> Result:
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(PROCESSES) as pool:
        reports = await asyncio.gather(
            *(loop.run_in_executor(pool, run_seed, seed) for seed in range(1, SEEDS + 1))
        )
        no_gate = await asyncio.gather(
            *(loop.run_in_executor(pool, _without_gate, seed) for seed in range(1, GUARDED + 1))
        )
        no_epochs = await asyncio.gather(
            *(loop.run_in_executor(pool, _without_epochs, seed) for seed in range(1, GUARDED + 1))
        )
        blind = await asyncio.gather(
            *(loop.run_in_executor(pool, _buried_blindly, seed) for seed in range(1, GUARDED + 1))
        )
    failed = [report.seed for report in reports if report.broken]
    figures: dict[str, int | float | str | None] = {
        "seeds": len(reports),
        "seeds_failed": len(failed),
        "first_failed": min(failed, default=None),
        "orders": sum(report.orders for report in reports),
        "writes_refused": sum(report.refused for report in reports),
        "worker_lives": sum(report.lives for report in reports),
        "late_orders_found_without_gate": _found(no_gate, "L3"),
        "late_writes_found_without_epochs": _found(no_epochs, "L4"),
        "double_connections_found_with_blind_burial": _found(blind, "L2"),
    }
    if failed:
        figures["repeat"] = f"python -m drills.leases {min(failed)}"
    notices = all((_found(no_gate, "L3"), _found(no_epochs, "L4"), _found(blind, "L2")))
    return Result(ok=not failed and notices, figures=figures)


def _without_gate(seed: int) -> SeedReport:
    return run_seed(seed, Sabotage(no_gate=True), FROZEN)


def _without_epochs(seed: int) -> SeedReport:
    return run_seed(seed, Sabotage(no_epoch_check=True), CUT_OFF)


def _buried_blindly(seed: int) -> SeedReport:
    return run_seed(seed, Sabotage(blind_burial=True), DEAF)


def _found(reports: list[SeedReport], law: str) -> int:
    return sum(f" {law} " in line for report in reports for line in report.broken)
