"""The sign-in page, the demo, which is entered with one click on loopback, and signing out."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signalfleet.web.context import context_of
from signalfleet.web.guards import SignedIn
from signalfleet.web.limits import LimitClass
from signalfleet.web.routes import Access, RouteTable

table: Final = RouteTable()


@table.route("GET", "/signin", Access.PUBLIC)
async def signin_page(request: Request) -> Response:
    context = context_of(request)
    if await context.sessions.find(request) is not None:
        return RedirectResponse("/", 303)
    deps = context.deps
    has_demo, has_oidc = deps.demo_user is not None, deps.identity is not None
    # On a server of one's own, connecting Telegram is signing in.
    connects = deps.sealer is not None and not has_demo and not has_oidc
    values = {"has_demo": has_demo, "has_oidc": has_oidc, "connects": connects}
    return context.pages.response("signin.html", values)


@table.route("POST", "/auth/demo", Access.PUBLIC, limit=LimitClass.SIGN_IN)
async def open_demo(request: Request) -> Response:
    context = context_of(request)
    user = context.deps.demo_user
    if user is None:
        raise HTTPException(404)
    response = RedirectResponse("/", 303)
    await context.sessions.open(user, response)
    return response


@table.route(
    "POST", "/auth/logout", Access.SIGNED_IN, audit="signed_out", limit=LimitClass.UNLIMITED
)
async def sign_out(request: Request, signed: SignedIn) -> Response:
    response = RedirectResponse("/signin", 303)
    await context_of(request).sessions.close(signed, response)
    return response
