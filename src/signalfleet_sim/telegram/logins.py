"""Sign-in codes, QR tokens and passwords of two-step verification."""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final
from urllib.parse import parse_qs, urlsplit

from signalfleet_sim.telegram.accounts import SimSession, SimUser
from signalfleet_sim.telegram.errors import CityError, RpcFault
from signalfleet_sim.telegram.journal import Journal
from signalfleet_sim.telegram.srp import PasswordRecord, record_password

CODE_LIFE_S: Final = 300.0
TOKEN_LIFE_S: Final = 30
TOKEN_BYTES: Final = 32
CODE_DIGITS: Final = 5
SHORTEST_PHONE: Final = 7


@dataclass(slots=True)
class SentCode:
    """The code that is on its way to a phone."""

    phone: str
    code: str
    phone_code_hash: str
    sent_at: float


@dataclass(slots=True)
class LoginToken:
    """A QR code that some key shows."""

    token: bytes
    session: SimSession
    expires: int
    accepted_by: SimUser | None = None


class LoginDesk:
    """Hands out codes and tokens and remembers which are good."""

    def __init__(
        self,
        time: Callable[[], float],
        rng: Random,
        journal: Journal,
        on_accepted: Callable[[SimSession], None],
    ) -> None:
        self._time = time
        self._rng = rng
        self._journal = journal
        self._on_accepted = on_accepted
        self._codes: dict[str, SentCode] = {}
        self._tokens: dict[bytes, LoginToken] = {}
        self._passwords: dict[tuple[int, str], PasswordRecord] = {}

    def send_code(self, phone: str) -> SentCode:
        """Send a new code; the one before is void."""
        self._journal.code_requested(self._time(), phone)
        code = f"{self._rng.randrange(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        sent = SentCode(phone, code, secrets.token_hex(9), self._time())
        self._codes[phone] = sent
        return sent

    def cancel_code(self, phone: str, phone_code_hash: str) -> bool:
        """Void a code; tells whether it was good."""
        sent = self._codes.get(phone)
        if sent is None or sent.phone_code_hash != phone_code_hash:
            return False
        del self._codes[phone]
        return True

    def check_code(self, phone: str, phone_code_hash: str, code: str | None) -> None:
        """Take a code, once, or raise what the real server answers."""
        sent = self._codes.get(phone)
        if not code:
            raise RpcFault(400, "PHONE_CODE_EMPTY")
        if sent is None or sent.phone_code_hash != phone_code_hash:
            raise RpcFault(400, "PHONE_CODE_EXPIRED")
        if self._time() - sent.sent_at > CODE_LIFE_S:
            raise RpcFault(400, "PHONE_CODE_EXPIRED")
        if sent.code != code:
            raise RpcFault(400, "PHONE_CODE_INVALID")
        del self._codes[phone]

    def code_for(self, phone: str) -> str:
        """Return the code on its way to a phone."""
        if phone not in self._codes:
            raise CityError("no code is on its way to this phone: ask for one first")
        return self._codes[phone].code

    def new_token(self, session: SimSession) -> LoginToken:
        """Show a new QR code for a key."""
        now = int(self._time())
        for old in [t for t, known in self._tokens.items() if known.expires < now]:
            del self._tokens[old]
        token = secrets.token_bytes(TOKEN_BYTES)
        shown = LoginToken(token, session, now + TOKEN_LIFE_S)
        self._tokens[token] = shown
        return shown

    def accepted_token(self, session: SimSession) -> LoginToken | None:
        """Return the token of this key that somebody has scanned."""
        shown = [t for t in self._tokens.values() if t.session is session and t.accepted_by]
        return shown[-1] if shown else None

    def take_token(self, token: bytes) -> LoginToken:
        """Return an accepted token that was carried over from another data centre, once."""
        shown = self._tokens.get(token)
        if shown is None or shown.accepted_by is None:
            raise RpcFault(400, "AUTH_TOKEN_INVALID")
        del self._tokens[token]
        return shown

    def drop_tokens(self, session: SimSession) -> None:
        """Void the tokens of a key that is signed in now."""
        for token in [t for t, shown in self._tokens.items() if shown.session is session]:
            del self._tokens[token]

    def accept_token(self, token: bytes, user: SimUser) -> LoginToken:
        """Confirm a QR code with a signed-in account."""
        shown = self._tokens.get(token)
        if shown is None:
            raise RpcFault(400, "AUTH_TOKEN_INVALID")
        if shown.expires < int(self._time()):
            raise RpcFault(400, "AUTH_TOKEN_EXPIRED")
        if shown.accepted_by is not None:
            raise RpcFault(400, "AUTH_TOKEN_ALREADY_ACCEPTED")
        shown.accepted_by = user
        self._on_accepted(shown.session)
        return shown

    def scan(self, url: str, user: SimUser) -> None:
        """Confirm the code behind a `tg://login?token=` address."""
        tokens = parse_qs(urlsplit(url).query).get("token")
        if not url.startswith("tg://login") or not tokens:
            raise CityError("not a sign-in code: it starts with tg://login?token=")
        padded = tokens[0] + "=" * (-len(tokens[0]) % 4)
        try:
            self.accept_token(base64.urlsafe_b64decode(padded), user)
        except (RpcFault, ValueError) as error:
            raise CityError(f"the phone says: {error}") from error

    def password_record(self, user: SimUser) -> PasswordRecord:
        """Return what is kept of a user's password, derived on first use."""
        if user.password is None:
            raise CityError(f"{user!r} has no password")
        known = (user.user_id, user.password)
        if known not in self._passwords:
            self._passwords[known] = record_password(user.password)
        return self._passwords[known]
