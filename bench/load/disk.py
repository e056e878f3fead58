"""How long this disk takes to say that something is on it, while a load runs beside.

No commit is answered sooner, and on a shared disk the slowest of a minute may take a hundred times
as long as most.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

PAGE: Final = b"\0" * 4096
EVERY_S: Final = 0.1


@asynccontextmanager
async def disk_times(folder: Path) -> AsyncIterator[list[float]]:
    """Write a page through to the disk ten times a second; give the seconds that each took."""
    found: list[float] = []
    over = asyncio.Event()

    async def measure() -> None:
        with (folder / "disk").open("wb", buffering=0) as file:
            while not over.is_set():
                found.append(await asyncio.to_thread(_written, file.fileno()))
                await asyncio.sleep(EVERY_S)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(measure(), name="disk")
        try:
            yield found
        finally:
            over.set()


def _written(file: int) -> float:
    begun = time.perf_counter()
    os.pwrite(file, PAGE, 0)
    os.fsync(file)
    return time.perf_counter() - begun
