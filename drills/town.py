"""The simulators of a drill, as processes that end with it."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from signalfleet.bootstrap import city as cities
from signalfleet.bootstrap.city import City


@asynccontextmanager
async def open_town(
    root: Path, seed: int, *, idle_s: float, broker_apart: bool = False
) -> AsyncIterator[City]:
    """Start a city under `root`; with `broker_apart` Telegram and the broker share no process."""
    async with AsyncExitStack() as stack:
        city = await stack.enter_async_context(_city(root / "city", seed, idle_s))
        if broker_apart:
            other = await stack.enter_async_context(_city(root / "broker", seed, idle_s))
            city = _with_broker_of(city, other)
        yield city


def _with_broker_of(city: City, other: City) -> City:
    """Return the city with the market and the broker of the other one."""
    broker = {name: one for name, one in other.facts.items() if name.startswith("metaapi_")}
    broker["broker_token"] = other.text("control_token")
    return City(facts=city.facts | broker)


@asynccontextmanager
async def _city(run_dir: Path, seed: int, idle_s: float) -> AsyncIterator[City]:
    city = await cities.start(run_dir, repeat=False, speed=1.0, seed=seed, idle_s=idle_s)
    try:
        yield city
    finally:
        await asyncio.to_thread(_end, city.facts["pid"])


def _end(pid: int) -> None:
    """End the city and wait for it: it is a child of this process."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
