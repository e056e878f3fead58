"""What the user was told: the list behind the count in the header."""

from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from signalfleet.ports.bus import LiveEvent
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import WebContext, context_of
from signalfleet.web.guards import SignedIn, read_form
from signalfleet.web.pages.live import page_values
from signalfleet.web.present.formats import Times
from signalfleet.web.present.notices import load_notices
from signalfleet.web.routes import Access, RouteTable

table: Final = RouteTable()
DIGITS: Final = 12


@table.route("GET", "/notices", Access.SIGNED_IN)
async def notices_page(request: Request, signed: SignedIn) -> Response:
    context = context_of(request)
    values = await page_values(context, signed)
    listed = await _listed(context, signed)
    return context.pages.response("notices.html", {**values, **listed, "here": "notices"})


@table.route("GET", "/f/notices", Access.SIGNED_IN)
async def notices_rows(request: Request, signed: SignedIn) -> Response:
    context = context_of(request)
    return HTMLResponse(context.pages.render("panels/notices.html", await _listed(context, signed)))


@table.route("POST", "/notices/read", Access.SIGNED_IN, audit="notices_read")
async def mark_read(request: Request, signed: SignedIn) -> Response:
    """Mark what was on the page as read; what came since then stays new."""
    context = context_of(request)
    until = (await read_form(request)).get("until", "")
    if until.isascii() and until.isdecimal() and len(until) <= DIGITS:
        await signed.store.notices.mark_read(int(until), context.deps.clock.now())
        # Other open pages of the user show the count too.
        await context.deps.bus.publish_event(
            LiveEvent(user=signed.user, kind="notice", payload={"read": True})
        )
    return RedirectResponse("/notices", 303)


async def _listed(context: WebContext, signed: Signed) -> dict[str, object]:
    times = Times(signed.profile.timezone, context.deps.clock.now())
    rows = await load_notices(signed.store, times, context.words)
    return {
        "rows": rows,
        "has_new": any(row.is_new for row in rows),
        "csrf_token": signed.token,
    }
