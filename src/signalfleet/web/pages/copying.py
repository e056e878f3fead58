"""What copying may do: Stop, close everything, states of accounts and channels, and Resume.

Stopping must always work: no limit, no script, no question. Only lifting asks.
"""

from collections.abc import Mapping
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signalfleet.app.copy_states import load_states, set_state, stop_all
from signalfleet.app.quotas import used_of_plan
from signalfleet.app.watch_losses import restart_total, zone_named
from signalfleet.domain.accounts.copy_states import USER as USER_SCOPE
from signalfleet.domain.accounts.tiers import OPERATOR, limits_of
from signalfleet.domain.ids import AccountId, UserId
from signalfleet.domain.settings.choices import CopyState
from signalfleet.ports.bus import LiveEvent, WorkItem
from signalfleet.ports.errors import PortError, RefusedError
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import WebContext, context_of
from signalfleet.web.guards import SignedIn, read_form
from signalfleet.web.limits import LimitClass
from signalfleet.web.pages.live import page_values
from signalfleet.web.present.copying import state_rows
from signalfleet.web.present.losses import loss_tables
from signalfleet.web.routes import Access, RouteTable

log = structlog.get_logger(__name__)
table: Final = RouteTable()

PROOF: Final = "resume"
HOME: Final = "/copying"
SCOPE_CHARS: Final = 80
PLAN_ROWS: Final = {
    "quota_trades_per_day": ("Trades", " today"),
    "quota_open_positions": ("Open trades", ""),
    "quota_channels": ("Channels", ""),
}
LABELS: Final[Mapping[CopyState, str]] = {
    CopyState.ON: "On",
    CopyState.CLOSE_ONLY: "Close only",
    CopyState.PAUSED: "Paused",
    CopyState.PANIC: "Close everything",
}


@table.route("GET", HOME, Access.SIGNED_IN)
async def copying_page(request: Request, signed: SignedIn) -> Response:
    return await _page(request, signed)


@table.route(
    "POST", "/copying/stop", Access.SIGNED_IN, audit="copying_stopped", limit=LimitClass.UNLIMITED
)
async def stop_copying(request: Request, signed: SignedIn) -> Response:
    """Stop entries everywhere; what is open is managed on to its end."""
    await stop_all(signed.store, CopyState.CLOSE_ONLY)
    await _tell(context_of(request), signed, halted=True)
    return RedirectResponse("/", 303)


@table.route(
    "POST", "/copying/close", Access.SIGNED_IN, audit="panic_pressed", limit=LimitClass.UNLIMITED
)
async def close_everything(request: Request, signed: SignedIn) -> Response:
    """Stop entries, cancel every pending order of ours and close every position of ours."""
    await stop_all(signed.store, CopyState.PANIC)
    await _tell(context_of(request), signed, halted=True)
    return RedirectResponse(HOME, 303)


@table.route(
    "POST",
    "/copying/state",
    Access.SIGNED_IN,
    audit="copy_state_set",
    limit=LimitClass.UNLIMITED,
)
async def set_one(request: Request, signed: SignedIn) -> Response:
    """Set the state of an account or a channel; what lets more happen needs the typed word."""
    form = await read_form(request)
    scope = form.get("scope", "")[:SCOPE_CHARS]
    wanted = form.get("state", "")
    if scope == USER_SCOPE or wanted not in set(CopyState):
        return await _page(request, signed, "Choose an account or a channel, and a state.", 422)
    lift = form.get("confirm", "").strip().lower() == PROOF
    try:
        await set_state(signed.store, scope, CopyState(wanted), lift=lift)
    except RefusedError as error:
        text = str(error)
        if "confirm" in text:
            text = f"Type the word {PROOF} to let more happen than now. Nothing was changed."
        return await _page(request, signed, text[:1].upper() + text[1:], 422)
    await _tell(context_of(request), signed, halted=None)
    return RedirectResponse(HOME, 303)


@table.route("POST", "/copying/restart-drawdown", Access.SIGNED_IN, audit="drawdown_restarted")
async def restart_drawdown(request: Request, signed: SignedIn) -> Response:
    """Count an account's loss in all from now on; it needs the typed word."""
    form = await read_form(request)
    account = await signed.store.accounts.get(AccountId(form.get("account", "")[:SCOPE_CHARS]))
    if account is None:
        return await _page(request, signed, "There is no such account of yours.", 422)
    if form.get("confirm", "").strip().lower() != PROOF:
        text = f"Type the word {PROOF} to count anew. Nothing was changed."
        return await _page(request, signed, text, 422)
    await restart_total(signed.store, account.account_id)
    return RedirectResponse(HOME, 303)


@table.route("GET", "/copying/resume", Access.SIGNED_IN)
async def resume_page(request: Request, signed: SignedIn) -> Response:
    context = context_of(request)
    values = await page_values(context, signed)
    return context.pages.response("resume.html", {**values, "here": "", "was_wrong": False})


@table.route(
    "POST", "/copying/resume", Access.SIGNED_IN, audit="copying_resumed", limit=LimitClass.BOT_START
)
async def resume_copying(request: Request, signed: SignedIn) -> Response:
    context = context_of(request)
    proof = (await read_form(request)).get("confirm", "")
    if proof.strip().lower() != PROOF:
        values = await page_values(context, signed)
        values |= {"here": "", "was_wrong": True}
        return context.pages.response("resume.html", values, 422)
    await set_state(signed.store, USER_SCOPE, CopyState.ON, lift=True)
    await _tell(context, signed, halted=False)
    return RedirectResponse("/", 303)


async def _page(request: Request, signed: Signed, error: str = "", status: int = 200) -> Response:
    context = context_of(request)
    states = await load_states(signed.store.settings)
    values = {
        **await page_values(context, signed),
        "here": "copying",
        "error": error,
        "proof": PROOF,
        "user_state": states.at(USER_SCOPE),
        "labels": LABELS,
        "rows": await state_rows(signed.store, states),
        "news": (await signed.store.settings.get("news"))[0].get("blind"),
        "tables": await loss_tables(signed.store),
        "live": len(await signed.store.journal.live_trades()),
        "plan": await _plan(context, signed),
    }
    return context.pages.response("copying.html", values, status)


async def _plan(context: WebContext, signed: Signed) -> list[str]:
    """Say how much of the plan is used; nothing where the operator gives everything."""
    limits = limits_of(signed.profile.tier).at_least(context.deps.least_quota)
    if limits == OPERATOR:
        return []
    today = context.deps.clock.now().astimezone(zone_named(signed.profile.timezone)).date()
    used = await used_of_plan(signed.store, limits, today.isoformat())
    return [
        f"{label}: {used[code].used} of {used[code].limit}{when}"
        for code, (label, when) in PLAN_ROWS.items()
    ]


async def _tell(context: WebContext, signed: Signed, *, halted: bool | None) -> None:
    """Wake the owner so that what was written holds at once, and tell the user's pages."""
    log.info("copying_changed", user_id=signed.user, halted=halted)
    status = await signed.store.bot.status()
    _, version = await signed.store.settings.get("states")
    key = f"states:{status.wish_rev}.{version}"
    try:
        await context.deps.bus.publish_work(WorkItem(user=signed.user, kind="cmd", key=key))
    except PortError as error:
        # The owner also reads both by itself every few seconds.
        log.warning("halt_wake_failed", user_id=signed.user, kind=type(error).__name__)
    await _tell_pages(context, signed.user, {} if halted is None else {"halted": halted})


async def _tell_pages(context: WebContext, user: UserId, payload: Mapping[str, object]) -> None:
    await context.deps.bus.publish_event(LiveEvent(user=user, kind="bot", payload=payload))
