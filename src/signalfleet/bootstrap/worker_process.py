"""Bots in a process of their own, beside other workers; what pages need is not even loaded."""

import asyncio

import structlog

from signalfleet.bootstrap.arming import until_armed
from signalfleet.bootstrap.firebase import StoreRole
from signalfleet.bootstrap.house import keep_house
from signalfleet.bootstrap.intake import intake_opener
from signalfleet.bootstrap.place import OneOf
from signalfleet.bootstrap.platform import open_platform
from signalfleet.bootstrap.process import (
    beat_in,
    leave_no_core,
    leave_program_uncollected,
    require_bus,
    stop_on_signals,
)
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.worker import open_worker

log = structlog.get_logger()


async def run_worker(
    settings: Settings, one_of: OneOf | None = None, beat: str | None = None
) -> None:
    """Run bots only, beside other workers. Needs NATS_URL: the pages are another process."""
    require_bus(settings)
    leave_no_core()
    opener = intake_opener(settings)
    if opener is None:
        log.warning("nobody_can_sign_in", missing="INTAKE_PRIVATE_KEY")
    with stop_on_signals() as stop:
        async with open_platform(settings, may_migrate=False, role=StoreRole.WORKER) as platform:
            await platform.armed.arm_if_new()
            if not await until_armed(platform.armed, stop):
                return
            opened = open_worker(platform, opener, one_of or OneOf())
            async with opened as worker, asyncio.TaskGroup() as tasks:
                leave_program_uncollected()
                running = [
                    *beat_in(tasks, settings, beat),
                    tasks.create_task(worker.run(), name="worker"),
                    tasks.create_task(keep_house(platform, worker.manager), name="house"),
                ]
                await stop.wait()
                log.info("draining")
                await worker.ownership.drain()
                for task in running:
                    task.cancel()
