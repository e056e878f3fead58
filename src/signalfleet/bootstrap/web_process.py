"""Pages in a process of their own, without any key that opens credentials."""

import asyncio

import structlog

from signalfleet.bootstrap.firebase import StoreRole
from signalfleet.bootstrap.intake import intake_sealer
from signalfleet.bootstrap.keys import require_no_keys
from signalfleet.bootstrap.platform import open_platform
from signalfleet.bootstrap.process import (
    address_of,
    beat_in,
    leave_no_core,
    require_bus,
    stop_on_signals,
)
from signalfleet.bootstrap.settings import Settings
from signalfleet.bootstrap.web import make_web_server, open_socket

log = structlog.get_logger()


async def run_web(settings: Settings, beat: str | None = None) -> None:
    """Run pages only, without any key that opens credentials."""
    require_bus(settings)
    leave_no_core()
    require_no_keys(settings)
    with stop_on_signals() as stop:
        async with open_platform(
            settings, with_keys=False, may_migrate=False, role=StoreRole.WEB
        ) as platform:
            bound = open_socket(settings.web_host, settings.web_port)
            server = make_web_server(platform, bound, sealer=intake_sealer(settings))
            async with asyncio.TaskGroup() as tasks:
                beating = beat_in(tasks, settings, beat)
                serving = tasks.create_task(server.serve(sockets=[bound]), name="web")
                log.info("serving", address=address_of(bound.getsockname()))
                await stop.wait()
                server.should_exit = True
                await serving
                for task in beating:
                    task.cancel()
