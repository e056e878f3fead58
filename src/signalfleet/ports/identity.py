"""Who somebody is, proven by Telegram itself, for people who come to the pages."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from signalfleet.ports.errors import RefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInAttempt:
    """What one browser must bring back. Whoever holds all of it can end the sign-in."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    begun_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenIdentity:
    telegram_id: int
    display_name: str


class IdentityRefusedError(RefusedError):
    """Nobody was proven; `reason` is a constant word: code, client or proof.

    code: used, expired or of another attempt. client: our own id or secret is wrong. proof: what
    came back cannot be trusted.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class IdentityProvider(Protocol):
    @property
    def origin(self) -> str:
        """Return scheme, host and port of the pages where people confirm."""
        ...

    def ask_address(self, attempt: SignInAttempt, return_to: str) -> str:
        """Return the address where the browser goes to confirm."""
        ...

    async def identify(self, attempt: SignInAttempt, code: str, return_to: str) -> ProvenIdentity:
        """Change the code into a proof and check it; IdentityRefusedError or TemporaryError."""
        ...

    def seal(self, attempt: SignInAttempt) -> str:
        """Close the attempt, for a cookie: it can be neither read nor made up outside."""
        ...

    def unseal(self, box: str) -> SignInAttempt:
        """Open it again; RefusedError if it is not one of ours."""
        ...
