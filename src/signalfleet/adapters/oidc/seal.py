"""Closes a sign-in attempt for its cookie, so that no server has to remember it."""

import base64
import binascii
import json
import secrets
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from signalfleet.ports.errors import RefusedError
from signalfleet.ports.identity import SignInAttempt

NONCE_BYTES: Final = 12
MOST_CHARS: Final = 4096
_PURPOSE: Final = b"signalfleet:v1:oidc-attempt"


class AttemptSeal:
    """Servers with the same key open each other's; the key itself serves other purposes too."""

    def __init__(self, key: bytes) -> None:
        own = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key)
        self._cipher = AESGCM(own)

    def close(self, attempt: SignInAttempt) -> str:
        parts = [attempt.state, attempt.nonce, attempt.verifier, attempt.begun_at.timestamp()]
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, json.dumps(parts).encode(), _PURPOSE)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, box: str) -> SignInAttempt:
        if len(box) > MOST_CHARS:
            raise RefusedError("the attempt is longer than any of ours")
        try:
            raw = base64.b64decode(box + "=" * (-len(box) % 4), altchars=b"-_", validate=True)
            plain = self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _PURPOSE)
        except (InvalidTag, ValueError, binascii.Error):
            raise RefusedError("the attempt was not sealed here") from None
        state, nonce, verifier, begun_at = json.loads(plain)
        return SignInAttempt(
            state=state,
            nonce=nonce,
            verifier=verifier,
            begun_at=datetime.fromtimestamp(begun_at, UTC),
        )

    def __repr__(self) -> str:
        return "AttemptSeal(***)"
