"""The checks that stand before endpoints; which of them, the route's access class says."""

import ipaddress
from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Path
from starlette.exceptions import HTTPException
from starlette.requests import Request

from signalfleet.domain.ids import AccountId
from signalfleet.ports.store import Account
from signalfleet.web.auth.csrf import TOKEN_FIELD, TOKEN_HEADER, is_same_origin, is_token
from signalfleet.web.auth.sessions import Signed
from signalfleet.web.context import context_of

FORM_TYPE: Final = "application/x-www-form-urlencoded"
PROXY_HEADERS: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "via")


class NotSignedInError(HTTPException):
    """Nobody is signed in: pages lead to the sign-in page, everything else answers 401."""

    def __init__(self) -> None:
        super().__init__(401, "Sign in first.")


class ForgedRequestError(HTTPException):
    """The request does not come from our own page."""

    def __init__(self) -> None:
        super().__init__(
            403, "This request did not come from a SignalFleet page. Reload the page, try again."
        )


async def signed_in_guard(request: Request) -> Signed:
    signed = await context_of(request).sessions.find(request)
    if signed is None:
        raise NotSignedInError
    return signed


SignedIn: TypeAlias = Annotated[Signed, Depends(signed_in_guard)]


async def own_account_guard(
    signed: SignedIn, account: Annotated[str, Path(min_length=1, max_length=64)]
) -> Account:
    """Return the account that the path names; another user's does not exist."""
    found = await signed.store.accounts.get(AccountId(account))
    if found is None:
        raise HTTPException(404)
    return found


OwnAccount: TypeAlias = Annotated[Account, Depends(own_account_guard)]


async def same_origin_guard(request: Request) -> None:
    if not is_same_origin(request.headers, context_of(request).deps.origin):
        raise ForgedRequestError


async def forged_request_guard(request: Request, signed: SignedIn) -> None:
    await same_origin_guard(request)
    given = request.headers.get(TOKEN_HEADER)
    if given is None:
        given = (await read_form(request)).get(TOKEN_FIELD, "")
    if not is_token(given, signed.token):
        raise ForgedRequestError


async def operator_guard(request: Request) -> None:
    """Let only programs of this machine in; to all others the path does not exist.

    A proxy on this machine is a loopback peer too, so a passed-on request is refused.
    """
    peer = request.client.host if request.client else ""
    passed_on = any(name in request.headers for name in PROXY_HEADERS)
    if passed_on or not _is_loopback(peer):
        raise HTTPException(404)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


async def read_form(request: Request) -> dict[str, str]:
    """Return the text fields of a form; empty for any other kind of body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM_TYPE:
        return {}
    form = await request.form()
    return {name: value for name, value in form.items() if isinstance(value, str)}
