"""Talks to the issuer and checks signatures: the only file that knows aiohttp and PyJWT here."""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus, urlencode

import aiohttp
import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from signalfleet.adapters.oidc import limits
from signalfleet.adapters.oidc.claims import Expected, read_claims
from signalfleet.adapters.oidc.seal import AttemptSeal
from signalfleet.adapters.oidc.settings import OidcSettings
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import TemporaryError
from signalfleet.ports.identity import IdentityRefusedError, ProvenIdentity, SignInAttempt

log = structlog.get_logger()

OK: Final = 200
TOO_MANY: Final = 429
SERVER_ERRORS: Final = 500
_KEY_NAME: Final = re.compile(r"[\w.:=+-]{1,200}", re.ASCII)
_OUR_FAULT: Final = frozenset({"invalid_client", "unauthorized_client"})
# The claims are read by `claims.py`, on the product's clock; so only signatures are its matter.
_JWS: Final = jwt.PyJWS(algorithms=[limits.ALGORITHM])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    body: bytes


class TelegramIdentity:
    """Sign-ins are rare, so each call has a connection of its own and nothing is to be closed.

    `key` is at least 32 secret bytes that all web servers share.
    """

    def __init__(
        self,
        settings: OidcSettings,
        *,
        key: bytes,
        clock: Clock,
        call_timeout_s: float = limits.CALL_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._seal = AttemptSeal(key)
        self._timeout_s = call_timeout_s
        self._places = asyncio.Semaphore(limits.CALLS)
        self._keys: Mapping[str, RSAPublicKey] = {}
        self._keys_read_at = float("-inf")

    @property
    def origin(self) -> str:
        return self._settings.issuer

    def seal(self, attempt: SignInAttempt) -> str:
        return self._seal.close(attempt)

    def unseal(self, box: str) -> SignInAttempt:
        return self._seal.open(box)

    def ask_address(self, attempt: SignInAttempt, return_to: str) -> str:
        digest = hashlib.sha256(attempt.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": return_to,
            "scope": limits.SCOPE,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        return f"{self._settings.issuer}{limits.ASK_PATH}?{urlencode(asked)}"

    async def identify(self, attempt: SignInAttempt, code: str, return_to: str) -> ProvenIdentity:
        token = await self._change(attempt, code, return_to)
        expected = Expected(
            issuer=self._settings.issuer,
            client_id=self._settings.client_id,
            nonce=attempt.nonce,
            now=self._clock.now(),
        )
        return read_claims(await self._signed(token), expected)

    async def _change(self, attempt: SignInAttempt, code: str, return_to: str) -> str:
        """Give the code, which works once, for the token."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": return_to,
            "client_id": self._settings.client_id,
            "code_verifier": attempt.verifier,
        }
        answer = await self._call("POST", limits.TOKEN_PATH, form)
        said = _json_object(answer.body)
        if answer.status != OK:
            raise _refused_code(answer.status, said.get("error"))
        token = said.get("id_token")
        if not isinstance(token, str) or len(token) > limits.MOST_TOKEN_CHARS:
            raise _untrusted("the answer holds no token")
        return token

    async def _signed(self, token: str) -> Mapping[str, object]:
        """Return what the token says if the issuer signed it, by the one algorithm that counts."""
        try:
            header = _JWS.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise _untrusted("the token has no header") from None
        # The token does not choose how it is checked; this is for a clear reason only.
        if header.get("alg") != limits.ALGORITHM or "crit" in header:
            raise _untrusted("the token is signed in another way")
        key = await self._key(header.get("kid"))
        try:
            payload: bytes = _JWS.decode(token, key, algorithms=[limits.ALGORITHM])
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise _untrusted("the signature does not hold") from None
        return _json_object(payload)

    async def _key(self, name: object) -> RSAPublicKey:
        """Look the key up among the issuer's; a name is never an address or a file."""
        if not isinstance(name, str) or not _KEY_NAME.fullmatch(name):
            raise _untrusted("the token does not name its key")
        enough = limits.KEYS_KEPT if name in self._keys else limits.KEYS_PAUSE
        if self._clock.monotonic() - self._keys_read_at > enough.total_seconds():
            await self._read_keys()
        key = self._keys.get(name)
        if key is None:
            raise _untrusted("the token names a key that the issuer does not have")
        return key

    async def _read_keys(self) -> None:
        answer = await self._call("GET", limits.KEYS_PATH)
        if answer.status != OK:
            raise TemporaryError("the issuer does not give its keys")
        listed = _json_object(answer.body).get("keys")
        self._keys = dict(filter(None, map(_rsa_key, listed if isinstance(listed, list) else ())))
        self._keys_read_at = self._clock.monotonic()

    async def _call(self, method: str, path: str, form: dict[str, str] | None = None) -> _Answer:
        try:
            async with asyncio.timeout(self._timeout_s), self._places:
                return await self._ask(method, path, form)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError.
            log.warning("oidc_call_failed", path=path, cause=type(error).__name__)
            raise TemporaryError("the issuer does not answer") from None

    async def _ask(self, method: str, path: str, form: dict[str, str] | None) -> _Answer:
        headers = {"Accept": "application/json", "User-Agent": "signalfleet"}
        if form is not None:
            headers["Authorization"] = self._basic()
        async with (
            aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, headers=headers
            ) as session,
            session.request(
                method, self._settings.issuer + path, data=form, allow_redirects=False
            ) as answer,
        ):
            body = bytearray()
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > limits.MOST_BYTES:
                    raise _untrusted("the issuer's answer is too long")
            if answer.status == TOO_MANY or answer.status >= SERVER_ERRORS:
                log.warning("oidc_call_failed", path=path, status=answer.status)
                raise TemporaryError("the issuer cannot answer now")
            return _Answer(status=answer.status, body=bytes(body))

    def _basic(self) -> str:
        both = (self._settings.client_id, self._settings.client_secret.reveal())
        pair = ":".join(quote_plus(part) for part in both)
        return "Basic " + base64.b64encode(pair.encode()).decode()

    def __repr__(self) -> str:
        return f"TelegramIdentity({self._settings.issuer})"


def _json_object(body: bytes) -> Mapping[str, object]:
    """Read a JSON object; what is none counts as empty, and its reader misses what it needs."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _rsa_key(listed: object) -> tuple[str, RSAPublicKey] | None:
    """Read one key of the issuer's list; keys of other kinds are passed over."""
    if not isinstance(listed, dict) or listed.get("kty") != "RSA":
        return None
    if listed.get("use", "sig") != "sig" or listed.get("alg", limits.ALGORITHM) != limits.ALGORITHM:
        return None
    name = listed.get("kid")
    public = {part: listed.get(part) for part in ("kty", "n", "e")}
    try:
        key = jwt.PyJWK(public, algorithm=limits.ALGORITHM).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if not isinstance(name, str) or not isinstance(key, RSAPublicKey):
        return None
    return (name, key) if key.key_size >= limits.FEWEST_KEY_BITS else None


def _refused_code(status: int, error: object) -> IdentityRefusedError:
    if error in _OUR_FAULT:
        log.error("oidc_client_refused", hint="see TELEGRAM_OIDC_CLIENT_ID and _SECRET")
        return IdentityRefusedError("the issuer does not know us", reason="client")
    if error == "invalid_grant":
        return IdentityRefusedError("the code was used or is too old", reason="code")
    return _untrusted(f"the issuer answers {status}")


def _untrusted(message: str) -> IdentityRefusedError:
    return IdentityRefusedError(message, reason="proof")
