"""Log in with Telegram: the way there, and the way back."""

import secrets
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signalfleet.app.sign_in_with_telegram import sign_in_with_telegram
from signalfleet.ports.errors import TemporaryError
from signalfleet.ports.identity import IdentityRefusedError, ProvenIdentity
from signalfleet.web.auth.oidc import CALLBACK_PATH, Errand
from signalfleet.web.context import WebContext, context_of
from signalfleet.web.limits import LimitClass
from signalfleet.web.problems import RETRY_AFTER_S, problem, wants_page
from signalfleet.web.routes import Access, RouteTable
from signalfleet.web.shield import request_id_of

log = structlog.get_logger(__name__)
table: Final = RouteTable()

ENTROPY_BYTES: Final = 16


@table.route("POST", "/auth/telegram/start", Access.PUBLIC, limit=LimitClass.SIGN_IN)
async def go_to_telegram(request: Request) -> Response:
    errand = _errand(context_of(request))
    address, box = errand.begin()
    response = RedirectResponse(address, 303)
    errand.remember(response, box)
    return response


@table.route("GET", CALLBACK_PATH, Access.PUBLIC, limit=LimitClass.SIGN_IN)
async def come_back_from_telegram(request: Request) -> Response:
    context = context_of(request)
    errand = _errand(context)
    try:
        response = await _let_in(context, request, await errand.end(request))
    except IdentityRefusedError as error:
        log.warning("sign_in_refused", by="telegram_oidc", reason=error.reason, cause=str(error))
        response = _refusal(request, 400, error.reason)
    except TemporaryError:
        log.warning("sign_in_refused", by="telegram_oidc", reason="away")
        response = _refusal(request, 503, "away")
    errand.forget(response)
    return response


def _errand(context: WebContext) -> Errand:
    if context.deps.identity is None:
        raise HTTPException(404)
    return Errand(context.deps, context.deps.identity)


async def _let_in(context: WebContext, request: Request, identity: ProvenIdentity) -> Response:
    deps = context.deps
    entropy = secrets.token_bytes(ENTROPY_BYTES)
    profile = await sign_in_with_telegram(deps.store, identity, entropy)
    before = await context.sessions.find(request)
    response = RedirectResponse("/", 303)
    await context.sessions.open(profile.user_id, response)
    if before is not None:
        # The browser loses its cookie now; nobody else shall go on with it.
        await deps.store.fleet.delete_session(before.sid_hash)
    return response


def _refusal(request: Request, status: int, reason: str) -> Response:
    context = context_of(request)
    said = context.words.say("oidc", reason)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status >= 500 else {}  # noqa: PLR2004
    if not wants_page(request):
        return problem(request, status, said, headers=headers)
    values = {"said": said, "request_id": request_id_of(request)}
    return context.pages.response("oidc_refused.html", values, status, headers)
