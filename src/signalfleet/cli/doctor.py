"""`signalfleet doctor`: look at the machine and the settings, and say what to mend."""

import asyncio
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog
import typer

from signalfleet.adapters.nats.bus import NatsBus
from signalfleet.adapters.nats.server import EmbeddedNats
from signalfleet.adapters.sql import SqlStore, migrate
from signalfleet.bootstrap.brokers import metaapi_urls
from signalfleet.bootstrap.clock import SystemClock
from signalfleet.bootstrap.keys import check_keys
from signalfleet.bootstrap.language import load_parser
from signalfleet.bootstrap.settings import ConfigurationError, Settings, load_settings
from signalfleet.bootstrap.telegram import telegram_settings
from signalfleet.cli.doctor_services import firebase_check, redis_check
from signalfleet.ports.errors import PortError

FREE_MIB: Final = 500
MIN_SQLITE: Final = (3, 35, 0)
MIB: Final = 1024 * 1024
Check = Callable[[], Awaitable[str]]


async def examine() -> int:
    """Run all checks, print a line for each, and return 1 if one found trouble."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        settings = load_settings()
    except ConfigurationError as error:
        typer.echo(f"trouble  settings: {error}")
        return 1
    checks: dict[str, Check] = {
        "python": _python,
        "database library": _sqlite,
        "disk": lambda: _disk(settings),
        "words and symbols": _language,
        "database": _database,
        "store in Firebase": lambda: firebase_check(settings),
        "shared limits and cache": lambda: redis_check(settings),
        "message queue": lambda: _queue(settings),
        "credential key": lambda: _key(settings),
        "Telegram settings": lambda: _telegram(settings),
        "MetaApi settings": lambda: _metaapi(settings),
    }
    status = 0
    for name, check in checks.items():
        try:
            typer.echo(f"ok       {name}: {await check()}")
        except (ConfigurationError, PortError, OSError, ValueError) as error:
            status = 1
            typer.echo(f"trouble  {name}: {error}")
    return status


async def _python() -> str:
    return ".".join(str(part) for part in sys.version_info[:3])


async def _sqlite() -> str:
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        raise ConfigurationError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 is needed")
    return f"SQLite {sqlite3.sqlite_version}"


async def _disk(settings: Settings) -> str:
    place = settings.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free // MIB
    if free < FREE_MIB:
        raise ConfigurationError(f"only {free} MiB are free for {settings.data_dir}")
    return f"{free:,} MiB free for {settings.data_dir}"


async def _language() -> str:
    return f"parser {load_parser().version}"


async def _database() -> str:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'doctor.db'}"
        await asyncio.to_thread(migrate, url)
        store = await SqlStore.open(url, cell="doctor")
        try:
            await store.ready()
        finally:
            await store.aclose()
    return "a new one can be made, written and read"


async def _queue(settings: Settings) -> str:
    clock = SystemClock()
    if settings.nats_url:
        bus = await NatsBus.connect(settings.nats_url, None, clock=clock)
        await bus.aclose()
        return f"{settings.nats_url} answers"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        nats = EmbeddedNats(
            data_dir=place / "data",
            run_dir=place / "run",
            clock=clock,
            program=settings.nats_server_bin,
        )
        async with nats:
            bus = await NatsBus.connect(nats.url, nats.token, clock=clock)
            await bus.aclose()
    return "our own server starts and answers"


async def _key(settings: Settings) -> str:
    return check_keys(settings)


async def _telegram(settings: Settings) -> str:
    found = telegram_settings(settings)
    return f"application {found.api_id}"


async def _metaapi(settings: Settings) -> str:
    metaapi_urls(settings)
    return "each user's own token" if settings.require_user_metaapi else "the platform's token"
