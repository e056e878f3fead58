"""The outermost layer: known host names only, a request id, and the headers of every response."""

import secrets
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signalfleet.web.deps import WebDeps

log = structlog.get_logger(__name__)

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; font-src 'self'; manifest-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'; report-uri /csp-report"
)
FIXED: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
MAX_BODY_BYTES: Final = 64 * 1024
MAX_HEADER_BYTES: Final = 32 * 1024
HTTP_VERSIONS: Final = frozenset({"1.0", "1.1", "2"})
ONCE: Final = (b"host", b"content-length", b"content-type", b"origin", b"sec-fetch-site")
HSTS: Final = "max-age=31536000; includeSubDomains"
OPERATOR_PATHS: Final = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})


def policy(deps: WebDeps) -> str:
    """Return the content policy; the form that logs in with Telegram is redirected there."""
    if deps.identity is None:
        return POLICY
    return POLICY.replace("form-action 'self'", f"form-action 'self' {deps.identity.origin}")


class Shield:
    """Pure ASGI, because a wrapper that buffers would break event streams."""

    def __init__(self, app: ASGIApp, deps: WebDeps) -> None:
        self._app = app
        self._deps = deps
        self._headers = {**FIXED, "Content-Security-Policy": policy(deps)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        begun = self._deps.clock.monotonic()
        status = 0

        async def send_shielded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(MutableHeaders(scope=message), request_id)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._guarded(scope, receive, send_shielded)
            finally:
                took = round(self._deps.clock.monotonic() - begun, 4)
                path, method = scope["path"], scope["method"]
                log.debug("request_served", method=method, path=path, status=status, seconds=took)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A foreign host name that resolves to this machine must not reach the one-click demo.
        # Probes call by address; they are let in by their peer, not by a name.
        if scope["path"] not in OPERATOR_PATHS and not self._is_ours(Headers(scope=scope)):
            refusal = PlainTextResponse("This server is not known by that name.\n", 421)
            await refusal(scope, receive, send)
            return
        status = _unclear(scope)
        if status:
            await PlainTextResponse("The request could not be read.\n", status)(
                scope, receive, send
            )
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            refusal = PlainTextResponse("That was too much to send at once.\n", 413)
            await refusal(scope, receive, send)
            return
        await self._app(scope, _limited(receive), send)

    def _is_ours(self, headers: Headers) -> bool:
        host = headers.get("host", "").lower()
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        return name in self._deps.hosts

    def _add_headers(self, headers: MutableHeaders, request_id: str) -> None:
        for name, value in self._headers.items():
            headers[name] = value
        headers["X-Request-Id"] = request_id
        headers.setdefault("Cache-Control", "no-store")
        if self._deps.is_https:
            headers["Strict-Transport-Security"] = HSTS


def _unclear(scope: Scope) -> int:
    """Return the status for what a proxy may have read differently than we do, else 0."""
    names = [name for name, _ in scope["headers"]]
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
        return 431
    if b"transfer-encoding" in names and b"content-length" in names:
        return 400
    if any(names.count(name) > 1 for name in ONCE):
        return 400
    return 0 if scope["http_version"] in HTTP_VERSIONS else 400


def _limited(receive: Receive) -> Receive:
    """Count a body that comes without its length; a request that reads too much of it ends."""
    taken = 0

    async def receive_limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY_BYTES:
            raise HTTPException(413)
        return message

    return receive_limited


def request_id_of(request: Request) -> str:
    return str(request.scope.get("state", {}).get("request_id", ""))
