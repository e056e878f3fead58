"""What a copy of the data does that nobody has armed: show itself, change nothing, and wait."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from signalfleet.bootstrap.arming import until_armed
from signalfleet.bootstrap.platform import Platform
from signalfleet.bootstrap.web import make_web_server, open_socket

log = structlog.get_logger()


async def show_disarmed(
    platform: Platform,
    stop: asyncio.Event,
    *,
    any_port: bool,
    ready: Callable[[str], Awaitable[None]] | None,
) -> bool:
    """Serve read-only pages until this copy is armed; False if the process is to stop before."""
    settings = platform.settings
    bound = open_socket(settings.web_host, settings.web_port, any_port=any_port)
    try:
        server = make_web_server(platform, bound)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(sockets=[bound]), name="web")
            host, port = bound.getsockname()[:2]
            log.info("serving", address=f"http://{host}:{port}")
            if ready is not None:
                await ready(f"http://{host}:{port}")
            is_armed = await until_armed(platform.armed, stop)
            server.should_exit = True
            await serving
        return is_armed
    finally:
        bound.close()
