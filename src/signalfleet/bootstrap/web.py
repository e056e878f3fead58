"""The web server as a part of a process: our own signals, bounded shutdown."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

import uvicorn
from fastapi import FastAPI

from signalfleet.adapters.oidc.client import TelegramIdentity
from signalfleet.adapters.oidc.limits import ISSUER
from signalfleet.adapters.oidc.settings import OidcSettings
from signalfleet.adapters.redis import limiter_options
from signalfleet.bootstrap.language import load_profile_editor
from signalfleet.bootstrap.platform import Platform, session_key
from signalfleet.bootstrap.prop_packs import load_packs
from signalfleet.bootstrap.settings import ConfigurationError, Settings
from signalfleet.domain.accounts.tiers import limits_of
from signalfleet.domain.ids import UserId
from signalfleet.ports.clock import Clock
from signalfleet.ports.secrets import Sealer, Secret
from signalfleet.web.app import create_app, end_streams
from signalfleet.web.deps import WebDeps
from signalfleet.web.limit_settings import LimitSettings
from signalfleet.web.visitors import networks_of

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHUTDOWN_S = 3


class WebServer(uvicorn.Server):
    """A server whose end is decided by the process, not by signals that it catches itself."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say goodbye to open pages first: the server waits for their streams to end."""
        end_streams(self._app)
        await super().shutdown(sockets)


def open_socket(host: str, port: int, *, any_port: bool = False) -> socket.socket:
    """Bind the page's address; with `any_port` a taken port is replaced by a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol by its name: else asyncio does not know it for TCP, leaves TCP_NODELAY off, and
    # each answer over a kept connection waits 40 ms for the visitor's acknowledgement.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        if any_port:
            bound.bind((host, 0))
            return bound
        bound.close()
        if error.errno == errno.EADDRINUSE:
            text = f"port {port} on {host} is taken; set WEB_PORT to another one"
        else:
            text = f"port {port} on {host} cannot be used; see WEB_HOST and WEB_PORT: {error}"
        raise ConfigurationError(text) from error
    return bound


def telegram_identity(settings: Settings, clock: Clock) -> TelegramIdentity | None:
    """Return what lets people log in with Telegram; None if it is not set up."""
    if not settings.telegram_oidc_client_id:
        return None
    try:
        known_as = OidcSettings(
            client_id=settings.telegram_oidc_client_id,
            client_secret=Secret(settings.telegram_oidc_client_secret.get_secret_value()),
            issuer=settings.telegram_oidc_issuer or ISSUER,
        )
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    return TelegramIdentity(known_as, key=session_key(settings), clock=clock)


def limit_settings(platform: Platform) -> LimitSettings:
    """Count together with other processes where REDIS_URL says so, else for this one alone."""
    settings, url = platform.settings, platform.settings.redis_url.get_secret_value()
    if not url:
        return LimitSettings(metrics=platform.metrics, per_minute=settings.rate_limit_per_minute)
    return LimitSettings(
        metrics=platform.metrics,
        per_minute=settings.rate_limit_per_minute,
        storage=url,
        options=limiter_options(),
    )


def make_web_server(
    platform: Platform,
    bound: socket.socket,
    *,
    demo_user: UserId | None = None,
    sealer: Sealer | None = None,
) -> WebServer:
    """Make the server of the pages on a bound socket; serve it with `serve(sockets=[bound])`.

    The socket is closed if settings forbid to serve.
    """
    try:
        return _web_server(platform, bound, demo_user, sealer)
    except BaseException:
        bound.close()
        raise


def _web_server(
    platform: Platform, bound: socket.socket, demo_user: UserId | None, sealer: Sealer | None
) -> WebServer:
    settings = platform.settings
    host, port = bound.getsockname()[:2]
    app = create_app(
        WebDeps(
            store=platform.store,
            bus=platform.bus,
            clock=platform.clock,
            metrics_text=platform.metrics.text,
            environment=settings.environment.value,
            demo_user=demo_user,
            bound_to_loopback=host in LOOPBACK,
            session_key=session_key(settings),
            public_url=settings.public_url or f"http://{host}:{port}",
            version=version("signalfleet"),
            cookie_secure=settings.cookie_secure,
            cell=settings.cell,
            trusted_proxies=networks_of(settings.trusted_proxies),
            limits=limit_settings(platform),
            sealer=sealer,
            profiles=load_profile_editor(),
            least_quota=limits_of(settings.least_tier),
            packs=load_packs(),
            is_armed=platform.armed.is_armed,
            identity=telegram_identity(settings, platform.clock),
        )
    )
    return WebServer(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=SHUTDOWN_S,
            server_header=False,
            # TRUSTED_PROXIES says who is believed; this would believe everybody on this machine.
            proxy_headers=False,
        ),
        app,
    )
