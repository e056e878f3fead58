"""Connecting a MetaTrader account: token, account or new one, progress, what was found there."""

from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signalfleet.app.connect_mt5 import HOSTED
from signalfleet.app.exits import exit_policy_of
from signalfleet.app.go_live import waiting_accounts
from signalfleet.app.leave_account import LEAVING, accounts_in_use, leave_account
from signalfleet.domain.accounts.exits import POLICY_WORDS
from signalfleet.domain.settings.choices import ExitPolicy
from signalfleet.ports.bus import Plain
from signalfleet.ports.errors import (
    PortError,
    RefusedError,
    StoreUnavailableError,
    TemporaryError,
)
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import context_of
from signalfleet.web.guards import OwnAccount, SignedIn, read_form
from signalfleet.web.limits import LimitClass
from signalfleet.web.mt5_desk import NOT_SET_UP, TYPED_MAX, Mt5Desk
from signalfleet.web.pages.live import page_values
from signalfleet.web.present.formats import one_line
from signalfleet.web.routes import Access, RouteTable

log = structlog.get_logger(__name__)
table: Final = RouteTable()

HOME: Final = "/connect/mt5"
MOVING: Final = frozenset({"adding", "link", "waiting", "reading"})
"""Steps whose page looks again by itself."""
STATES: Final = {
    "CREATED": "added, not started yet",
    "DEPLOYING": "starting",
    "DEPLOYED": "running",
    "UNDEPLOYING": "stopping",
    "UNDEPLOYED": "stopped",
}
CONNECTIONS: Final = {
    "CONNECTED": "connected to the broker",
    "DISCONNECTED": "not connected to the broker yet",
    "DISCONNECTED_FROM_BROKER": "the broker does not let it in yet",
}
BEGIN: Final[Plain] = {"step": "begin", "needs_token": True}
CHOICES: Final = ("way", "account", "server", "region", "login")
SHOWN_LINES: Final = 20


@table.route("GET", HOME, Access.SIGNED_IN)
async def mt5_page(request: Request, signed: SignedIn) -> Response:
    """Show the user's accounts, and where connecting another one is."""
    desk = Mt5Desk(context_of(request).deps)
    if not desk.is_open:
        return await _page(request, signed, {"step": "closed"})
    try:
        state = await desk.state(signed.user)
    except TemporaryError as error:
        return await _page(request, signed, {"step": "away"}, str(error), 503)
    return await _page(request, signed, state)


@table.route("GET", "/connect/mt5/step", Access.SIGNED_IN)
async def mt5_step(request: Request, signed: SignedIn) -> Response:
    """Render the inner part of the page alone, for looking again."""
    context = context_of(request)
    try:
        state = await Mt5Desk(context.deps).state(signed.user)
    except TemporaryError:
        # The worker may start again at this moment: the page goes on asking.
        state = {"step": "waiting", "state": "", "connection": ""}
    values = {**_step_values(state), "csrf_token": signed.token}
    response = context.pages.response("connect_mt5_step.html", values)
    if not values["is_moving"]:
        # The rest of the page has news too: the account is in its list now.
        response.headers["HX-Refresh"] = "true"
    return response


@table.route("POST", "/connect/mt5/token", Access.SIGNED_IN, audit="metaapi_token_given")
async def mt5_token(request: Request, signed: SignedIn) -> Response:
    """Hand the token in and look up what it reaches."""
    typed = (await read_form(request)).get("token", "").strip()
    if len(typed) > TYPED_MAX:
        return await _refused(request, signed, "This is too long for a token of MetaApi.")
    desk = Mt5Desk(context_of(request).deps)
    try:
        await desk.token(signed.user, typed)
    except StoreUnavailableError:
        raise
    except PortError as error:
        return await _refused(request, signed, _told(error))
    return RedirectResponse(HOME, 303)


@table.route(
    "POST",
    "/connect/mt5/add",
    Access.SIGNED_IN,
    audit="account_added",
    limit=LimitClass.CONNECT_MT5,
)
async def mt5_add(request: Request, signed: SignedIn) -> Response:
    """Begin to connect the chosen account, or a new one."""
    form = await read_form(request)
    password = form.get("password", "")
    if len(password) > TYPED_MAX:
        return await _refused(request, signed, "This is too long for a password.")
    chosen = {name: form.get(name, "") for name in CHOICES}
    if chosen["way"] != "password":
        password = ""
    desk = Mt5Desk(context_of(request).deps)
    try:
        await desk.add(signed.user, password, **chosen)
    except StoreUnavailableError:
        raise
    except PortError as error:
        return await _refused(request, signed, _told(error))
    return RedirectResponse(HOME, 303)


@table.route("POST", "/connect/mt5/again", Access.SIGNED_IN, audit="account_setup_restarted")
async def mt5_again(request: Request, signed: SignedIn) -> Response:
    """Give the attempt up. What was added at MetaApi stays there and is found again."""
    try:
        await Mt5Desk(context_of(request).deps).again(signed.user)
    except TemporaryError as error:
        log.info("mt5_not_given_up", kind=type(error).__name__)
    return RedirectResponse(HOME, 303)


@table.route("POST", "/accounts/{account}/disconnect", Access.OWNER, audit="account_disconnected")
async def disconnect(request: Request, signed: SignedIn, account: OwnAccount) -> Response:
    """Take an account away; what is open there ends as it was chosen with the button."""
    wanted = (await read_form(request)).get("exit_policy", "")
    if wanted not in set(ExitPolicy):
        raise HTTPException(422, "Choose what becomes of open trades.")
    context = context_of(request)
    now, policy = context.deps.clock.now(), ExitPolicy(wanted)
    try:
        await leave_account(signed.store, account.account_id, policy, now)
    except RefusedError as error:
        raise HTTPException(404) from error
    return RedirectResponse(HOME, 303)


async def _refused(request: Request, signed: Signed, error: str) -> Response:
    """Show the form again with what was wrong; nothing that was typed comes back."""
    try:
        state = await Mt5Desk(context_of(request).deps).state(signed.user)
    except TemporaryError:
        state = BEGIN
    return await _page(request, signed, state, error, 422)


async def _page(
    request: Request, signed: Signed, state: Plain, error: str = "", status: int = 200
) -> Response:
    context = context_of(request)
    values = {
        **await page_values(context, signed),
        **_step_values(state),
        "here": "accounts",
        "accounts_here": await accounts_in_use(signed.store),
        "policies": POLICY_WORDS,
        "usual": await exit_policy_of(signed.store, None),
        "leaving": LEAVING,
        "hosted": HOSTED,
        "waiting": await waiting_accounts(signed.store),
        "error": error,
        "not_set_up": NOT_SET_UP,
    }
    return context.pages.response("connect_mt5.html", values, status)


def _step_values(state: Plain) -> dict[str, object]:
    step = str(state.get("step"))
    values: dict[str, object] = {**state, "step": step, "is_moving": step in MOVING, "error": ""}
    values["trouble"] = _sentence(str(state.get("trouble") or ""))
    values["state_words"] = STATES.get(str(state.get("state")), "")
    values["connection_words"] = CONNECTIONS.get(str(state.get("connection")), "")
    values["accounts"] = _clean(state.get("accounts"))
    values["regions"] = state.get("regions") or []
    values["shown_lines"] = SHOWN_LINES
    return values


def _clean(rows: object) -> list[dict[str, str]]:
    """Return the accounts with foreign texts made fit for one line each."""
    return [
        {name: one_line(str(value)) for name, value in row.items()}
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict)
    ]


def _told(error: PortError) -> str:
    text = _sentence(str(error))
    wait = error.retry_after if isinstance(error, TemporaryError) else None
    if wait is None:
        return text
    return f"{text} You can try again in {max(round(wait / 60), 1)} minutes."


def _sentence(words: str) -> str:
    if not words:
        return ""
    return words[0].upper() + words[1:] + ("" if words.endswith(".") else ".")
