"""What all roles share: they stop on a signal, leave no traces, and tell that they are alive."""

import asyncio
import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from signalfleet.bootstrap.heartbeat import Beat
from signalfleet.bootstrap.settings import ConfigurationError, Settings

if os.name == "posix":
    import resource


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


def beat_in(
    tasks: asyncio.TaskGroup, settings: Settings, place: str | None
) -> list[asyncio.Task[None]]:
    """Write the beat that a supervisor watches, if there is one."""
    if place is None:
        return []
    return [tasks.create_task(Beat(place, settings.worker_freeze_s).run(), name="beat")]


def leave_program_uncollected() -> None:
    """Leave what is there before the first bot out of the search for cycles: it stays for good.

    To go through the program alone takes a tenth of a second, in which no bot does anything.
    """
    gc.collect()  # What is frozen with the rest is never freed.
    gc.freeze()


def leave_no_core() -> None:
    """A process that is killed must not leave its memory, with sessions in it, on the disk."""
    if os.name == "posix":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def require_bus(settings: Settings) -> None:
    if not settings.nats_url:
        raise ConfigurationError(
            "NATS_URL is not set: pages and bots that run apart meet on one NATS server. "
            "`signalfleet run --role supervisor` starts one and both of them."
        )


def address_of(name: tuple[object, ...]) -> str:
    """Return the address of a bound socket's name for a browser."""
    host, port = name[:2]
    return f"http://{host}:{port}"
