"""What every role stands on: clock, metrics, store, bus and keys, opened and closed together."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from signalfleet.adapters.nats.bus import NatsBus
from signalfleet.adapters.nats.server import EmbeddedNats
from signalfleet.adapters.secrets import FernetKeyService, SecureCredentialStore
from signalfleet.adapters.sql import SqlStore, migrate
from signalfleet.bootstrap.clock import SystemChance, SystemClock
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.domain.ids import InstallationId
from signalfleet.observability.metrics import PrometheusMetrics
from signalfleet.ports.bus import Bus
from signalfleet.ports.secrets import CredentialStore, Secret
from signalfleet.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Opened parts of one process. `nats` is the child server where we run our own."""

    settings: Settings
    clock: SystemClock
    chance: SystemChance
    metrics: PrometheusMetrics
    store: Store
    bus: Bus
    credentials: CredentialStore | None
    installation: InstallationId
    nats: EmbeddedNats | None


@asynccontextmanager
async def open_platform(
    settings: Settings, *, with_keys: bool = True, may_migrate: bool = True
) -> AsyncIterator[Platform]:
    """Open store, bus and keys in that order; close them in the reverse one."""
    clock = SystemClock()
    # Before anything is started: a missing key is the most common thing to mend.
    keys = FernetKeyService(Secret(encryption_key(settings))) if with_keys else None
    async with AsyncExitStack() as stack:
        make_directories(settings.data_dir, settings.run_dir)
        if may_migrate:
            await asyncio.to_thread(migrate, settings.database)
        store = await SqlStore.open(settings.database, cell=settings.cell)
        stack.push_async_callback(store.aclose)
        nats = await _own_nats(settings, clock, stack)
        url = nats.url if nats is not None else settings.nats_url
        token = nats.token if nats is not None else _nats_token(settings)
        bus = await stack.enter_async_context(await NatsBus.connect(url, token, clock=clock))
        yield Platform(
            settings=settings,
            clock=clock,
            chance=SystemChance(),
            metrics=PrometheusMetrics(),
            store=store,
            bus=bus,
            credentials=SecureCredentialStore(store, keys) if keys is not None else None,
            installation=await store.fleet.installation(),
            nats=nats,
        )


def make_directories(*directories: Path) -> None:
    """Make what is missing, for us alone; ConfigurationError if the place cannot be used."""
    for directory in directories:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"the folder {directory} cannot be made: {error.strerror}"
            ) from error
        if not os.access(directory, os.W_OK | os.X_OK):
            raise ConfigurationError(f"nothing can be written in the folder {directory}")


async def _own_nats(
    settings: Settings, clock: SystemClock, stack: AsyncExitStack
) -> EmbeddedNats | None:
    if settings.nats_url:
        return None
    return await stack.enter_async_context(
        EmbeddedNats(
            data_dir=settings.data_dir,
            run_dir=settings.run_dir,
            clock=clock,
            program=settings.nats_server_bin,
        )
    )


def _nats_token(settings: Settings) -> Secret | None:
    token = settings.nats_token.get_secret_value()
    return Secret(token) if token else None


def encryption_key(settings: Settings) -> str:
    """Return the keys that wrap users' data keys; ConfigurationError says how to make one."""
    if settings.encryption_key_file is not None:
        path = settings.encryption_key_file
        if not path.is_file():
            raise ConfigurationError(f"ENCRYPTION_KEY_FILE {path} does not exist")
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise ConfigurationError(f"others may read {path}: run chmod 600 {path}")
        return path.read_text(encoding="ascii").strip()
    key = settings.encryption_key.get_secret_value()
    if not key:
        raise ConfigurationError(
            "ENCRYPTION_KEY is not set. It protects Telegram sessions and broker tokens. "
            "Make one with `signalfleet keys new` and keep it apart from the database."
        )
    return key


def session_key(settings: Settings) -> bytes:
    """Return the key that signs form tokens; made anew in development if none is set."""
    key = settings.session_key.get_secret_value()
    if key:
        return key.encode()
    if settings.is_production:
        raise ConfigurationError("SESSION_KEY is not set: give it 32 or more random characters")
    return _kept_key(settings.data_dir / "session.key")


def _kept_key(path: Path) -> bytes:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48), encoding="ascii")
    return path.read_bytes()
