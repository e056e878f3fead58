"""What every role stands on: clock, metrics, store, bus and keys, opened and closed together."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from signalfleet.adapters.memory.cache import MemoryCache
from signalfleet.adapters.nats.bus import NatsBus
from signalfleet.adapters.nats.server import EmbeddedNats
from signalfleet.adapters.redis import RedisCache
from signalfleet.bootstrap.arming import ArmedState, armed_state
from signalfleet.bootstrap.clock import SystemChance, SystemClock
from signalfleet.bootstrap.firebase import StoreRole
from signalfleet.bootstrap.keys import Keys, open_keys
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.bootstrap.stores import connect_store, prepare_store
from signalfleet.domain.ids import InstallationId
from signalfleet.observability.metrics import PrometheusMetrics
from signalfleet.ports.bus import Bus
from signalfleet.ports.cache import Cache
from signalfleet.ports.clock import Clock
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.registers import Registers
from signalfleet.ports.secrets import CredentialStore, Secret
from signalfleet.ports.store import Store

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Opened parts of one process. `nats` is the child server where we run our own."""

    settings: Settings
    clock: SystemClock
    chance: SystemChance
    metrics: PrometheusMetrics
    store: Store
    bus: Bus
    registers: Registers
    cache: Cache
    credentials: CredentialStore | None
    installation: InstallationId
    nats: EmbeddedNats | None
    armed: ArmedState


@asynccontextmanager
async def open_platform(
    settings: Settings,
    *,
    with_keys: bool = True,
    may_migrate: bool = True,
    role: StoreRole = StoreRole.BOTH,
) -> AsyncIterator[Platform]:
    """Open store, bus and keys in that order; close them in the reverse one."""
    clock = SystemClock()
    # Before anything is started: a missing key is the most common thing to mend.
    metrics = PrometheusMetrics()
    async with AsyncExitStack() as stack:
        keys: Keys | None = None
        if with_keys:
            keys = await stack.enter_async_context(open_keys(settings, clock, metrics))
        make_directories(settings.data_dir, settings.run_dir)
        if may_migrate:
            await prepare_store(settings)
        store = await connect_store(settings, role)
        stack.push_async_callback(store.aclose)
        cache = make_cache(settings, clock, metrics)
        stack.push_async_callback(cache.aclose)
        nats = await _own_nats(settings, clock, stack)
        url = nats.url if nats is not None else settings.nats_url
        token = nats.token if nats is not None else _nats_token(settings)
        bus = await stack.enter_async_context(
            await NatsBus.connect(url, token, clock=clock, replicas=settings.nats_replicas)
        )
        yield Platform(
            settings=settings,
            clock=clock,
            chance=SystemChance(),
            metrics=metrics,
            store=store,
            bus=bus,
            registers=bus.registers(),
            cache=cache,
            credentials=None if keys is None else keys.credentials(store),
            installation=await store.fleet.installation(),
            nats=nats,
            armed=await armed_state(settings, store),
        )


def make_cache(settings: Settings, clock: Clock, metrics: Metrics) -> Cache:
    """Return the cache that processes share, or without REDIS_URL one of this process."""
    url = settings.redis_url.get_secret_value()
    log.info("cache_chosen", kind="redis" if url else "memory")
    return RedisCache(url, clock=clock, metrics=metrics) if url else MemoryCache(clock)


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
