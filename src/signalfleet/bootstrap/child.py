"""One child of the supervisor: started, watched, started again when it ends, ended in time."""

import asyncio
import os
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from signalfleet.adapters.nats import die_with_parent
from signalfleet.bootstrap.heartbeat import BEAT_S, BeatBoard

log = structlog.get_logger()

RESTART_DELAYS_S: Final = (1.0, 5.0, 30.0)
STEADY_S: Final = 60.0
DEATHS: Final = 5
DEATHS_WITHIN_S: Final = 600.0
QUIET_S: Final = 120.0
"""How long a child may take to open what it needs, or to close it."""
UNFIT: Final = (
    "a process of this server ends again and again; its users are looked after late or by other "
    "servers. The log says why above; stop this server if it does not end"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildPlan:
    """What a child is: `place` is its place on the beat board."""

    role: str
    command: Sequence[str]
    environment: Mapping[str, str]
    place: int
    grace_s: float
    number: int | None = None


class Child:
    """Runs one plan again and again, more slowly if it keeps ending at once."""

    def __init__(
        self,
        plan: ChildPlan,
        beats: BeatBoard,
        freeze_s: float,
        *,
        delays_s: Sequence[float] = RESTART_DELAYS_S,
    ) -> None:
        self._plan = plan
        self._delays_s = delays_s
        self._beats = beats
        self._freeze_s = freeze_s
        self._deaths: deque[float] = deque()
        self._log = log.bind(role=plan.role)
        if plan.number is not None:
            self._log = self._log.bind(number=plan.number)

    async def keep(self, stop: asyncio.Event) -> None:
        """Keep the child running until `stop`; when it returns no process is left."""
        failures = 0
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            begun = loop.time()
            process = await self._start()
            await self._until_end(process, stop)
            if stop.is_set():
                return
            failures = 0 if loop.time() - begun > STEADY_S else failures + 1
            delay = self._delays_s[min(failures, len(self._delays_s)) - 1] if failures else 0.0
            if self._dies_often(loop.time()):
                delay = self._delays_s[-1]
                self._log.critical("server_unfit", deaths=len(self._deaths), help=UNFIT)
            self._log.error("child_ended", status=process.returncode, restart_in_s=delay)
            try:
                async with asyncio.timeout(delay):
                    await stop.wait()
            except TimeoutError:
                pass

    def _dies_often(self, now: float) -> bool:
        self._deaths.append(now)
        while self._deaths[0] < now - DEATHS_WITHIN_S:
            self._deaths.popleft()
        return len(self._deaths) >= DEATHS

    async def _start(self) -> asyncio.subprocess.Process:
        self._beats.clear(self._plan.place)
        beat = f"{self._beats.descriptor}.{self._plan.place}"
        command = [*self._plan.command, "--beat", beat]
        if sys.platform == "linux":
            # Children of a killed supervisor would keep the port and the users' bots from the next.
            wrapper = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid())]
            command = [*wrapper, *command]
        process = await asyncio.create_subprocess_exec(
            *command, env=dict(self._plan.environment), pass_fds=(self._beats.descriptor,)
        )
        self._log.info("child_started", pid=process.pid)
        return process

    async def _until_end(self, process: asyncio.subprocess.Process, stop: asyncio.Event) -> None:
        """Wait until the child has ended. End it when `stop` is set, or when we are cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                waiting = [
                    tasks.create_task(process.wait(), name="wait"),
                    tasks.create_task(stop.wait(), name="stop"),
                    tasks.create_task(self._until_frozen(), name="beats"),
                ]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if waiting[2].done() and process.returncode is None and not stop.is_set():
                    with suppress(ProcessLookupError):
                        process.kill()
                for task in waiting:
                    task.cancel()
        finally:
            await self._end(process)

    async def _until_frozen(self) -> None:
        """Return when the child has stood still for too long."""
        loop = asyncio.get_running_loop()
        quiet_since = last = loop.time()
        while True:
            await asyncio.sleep(BEAT_S)
            now = loop.time()
            # Who stood still ourselves, with the whole machine perhaps, judges nobody by that.
            is_late, last = now - last > 2 * BEAT_S, now
            if is_late:
                continue
            age = self._beats.age_s(self._plan.place)
            if age is not None:
                quiet_since = now
            limit = self._freeze_s if age is not None else QUIET_S
            silent = age if age is not None else now - quiet_since
            if silent > limit:
                self._log.error("child_frozen", silent_s=round(silent, 1))
                return

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(self._plan.grace_s):
                await process.wait()
        except TimeoutError:
            self._log.error("child_killed", after_s=self._plan.grace_s)
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
