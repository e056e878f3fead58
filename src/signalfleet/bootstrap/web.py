"""The web server as a part of a process: our own signals, bounded shutdown."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

import uvicorn

from signalfleet.bootstrap.platform import Platform, session_key
from signalfleet.bootstrap.settings import ConfigurationError
from signalfleet.domain.ids import UserId
from signalfleet.web.app import create_app
from signalfleet.web.deps import WebDeps

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHUTDOWN_S = 3


class WebServer(uvicorn.Server):
    """A server whose end is decided by the process, not by signals that it catches itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def open_socket(host: str, port: int, *, any_port: bool = False) -> socket.socket:
    """Bind the page's address; with `any_port` a taken port is replaced by a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        if not any_port:
            bound.close()
            raise ConfigurationError(
                f"port {port} on {host} is taken; set WEB_PORT to another one"
            ) from error
        bound.bind((host, 0))
    return bound


def make_web_server(
    platform: Platform, bound: socket.socket, *, demo_user: UserId | None = None
) -> WebServer:
    """Make the server of the pages on a bound socket; serve it with `serve(sockets=[bound])`."""
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
        )
    )
