"""Where notices go besides the pages: connect, choose, test, take away, and end letters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from signalfleet.app.notice_targets import (
    CHOICES_SCOPE,
    Linked,
    keep_choices,
    linked_targets,
    switch_off_letters,
)
from signalfleet.domain.accounts.delivery import (
    Choices,
    QuietHours,
    TargetKind,
    choices_document,
    choices_from,
    clock_text,
    read_time,
)
from signalfleet.domain.accounts.notices import NoticeLevel
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId
from signalfleet.ports.bus import Plain
from signalfleet.ports.errors import PortError, StoreUnavailableError, TemporaryError
from signalfleet.web.assets import Assets
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import WebContext, context_of
from signalfleet.web.guards import SignedIn, read_form
from signalfleet.web.limits import LimitClass
from signalfleet.web.notice_desk import TYPED_MAX, NoticeDeskDoor
from signalfleet.web.pages.live import page_values
from signalfleet.web.routes import Access, RouteTable

log = structlog.get_logger(__name__)
table: Final = RouteTable()

HOME: Final = "/settings/notifications"
NAMES: Final = {
    TargetKind.TELEGRAM: "Telegram",
    TargetKind.EMAIL: "E-mail",
    TargetKind.PUSH: "This browser",
}
LEVELS: Final = {
    NoticeLevel.MONEY: "Money",
    NoticeLevel.ATTENTION: "Attention",
    NoticeLevel.INFO: "Information",
}
NO_DESK: Final[Plain] = {"offered": [], "push_key": ""}
AWAY: Final = (
    "The part of SignalFleet that sends notices does not answer just now. Look again soon."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """One way out, as the page shows it; `why` says what is wrong with it."""

    kind: str
    name: str
    linked: Linked | None
    is_on: bool
    is_offered: bool
    why: str
    wants: frozenset[str]


@table.route("GET", HOME, Access.SIGNED_IN)
async def settings_page(request: Request, signed: SignedIn) -> Response:
    return await _page(request, signed)


@table.route("GET", "/f/notification-targets", Access.SIGNED_IN)
async def targets_panel(request: Request, signed: SignedIn) -> Response:
    """Render the ways out alone: one may have been connected in another program."""
    context = context_of(request)
    values = await _values(context, signed)
    return HTMLResponse(context.pages.render("panels/notification_targets.html", values))


@table.route("POST", HOME, Access.SIGNED_IN, audit="notifications_changed")
async def save_settings(request: Request, signed: SignedIn) -> Response:
    """Keep what is told where, the quiet hours and the hour of the summary."""
    form = await read_form(request)
    try:
        choices = _choices(form)
    except DomainError as error:
        return await _page(request, signed, error=_sentence(str(error)), status=422)
    await keep_choices(signed.store, choices_document(choices))
    return RedirectResponse(f"{HOME}?saved=1", 303)


@table.route("POST", f"{HOME}/telegram", Access.SIGNED_IN, audit="notice_link_made")
async def connect_telegram(request: Request, signed: SignedIn) -> Response:
    """Show a link to the operator's bot. It works once, so it is never kept."""
    try:
        answer = await _door(request).ask("telegram", signed.user)
    except StoreUnavailableError:
        raise
    except PortError as error:
        return await _refused(request, signed, error)
    return await _page(request, signed, link=str(answer.get("link", "")))


@table.route("POST", f"{HOME}/email", Access.SIGNED_IN, audit="notice_address_given")
async def connect_email(request: Request, signed: SignedIn) -> Response:
    """Have a code sent to the address."""
    typed = (await read_form(request)).get("address", "").strip()
    if not typed or len(typed) > TYPED_MAX:
        return await _page(request, signed, error="Type an e-mail address.", status=422)
    try:
        await _door(request).give("email", signed.user, "notify_email_new", typed)
    except StoreUnavailableError:
        raise
    except PortError as error:
        return await _refused(request, signed, error)
    return await _page(request, signed, asks_code=True)


@table.route("POST", f"{HOME}/code", Access.SIGNED_IN, audit="notice_address_confirmed")
async def confirm_email(request: Request, signed: SignedIn) -> Response:
    code = (await read_form(request)).get("code", "")[:40]
    try:
        await _door(request).ask("code", signed.user, code=code)
    except StoreUnavailableError:
        raise
    except PortError as error:
        return await _refused(request, signed, error, asks_code=True)
    return RedirectResponse(HOME, 303)


@table.route("POST", f"{HOME}/push", Access.SIGNED_IN, audit="notice_browser_connected")
async def connect_push(request: Request, signed: SignedIn) -> Response:
    """Take the subscription that this browser has made."""
    typed = (await read_form(request)).get("subscription", "")
    if not typed or len(typed) > TYPED_MAX:
        return await _page(request, signed, error="The browser gave no permission.", status=422)
    try:
        await _door(request).give("push", signed.user, "notify_push", typed)
    except StoreUnavailableError:
        raise
    except PortError as error:
        return await _refused(request, signed, error)
    return RedirectResponse(HOME, 303)


@table.route("POST", f"{HOME}/test", Access.SIGNED_IN, audit="notice_tested")
async def send_test(request: Request, signed: SignedIn) -> Response:
    return await _told(request, signed, "test", "tested")


@table.route("POST", f"{HOME}/off", Access.SIGNED_IN, audit="notice_target_removed")
async def take_away(request: Request, signed: SignedIn) -> Response:
    return await _told(request, signed, "off", "removed")


@table.route("GET", "/push-worker.js", Access.PUBLIC, limit=LimitClass.UNLIMITED)
async def push_worker(request: Request) -> Response:
    """Serve the browser's part of notices from the root: a worker sees what lies below it."""
    assets = cast("Assets", request.app.state.assets)
    asset = assets.find(assets.url("push-worker.js"))
    body = b"" if asset is None else asset.body
    return Response(body, 200, {"Cache-Control": "no-cache"}, "text/javascript")


@table.route("GET", "/notifications/unsubscribe/{user}/{word}", Access.PUBLIC)
async def unsubscribe_page(request: Request) -> Response:
    """Ask before anything is done: programs that read mail follow links too."""
    context = context_of(request)
    values = {"address": request.url.path, "is_done": False}
    return context.pages.response("unsubscribe.html", values)


@table.route(
    "POST",
    "/notifications/unsubscribe/{user}/{word}",
    Access.FROM_ANYWHERE,
    limit=LimitClass.HOOK,
)
async def unsubscribe(request: Request, user: str, word: str) -> Response:
    """End the letters. A mail program sends this for its user (RFC 8058), so from anywhere.

    Whether the link was right is not said: it could be tried by anybody.
    """
    context = context_of(request)
    try:
        store = context.deps.store.user(UserId(user))
        if await switch_off_letters(store, word):
            log.info("letters_ended")
    except DomainError:
        log.info("unsubscribe_refused")
    return context.pages.response("unsubscribe.html", {"address": "", "is_done": True})


async def _told(request: Request, signed: Signed, op: str, word: str) -> Response:
    kind = (await read_form(request)).get("kind", "")
    try:
        await _door(request).ask(op, signed.user, kind=kind[:20])
    except StoreUnavailableError:
        raise
    except PortError as error:
        return await _refused(request, signed, error)
    return RedirectResponse(f"{HOME}?{word}=1", 303)


def _door(request: Request) -> NoticeDeskDoor:
    return NoticeDeskDoor(context_of(request).deps)


async def _refused(
    request: Request, signed: Signed, error: PortError, *, asks_code: bool = False
) -> Response:
    text = _sentence(str(error))
    if isinstance(error, TemporaryError):
        if error.retry_after is not None:
            text += f" You can try again in {max(round(error.retry_after / 60), 1)} minutes."
        return await _page(request, signed, error=text, status=503, asks_code=asks_code)
    return await _page(request, signed, error=text, status=422, asks_code=asks_code)


async def _page(
    request: Request,
    signed: Signed,
    *,
    error: str = "",
    status: int = 200,
    link: str = "",
    asks_code: bool = False,
) -> Response:
    context = context_of(request)
    done = next(
        (word for word in ("saved", "tested", "removed") if word in request.query_params), ""
    )
    values = {
        **await page_values(context, signed),
        **await _values(context, signed),
        "here": "notices",
        "error": error,
        "link": link,
        "asks_code": asks_code,
        "done": "" if error else done,
    }
    return context.pages.response("notification_settings.html", values, status)


async def _values(context: WebContext, signed: Signed) -> dict[str, object]:
    state, trouble = NO_DESK, ""
    try:
        state = await NoticeDeskDoor(context.deps).state(signed.user)
    except StoreUnavailableError:
        raise
    except PortError:
        trouble = AWAY
    doc, _ = await signed.store.settings.get(CHOICES_SCOPE)
    choices = choices_from(doc)
    linked = await linked_targets(signed.store)
    listed = state.get("offered")
    offered = listed if isinstance(listed, list) else []
    quiet = choices.quiet
    return {
        "rows": [_row(context, kind, linked.get(kind), choices, offered) for kind in TargetKind],
        "levels": [(level.value, name) for level, name in LEVELS.items()],
        "quiet_from": "" if quiet is None else clock_text(quiet.begin),
        "quiet_until": "" if quiet is None else clock_text(quiet.end),
        "summary_at": "" if choices.summary_at is None else clock_text(choices.summary_at),
        "push_key": str(state.get("push_key") or ""),
        "trouble": trouble,
        "zone": signed.profile.timezone,
        "csrf_token": signed.token,
    }


def _row(
    context: WebContext,
    kind: TargetKind,
    linked: Linked | None,
    choices: Choices,
    offered: list[object],
) -> TargetRow:
    is_on = linked is not None and linked.is_on
    why = "" if linked is None or is_on else context.words.say("notice_target", linked.state)
    return TargetRow(
        kind=kind.value,
        name=NAMES[kind],
        linked=linked,
        is_on=is_on,
        is_offered=kind.value in offered,
        why=why,
        wants=frozenset(level.value for level in choices.levels.get(kind, frozenset(NoticeLevel))),
    )


def _choices(form: Mapping[str, str]) -> Choices:
    """Read the form; DomainError says what is wrong."""
    levels = {
        kind: frozenset(one for one in NoticeLevel if f"{kind.value}-{one.value}" in form)
        for kind in TargetKind
    }
    begin, end = form.get("quiet_from", "").strip(), form.get("quiet_until", "").strip()
    if bool(begin) != bool(end):
        raise DomainError("quiet hours need a beginning and an end, or neither")
    quiet = None
    if begin:
        quiet = QuietHours(begin=read_time(begin), end=read_time(end))
        if quiet.begin == quiet.end:
            raise DomainError("quiet hours cannot end when they begin")
    summary = form.get("summary_at", "").strip()
    return Choices(levels=levels, quiet=quiet, summary_at=read_time(summary) if summary else None)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")
