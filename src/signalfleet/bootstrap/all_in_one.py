"""Pages and bots in one process: one laptop, or the demo."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from signalfleet.bootstrap.disarmed import show_disarmed
from signalfleet.bootstrap.house import keep_house
from signalfleet.bootstrap.intake import own_intake
from signalfleet.bootstrap.platform import Platform, open_platform
from signalfleet.bootstrap.process import (
    address_of,
    leave_no_core,
    leave_program_uncollected,
    stop_on_signals,
)
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.web import make_web_server, open_socket
from signalfleet.bootstrap.worker import open_worker
from signalfleet.bots.manager import UserBotManager
from signalfleet.domain.ids import UserId

log = structlog.get_logger()

CAPACITY = "signalfleet_bot_capacity"
GAUGES_EVERY_S = 5.0
Ready = Callable[[str], Awaitable[None]]


async def run_all_in_one(settings: Settings) -> None:
    """Run pages and bots in one process, with a child NATS server unless NATS_URL is set."""
    leave_no_core()
    with stop_on_signals() as stop:
        async with open_platform(settings) as platform:
            leave_program_uncollected()
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
        watching = [
            tasks.create_task(worker.run(), name="worker"),
            tasks.create_task(_measure(platform, worker.manager), name="measure"),
            tasks.create_task(keep_house(platform, worker.manager), name="house"),
        ]
        if platform.nats is not None:
            watching.append(tasks.create_task(platform.nats.watch(), name="nats"))
        serving = tasks.create_task(server.serve(sockets=[bound]), name="web")
        address = address_of(bound.getsockname())
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


async def _measure(platform: Platform, manager: UserBotManager) -> None:
    platform.metrics.gauge(CAPACITY, platform.settings.max_bots_per_server)
    while True:
        platform.metrics.gauge("signalfleet_active_bots", len(manager.active_bots))
        unknown = manager.oldest_unknown().total_seconds()
        platform.metrics.gauge("signalfleet_order_unknown_age_seconds", unknown)
        await asyncio.sleep(GAUGES_EVERY_S)
