"""Log in with Telegram: what the browser carries to Telegram and must bring back."""

import hmac
import secrets
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from signalfleet.ports.errors import RefusedError
from signalfleet.ports.identity import (
    IdentityProvider,
    IdentityRefusedError,
    ProvenIdentity,
    SignInAttempt,
)
from signalfleet.web.deps import WebDeps

CALLBACK_PATH: Final = "/auth/telegram/callback"
LIFE: Final = timedelta(minutes=10)
RANDOM_BYTES: Final = 32
MOST_COOKIE_CHARS: Final = 4096
MOST_CODE_CHARS: Final = 2048


class Errand:
    """One browser's way to the issuer and back; everything it needs is in a sealed cookie."""

    def __init__(self, deps: WebDeps, provider: IdentityProvider) -> None:
        self._deps = deps
        self._provider = provider

    @property
    def cookie(self) -> str:
        return "__Host-sf-oidc" if self._deps.cookie_secure else "sf-oidc"

    @property
    def _return_to(self) -> str:
        return self._deps.origin + CALLBACK_PATH

    def begin(self) -> tuple[str, str]:
        """Return where the browser goes, and the box for `remember`."""
        state, nonce, verifier = (secrets.token_urlsafe(RANDOM_BYTES) for _ in range(3))
        attempt = SignInAttempt(
            state=state, nonce=nonce, verifier=verifier, begun_at=self._deps.clock.now()
        )
        address = self._provider.ask_address(attempt, self._return_to)
        return address, self._provider.seal(attempt)

    def remember(self, response: Response, box: str) -> None:
        # Lax: the way back from Telegram is a request from another site.
        response.set_cookie(
            self.cookie,
            box,
            max_age=int(LIFE.total_seconds()),
            path="/",
            secure=self._deps.cookie_secure,
            httponly=True,
            samesite="lax",
        )

    def forget(self, response: Response) -> None:
        response.delete_cookie(
            self.cookie,
            path="/",
            secure=self._deps.cookie_secure,
            httponly=True,
            samesite="lax",
        )

    async def end(self, request: Request) -> ProvenIdentity:
        """Return who came back; IdentityRefusedError or TemporaryError."""
        attempt = self._attempt(request)
        if not hmac.compare_digest(_only(request, "state").encode(), attempt.state.encode()):
            raise _not_ours("the state is of another attempt")
        if "error" in request.query_params:
            raise IdentityRefusedError("the issuer says no", reason="cancelled")
        code = _only(request, "code")
        if not 0 < len(code) <= MOST_CODE_CHARS:
            raise IdentityRefusedError("there is no code", reason="proof")
        return await self._provider.identify(attempt, code, self._return_to)

    def _attempt(self, request: Request) -> SignInAttempt:
        box = request.cookies.get(self.cookie, "")
        if not 0 < len(box) <= MOST_COOKIE_CHARS:
            raise _not_ours("there is no cookie of ours")
        try:
            attempt = self._provider.unseal(box)
        except RefusedError:
            raise _not_ours("the cookie is not of ours") from None
        # The browser should have dropped it by then; a copy of it has not.
        if self._deps.clock.now() - attempt.begun_at > LIFE:
            raise _not_ours("the attempt is too old")
        return attempt


def _only(request: Request, name: str) -> str:
    values = request.query_params.getlist(name)
    return values[0] if len(values) == 1 else ""


def _not_ours(message: str) -> IdentityRefusedError:
    return IdentityRefusedError(message, reason="browser")
