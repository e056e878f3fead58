"""Stop all copying, and Resume. Stop must always work: no limit, no script, no question."""

from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signalfleet.domain.ids import UserId
from signalfleet.ports.bus import LiveEvent, WorkItem
from signalfleet.ports.errors import PortError
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import WebContext, context_of
from signalfleet.web.guards import SignedIn, read_form
from signalfleet.web.pages.live import page_values
from signalfleet.web.routes import Access, RouteTable

log = structlog.get_logger(__name__)
table: Final = RouteTable()

PROOF: Final = "resume"


@table.route("POST", "/copying/stop", Access.SIGNED_IN)
async def stop_copying(request: Request, signed: SignedIn) -> Response:
    await _set_halted(context_of(request), signed, halted=True)
    return RedirectResponse("/", 303)


@table.route("GET", "/copying/resume", Access.SIGNED_IN)
async def resume_page(request: Request, signed: SignedIn) -> Response:
    context = context_of(request)
    values = await page_values(context, signed)
    return context.pages.response("resume.html", {**values, "here": "", "was_wrong": False})


@table.route("POST", "/copying/resume", Access.SIGNED_IN)
async def resume_copying(request: Request, signed: SignedIn) -> Response:
    context = context_of(request)
    proof = (await read_form(request)).get("confirm", "")
    if proof.strip().lower() != PROOF:
        values = await page_values(context, signed)
        values |= {"here": "", "was_wrong": True}
        return context.pages.response("resume.html", values, 422)
    await _set_halted(context, signed, halted=False)
    return RedirectResponse("/", 303)


async def _set_halted(context: WebContext, signed: Signed, *, halted: bool) -> None:
    """Write the flag, which alone stops entries, then wake the owner so that it is at once."""
    await signed.store.bot.set_halted(halted=halted)
    log.info("copying_stopped" if halted else "copying_resumed", user_id=signed.user)
    status = await signed.store.bot.status()
    key = f"halt:{status.wish_rev}"
    try:
        await context.deps.bus.publish_work(WorkItem(user=signed.user, kind="cmd", key=key))
    except PortError as error:
        # The owner also reads the flag by itself every few seconds.
        log.warning("halt_wake_failed", user_id=signed.user, kind=type(error).__name__)
    await _tell_pages(context, signed.user, halted=halted)


async def _tell_pages(context: WebContext, user: UserId, *, halted: bool) -> None:
    event = LiveEvent(user=user, kind="bot", payload={"halted": halted})
    await context.deps.bus.publish_event(event)
