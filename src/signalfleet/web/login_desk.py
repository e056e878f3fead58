"""What pages ask the login worker. Nothing here can open what it seals."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final, Self

from starlette.requests import Request
from starlette.responses import Response

from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId, new_user_id
from signalfleet.ports.bus import Plain, owner_address
from signalfleet.ports.errors import TemporaryError
from signalfleet.ports.secrets import IntakeBinding, Secret
from signalfleet.web.deps import WebDeps
from signalfleet.web.visitors import visitor_of

CONSENT_VERSION: Final = "2026-11"
"""Changes with every word of what connecting Telegram means."""
ATTEMPT_S: Final = 6 * 60
TYPED_MAX: Final = 256
NOT_SET_UP: Final = "connecting Telegram is not set up on this server: INTAKE_PUBLIC_KEY is missing"
_COOKIE_PARTS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A sign-in that this browser has begun: known to the browser by a cookie, and to no other."""

    name: str
    user: UserId

    @classmethod
    def new(cls, user: UserId | None) -> Self:
        """Begin for a signed-in user, or for a visitor under an id of its own."""
        fresh = new_user_id(secrets.token_bytes(16))
        return cls(name=secrets.token_urlsafe(24), user=user or fresh)


class LoginDesk:
    """Asks over the bus; raises port errors, whose words are for the user."""

    def __init__(self, deps: WebDeps) -> None:
        self._deps = deps

    @property
    def is_open(self) -> bool:
        return self._deps.sealer is not None

    @property
    def _cookie(self) -> str:
        return "__Host-sf-attempt" if self._deps.cookie_secure else "sf-attempt"

    def attempt_of(self, request: Request) -> Attempt | None:
        """Return the attempt that this browser has begun, if its cookie still says so."""
        parts = request.cookies.get(self._cookie, "").split(".")
        if len(parts) != _COOKIE_PARTS or not 20 <= len(parts[0]) <= 50:  # noqa: PLR2004
            return None
        if not set(parts[0]) <= _NAME_CHARACTERS:
            return None
        try:
            return Attempt(name=parts[0], user=UserId(parts[1]))
        except DomainError:
            return None

    def remember(self, attempt: Attempt, response: Response) -> None:
        response.set_cookie(
            self._cookie,
            f"{attempt.name}.{attempt.user}",
            max_age=ATTEMPT_S,
            path="/",
            secure=self._deps.cookie_secure,
            httponly=True,
            samesite="lax",
        )

    def forget(self, response: Response) -> None:
        response.delete_cookie(
            self._cookie,
            path="/",
            secure=self._deps.cookie_secure,
            httponly=True,
            samesite="lax",
        )

    async def start(
        self, attempt: Attempt, *, is_visitor: bool, origin: str, phone: str | None
    ) -> Plain:
        question: dict[str, object] = {
            "op": "start",
            "attempt": attempt.name,
            "user": attempt.user,
            "visitor": is_visitor,
            "origin": origin,
            "consent": CONSENT_VERSION,
        }
        if phone is not None:
            question["phone"] = self._sealed(attempt, "phone", phone)
        if is_visitor:
            return await self._ask("login", question)
        return await self._ask_owner(attempt.user, question)

    async def state(self, attempt: Attempt) -> Plain:
        return await self._ask(f"login.{attempt.name}", {"op": "state"})

    async def enter(self, attempt: Attempt, name: str, typed: str) -> Plain:
        """Hand in a code or a password."""
        question = {"op": name, "box": self._sealed(attempt, name, typed)}
        return await self._ask(f"login.{attempt.name}", question)

    async def claim(self, attempt: Attempt) -> Plain:
        """Take a finished sign-in over, once."""
        return await self._ask(f"login.{attempt.name}", {"op": "claim"})

    async def of_user(self, user: UserId, op: str, **more: object) -> Plain:
        """Ask about a signed-in user's Telegram: chats, find, latest, choose, sign_out."""
        return await self._ask_owner(user, {"op": op, "user": user, **more}, limit_s=45.0)

    def origin_of(self, request: Request) -> str:
        """Name where a visitor comes from for counting, without keeping the address."""
        known = visitor_of(request, self._deps.trusted_proxies)
        digest = hmac.new(self._deps.session_key, b"sf-origin-1\0" + known.encode(), hashlib.sha256)
        return digest.hexdigest()[:32]

    def _sealed(self, attempt: Attempt, name: str, typed: str) -> str:
        if self._deps.sealer is None:
            raise TemporaryError(NOT_SET_UP)
        binding = IntakeBinding(user=attempt.user, field=name, attempt=attempt.name)
        return self._deps.sealer.seal(Secret(typed[:TYPED_MAX]), binding)

    async def _ask(self, where: str, question: Plain, *, limit_s: float = 10.0) -> Plain:
        if not self.is_open:
            raise TemporaryError(NOT_SET_UP)
        return await self._deps.bus.request(f"{self._deps.cell}.{where}", question, limit_s=limit_s)

    async def _ask_owner(self, user: UserId, question: Plain, *, limit_s: float = 10.0) -> Plain:
        if not self.is_open:
            raise TemporaryError(NOT_SET_UP)
        address = owner_address(self._deps.cell, user)
        asked = {**question, "desk": "login"}
        return await self._deps.bus.request(address, asked, limit_s=limit_s)


_NAME_CHARACTERS: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
)
