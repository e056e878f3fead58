"""What programs ask: alive, ready, metrics, static files, reports of a broken policy."""

import asyncio
from typing import Final, cast

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from signalfleet.ports.errors import PortError
from signalfleet.web.assets import Assets
from signalfleet.web.context import context_of
from signalfleet.web.limits import LimitClass, Limits
from signalfleet.web.live.endpoint import hub_of
from signalfleet.web.routes import Access, RouteTable

log = structlog.get_logger(__name__)
table: Final = RouteTable()

STORE_ANSWERS_WITHIN_S: Final = 1.0
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
FOR_EVER: Final = "public, max-age=31536000, immutable"
REPORT_BYTES: Final = 4_096


@table.route("GET", "/healthz", Access.OPERATOR)
@table.route("GET", "/livez", Access.OPERATOR)
async def alive() -> Response:
    """Answer as long as the loop turns; a store that is down must not restart every bot."""
    return PlainTextResponse("ok\n")


@table.route("GET", "/readyz", Access.OPERATOR)
async def ready(request: Request) -> Response:
    deps = context_of(request).deps
    missing = []
    if hub_of(request).is_ending:
        missing.append("draining")
    if not deps.bus.is_connected():
        missing.append("bus")
    try:
        async with asyncio.timeout(STORE_ANSWERS_WITHIN_S):
            await deps.store.ready()
    except (PortError, TimeoutError):
        missing.append("store")
    if missing:
        return PlainTextResponse(f"not ready: {', '.join(missing)}\n", 503)
    limits: Limits | None = request.app.state.limits
    # Worth knowing, and no reason to take this process out of service.
    local = "rate limits are local: Redis does not answer\n" if limits and limits.is_local else ""
    return PlainTextResponse(f"ready\n{local}")


@table.route("GET", "/metrics", Access.OPERATOR)
async def metrics(request: Request) -> Response:
    return Response(context_of(request).deps.metrics_text(), media_type=METRICS_TYPE)


@table.route("GET", "/static/{mark}/{name}", Access.PUBLIC, limit=LimitClass.UNLIMITED)
async def static_file(request: Request) -> Response:
    asset = cast("Assets", request.app.state.assets).find(request.url.path)
    if asset is None:
        raise HTTPException(404)
    headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
    if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.packed, 200, headers, asset.media_type)
    return Response(asset.body, 200, headers, asset.media_type)


@table.route("POST", "/csp-report", Access.PUBLIC)
async def policy_report(request: Request) -> Response:
    """Count a broken policy. The report itself is foreign text and is not kept."""
    size = len(await request.body())
    log.warning("csp_violation_reported", size=min(size, REPORT_BYTES))
    return Response(status_code=204)
