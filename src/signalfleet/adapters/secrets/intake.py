"""What users type, sealed by the web process so that only a worker can open it (HPKE, RFC 9180)."""

import base64
import binascii
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from signalfleet.ports.errors import RefusedError
from signalfleet.ports.secrets import IntakeBinding, Secret

KEY_BYTES: Final = 32
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_HOW_TO_MAKE: Final = "make a pair with `signalfleet keys intake`"


def new_intake_keys() -> tuple[Secret, str]:
    """Make a pair: the private key for workers, the public one for the web."""
    private = X25519PrivateKey.generate()
    return Secret(_encode(private.private_bytes_raw())), _encode(
        private.public_key().public_bytes_raw()
    )


class IntakeSealer:
    """Seals with the public key; what is sealed cannot be opened in this process."""

    def __init__(self, public_key: str) -> None:
        raw = _key(public_key, "INTAKE_PUBLIC_KEY")
        self._key = X25519PublicKey.from_public_bytes(raw)

    def seal(self, secret: Secret, binding: IntakeBinding) -> str:
        sealed = _SUITE.encrypt(secret.reveal().encode(), self._key, info=_info(binding))
        return _encode(sealed)


class IntakeOpener:
    """Opens with the private key; a box of another user, field or attempt stays closed."""

    def __init__(self, private_key: Secret) -> None:
        raw = _key(private_key.reveal(), "INTAKE_PRIVATE_KEY")
        self._key = X25519PrivateKey.from_private_bytes(raw)

    @property
    def public_key(self) -> str:
        return _encode(self._key.public_key().public_bytes_raw())

    def open(self, box: str, binding: IntakeBinding) -> Secret:
        try:
            plain = _SUITE.decrypt(_decode(box), self._key, info=_info(binding))
            return Secret(plain.decode())
        except (InvalidTag, ValueError):
            raise RefusedError(
                "what was typed cannot be opened here; reload the page and try again"
            ) from None

    def __repr__(self) -> str:
        return "IntakeOpener(***)"


def _info(binding: IntakeBinding) -> bytes:
    parts = (binding.user, binding.field, binding.attempt)
    if any("|" in part for part in parts):
        raise ValueError("no part of what a box is bound to may hold a |")
    return ("signalfleet:v1:intake|" + "|".join(parts)).encode()


def _key(text: str, name: str) -> bytes:
    try:
        raw = _decode(text.strip())
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES or len(set(raw)) <= 1:
        raise RefusedError(f"{name} is not a key; {_HOW_TO_MAKE}")
    return raw


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("not base64url") from None
