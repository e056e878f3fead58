"""Run a role until a signal asks it to stop, then stop in order and in a bounded time."""

import asyncio
import gc
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import structlog

from signalfleet.bootstrap.disarmed import show_disarmed, until_armed
from signalfleet.bootstrap.firebase import StoreRole
from signalfleet.bootstrap.heartbeat import Beat
from signalfleet.bootstrap.house import keep_house
from signalfleet.bootstrap.intake import intake_opener, intake_sealer, own_intake
from signalfleet.bootstrap.keys import require_no_keys
from signalfleet.bootstrap.place import OneOf
from signalfleet.bootstrap.platform import Platform, open_platform
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.bootstrap.web import make_web_server, open_socket
from signalfleet.bootstrap.worker import open_worker
from signalfleet.bots.manager import UserBotManager
from signalfleet.domain.ids import UserId

if os.name == "posix":
    import resource

log = structlog.get_logger()

CAPACITY = "signalfleet_bot_capacity"
GAUGES_EVERY_S = 5.0
Ready = Callable[[str], Awaitable[None]]


@contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """Give an event that SIGTERM and Ctrl+C set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    caught = (signal.SIGTERM, signal.SIGINT)
    for number in caught:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in caught:
            loop.remove_signal_handler(number)


async def run_all_in_one(settings: Settings) -> None:
    """Run pages and bots in one process, with a child NATS server unless NATS_URL is set."""
    _leave_no_core()
    with stop_on_signals() as stop:
        async with open_platform(settings) as platform:
            await serve_all(platform, stop)


async def serve_all(
    platform: Platform,
    stop: asyncio.Event,
    *,
    demo_user: UserId | None = None,
    any_port: bool = False,
    ready: Ready | None = None,
) -> None:
    """Run pages and bots over an open platform; `ready` gets the page's address."""
    settings = platform.settings
    await platform.armed.arm_if_new()
    if not await platform.armed.is_armed() and not await show_disarmed(
        platform, stop, any_port=any_port, ready=ready
    ):
        return
    bound = open_socket(settings.web_host, settings.web_port, any_port=any_port)
    intake = own_intake(settings)
    server = make_web_server(platform, bound, demo_user=demo_user, sealer=intake.sealer)
    async with open_worker(platform, intake.opener) as worker, asyncio.TaskGroup() as tasks:
        leave_program_uncollected()
        watching = [
            tasks.create_task(worker.run(), name="worker"),
            tasks.create_task(_measure(platform, worker.manager), name="measure"),
            tasks.create_task(keep_house(platform, worker.manager), name="house"),
        ]
        if platform.nats is not None:
            watching.append(tasks.create_task(platform.nats.watch(), name="nats"))
        serving = tasks.create_task(server.serve(sockets=[bound]), name="web")
        address = _address(bound.getsockname())
        log.info("serving", address=address)
        if ready is not None:
            await ready(address)
        await stop.wait()
        log.info("stopping")
        await worker.ownership.drain()
        server.should_exit = True
        await serving
        for task in watching:
            task.cancel()


async def run_worker(
    settings: Settings, one_of: OneOf | None = None, beat: str | None = None
) -> None:
    """Run bots only, beside other workers. Needs NATS_URL: the pages are another process."""
    require_bus(settings)
    _leave_no_core()
    opener = intake_opener(settings)
    if opener is None:
        log.warning("nobody_can_sign_in", missing="INTAKE_PRIVATE_KEY")
    with stop_on_signals() as stop:
        async with open_platform(settings, may_migrate=False, role=StoreRole.WORKER) as platform:
            await platform.armed.arm_if_new()
            if not await until_armed(platform, stop):
                return
            opened = open_worker(platform, opener, one_of or OneOf())
            async with opened as worker, asyncio.TaskGroup() as tasks:
                leave_program_uncollected()
                running = [
                    *_beating(tasks, settings, beat),
                    tasks.create_task(worker.run(), name="worker"),
                    tasks.create_task(keep_house(platform, worker.manager), name="house"),
                ]
                await stop.wait()
                log.info("draining")
                await worker.ownership.drain()
                for task in running:
                    task.cancel()


async def run_web(settings: Settings, beat: str | None = None) -> None:
    """Run pages only, without any key that opens credentials."""
    require_bus(settings)
    _leave_no_core()
    require_no_keys(settings)
    with stop_on_signals() as stop:
        async with open_platform(
            settings, with_keys=False, may_migrate=False, role=StoreRole.WEB
        ) as platform:
            bound = open_socket(settings.web_host, settings.web_port)
            server = make_web_server(platform, bound, sealer=intake_sealer(settings))
            async with asyncio.TaskGroup() as tasks:
                beating = _beating(tasks, settings, beat)
                serving = tasks.create_task(server.serve(sockets=[bound]), name="web")
                log.info("serving", address=_address(bound.getsockname()))
                await stop.wait()
                server.should_exit = True
                await serving
                for task in beating:
                    task.cancel()


def _beating(
    tasks: asyncio.TaskGroup, settings: Settings, place: str | None
) -> list[asyncio.Task[None]]:
    if place is None:
        return []
    return [tasks.create_task(Beat(place, settings.worker_freeze_s).run(), name="beat")]


def leave_program_uncollected() -> None:
    """Leave what is there before the first bot out of the search for cycles: it stays for good.

    To go through the program alone takes a tenth of a second, in which no bot does anything.
    """
    gc.collect()  # What is frozen with the rest is never freed.
    gc.freeze()


def _leave_no_core() -> None:
    """A process that is killed must not leave its memory, with sessions in it, on the disk."""
    if os.name == "posix":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def require_bus(settings: Settings) -> None:
    if not settings.nats_url:
        raise ConfigurationError(
            "NATS_URL is not set: pages and bots that run apart meet on one NATS server. "
            "`signalfleet run --role supervisor` starts one and both of them."
        )


async def _measure(platform: Platform, manager: UserBotManager) -> None:
    platform.metrics.gauge(CAPACITY, platform.settings.max_bots_per_server)
    while True:
        platform.metrics.gauge("signalfleet_active_bots", len(manager.active_bots))
        unknown = manager.oldest_unknown().total_seconds()
        platform.metrics.gauge("signalfleet_order_unknown_age_seconds", unknown)
        await asyncio.sleep(GAUGES_EVERY_S)


def _address(name: tuple[object, ...]) -> str:
    host, port = name[:2]
    return f"http://{host}:{port}"
