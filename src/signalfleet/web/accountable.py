"""What surrounds an endpoint: one effect for one key, and a line in the user's audit trail."""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final, Protocol

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from signalfleet.domain.accounts.audit import AuditEntry
from signalfleet.domain.accounts.retention import IDEMPOTENCY
from signalfleet.ports.errors import PortError, RefusedError
from signalfleet.ports.fleet_rows import AttemptLimit
from signalfleet.ports.tenant_records import Fresh, InFlight, Mismatch, Replay
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import context_of
from signalfleet.web.guards import forged_request_guard, signed_in_guard
from signalfleet.web.shield import request_id_of

log = structlog.get_logger(__name__)

KEY_HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
WITHOUT_ARMS: Final = frozenset({"/auth/logout"})
READ_ONLY: Final = (
    "This is a restored copy that nobody has armed: nothing can be changed here. If you run this "
    "server, stop the old one and use `signalfleet arm`."
)
SECRET_PARTS: Final = frozenset({"token"})
KEPT_HEADERS: Final = ("content-type", "location", "hx-redirect")
MISSES: Final = (AttemptLimit(count=30, within=timedelta(hours=1)),)
"""How many objects that are not there are noted: the trail is not for whoever guesses ids."""
SERVER_ERROR: Final = 500
CLIENT_ERROR: Final = 400
NOT_FOUND: Final = 404
_KEY: Final = re.compile(r"[\x21-\x7e]{1,64}")

Handle = Callable[[Request], Awaitable[Response]]


class Accounted(Protocol):
    """What this module must know of a route."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def audit(self) -> str: ...
    @property
    def is_owners(self) -> bool: ...
    @property
    def is_signed_write(self) -> bool: ...
    @property
    def audit_word(self) -> str: ...


def accountable(route: Accounted) -> type[APIRoute]:
    """Return the class of a route whose calls are accounted for."""

    class AccountableRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Any]:
            handle = super().get_route_handler()

            async def accounted(request: Request) -> Response:
                if route.is_signed_write:
                    return await _write(route, handle, request)
                if route.is_owners:
                    return await _look(route, handle, request)
                return await handle(request)

            return accounted

    return AccountableRoute


async def _look(route: Accounted, handle: Handle, request: Request) -> Response:
    try:
        response = await handle(request)
    except (HTTPException, RequestValidationError) as error:
        if not isinstance(error, HTTPException) or error.status_code == NOT_FOUND:
            await _note_miss(route, request)
        raise
    if route.audit:
        await _note(request, await signed_in_guard(request), route.audit, {})
    return response


async def _write(route: Accounted, handle: Handle, request: Request) -> Response:
    signed = await signed_in_guard(request)
    if route.path not in WITHOUT_ARMS and not await context_of(request).deps.is_armed():
        raise HTTPException(503, READ_ONLY)
    keys = request.headers.getlist(KEY_HEADER)
    if not keys:
        response = await _tried(route, handle, request)
    else:
        if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
            raise HTTPException(400, f"{KEY_HEADER} is 1 to 64 visible ASCII characters.")
        # Read whole before anything reads it as a form, which would leave nothing of it.
        await request.body()
        await forged_request_guard(request, signed)
        response = await _once(route, handle, request, signed, keys[0])
    if response.status_code < CLIENT_ERROR and REPLAYED not in response.headers:
        await _note(request, signed, route.audit_word, dict(request.path_params))
    return response


async def _tried(route: Accounted, handle: Handle, request: Request) -> Response:
    try:
        return await handle(request)
    except HTTPException as error:
        if route.is_owners and error.status_code == NOT_FOUND:
            await _note_miss(route, request)
        raise


async def _once(
    route: Accounted, handle: Handle, request: Request, signed: Signed, key: str
) -> Response:
    """Let the first request with a key through, and give its answer to all that repeat it."""
    records, now = signed.store.idempotency, context_of(request).deps.clock.now()
    called = f"{route.method} {request.url.path}"
    body_hash = hashlib.sha256(called.encode() + b"\n" + await request.body()).hexdigest()
    begun = await records.begin(key, called, body_hash, at=now, until=now + IDEMPOTENCY)
    match begun:
        case Replay():
            return _replayed(begun)
        case InFlight():
            raise HTTPException(
                409,
                "A request with this Idempotency-Key has begun and its end is not known. Look at "
                "what became of it before you send it again with another key.",
            )
        case Mismatch():
            raise HTTPException(422, "This Idempotency-Key was used for another request.")
        case Fresh():
            pass
    try:
        response = await _tried(route, handle, request)
    except (HTTPException, RequestValidationError):
        await records.give_back(key)
        raise
    # Any other exception leaves the key in flight: whether there was an effect is not known.
    if _is_page(response):
        await records.give_back(key)
    else:
        await records.finish(key, response.status_code, _kept(response))
    return response


def _is_page(response: Response) -> bool:
    """Pages show a form again, or what is so now; they also hold the session's form token."""
    return response.headers.get("content-type", "").startswith("text/html")


def _kept(response: Response) -> str:
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    body = bytes(getattr(response, "body", b"")).decode()
    return json.dumps({"headers": headers, "body": body})


def _replayed(replay: Replay) -> Response:
    kept = json.loads(replay.body)
    return Response(kept["body"], replay.status, {**kept["headers"], REPLAYED: "true"})


async def _note_miss(route: Accounted, request: Request) -> None:
    """Note that an object was asked for which this user does not have."""
    try:
        signed = await signed_in_guard(request)
        deps = context_of(request).deps
        digest = hashlib.sha256(b"sf-miss-1\0" + signed.user.encode()).hexdigest()[:32]
        limited = await deps.store.fleet.count_attempt("miss", digest, deps.clock.now(), MISSES)
    except (HTTPException, PortError):
        return
    log.warning("object_not_found", user_id=signed.user, route=f"{route.method} {route.path}")
    if limited is None:
        await _note(request, signed, "object_not_found", {"route": f"{route.method} {route.path}"})


async def _note(request: Request, signed: Signed, action: str, facts: Mapping[str, object]) -> None:
    shown = {name: str(value)[:64] for name, value in facts.items() if name not in SECRET_PARTS}
    entry = AuditEntry(
        at=context_of(request).deps.clock.now(),
        actor="user",
        action=action,
        facts={
            **shown,
            "request": request_id_of(request),
            "session": signed.sid_hash[:8],
        },
    )
    try:
        await signed.store.events.add(entry)
    except RefusedError:
        return  # The user has left, and the trail with the user.
    except PortError as error:
        # What was asked for is done; the answer must not say that it is not.
        log.error("audit_failed", user_id=signed.user, action=action, kind=type(error).__name__)  # noqa: TRY400 - the store's trouble is logged where it is
