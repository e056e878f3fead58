"""Seals credentials by AES-256-GCM, bound to user, field and version of the data key."""

import base64
import binascii
import json
import secrets
from collections.abc import Callable
from typing import Final

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import UserId
from signalfleet.ports.errors import RefusedError
from signalfleet.ports.sealed import Credentials, SealedSecret, WrappedKey
from signalfleet.ports.secrets import KeyService, Secret
from signalfleet.ports.store import Store

log = structlog.get_logger()

ALGORITHM: Final = "A256GCM"
OLD_ALGORITHM: Final = "fernet"
OLD_PREFIX: Final = "gAAAAA"
NONCE_BYTES: Final = 12
FIRST_KEY_VERSION: Final = 1
RENEW_TRIES: Final = 10
_SCHEME: Final = "v1"


class SecureCredentialStore:
    """A user's credentials. Data keys are unwrapped for each use and not kept here.

    `open_old` opens values of an imported database, which a Fernet key encrypted directly. Each is
    opened so once: it is sealed as all others are before it is handed out.
    """

    def __init__(
        self, store: Store, keys: KeyService, *, open_old: Callable[[str], bytes] | None = None
    ) -> None:
        self._store = store
        self._keys = keys
        self._open_old = open_old

    async def put(self, user: UserId, field: str, secret: Secret) -> None:
        plain = _plain(secret)
        key = await self._key(user)
        await self._rows(user).put(await self._seal(user, field, plain, key))

    async def get(self, user: UserId, field: str) -> Secret | None:
        sealed = await self._rows(user).get(field)
        if sealed is None:
            return None
        plain = await self._open(user, sealed)
        if _is_old(sealed):
            await self._seal_again(user, sealed, plain)
        return Secret(plain.decode())

    async def delete(self, user: UserId, field: str) -> None:
        await self._rows(user).delete(field)

    async def modernise(self, user: UserId) -> int:
        """Seal all values of an imported database anew; return how many there were."""
        old = [one for one in await self._rows(user).list() if _is_old(one)]
        for sealed in old:
            await self._seal_again(user, sealed, await self._open(user, sealed))
        return len(old)

    async def renew(self, user: UserId) -> int:
        """Make a new data key, for one that somebody may know; return how many secrets moved.

        The older keys are deleted once nothing needs them. Ends in the middle if it is stopped,
        and goes on there when it is called again. RefusedError if secrets kept changing meanwhile.
        """
        rows = self._rows(user)
        newest = await rows.key()
        if newest is None:
            return 0
        made = await self._keys.generate(user, newest.key_version + 1)
        key = await rows.add_key(made)
        moved = 0
        for _ in range(RENEW_TRIES):
            for sealed in await rows.list():
                if sealed.key_version != key.key_version:
                    await self._move(user, sealed, key)
                    moved += 1
            # One that was written under the older key meanwhile keeps that key, so look again.
            gone = [await rows.delete_key(one.key_version) for one in await self._older(rows, key)]
            if all(gone):
                return moved
        raise RefusedError("the secrets keep changing; try again later")

    async def _move(self, user: UserId, sealed: SealedSecret, key: WrappedKey) -> None:
        plain = await self._open(user, sealed)
        await self._rows(user).replace(sealed, await self._seal(user, sealed.field, plain, key))

    @staticmethod
    async def _older(rows: Credentials, key: WrappedKey) -> list[WrappedKey]:
        return [one for one in await rows.keys() if one.key_version < key.key_version]

    async def _seal_again(self, user: UserId, sealed: SealedSecret, plain: bytes) -> None:
        again = await self._seal(user, sealed.field, plain, await self._key(user))
        # False: somebody has written a newer value, which is sealed already.
        if await self._rows(user).replace(sealed, again):
            log.info("old_value_sealed", user_id=user, field=sealed.field)

    async def _seal(self, user: UserId, field: str, plain: bytes, key: WrappedKey) -> SealedSecret:
        cipher = AESGCM(await self._keys.unwrap(user, key))
        nonce = secrets.token_bytes(NONCE_BYTES)
        bound_to = _bound_to(user, field, key.key_version)
        return SealedSecret(
            field=field,
            key_version=key.key_version,
            algorithm=ALGORITHM,
            nonce=_encode(nonce),
            ciphertext=_encode(cipher.encrypt(nonce, plain, bound_to)),
        )

    async def _open(self, user: UserId, sealed: SealedSecret) -> bytes:
        if _is_old(sealed) and self._open_old is not None:
            return self._open_old(sealed.ciphertext)
        if sealed.algorithm != ALGORITHM:
            raise RefusedError(f"{sealed.field} is sealed by an unknown algorithm; enter it again")
        key = await self._rows(user).key(sealed.key_version)
        if key is None:
            raise RefusedError(f"the data key of {sealed.field} is gone; enter it again")
        cipher = AESGCM(await self._keys.unwrap(user, key))
        bound_to = _bound_to(user, sealed.field, sealed.key_version)
        try:
            return cipher.decrypt(_decode(sealed.nonce), _decode(sealed.ciphertext), bound_to)
        except (InvalidTag, ValueError):
            raise RefusedError(f"{sealed.field} was changed at rest; enter it again") from None

    async def _key(self, user: UserId) -> WrappedKey:
        rows = self._rows(user)
        newest = await rows.key()
        if newest is not None:
            return newest
        # Two first uses at once make two keys; the one that was stored first is used by both.
        return await rows.add_key(await self._keys.generate(user, FIRST_KEY_VERSION))

    def _rows(self, user: UserId) -> Credentials:
        return self._store.user(user).credentials


def _is_old(sealed: SealedSecret) -> bool:
    return sealed.algorithm == OLD_ALGORITHM and sealed.ciphertext.startswith(OLD_PREFIX)


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
