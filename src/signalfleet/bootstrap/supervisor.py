"""The supervisor: the bus, one web process and one worker process, started again when they end."""

import asyncio
import os
import sys

import structlog

from signalfleet.adapters.nats.server import EmbeddedNats
from signalfleet.adapters.sql import migrate
from signalfleet.bootstrap.clock import SystemClock
from signalfleet.bootstrap.process import stop_on_signals
from signalfleet.bootstrap.settings import Settings

log = structlog.get_logger()

RESTART_DELAYS_S = (1.0, 5.0, 30.0)
STOP_GRACE_S = 20.0
STEADY_S = 60.0


async def run_supervisor(settings: Settings) -> None:
    """Run the roles as children of this process until a signal ends all of them."""
    for directory in (settings.data_dir, settings.run_dir):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    await asyncio.to_thread(migrate, settings.database)
    clock = SystemClock()
    with stop_on_signals() as stop:
        if settings.nats_url:
            await _run_children(dict(os.environ), stop)  # noqa: TID251 - handed on to children
            return
        nats = EmbeddedNats(
            data_dir=settings.data_dir,
            run_dir=settings.run_dir,
            clock=clock,
            program=settings.nats_server_bin,
        )
        async with nats, asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(nats.watch(), name="nats")
            environment = dict(os.environ)  # noqa: TID251 - handed on to children
            environment["NATS_URL"] = nats.url
            environment["NATS_TOKEN"] = nats.token.reveal()
            await _run_children(environment, stop)
            watching.cancel()


async def _run_children(environment: dict[str, str], stop: asyncio.Event) -> None:
    # The web process gets no key: what opens credentials stays with the worker.
    without_keys = {
        name: value for name, value in environment.items() if not name.startswith("ENCRYPTION_KEY")
    }
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_keep("worker", environment, stop), name="child:worker")
        tasks.create_task(_keep("web", without_keys, stop), name="child:web")


async def _keep(role: str, environment: dict[str, str], stop: asyncio.Event) -> None:
    """Run one child again and again until `stop`, more slowly if it keeps ending at once."""
    failures = 0
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        begun = loop.time()
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "signalfleet.cli", "run", "--role", role, env=environment
        )
        log.info("child_started", role=role, pid=child.pid)
        await _until_end(child, stop)
        if stop.is_set():
            return
        failures = 0 if loop.time() - begun > STEADY_S else failures + 1
        delay = RESTART_DELAYS_S[min(failures, len(RESTART_DELAYS_S)) - 1] if failures else 0.0
        log.error("child_ended", role=role, status=child.returncode, restart_in_s=delay)
        try:
            async with asyncio.timeout(delay):
                await stop.wait()
        except TimeoutError:
            pass


async def _until_end(child: asyncio.subprocess.Process, stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        ended = tasks.create_task(child.wait(), name="wait")
        asked = tasks.create_task(stop.wait(), name="stop")
        await asyncio.wait([ended, asked], return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            child.terminate()
            _, late = await asyncio.wait([ended], timeout=STOP_GRACE_S)
            if late:
                child.kill()
        asked.cancel()
