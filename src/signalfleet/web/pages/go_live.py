"""The first time real money is to be traded on an account: what it needs, and the button."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from signalfleet.app.go_live import (
    MOST_DIGITS,
    Lack,
    NotReadyError,
    go_live,
    is_live_confirmed,
    is_loss_limited,
    waits_for_word,
)
from signalfleet.ports.errors import ConflictError, RefusedError
from signalfleet.ports.store import Account
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.auth.stepup import PROOF_LASTS, is_fresh
from signalfleet.web.context import context_of
from signalfleet.web.guards import OwnAccount, SignedIn, read_form
from signalfleet.web.pages.live import page_values
from signalfleet.web.present.formats import one_line
from signalfleet.web.routes import Access, RouteTable

table: Final = RouteTable()
MINUTES: Final = int(PROOF_LASTS.total_seconds() // 60)
SIGN_IN: Final = f"Sign in again: this needs a sign-in of the last {MINUTES} minutes."
SENTENCES: Final = {
    Lack.LOSS_LIMIT: "Set a loss limit for this account in its settings.",
    Lack.NUMBER: "Type the whole number of this account, as MetaTrader shows it.",
}
CHANGED: Final = "Something of this account has changed just now: look at it and try again."
NO_MONEY: Final = "There is no real money to trade on this account."
FORBIDDEN: Final = 403


@table.route("GET", "/accounts/{account}/live", Access.OWNER)
async def live_page(request: Request, signed: SignedIn, account: OwnAccount) -> Response:
    return await _page(request, signed, account)


@table.route("POST", "/accounts/{account}/live", Access.OWNER, audit="went_live")
async def let_trade(request: Request, signed: SignedIn, account: OwnAccount) -> Response:
    """Let an account trade real money; whatever is missing is said at once."""
    deps = context_of(request).deps
    typed = (await read_form(request)).get("number", "")[: MOST_DIGITS + 1]
    if not is_fresh(signed, deps):
        return await _page(request, signed, account, (SIGN_IN,), FORBIDDEN)
    try:
        await go_live(signed.store, account.account_id, typed, deps.packs, deps.clock.now())
    except NotReadyError as error:
        problems = tuple(SENTENCES[lack] for lack in error.lacks)
        return await _page(request, signed, account, problems, 422)
    except RefusedError:
        return await _page(request, signed, account, (NO_MONEY,), 422)
    except ConflictError:
        return await _page(request, signed, account, (CHANGED,), 409)
    return RedirectResponse(f"/accounts/{account.account_id}/live", 303)


async def _page(
    request: Request,
    signed: Signed,
    account: Account,
    problems: tuple[str, ...] = (),
    status: int = 200,
) -> Response:
    context = context_of(request)
    deps = context.deps
    values = {
        **await page_values(context, signed),
        "here": "accounts",
        "account": account,
        "name": one_line(account.server or account.account_id),
        "problems": problems,
        "is_real": waits_for_word(account),
        "no_money": NO_MONEY,
        "is_let": await is_live_confirmed(signed.store, account),
        "is_limited": await is_loss_limited(signed.store, account.account_id, deps.packs),
        "is_fresh": is_fresh(signed, deps),
        "has_oidc": deps.identity is not None,
        "minutes": MINUTES,
    }
    return context.pages.response("go_live.html", values, status)
