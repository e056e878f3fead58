"""The user's account: what was done and by whom, everything as an archive, and leaving."""

from typing import Annotated, Final

import structlog
from fastapi import Path
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from signalfleet.domain.accounts.audit import first_broken
from signalfleet.ports.errors import TemporaryError
from signalfleet.web.account_desk import EXPORTS_A_DAY, AccountPages
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import context_of
from signalfleet.web.guards import SignedIn, read_form
from signalfleet.web.limits import LimitClass
from signalfleet.web.pages.live import page_values
from signalfleet.web.present.activity import activity_rows
from signalfleet.web.present.formats import Times
from signalfleet.web.routes import Access, RouteTable

log = structlog.get_logger(__name__)
table: Final = RouteTable()

PROOF: Final = "delete"
KEEP: Final = "keep"
TRADES: Final = (KEEP, "close")
SHOWN: Final = 200
FILE_NAME: Final = "signalfleet-export.zip"
LAST_HEADERS: Final = {"Clear-Site-Data": '"cache","cookies","storage"'}


@table.route("GET", "/account", Access.SIGNED_IN)
async def account_page(request: Request, signed: SignedIn) -> Response:
    return await _page(request, signed)


@table.route("GET", "/account/activity", Access.SIGNED_IN)
async def activity_page(request: Request, signed: SignedIn) -> Response:
    """Show who changed what, newest first, and whether the chain holds."""
    context = context_of(request)
    rows = await signed.store.events.recent(SHOWN)
    values = await page_values(context, signed)
    times = Times(signed.profile.timezone, context.deps.clock.now())
    return context.pages.response(
        "activity.html",
        {
            **values,
            "here": "account",
            "rows": activity_rows(rows, times, context.words),
            "is_whole": first_broken(signed.user, reversed(rows)) is None,
            "shown": SHOWN,
        },
    )


@table.route(
    "POST", "/account/export", Access.SIGNED_IN, audit="export_requested", limit=LimitClass.EXPORT
)
async def request_export(request: Request, signed: SignedIn) -> Response:
    """Make a link to an archive, shown once."""
    link = await AccountPages(context_of(request).deps, signed).new_link()
    if link is None:
        error = f"You have asked for {EXPORTS_A_DAY} archives today. Come back tomorrow."
        return await _page(request, signed, error=error, status=429)
    return await _page(request, signed, link=link)


@table.route("GET", "/account/export/{token}", Access.OWNER, audit="export_fetched")
async def fetch_export(
    request: Request, signed: SignedIn, token: Annotated[str, Path(max_length=64)]
) -> Response:
    """Hand the archive over and use its link up."""
    packed = await AccountPages(context_of(request).deps, signed).take(token)
    if packed is None:
        raise HTTPException(404)
    log.info("export_fetched", user_id=signed.user, size=len(packed))
    headers = {"Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
    return Response(packed, 200, headers, "application/zip")


@table.route("POST", "/account/delete", Access.SIGNED_IN, audit="deletion_requested")
async def delete(request: Request, signed: SignedIn) -> Response:
    """Delete the user after a typed word; what is left to see is the report's name."""
    context = context_of(request)
    form = await read_form(request)
    trades = form.get("trades", "")
    if form.get("confirm", "").strip().lower() != PROOF:
        error = f"Type the word {PROOF} to delete your account. Nothing was done."
        return await _page(request, signed, error=error, status=422)
    if trades not in TRADES and await signed.store.journal.live_trades():
        error = "Choose what becomes of your open trades. Nothing was done."
        return await _page(request, signed, error=error, status=422)
    try:
        told = await AccountPages(context.deps, signed).delete(trades or KEEP)
    except TemporaryError:
        error = "Nobody can do this just now. Nothing was deleted; try again in a minute."
        return await _page(request, signed, error=error, status=503)
    log.info("deletion_requested", report=told.get("report"))
    response = context.pages.response("deleted.html", {"told": told, "trades": trades})
    await context.sessions.close(signed, response)
    response.headers.update(LAST_HEADERS)
    return response


async def _page(
    request: Request, signed: Signed, *, link: str = "", error: str = "", status: int = 200
) -> Response:
    context = context_of(request)
    values = {
        **await page_values(context, signed),
        "here": "account",
        "link": link,
        "error": error,
        "live": len(await signed.store.journal.live_trades()),
        "proof": PROOF,
    }
    return context.pages.response("account.html", values, status)
