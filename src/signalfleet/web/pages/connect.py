"""Connecting Telegram, which on a server of one's own is also signing in: consent, code, done."""

from datetime import datetime
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signalfleet.domain.ids import UserId
from signalfleet.ports.bus import Plain
from signalfleet.ports.errors import PortError, StoreUnavailableError, TemporaryError
from signalfleet.web.context import context_of
from signalfleet.web.guards import read_form
from signalfleet.web.limits import LimitClass
from signalfleet.web.login_desk import CONSENT_VERSION, NOT_SET_UP, Attempt, LoginDesk
from signalfleet.web.present.qr import QUIET_ZONE, qr_matrix, qr_path
from signalfleet.web.routes import Access, RouteTable

log = structlog.get_logger(__name__)
table: Final = RouteTable()

HOME: Final = "/connect/telegram"
PICKER: Final = "/connect/telegram/channels"
MOVING: Final = frozenset({"starting", "qr", "checking"})
"""Steps whose page looks again by itself; in the others a person is typing."""
DELIVERY: Final = {
    "app": "in your Telegram app, not by SMS",
    "sms": "by SMS",
    "call": "by a phone call",
    "email": "by e-mail",
    "other": "to you",
}
OVER: Final = {"step": "failed", "words": "this sign-in is over; start again", "until": None}


@table.route("GET", HOME, Access.PUBLIC)
async def connect_page(request: Request) -> Response:
    """Show where the attempt of this browser is, or how to begin one."""
    context = context_of(request)
    desk = LoginDesk(context.deps)
    attempt = desk.attempt_of(request)
    if attempt is None:
        is_stranger = await context.sessions.find(request) is None
        if is_stranger and context.deps.identity is not None:
            return RedirectResponse("/signin", 303)
        return await _begin_page(request)
    return await _page(request, await _state(desk, attempt))


@table.route("GET", "/connect/telegram/step", Access.PUBLIC)
async def connect_step(request: Request) -> Response:
    """Render the inner part of the page alone, for looking again."""
    context = context_of(request)
    desk = LoginDesk(context.deps)
    attempt = desk.attempt_of(request)
    state = OVER if attempt is None else await _state(desk, attempt)
    return context.pages.response("connect_step.html", _step_values(state))


@table.route("POST", "/connect/telegram/start", Access.PUBLIC, limit=LimitClass.SIGN_IN)
async def connect_start(request: Request) -> Response:
    context = context_of(request)
    desk = LoginDesk(context.deps)
    form = await read_form(request)
    signed = await context.sessions.find(request)
    if signed is None and context.deps.identity is not None:
        # Where people log in with Telegram, that comes first: it says whose account this must be.
        return RedirectResponse("/signin", 303)
    if form.get("agree") != "yes":
        return await _begin_page(request, "Agree to the points above first.", 422)
    phone = form.get("phone", "") if form.get("method") == "code" else None
    attempt = Attempt.new(signed.user if signed is not None else None)
    try:
        await desk.start(
            attempt, is_visitor=signed is None, origin=desk.origin_of(request), phone=phone
        )
    except StoreUnavailableError:
        raise
    except PortError as error:
        return await _begin_page(request, _told(error), 422)
    response = RedirectResponse(HOME, 303)
    desk.remember(attempt, response)
    return response


@table.route("POST", "/connect/telegram/code", Access.PUBLIC)
async def connect_code(request: Request) -> Response:
    return await _typed(request, "code")


@table.route("POST", "/connect/telegram/password", Access.PUBLIC)
async def connect_password(request: Request) -> Response:
    return await _typed(request, "password")


@table.route("POST", "/connect/telegram/again", Access.PUBLIC)
async def connect_again(request: Request) -> Response:
    """Forget the attempt of this browser; the worker ends it when its time is over."""
    response = RedirectResponse(HOME, 303)
    LoginDesk(context_of(request).deps).forget(response)
    return response


@table.route("POST", "/connect/telegram/finish", Access.PUBLIC)
async def connect_finish(request: Request) -> Response:
    """Sign this browser in as the user whose Telegram account it proved."""
    context = context_of(request)
    desk = LoginDesk(context.deps)
    attempt = desk.attempt_of(request)
    response = _go_on(request, HOME)
    if attempt is None:
        return response
    signed = await context.sessions.find(request)
    try:
        done = await desk.claim(attempt)
        user = UserId(str(done.get("user")))
    except PortError:
        return response
    response = _go_on(request, PICKER)
    desk.forget(response)
    if signed is None or signed.user != user:
        await context.sessions.open(user, response)
        log.info("signed_in", user_id=user, by="telegram")
    return response


async def _typed(request: Request, name: str) -> Response:
    context = context_of(request)
    desk = LoginDesk(context.deps)
    attempt = desk.attempt_of(request)
    if attempt is not None:
        typed = (await read_form(request)).get(name, "")
        try:
            await desk.enter(attempt, name, typed)
        except PortError as error:
            log.info("sign_in_step_failed", name=name, kind=type(error).__name__)
    return RedirectResponse(HOME, 303)


def _go_on(request: Request, address: str) -> Response:
    """Lead the browser on; htmx reads a header of its own."""
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)


async def _state(desk: LoginDesk, attempt: Attempt) -> Plain:
    try:
        return await desk.state(attempt)
    except TemporaryError:
        return OVER


async def _page(request: Request, state: Plain) -> Response:
    context = context_of(request)
    signed = await context.sessions.find(request)
    values = {**_step_values(state), "is_signed_in": signed is not None}
    return context.pages.response("connect.html", values)


async def _begin_page(request: Request, error: str = "", status: int = 200) -> Response:
    context = context_of(request)
    signed = await context.sessions.find(request)
    is_open = LoginDesk(context.deps).is_open
    values = {
        "step": "begin" if is_open else "closed",
        "is_moving": False,
        "is_signed_in": signed is not None,
        "error": error,
        "not_set_up": NOT_SET_UP,
        "consent_version": CONSENT_VERSION,
    }
    return context.pages.response("connect.html", values, status)


def _step_values(state: Plain) -> dict[str, object]:
    step = str(state.get("step"))
    values: dict[str, object] = {**state, "step": step, "is_moving": step in MOVING}
    values["error"] = _sentence(str(state.get("error") or ""))
    values["words"] = _sentence(str(state.get("words") or ""))
    values["until"] = _clock_time(state.get("until")) if step == "failed" else ""
    values["delivery"] = DELIVERY.get(str(state.get("delivery")), DELIVERY["other"])
    if step == "qr":
        matrix = qr_matrix(str(state.get("address")))
        values["qr_path"] = qr_path(matrix)
        values["qr_size"] = len(matrix) + 2 * QUIET_ZONE
    return values


def _told(error: PortError) -> str:
    text = _sentence(str(error))
    wait = error.retry_after if isinstance(error, TemporaryError) else None
    if wait is None:
        return text
    minutes = max(round(wait / 60), 1)
    return f"{text} You can try again in {minutes} minutes."


def _sentence(words: str) -> str:
    """Write the worker's words as a sentence."""
    if not words:
        return ""
    return words[0].upper() + words[1:] + ("" if words.endswith(".") else ".")


def _clock_time(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return f"{datetime.fromisoformat(value):%H:%M} UTC"
