"""The settings of the user, of one account or of one channel: looked at, searched and changed."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from fastapi import Path
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signalfleet.app.edit_settings import (
    EditSettings,
    SettingsPlace,
    SettingsRefusedError,
    SettingsView,
)
from signalfleet.app.leave_account import accounts_in_use
from signalfleet.domain.accounts.tiers import limits_of
from signalfleet.domain.ids import AccountId, ChannelId
from signalfleet.domain.settings.values import Scope
from signalfleet.ports.errors import ConflictError, RefusedError
from signalfleet.ports.store import CopyMode
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import context_of
from signalfleet.web.guards import SignedIn, read_form
from signalfleet.web.pages.live import page_values
from signalfleet.web.present.formats import one_line
from signalfleet.web.present.settings_form import changes_of, groups_of
from signalfleet.web.routes import Access, RouteTable

table: Final = RouteTable()
BIGGEST_ID: Final = 2**63 - 1
MAX_SEARCH: Final = 60
MAX_ID: Final = 64
PACK: Final = "prop_pack"
Chat = Annotated[int, Path(ge=-BIGGEST_ID, le=BIGGEST_ID)]
AccountName = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
CHANGED: Final = "The settings were changed elsewhere meanwhile. Look at them and save again."
LEVELS: Final[Mapping[Scope, str]] = {
    Scope.USER: "They hold wherever neither an account nor a channel says otherwise.",
    Scope.ACCOUNT: "They hold for this account, unless a channel says otherwise.",
    Scope.CHANNEL: "They hold for this channel's signals on every account.",
}


@table.route("GET", "/settings", Access.SIGNED_IN)
async def your_settings(request: Request, signed: SignedIn) -> Response:
    return await _show(request, signed, SettingsPlace())


@table.route("POST", "/settings", Access.SIGNED_IN, audit="settings_changed")
async def change_your_settings(request: Request, signed: SignedIn) -> Response:
    return await _change(request, signed, SettingsPlace())


@table.route("GET", "/accounts/{account}/settings", Access.OWNER)
async def account_settings(request: Request, signed: SignedIn, account: AccountName) -> Response:
    return await _show(request, signed, SettingsPlace(account=AccountId(account)))


@table.route("POST", "/accounts/{account}/settings", Access.OWNER, audit="account_settings_changed")
async def change_account_settings(
    request: Request, signed: SignedIn, account: AccountName
) -> Response:
    return await _change(request, signed, SettingsPlace(account=AccountId(account)))


@table.route("GET", "/channels/{chat}/settings", Access.OWNER)
async def channel_settings(request: Request, signed: SignedIn, chat: Chat) -> Response:
    return await _show(request, signed, SettingsPlace(chat=ChannelId(chat)))


@table.route("POST", "/channels/{chat}/settings", Access.OWNER, audit="channel_settings_changed")
async def change_channel_settings(request: Request, signed: SignedIn, chat: Chat) -> Response:
    return await _change(request, signed, SettingsPlace(chat=ChannelId(chat)))


def _editor(request: Request, signed: Signed) -> EditSettings:
    least = context_of(request).deps.least_quota
    return EditSettings(signed.store, limits_of(signed.profile.tier).at_least(least))


async def _show(request: Request, signed: Signed, place: SettingsPlace) -> Response:
    view = await _view(request, signed, place)
    search = request.query_params.get("q", "")[:MAX_SEARCH]
    return await _page(request, signed, view, search=search)


async def _change(request: Request, signed: Signed, place: SettingsPlace) -> Response:
    """Save the fields that were sent; a field that was left empty is taken back."""
    before = await _view(request, signed, place)
    form = await read_form(request)
    values, unset = changes_of(form)
    read_at = int(form["revision"]) if form.get("revision", "").isdecimal() else -1
    try:
        await _editor(request, signed).change(place, values, unset=unset, revision=read_at)
    except SettingsRefusedError as error:
        problems, status = error.problems, 422
    except ConflictError:
        problems, status = [CHANGED], 409
    else:
        is_pack = place.account is not None and values.get(PACK) not in (None, before.own.get(PACK))
        went = f"/accounts/{place.account}/pack" if is_pack else f"{_path(place)}?saved=1"
        return RedirectResponse(went, 303)
    view = await _view(request, signed, place)
    search = form.get("q", "")[:MAX_SEARCH]
    return await _page(
        request, signed, view, search=search, problems=problems, sent=form, status=status
    )


async def _view(request: Request, signed: Signed, place: SettingsPlace) -> SettingsView:
    try:
        return await _editor(request, signed).load(place)
    except RefusedError as error:
        raise HTTPException(404) from error


async def _page(
    request: Request,
    signed: Signed,
    view: SettingsView,
    *,
    search: str = "",
    problems: Sequence[str] = (),
    sent: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    context = context_of(request)
    groups = groups_of(view, search, sent)
    values = {
        **await page_values(context, signed),
        "here": "settings",
        "title": one_line(view.title),
        "explains": LEVELS[view.place.scope],
        "path": _path(view.place),
        "places": await _places(signed),
        "groups": groups,
        "count": sum(len(group.rows) for group in groups),
        "own": len(view.own),
        "search": search,
        "revision": view.revision,
        "problems": problems,
        "was_saved": request.query_params.get("saved") == "1" and not problems,
    }
    return context.pages.response("settings.html", values, status)


async def _places(signed: Signed) -> list[tuple[str, str]]:
    """Return where settings can be set, as addresses and names."""
    accounts = [
        (
            _path(SettingsPlace(account=one.account_id)),
            f"Account {one.login_masked or one.server or one.account_id}",
        )
        for one in await accounts_in_use(signed.store)
    ]
    channels = [
        (_path(SettingsPlace(chat=one.chat)), one_line(one.title))
        for one in await signed.store.channels.list()
        if one.mode is not CopyMode.OFF
    ]
    return [(_path(SettingsPlace()), "All channels and accounts"), *accounts, *channels]


def _path(place: SettingsPlace) -> str:
    if place.chat is not None:
        return f"/channels/{place.chat}/settings"
    return "/settings" if place.account is None else f"/accounts/{place.account}/settings"
