"""Data keys wrapped by the Fernet keys of ENCRYPTION_KEY."""

import base64
import binascii
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Final

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from signalfleet.adapters.secrets.key_file import KeyFile
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.sealed import WrappedKey
from signalfleet.ports.secrets import Secret

log = structlog.get_logger()

DATA_KEY_BYTES: Final = 32
_SCHEME: Final = "v1"
_FEWEST_DIFFERENT_BYTES: Final = 12
"""A random key of 32 bytes has about 30 different ones; one typed by hand has few."""
_SAMPLES: Final = frozenset(
    {
        # The first 8 hex digits of SHA-256: of the key in the Fernet specification's examples.
        "d88a2cb5",
    }
)
_HOW_TO_MAKE: Final = "make one with `signalfleet keys new`"


def new_encryption_key() -> Secret:
    return Secret(Fernet.generate_key().decode())


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """Fernet keys by their ids, the one that wraps first. Shows ids only."""

    texts: tuple[Secret, ...]
    fernets: dict[str, Fernet]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self.fernets)

    @property
    def together(self) -> MultiFernet:
        return MultiFernet(list(self.fernets.values()))

    def joined(self) -> Secret:
        return _joined(self.texts)

    def with_first(self, key: Secret) -> Secret:
        """Return the list of keys with a new one in front."""
        return _joined((key, *self.texts))

    def without(self, kek_id: str) -> Secret:
        """Return the list of keys without one; RefusedError if nothing would be left."""
        if kek_id not in self.fernets:
            raise RefusedError(f"there is no key {kek_id}; see `signalfleet keys status`")
        left = [key for key, one in zip(self.texts, self.ids, strict=True) if one != kek_id]
        if not left:
            raise RefusedError("this is the only key; add another one first")
        return _joined(left)


def parse_keys(encryption_keys: Secret) -> KeyRing:
    """Take comma-separated Fernet keys; RefusedError says which is wrong, never its text."""
    texts = [text.strip() for text in encryption_keys.reveal().split(",")]
    fernets = {_kek_id(text): _fernet(text, number) for number, text in enumerate(texts, start=1)}
    if len(fernets) < len(texts):
        raise RefusedError("ENCRYPTION_KEY: a key is there twice; remove one of the two")
    return KeyRing(texts=tuple(map(Secret, texts)), fernets=fernets)


class FernetKeyService:
    """Wraps with the first key of the list and unwraps with any of them.

    With a file the keys are read again whenever the file has changed, before anything is wrapped
    or unwrapped: keys are rotated while the product runs. A file that cannot be used is reported
    once, and the keys that were read before stay in use.
    """

    def __init__(self, encryption_keys: Secret, file: KeyFile | None = None) -> None:
        self._ring = parse_keys(encryption_keys)
        self._file = file

    @classmethod
    def of_file(cls, file: KeyFile) -> "FernetKeyService":
        return cls(file.read(), file)

    @property
    def ring_ids(self) -> tuple[str, ...]:
        return self._current().ids

    async def versions(self) -> tuple[str, ...]:
        return self._current().ids

    async def generate(self, user: UserId, key_version: int) -> WrappedKey:
        return self._wrap(user, key_version, secrets.token_bytes(DATA_KEY_BYTES))

    async def unwrap(self, user: UserId, key: WrappedKey) -> bytes:
        ring = self._current()
        try:
            text = ring.together.decrypt(key.wrapped.encode())
        except InvalidToken:
            known = "damaged" if key.kek_id in ring.fernets else "of a key that is not configured"
            raise RefusedError(
                f"a data key cannot be unwrapped: it is {known} (kek_id {key.kek_id})"
            ) from None
        return _opened(text, user)

    async def rewrap(self, user: UserId, key: WrappedKey) -> WrappedKey:
        return self._wrap(user, key.key_version, await self.unwrap(user, key))

    def open_old(self, token: str) -> bytes:
        """Open a value that was encrypted by a Fernet key itself, as databases of old hold them."""
        try:
            return self._current().together.decrypt(token.encode())
        except (InvalidToken, ValueError):
            raise RefusedError("an old value cannot be opened with the configured keys") from None

    def _current(self) -> KeyRing:
        if self._file is not None and self._file.has_changed():
            try:
                self._ring = parse_keys(self._file.read())
            except RefusedError as error:
                log.error("encryption_keys_refused", cause=str(error), in_use=self._ring.ids)  # noqa: TRY400 - no traceback: it may hold a key
            else:
                log.info("encryption_keys_read_again", ids=self._ring.ids)
        return self._ring

    def _wrap(self, user: UserId, key_version: int, data_key: bytes) -> WrappedKey:
        ring = self._current()
        text = json.dumps([_SCHEME, user, base64.b64encode(data_key).decode()])
        return WrappedKey(
            key_version=key_version,
            kek_id=ring.ids[0],
            wrapped=ring.together.encrypt(text.encode()).decode(),
        )

    def __repr__(self) -> str:
        return f"FernetKeyService({', '.join(self._ring.ids)})"


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
    is_typed = len(set(base64.urlsafe_b64decode(text))) < _FEWEST_DIFFERENT_BYTES
    if is_typed or _kek_id(text) in _SAMPLES:
        raise RefusedError(f"ENCRYPTION_KEY: key {number} is a sample; {_HOW_TO_MAKE}")
    return fernet


def _kek_id(text: str) -> str:
    """Tell keys apart without showing them."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _joined(keys: "tuple[Secret, ...] | list[Secret]") -> Secret:
    return Secret(",".join(key.reveal() for key in keys))
