"""Signing a user's own Telegram in and out."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSent:
    """Where Telegram sent the code: app, sms, call, email or other."""

    delivery: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A finished sign-in; `session` is the whole account: seal it at once, never show it."""

    telegram_id: int
    display_name: str
    session: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class QrShown:
    """A code to draw for the user's phone. Whoever has `address` in time has the account."""

    address: str
    lives_s: float
    number: int
    of: int

    def __repr__(self) -> str:
        return f"QrShown(***, {self.number} of {self.of})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordNeeded:
    """The account has a two-step password; `hint` is what its owner wrote as a reminder."""

    hint: str = ""


QrEvent: TypeAlias = QrShown | PasswordNeeded | SignedIn


class WrongInputError(RefusedError):
    """What was typed is wrong; `tries_left` more may follow in the same attempt, if any."""

    def __init__(self, message: str, *, tries_left: int) -> None:
        super().__init__(message)
        self.tries_left = tries_left


class ChatSignIn(Protocol):
    """One attempt to sign in, by QR code or by phone code.

    Errors: RefusedError (with words for the user), WrongInputError among them; TemporaryError (with
    `retry_after` on a flood wait).
    When SignedIn is returned the connection is closed: the session is in use nowhere.
    """

    def start_qr(self) -> AsyncGenerator[QrEvent, None]:
        """Show codes until one is scanned.

        Ends with PasswordNeeded or SignedIn; RefusedError when nobody scanned the last one.
        """
        ...

    async def send_code(self, phone: Secret) -> CodeSent: ...

    async def enter_code(self, code: Secret) -> SignedIn | PasswordNeeded: ...

    async def enter_password(self, password: Secret) -> SignedIn:
        """Finish a sign-in that asked for the two-step password."""
        ...

    async def aclose(self) -> None: ...


class ChatSessions(Protocol):
    """What can be done with a session that nothing else uses at this moment."""

    async def is_alive(self, session: Secret) -> bool:
        """Tell whether Telegram still knows it; TemporaryError if that cannot be found out."""
        ...

    async def log_out(self, session: Secret) -> None:
        """End it at Telegram. One that has ended already is no error; TemporaryError if unknown."""
        ...
