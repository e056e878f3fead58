"""Data keys wrapped by the transit engine of HashiCorp Vault or OpenBao, over its HTTP API.

The transit key is a derived one: the user's id is its context, so Vault itself refuses to unwrap
one user's data key for another.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import aiohttp

from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import RefusedError, TemporaryError
from signalfleet.ports.sealed import WrappedKey
from signalfleet.ports.secrets import Secret

CALL_TIMEOUT_S: Final = 5.0
KEY_BYTES: Final = 32
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_CIPHERTEXT: Final = re.compile(r"vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/=]{16,2048}")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_OURS_TO_MEND: Final = frozenset({401, 403, 404, 405})
_BAD_REQUEST: Final = 400
_ERRORS_FROM: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """`address` is https, or http on loopback; `mount` is where the transit engine is."""

    address: str
    token: Secret
    key: str = "signalfleet"
    mount: str = "transit"
    namespace: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        is_local = parts.scheme == "http" and parts.hostname in LOOPBACK
        if not parts.hostname or not (parts.scheme == "https" or is_local):
            raise RefusedError("VAULT_ADDR must start with https://, or with http:// on loopback")
        for name, value in (("NAME", self.key), ("MOUNT", self.mount)):
            if not _NAME.fullmatch(value):
                raise RefusedError(f"VAULT_TRANSIT_{name} is a name of letters, digits, _ . and -")
        if not self.token.reveal():
            raise RefusedError("VAULT_TOKEN or VAULT_TOKEN_FILE is needed with VAULT_ADDR")


class VaultKeyService:
    """Never repeats a call by itself: the callers do, and each call may simply be asked again."""

    def __init__(self, settings: VaultSettings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._session = session

    @classmethod
    async def open(cls, settings: VaultSettings) -> Self:
        """Connect and check that the key binds to its context; close it with `aclose`."""
        timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S)
        service = cls(settings, aiohttp.ClientSession(timeout=timeout, trust_env=False))
        try:
            await service.check()
        except TemporaryError:
            pass  # Running without it for a while is provided for; starts of bots wait.
        except BaseException:
            await service.aclose()
            raise
        return service

    async def aclose(self) -> None:
        await self._session.close()

    async def check(self) -> None:
        """Refuse a key that does not bind what it wraps to a user."""
        found = await self._key_facts()
        if found.get("derived") is not True:
            raise RefusedError(
                f"the transit key {self._settings.key} is not a derived one, so it binds data keys "
                f"to nobody: vault write -f {self._settings.mount}/keys/NAME derived=true"
            )

    async def versions(self) -> tuple[str, ...]:
        found = await self._key_facts()
        try:
            numbers = sorted((int(number) for number in found["keys"]), reverse=True)
        except (KeyError, TypeError, ValueError):
            raise TemporaryError("Vault described the transit key in an unknown form") from None
        return tuple(self._kek_id(number) for number in numbers)

    async def generate(self, user: UserId, key_version: int) -> WrappedKey:
        # The plain half is not asked for: the key is unwrapped when it is used first.
        asked = {"context": _context(user), "bits": 8 * KEY_BYTES}
        found = await self._call("POST", f"datakey/wrapped/{self._settings.key}", asked)
        return self._wrapped(found, key_version)

    async def unwrap(self, user: UserId, key: WrappedKey) -> bytes:
        asked = {"context": _context(user), "ciphertext": _ciphertext(key.wrapped)}
        found = await self._call("POST", f"decrypt/{self._settings.key}", asked)
        try:
            data_key = base64.b64decode(found["plaintext"], validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error):
            raise TemporaryError("Vault answered in an unknown form") from None
        if len(data_key) != KEY_BYTES:
            raise RefusedError("a data key has an unknown form")
        return data_key

    async def rewrap(self, user: UserId, key: WrappedKey) -> WrappedKey:
        asked = {"context": _context(user), "ciphertext": _ciphertext(key.wrapped)}
        found = await self._call("POST", f"rewrap/{self._settings.key}", asked)
        return self._wrapped(found, key.key_version)

    async def _key_facts(self) -> Mapping[str, Any]:
        return await self._call("GET", f"keys/{self._settings.key}", None)

    def _wrapped(self, found: Mapping[str, Any], key_version: int) -> WrappedKey:
        text = found.get("ciphertext")
        shape = _CIPHERTEXT.fullmatch(text) if isinstance(text, str) else None
        if shape is None:
            raise TemporaryError("Vault answered in an unknown form")
        return WrappedKey(
            key_version=key_version, kek_id=self._kek_id(int(shape[1])), wrapped=shape[0]
        )

    def _kek_id(self, version: int) -> str:
        return f"{self._settings.key}:v{version}"

    async def _call(
        self, method: str, path: str, body: Mapping[str, object] | None
    ) -> Mapping[str, Any]:
        """Call the engine; RefusedError for what stays wrong, TemporaryError for all else."""
        url = f"{self._settings.address.rstrip('/')}/v1/{quote(self._settings.mount)}/{path}"
        headers = {"X-Vault-Token": self._settings.token.reveal(), "X-Vault-Request": "true"}
        if self._settings.namespace:
            headers["X-Vault-Namespace"] = self._settings.namespace
        try:
            async with self._session.request(
                method, url, json=body, headers=headers, allow_redirects=False
            ) as answer:
                raw = await answer.read()
                return _judged(answer.status, raw)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            kind = type(error).__name__
            # Without its cause: an error of the client may hold the headers.
            raise TemporaryError(f"the key service cannot be reached ({kind})") from None

    def __repr__(self) -> str:
        return f"VaultKeyService({self._settings.mount}/{self._settings.key})"


def _judged(status: int, raw: bytes) -> Mapping[str, Any]:
    if status == _BAD_REQUEST:
        raise RefusedError("a data key cannot be unwrapped: it is damaged or another user's")
    if status in _OURS_TO_MEND:
        # The operator can mend this, so bots wait instead of giving up.
        raise TemporaryError(f"the key service refuses us ({status}): look at its token and policy")
    if status >= _ERRORS_FROM:
        raise TemporaryError(f"the key service does not answer ({status})")
    try:
        found = json.loads(raw)["data"]
    except (ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, dict):
        raise TemporaryError("Vault answered in an unknown form")
    return found


def _ciphertext(text: str) -> str:
    if not _CIPHERTEXT.fullmatch(text):
        raise RefusedError("a data key cannot be unwrapped: it was not wrapped by this service")
    return text


def _context(user: UserId) -> str:
    return base64.b64encode(user.encode()).decode()
