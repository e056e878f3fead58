"""Puts the web role together: `create_app(deps)` gives the application to serve."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from fastapi import FastAPI

from signalfleet.domain.ids import UserId
from signalfleet.web.assets import Assets
from signalfleet.web.auth.sessions import Sessions
from signalfleet.web.context import WebContext
from signalfleet.web.deps import WebDeps
from signalfleet.web.limits import Limits
from signalfleet.web.live import endpoint as live_events
from signalfleet.web.live.hub import HEARTBEAT, LiveHub
from signalfleet.web.pages import (
    account,
    asks,
    channels,
    connect,
    connect_mt5,
    copying,
    go_live,
    live,
    notices,
    notification_settings,
    oidc_sign_in,
    profile,
    prop_pack,
    settings,
    signals,
    signin,
    status,
    topics,
    trials,
)
from signalfleet.web.present.board import Panel
from signalfleet.web.present.words import Words
from signalfleet.web.problems import add_handlers
from signalfleet.web.routes import register, require_classes
from signalfleet.web.shield import Shield
from signalfleet.web.templating import Pages

TABLES: Final = (
    live.table,
    live_events.table,
    signals.table,
    copying.table,
    signin.table,
    oidc_sign_in.table,
    connect.table,
    channels.table,
    profile.table,
    prop_pack.table,
    settings.table,
    connect_mt5.table,
    go_live.table,
    notices.table,
    notification_settings.table,
    account.table,
    asks.table,
    status.table,
    topics.table,
    trials.table,
)


def create_app(deps: WebDeps, *, heartbeat: timedelta = HEARTBEAT) -> FastAPI:
    """Build the application. Call `end_streams(app)` before its server waits for connections."""
    words, assets = Words.english(), Assets()
    context = WebContext(
        deps=deps,
        sessions=Sessions(deps),
        pages=Pages(assets, words, version=deps.version),
        words=words,
    )

    async def render(user: UserId, panels: Collection[Panel]) -> Mapping[str, str]:
        return await live.render_panels(context, user, panels)

    hub = LiveHub(deps.bus, deps.clock, render, heartbeat=heartbeat)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with hub.running():
            yield

    app = FastAPI(
        title="SignalFleet",
        version=deps.version,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # Else an environment variable could add exporters that nobody chose here.
        telemetry={"auto_configure": False},
        lifespan=lifespan,
    )
    app.state.context, app.state.hub, app.state.assets = context, hub, assets
    limits = Limits(deps.limits) if deps.limits is not None else None
    app.state.limits = limits
    routes = register(app, TABLES, limits)
    app.state.routes = routes
    require_classes(app, routes)
    add_handlers(app)
    app.add_middleware(Shield, deps=deps)
    return app


def end_streams(app: FastAPI) -> None:
    """Say goodbye to all open pages: a server that shuts down waits for its connections."""
    hub: LiveHub = app.state.hub
    hub.end()
