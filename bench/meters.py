"""What the metering of tasks costs, by step, and whether what it says is so."""

import asyncio
import time
from typing import Final

from bench.report import Result
from signalfleet.bots.meters import BotMeter, in_context_of, metered_tasks
from signalfleet.bots.weights import Walk
from signalfleet.domain.ids import UserId

NAME: Final = "meters"
TITLE: Final = "cost of timing each step of a bot's tasks; a burn of 100 ms as it is put down"
STEPS: Final = 100_000
ROUNDS: Final = 5
BURN_S: Final = 0.1
LIMIT_US: Final = 1.5
"""Wrapped against bare, by step; a quiet machine needs a third of a microsecond."""
OBJECTS: Final = 1_000
USER: Final = UserId("u_mfrggzdfmztwq2lk")


async def run() -> Result:
    """Take the best of several rounds, for others use the machine too."""
    meter = BotMeter(USER)
    bare = min([await _step_us(None) for _ in range(ROUNDS)])
    with metered_tasks():
        metered = min([await _step_us(meter) for _ in range(ROUNDS)])
        burnt, said = await _burn()
    walk = Walk([bytes(100) for _ in range(OBJECTS)])
    begun = time.perf_counter()
    walk.step(slice_ns=1_000_000_000)
    walk_us = (time.perf_counter() - begun) * 1_000_000
    is_right = abs(said - burnt) < BURN_S / 10
    return Result(
        ok=metered - bare <= LIMIT_US and is_right,
        figures={
            "bare_step_us": round(bare, 3),
            "metered_step_us": round(metered, 3),
            "cost_of_a_step_us": round(metered - bare, 3),
            "burnt_ms": round(burnt * 1000, 1),
            "put_down_ms": round(said * 1000, 1),
            "walk_of_1000_objects_us": round(walk_us),
        },
    )


async def _step_us(meter: BotMeter | None) -> float:
    async def steps() -> None:
        for _ in range(STEPS):
            await asyncio.sleep(0)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(steps(), context=None if meter is None else in_context_of(meter))
    return (time.perf_counter() - begun) / STEPS * 1_000_000


async def _burn() -> tuple[float, float]:
    """Work for a while in one step; return how long it took and what the meter says."""
    meter, took = BotMeter(USER), [0.0]

    async def burn() -> None:
        begun = time.perf_counter()
        while time.perf_counter() - begun < BURN_S:
            pass
        took[0] = time.perf_counter() - begun

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(burn(), context=in_context_of(meter))
    return took[0], meter.ns / 1e9
