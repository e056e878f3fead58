"""Choosing which chats are read, and disconnecting Telegram."""

from collections.abc import Sequence
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signalfleet.app.exits import exit_policy_of
from signalfleet.domain.accounts.exits import POLICY_WORDS
from signalfleet.ports.bus import Plain, WorkItem
from signalfleet.ports.errors import PortError, RefusedError, SignInRequiredError
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import WebContext, context_of
from signalfleet.web.guards import SignedIn, read_form
from signalfleet.web.login_desk import LoginDesk
from signalfleet.web.pages.connect import PICKER
from signalfleet.web.pages.live import page_values
from signalfleet.web.present.formats import one_line
from signalfleet.web.routes import Access, RouteTable

log = structlog.get_logger(__name__)
table: Final = RouteTable()

SEARCH_CHARS: Final = 100
SHOWN_MAX: Final = 200
KINDS: Final = {"channel": "Channel", "supergroup": "Group", "group": "Group", "bot": "Bot"}
MODES: Final = {"paper": "On paper", "on": "Copied", "approve": "Asks first"}
LINK_CHARS: Final = 200
NOTHING: Final[Plain] = {"chats": [], "found": 0, "of": 0, "chosen": 0, "most": 0}


@table.route("GET", PICKER, Access.SIGNED_IN)
async def picker_page(request: Request, signed: SignedIn) -> Response:
    return await _picker(request, signed)


@table.route("POST", PICKER, Access.SIGNED_IN, audit="channels_chosen")
async def choose(request: Request, signed: SignedIn) -> Response:
    """Read what is ticked and stop reading what was shown and is not."""
    context = context_of(request)
    form = await request.form()
    chosen = numbers_of(form.getlist("chat"))
    shown = numbers_of(str(form.get("shown", "")).split(","))
    mode = str(form.get("mode", "paper"))
    desk = LoginDesk(context.deps)
    try:
        told = await desk.of_user(
            signed.user,
            "choose",
            chosen=chosen,
            shown=shown,
            mode=mode,
            skip_probation=form.get("full") == "yes",
        )
        if told.get("chosen"):
            await _wake(context, signed)
    except PortError as error:
        return await _picker(request, signed, str(error), 422)
    return RedirectResponse(f"{PICKER}?saved=1", 303)


@table.route("POST", f"{PICKER}/find", Access.SIGNED_IN, audit="chat_looked_up")
async def find(request: Request, signed: SignedIn) -> Response:
    """Look up what a link leads to, without joining it."""
    link = (await read_form(request)).get("link", "")[:LINK_CHARS]
    try:
        told = await LoginDesk(context_of(request).deps).of_user(signed.user, "find", link=link)
    except PortError as error:
        return await _picker(request, signed, str(error), 422, link=link)
    return await _picker(request, signed, link=link, looked_up=told)


@table.route("POST", f"{PICKER}/join", Access.SIGNED_IN, audit="chat_joined")
async def join(request: Request, signed: SignedIn) -> Response:
    """Join the chat that was shown with this button; the only thing written to Telegram."""
    click = (await read_form(request)).get("click", "")[:LINK_CHARS]
    try:
        await LoginDesk(context_of(request).deps).of_user(signed.user, "join", click=click)
    except PortError as error:
        return await _picker(request, signed, str(error), 422)
    log.info("chat_joined_by_click", user_id=signed.user)
    return RedirectResponse(f"{PICKER}?joined=1", 303)


@table.route(
    "POST", "/connect/telegram/disconnect", Access.SIGNED_IN, audit="telegram_disconnected"
)
async def disconnect(request: Request, signed: SignedIn) -> Response:
    """Stop the bot, end the session at Telegram, delete it."""
    desk = LoginDesk(context_of(request).deps)
    try:
        wanted = (await read_form(request)).get("exit_policy", "")
        await desk.of_user(signed.user, "sign_out", exit_policy=wanted)
    except PortError as error:
        status = 422 if isinstance(error, RefusedError) else 503
        return await _picker(request, signed, str(error), status)
    return RedirectResponse("/connect/telegram", 303)


async def _wake(context: WebContext, signed: Signed) -> None:
    """Wish for the user's bot, and tell its owner so that the choice holds at once."""
    await signed.store.bot.set_wish(on=True, by="picker")
    rev = (await signed.store.bot.status()).wish_rev
    try:
        await context.deps.bus.publish_work(
            WorkItem(user=signed.user, kind="cmd", key=f"wish:{rev}")
        )
    except PortError as error:
        log.warning("wish_wake_failed", kind=type(error).__name__)


async def _picker(
    request: Request,
    signed: Signed,
    error: str = "",
    status: int = 200,
    *,
    link: str = "",
    looked_up: Plain | None = None,
) -> Response:
    context = context_of(request)
    search = request.query_params.get("search", "")[:SEARCH_CHARS]
    found, is_connected = NOTHING, True
    if not error:
        try:
            found = await LoginDesk(context.deps).of_user(signed.user, "chats", search=search)
        except SignInRequiredError:
            is_connected = False
        except PortError as trouble:
            error = str(trouble)
    rows = _rows(found["chats"])
    values = {
        **await page_values(context, signed),
        "here": "channels",
        "rows": rows,
        "shown": ",".join(str(row["chat"]) for row in rows),
        "found": found,
        "search": search,
        "error": error[:1].upper() + error[1:],
        "is_connected": is_connected,
        "link": link,
        "looked_up": _looked_up(looked_up),
        "was_joined": request.query_params.get("joined") == "1" and not error,
        "was_saved": request.query_params.get("saved") == "1" and not error,
        "kinds": KINDS,
        "modes": MODES,
        "policies": POLICY_WORDS,
        "usual": await exit_policy_of(signed.store, None),
    }
    return context.pages.response("connect_channels.html", values, status)


def _looked_up(told: Plain | None) -> dict[str, object] | None:
    if told is None:
        return None
    (row,) = _rows([told.get("chat")])
    return {**row, "click": str(told.get("click") or "")}


def _rows(told: object) -> list[dict[str, object]]:
    """Return the chats with foreign texts made fit for one line each."""
    return [
        {**row, "title": one_line(str(row["title"])), "last_post": one_line(str(row["last_post"]))}
        for row in (told if isinstance(told, list) else [])
    ]


def numbers_of(texts: Sequence[object]) -> list[int]:
    found = []
    for text in texts[:SHOWN_MAX]:
        digits = str(text)
        if digits.removeprefix("-").isdecimal() and digits.isascii() and len(digits) <= 20:  # noqa: PLR2004
            found.append(int(digits))
    return found
