"""The supervisor: the bus, one web process and one worker process, started again when they end."""

import asyncio
import os
import sys
from contextlib import suppress

import structlog

from signalfleet.adapters.nats import die_with_parent
from signalfleet.adapters.nats.server import EmbeddedNats
from signalfleet.adapters.secrets import new_intake_keys
from signalfleet.bootstrap.clock import SystemClock
from signalfleet.bootstrap.intake import intake_opener
from signalfleet.bootstrap.platform import make_directories
from signalfleet.bootstrap.process import stop_on_signals
from signalfleet.bootstrap.settings import FROM_SUPERVISOR, Settings, given_values
from signalfleet.bootstrap.stores import prepare_store

log = structlog.get_logger()

RESTART_DELAYS_S = (1.0, 5.0, 30.0)
STOP_GRACE_S = 20.0
STEADY_S = 60.0
WORKER_ONLY = (
    *("ENCRYPTION_KEY", "INTAKE_PRIVATE_KEY", "VAULT_TOKEN"),
    *("NOTIFY_BOT_TOKEN", "SMTP_PASSWORD", "SMTP_USER", "VAPID_PRIVATE_KEY"),
)


async def run_supervisor(settings: Settings) -> None:
    """Run the roles as children of this process until a signal ends all of them."""
    make_directories(settings.data_dir, settings.run_dir)
    await prepare_store(settings)
    clock = SystemClock()
    with stop_on_signals() as stop:
        if settings.nats_url:
            await _run_children(_environment(settings), stop)
            return
        nats = EmbeddedNats(
            data_dir=settings.data_dir,
            run_dir=settings.run_dir,
            clock=clock,
            program=settings.nats_server_bin,
        )
        async with nats, asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(nats.watch(), name="nats")
            environment = _environment(settings)
            environment["NATS_URL"] = nats.url
            environment["NATS_TOKEN"] = nats.token.reveal()
            await _run_children(environment, stop)
            watching.cancel()


def _environment(settings: Settings) -> dict[str, str]:
    """Return what the children get; a pair of keys for intake is made if none is set."""
    # Also what stands in `.env`: the children do not read it, for the web must not find keys there.
    environment = {**os.environ, **given_values(settings), FROM_SUPERVISOR: "1"}  # noqa: TID251 - handed on to children
    opener = intake_opener(settings)
    if opener is not None:
        environment["INTAKE_PUBLIC_KEY"] = opener.public_key
        return environment
    private, environment["INTAKE_PUBLIC_KEY"] = new_intake_keys()
    environment["INTAKE_PRIVATE_KEY"] = private.reveal()
    return environment


async def _run_children(environment: dict[str, str], stop: asyncio.Event) -> None:
    # The web process gets no key: what opens credentials and what users type stays with the worker.
    without_keys = {
        name: value
        for name, value in environment.items()
        if not name.upper().startswith(WORKER_ONLY)
    }
    # Nor the right to read them, where the database can tell the two apart.
    if "WEB_STORE_URL" in without_keys:
        without_keys["STORE_URL"] = without_keys.pop("WEB_STORE_URL")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_keep("worker", environment, stop), name="child:worker")
        tasks.create_task(_keep("web", without_keys, stop), name="child:web")


def _command(role: str) -> list[str]:
    command = [sys.executable, "-m", "signalfleet.cli", "run", "--role", role]
    if sys.platform != "linux":
        return command
    # Children of a killed supervisor would keep the port and the users' bots from the next one.
    return [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid()), *command]


async def _keep(role: str, environment: dict[str, str], stop: asyncio.Event) -> None:
    """Run one child again and again until `stop`, more slowly if it keeps ending at once."""
    failures = 0
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        begun = loop.time()
        child = await asyncio.create_subprocess_exec(*_command(role), env=environment)
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
    """Wait until the child has ended. End it when `stop` is set, or when we are cancelled."""
    try:
        async with asyncio.TaskGroup() as tasks:
            waiting = [
                tasks.create_task(child.wait(), name="wait"),
                tasks.create_task(stop.wait(), name="stop"),
            ]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
    finally:
        await _end(child)


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    with suppress(ProcessLookupError):
        child.terminate()
    try:
        async with asyncio.timeout(STOP_GRACE_S):
            await child.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
