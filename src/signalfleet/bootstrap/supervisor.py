"""The supervisor: the bus, the workers and a web process, started again when they end."""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

from signalfleet.adapters.nats.server import EmbeddedNats
from signalfleet.adapters.secrets import new_intake_keys
from signalfleet.bootstrap.child import Child, ChildPlan
from signalfleet.bootstrap.clock import SystemClock
from signalfleet.bootstrap.cores import cores
from signalfleet.bootstrap.heartbeat import BeatBoard
from signalfleet.bootstrap.intake import intake_opener
from signalfleet.bootstrap.lock import one_supervisor
from signalfleet.bootstrap.platform import make_directories
from signalfleet.bootstrap.process import require_bus, stop_on_signals
from signalfleet.bootstrap.settings import FROM_SUPERVISOR, Settings, given_values
from signalfleet.bootstrap.stores import prepare_store

WORKER_GRACE_S: Final = 30.0
"""Orders settle for at most 8 s, Telegram closes within 10 s; the rest is for a slow machine."""
WEB_GRACE_S: Final = 20.0
PROGRAM: Final = (sys.executable, "-m", "signalfleet.cli", "run", "--role")
WORKER_ONLY: Final = (
    *("ENCRYPTION_KEY", "INTAKE_PRIVATE_KEY", "VAULT_TOKEN"),
    *("NOTIFY_BOT_TOKEN", "SMTP_PASSWORD", "SMTP_USER", "VAPID_PRIVATE_KEY"),
)


async def run_supervisor(settings: Settings) -> None:
    """Run workers and pages as children of this process until a signal ends all of them."""
    make_directories(settings.data_dir, settings.run_dir)
    with one_supervisor(settings.data_dir), stop_on_signals() as stop:
        await prepare_store(settings)
        if settings.nats_url:
            await _run_children(settings, _environment(settings), stop, with_web=True)
            return
        nats = EmbeddedNats(
            data_dir=settings.data_dir,
            run_dir=settings.run_dir,
            clock=SystemClock(),
            program=settings.nats_server_bin,
        )
        async with nats, asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(nats.watch(), name="nats")
            environment = _environment(settings)
            environment["NATS_URL"] = nats.url
            environment["NATS_TOKEN"] = nats.token.reveal()
            await _run_children(settings, environment, stop, with_web=True)
            watching.cancel()


async def run_workers(settings: Settings) -> None:
    """Run workers alone, for a server beside the one with the pages."""
    require_bus(settings)
    make_directories(settings.data_dir, settings.run_dir)
    with one_supervisor(settings.data_dir), stop_on_signals() as stop:
        await _run_children(settings, _environment(settings), stop, with_web=False)


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


async def _run_children(
    settings: Settings, environment: Mapping[str, str], stop: asyncio.Event, *, with_web: bool
) -> None:
    """Keep the children until `stop`: then the workers end first, so that pages can say so."""
    workers = cores() if settings.workers == "auto" else settings.workers
    web_stop = asyncio.Event()
    with ExitStack() as stack:
        beats = BeatBoard(workers + 1)
        stack.callback(beats.close)
        async with asyncio.TaskGroup() as tasks:
            if with_web:
                web = Child(
                    _web(_without_keys(environment), workers), beats, settings.worker_freeze_s
                )
                tasks.create_task(web.keep(web_stop), name="child:web")
            try:
                async with asyncio.TaskGroup() as working:
                    for number in range(workers):
                        plan = _worker(environment, number, workers)
                        child = Child(plan, beats, settings.worker_freeze_s)
                        working.create_task(child.keep(stop), name=f"child:worker:{number}")
            finally:
                web_stop.set()


def _worker(environment: Mapping[str, str], number: int, workers: int) -> ChildPlan:
    counted = ("--number", str(number), "--workers", str(workers))
    return ChildPlan(
        role="worker",
        command=(*PROGRAM, "worker", *counted),
        environment=environment,
        place=number,
        grace_s=WORKER_GRACE_S,
        number=number,
    )


def _web(environment: Mapping[str, str], place: int) -> ChildPlan:
    return ChildPlan(
        role="web",
        command=(*PROGRAM, "web"),
        environment=environment,
        place=place,
        grace_s=WEB_GRACE_S,
    )


def _without_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the web process gets: no key that opens credentials or what users type."""
    kept = {
        name: value
        for name, value in environment.items()
        if not name.upper().startswith(WORKER_ONLY)
    }
    # Nor the right to read them, where the database can tell the two apart.
    if "WEB_STORE_URL" in kept:
        kept["STORE_URL"] = kept.pop("WEB_STORE_URL")
    return kept
