"""The Live page and its panels."""

from collections.abc import Collection, Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from signalfleet.domain.ids import UserId
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import WebContext, context_of
from signalfleet.web.guards import SignedIn
from signalfleet.web.present.board import Panel, read_board
from signalfleet.web.routes import Access, RouteTable

table: Final = RouteTable()

TEMPLATES: Final[Mapping[Panel, str]] = {panel: f"panels/{panel.value}.html" for panel in Panel}


@table.route("GET", "/", Access.SIGNED_IN)
async def live_page(request: Request, signed: SignedIn) -> Response:
    context = context_of(request)
    values = await page_values(context, signed, tuple(Panel))
    return context.pages.response("live.html", {**values, "here": "live"})


@table.route("GET", "/f/live/{panel}", Access.SIGNED_IN)
async def live_panel(request: Request, signed: SignedIn, panel: str) -> Response:
    if panel not in {one.value for one in Panel}:
        raise HTTPException(404)
    wanted = Panel(panel)
    rendered = await render_panels(context_of(request), signed.user, (wanted,))
    return HTMLResponse(rendered[wanted.value])


async def page_values(
    context: WebContext, signed: Signed, panels: Collection[Panel] = ()
) -> dict[str, object]:
    """Return what every signed-in page needs; the header alone needs three panels."""
    board = await read_board(
        signed.store,
        signed.profile,
        context.deps.clock.now(),
        context.words,
        {Panel.LINKS, Panel.UNKNOWN, Panel.BELL, *panels},
    )
    return {
        "board": board,
        "times": board.times,
        "profile": signed.profile,
        "csrf_token": signed.token,
        "is_armed": await context.deps.is_armed(),
        "panels": TEMPLATES,
    }


async def render_panels(
    context: WebContext, user: UserId, panels: Collection[Panel]
) -> dict[str, str]:
    """Render some panels for a user, whoever of the user's pages asks."""
    profile = await context.deps.store.fleet.get_user(user)
    if profile is None:
        raise HTTPException(404)
    board = await read_board(
        context.deps.store.user(user),
        profile,
        context.deps.clock.now(),
        context.words,
        panels,
    )
    values = {"board": board, "times": board.times}
    return {panel.value: context.pages.render(TEMPLATES[panel], values) for panel in sorted(panels)}
