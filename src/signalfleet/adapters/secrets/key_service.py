"""Data keys wrapped by the Fernet keys of ENCRYPTION_KEY."""

import base64
import binascii
import hashlib
import json
import secrets
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import Secret
from signalfleet.ports.store import WrappedKey

DATA_KEY_BYTES: Final = 32
_SCHEME: Final = "v1"
_FEWEST_DIFFERENT_BYTES: Final = 12
"""A random key of 32 bytes has about 30 different ones; one typed by hand has few."""
_HOW_TO_MAKE: Final = "make one with `signalfleet keys new`"


def new_encryption_key() -> Secret:
    return Secret(Fernet.generate_key().decode())


class FernetKeyService:
    """Wraps with the first key of the list and unwraps with any of them."""

    def __init__(self, encryption_keys: Secret) -> None:
        """Take comma-separated Fernet keys; RefusedError says which is wrong, never its text."""
        texts = [text.strip() for text in encryption_keys.reveal().split(",")]
        fernets = [_fernet(text, number) for number, text in enumerate(texts, start=1)]
        self._fernets = MultiFernet(fernets)
        self._by_id = dict(zip(map(_kek_id, texts), fernets, strict=True))

    def versions(self) -> tuple[str, ...]:
        return tuple(self._by_id)

    async def generate(self, user: UserId, key_version: int) -> WrappedKey:
        return self._wrap(user, key_version, secrets.token_bytes(DATA_KEY_BYTES))

    async def unwrap(self, user: UserId, key: WrappedKey) -> bytes:
        try:
            text = self._fernets.decrypt(key.wrapped.encode())
        except InvalidToken:
            known = "damaged" if key.kek_id in self._by_id else "of a key that is not configured"
            raise RefusedError(
                f"a data key cannot be unwrapped: it is {known} (kek_id {key.kek_id})"
            ) from None
        return _opened(text, user)

    async def rewrap(self, user: UserId, key: WrappedKey) -> WrappedKey:
        return self._wrap(user, key.key_version, await self.unwrap(user, key))

    def _wrap(self, user: UserId, key_version: int, data_key: bytes) -> WrappedKey:
        text = json.dumps([_SCHEME, user, base64.b64encode(data_key).decode()])
        return WrappedKey(
            key_version=key_version,
            kek_id=self.versions()[0],
            wrapped=self._fernets.encrypt(text.encode()).decode(),
        )

    def __repr__(self) -> str:
        return f"FernetKeyService({', '.join(self.versions())})"


def _opened(text: bytes, user: UserId) -> bytes:
    """Return the data key if it is the user's: Fernet itself binds a token to nobody."""
    try:
        scheme, owner, encoded = json.loads(text)
        data_key = base64.b64decode(encoded, validate=True)
    except (ValueError, TypeError, binascii.Error):
        raise RefusedError("a data key has an unknown form") from None
    if scheme != _SCHEME or owner != user or len(data_key) != DATA_KEY_BYTES:
        raise RefusedError("a data key belongs to another user or another scheme")
    return data_key


def _fernet(text: str, number: int) -> Fernet:
    if not text:
        raise RefusedError(f"ENCRYPTION_KEY: key {number} is empty; {_HOW_TO_MAKE}")
    try:
        fernet = Fernet(text)
    except (ValueError, binascii.Error):
        raise RefusedError(
            f"ENCRYPTION_KEY: key {number} is not a Fernet key; {_HOW_TO_MAKE}"
        ) from None
    if len(set(base64.urlsafe_b64decode(text))) < _FEWEST_DIFFERENT_BYTES:
        raise RefusedError(f"ENCRYPTION_KEY: key {number} is a sample; {_HOW_TO_MAKE}")
    return fernet


def _kek_id(text: str) -> str:
    """Tell keys apart without showing them."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
