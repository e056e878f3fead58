"""A child of the supervisor: brought back when it ends, killed when it stands still."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from kit import beating_child
from kit.product_process import environment, is_alive
from signalfleet.bootstrap.child import Child, ChildPlan
from signalfleet.bootstrap.heartbeat import BeatBoard

PATIENCE_S = 30.0
FREEZE_S = 2.0


@dataclass(kw_only=True)
class Kept:
    log: Path
    stop: asyncio.Event
    keeping: asyncio.Task[None]

    def pids(self) -> list[int]:
        return [int(line) for line in self.log.read_text().split()] if self.log.exists() else []

    async def until_started(self, times: int) -> int:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if len(self.pids()) >= times:
                return self.pids()[-1]
            await asyncio.sleep(0.02)
        raise AssertionError(f"not started {times} times: {self.pids()}")

    async def end(self) -> None:
        self.stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await self.keeping


@asynccontextmanager
async def kept(
    folder: Path, word: str, *, grace_s: float = 10.0, delay_s: float = 0.05
) -> AsyncIterator[Kept]:
    log = folder / "pids"
    beats, stop = BeatBoard(2), asyncio.Event()
    plan = ChildPlan(
        role="worker",
        number=1,
        command=(sys.executable, beating_child.__file__, word, str(log), str(FREEZE_S)),
        environment=environment({"PYTHONPATH": "src"}),
        place=1,
        grace_s=grace_s,
    )
    child = Child(plan, beats, FREEZE_S, delays_s=(delay_s,))
    keeping = asyncio.create_task(child.keep(stop))
    try:
        yield Kept(log=log, stop=stop, keeping=keeping)
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        beats.close()


async def test_a_child_that_was_killed_is_started_again(tmp_path: Path) -> None:
    async with kept(tmp_path, "live") as child:
        first = await child.until_started(1)
        os.kill(first, signal.SIGKILL)
        assert await child.until_started(2) != first
        await child.end()
        assert not any(is_alive(pid) for pid in child.pids())


async def test_a_child_that_stands_still_is_killed_and_started_again(tmp_path: Path) -> None:
    async with kept(tmp_path, "live") as child:
        first = await child.until_started(1)
        os.kill(first, signal.SIGSTOP)
        with structlog.testing.capture_logs() as said:
            await child.until_started(2)
        assert not is_alive(first)
        (frozen,) = [entry for entry in said if entry["event"] == "child_frozen"]
        assert FREEZE_S < frozen["silent_s"] < FREEZE_S + 5
        await child.end()


async def test_where_a_loop_stands_still_is_in_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with kept(tmp_path, "hang") as child:
        await child.until_started(2)
    said = capfd.readouterr().err
    assert "Timeout" in said
    assert "beating_child.py" in said


async def test_a_child_that_dies_again_and_again_is_said_loudly(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as said:
        async with kept(tmp_path, "die") as child:
            await child.until_started(6)
    loud = [entry for entry in said if entry["event"] == "server_unfit"]
    assert loud[0]["log_level"] == "critical"
    assert loud[0]["deaths"] == 5
    assert "stop this server" in loud[0]["help"]


async def test_a_child_that_does_not_end_is_killed_after_its_grace(tmp_path: Path) -> None:
    async with kept(tmp_path, "deaf", grace_s=0.3) as child:
        pid = await child.until_started(1)
        await child.end()
        assert not is_alive(pid)


async def test_a_child_that_closes_slowly_by_itself_is_not_taken_for_frozen(tmp_path: Path) -> None:
    async with kept(tmp_path, "slow") as child:
        os.kill(await child.until_started(1), signal.SIGTERM)
        assert await child.until_started(2) == 0, "it came to its end by itself"
        await child.end()
