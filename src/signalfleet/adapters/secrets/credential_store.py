"""Seals credentials by AES-256-GCM, bound to user, field and version of the data key."""

import base64
import binascii
import json
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import KeyService, Secret
from signalfleet.ports.store import SealedSecret, Store, WrappedKey

ALGORITHM: Final = "A256GCM"
NONCE_BYTES: Final = 12
FIRST_KEY_VERSION: Final = 1
_SCHEME: Final = "v1"


class SecureCredentialStore:
    """A user's credentials. Data keys are unwrapped for each use and not kept."""

    def __init__(self, store: Store, keys: KeyService) -> None:
        self._store = store
        self._keys = keys

    async def put(self, user: UserId, field: str, secret: Secret) -> None:
        plain = _plain(secret)
        key = await self._key(user)
        cipher = AESGCM(await self._keys.unwrap(user, key))
        nonce = secrets.token_bytes(NONCE_BYTES)
        bound_to = _bound_to(user, field, key.key_version)
        sealed = SealedSecret(
            field=field,
            key_version=key.key_version,
            algorithm=ALGORITHM,
            nonce=_encode(nonce),
            ciphertext=_encode(cipher.encrypt(nonce, plain, bound_to)),
        )
        await self._store.user(user).credentials.put(sealed)

    async def get(self, user: UserId, field: str) -> Secret | None:
        credentials = self._store.user(user).credentials
        sealed = await credentials.get(field)
        if sealed is None:
            return None
        if sealed.algorithm != ALGORITHM:
            raise RefusedError(f"{field} is sealed by an unknown algorithm; enter it again")
        key = await credentials.key(sealed.key_version)
        if key is None:
            raise RefusedError(f"the data key of {field} is gone; enter it again")
        cipher = AESGCM(await self._keys.unwrap(user, key))
        bound_to = _bound_to(user, field, sealed.key_version)
        try:
            plain = cipher.decrypt(_decode(sealed.nonce), _decode(sealed.ciphertext), bound_to)
        except (InvalidTag, ValueError):
            raise RefusedError(f"{field} was changed at rest; enter it again") from None
        return Secret(plain.decode())

    async def delete(self, user: UserId, field: str) -> None:
        await self._store.user(user).credentials.delete(field)

    async def _key(self, user: UserId) -> WrappedKey:
        credentials = self._store.user(user).credentials
        newest = await credentials.key()
        if newest is not None:
            return newest
        # Two first uses at once make two keys; the one that was stored first is used by both.
        return await credentials.add_key(await self._keys.generate(user, FIRST_KEY_VERSION))


def _bound_to(user: UserId, field: str, key_version: int) -> bytes:
    return json.dumps([_SCHEME, user, field, key_version], separators=(",", ":")).encode()


def _plain(secret: Secret) -> bytes:
    try:
        return secret.reveal().encode()
    except UnicodeEncodeError:  # Its text would show the secret.
        raise DomainError("a secret must be text that UTF-8 can hold") from None


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("not base64url") from None
