"""A prop firm's rule pack for an account: what it changes, its source, the confirmation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signalfleet.app.edit_settings import EditSettings, SettingsPlace, load_levels
from signalfleet.app.prop_packs import NONE, confirm_pack, pack_use
from signalfleet.domain.accounts.tiers import limits_of
from signalfleet.domain.errors import DomainError
from signalfleet.domain.risk.prop_packs import PropPack, Signals
from signalfleet.domain.settings.catalogue import CATALOGUE
from signalfleet.domain.settings.resolve import Level, resolve
from signalfleet.ports.errors import ConflictError, RefusedError
from signalfleet.ports.store import Account, UserStore
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import context_of
from signalfleet.web.guards import OwnAccount, SignedIn, read_form
from signalfleet.web.pages.live import page_values
from signalfleet.web.present.formats import one_line
from signalfleet.web.routes import Access, RouteTable

table: Final = RouteTable()
PROOF: Final = "confirm"
SLUG_CHARS: Final = 40
SIGNALS: Final = {
    Signals.ALLOWED: "The firm lets its traders follow the signals of others.",
    Signals.FORBIDDEN: "The firm forbids following the signals of others. It may refuse to pay.",
    Signals.UNCLEAR: "Whether the firm lets you follow the signals of others is unclear: ask it.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One setting: what counts now, and what counts with the pack."""

    label: str
    before: str
    after: str
    is_changed: bool


@table.route("GET", "/accounts/{account}/pack", Access.OWNER)
async def pack_page(request: Request, signed: SignedIn, account: OwnAccount) -> Response:
    return await _page(request, signed, account)


@table.route("POST", "/accounts/{account}/pack", Access.OWNER, audit="prop_pack_confirmed")
async def use_pack(request: Request, signed: SignedIn, account: OwnAccount) -> Response:
    """Choose and confirm a pack in one step, after its changes were shown; or take it off."""
    deps = context_of(request).deps
    form = await read_form(request)
    wanted = form.get("pack", "")[:SLUG_CHARS]
    if wanted != NONE and wanted not in deps.packs:
        return await _page(request, signed, account, "There is no such rule pack.", 422)
    if form.get("confirm", "").strip().lower() != PROOF:
        text = f"Type the word {PROOF} if all of it holds. Nothing was changed."
        return await _page(request, signed, account, text, 422, chosen=wanted)
    editor = EditSettings(signed.store, limits_of(signed.profile.tier).at_least(deps.least_quota))
    try:
        await editor.change(SettingsPlace(account=account.account_id), {"prop_pack": wanted})
        if wanted != NONE:
            now = deps.clock.now()
            await confirm_pack(signed.store, account.account_id, deps.packs, now)
    except (RefusedError, ConflictError) as error:
        return await _page(request, signed, account, _sentence(str(error)), 409, chosen=wanted)
    return RedirectResponse(f"/accounts/{account.account_id}/pack?saved=1", 303)


async def _page(
    request: Request,
    signed: Signed,
    account: Account,
    error: str = "",
    status: int = 200,
    *,
    chosen: str = "",
) -> Response:
    context = context_of(request)
    packs = context.deps.packs
    doc, _ = await signed.store.settings.get(f"account:{account.account_id}")
    current = str(doc.get("prop_pack", NONE))
    shown = chosen or request.query_params.get("pack", "")[:SLUG_CHARS] or current
    pack = packs.get(shown)
    use = await pack_use(signed.store.settings, account.account_id, current, packs)
    values = {
        **await page_values(context, signed),
        "here": "accounts",
        "account": account,
        "name": one_line(account.login_masked or account.server or account.account_id),
        "packs": sorted(packs.values(), key=lambda one: one.name),
        "current": current,
        "is_confirmed": use is not None and use.is_confirmed,
        "is_known": use is None or use.is_known,
        "shown": shown,
        "pack": pack,
        "signals": SIGNALS[pack.signals] if pack is not None else "",
        "changes": await _changes(signed.store, account, pack) if pack is not None else (),
        "proof": PROOF,
        "error": error,
        "was_saved": request.query_params.get("saved") == "1" and not error,
    }
    return context.pages.response("prop_pack.html", values, status)


async def _changes(store: UserStore, account: Account, pack: PropPack) -> Sequence[Change]:
    levels = await load_levels(store.settings, None, account.account_id)
    try:
        before = resolve(levels).rules
        ruled = Level(source="pack", doc=pack.settings)
        after = resolve([ruled, *levels]).rules
    except DomainError:
        return ()
    rows = []
    for key in pack.settings:
        spec = CATALOGUE[key]
        old, new = spec.show(getattr(before, key)), spec.show(getattr(after, key))
        label = key.replace("_", " ").capitalize()
        rows.append(
            Change(
                label=label,
                before=f"{old} {spec.unit}".strip(),
                after=f"{new} {spec.unit}".strip(),
                is_changed=old != new,
            )
        )
    return rows


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
