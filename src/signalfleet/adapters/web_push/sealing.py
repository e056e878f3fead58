"""The cryptography of web push: sealed for one browser, signed as this server."""

import base64
import json
import os
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signalfleet.ports.secrets import Secret

RECORD_BYTES = 4096
SALT_BYTES = 16
AUTH_BYTES = 16
KEY_BYTES = 32
POINT_BYTES = 65
LAST_RECORD = b"\x02"


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(text: str) -> bytes:
    """Read base64url with or without its padding; ValueError for anything else."""
    cleaned = text.rstrip("=")
    return base64.b64decode(cleaned + "=" * (-len(cleaned) % 4), altchars=b"-_", validate=True)


def point_of(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A browser's half: its public key and the secret that it shares with us."""

    public: ec.EllipticCurvePublicKey
    auth: bytes

    @classmethod
    def of(cls, p256dh: str, auth: str) -> "Subscriber":
        """Read both as a browser gives them; ValueError if they are none."""
        point, secret = decode(p256dh), decode(auth)
        if len(point) != POINT_BYTES or len(secret) != AUTH_BYTES:
            raise ValueError("this is not the key of a browser")
        return cls(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point), secret)


def seal(plain: bytes, browser: Subscriber) -> bytes:
    """Encrypt for one browser: one record of aes128gcm under a key that is used once."""
    own = ec.generate_private_key(ec.SECP256R1())
    salt = os.urandom(SALT_BYTES)
    point = point_of(own.public_key())
    shared = own.exchange(ec.ECDH(), browser.public)
    key, nonce = content_keys(shared, browser.auth, point_of(browser.public), point, salt)
    header = salt + RECORD_BYTES.to_bytes(4, "big") + bytes([len(point)]) + point
    return header + AESGCM(key).encrypt(nonce, plain + LAST_RECORD, None)


def content_keys(
    shared: bytes, auth: bytes, browser: bytes, sender: bytes, salt: bytes
) -> tuple[bytes, bytes]:
    """Derive key and nonce from what both sides know (RFC 8291, section 3.4)."""
    keyed = _derive(shared, auth, b"WebPush: info\x00" + browser + sender, KEY_BYTES)
    return (
        _derive(keyed, salt, b"Content-Encoding: aes128gcm\x00", 16),
        _derive(keyed, salt, b"Content-Encoding: nonce\x00", 12),
    )


def _derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


class VapidKey:
    """Our key at push services (RFC 8292); browsers subscribe for its public half."""

    def __init__(self, private: Secret) -> None:
        try:
            raw = decode(private.reveal())
        except ValueError:
            raw = b""
        if len(raw) != KEY_BYTES:
            raise ValueError("a key for web push is 32 bytes in base64url")
        self._key = ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())
        self.public = encode(point_of(self._key.public_key()))

    def authorization(self, audience: str, subject: str, expires_at: int) -> str:
        """Return the header that proves to one push service who sends."""
        header = {"typ": "JWT", "alg": "ES256"}
        claims = {"aud": audience, "exp": expires_at, "sub": subject}
        signed = ".".join(
            encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)
        )
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(KEY_BYTES, "big") + s.to_bytes(KEY_BYTES, "big")
        return f"vapid t={signed}.{encode(signature)}, k={self.public}"

    def __repr__(self) -> str:
        return "VapidKey(***)"


def new_vapid_key() -> Secret:
    """Make a key for VAPID_PRIVATE_KEY."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return Secret(encode(number.to_bytes(KEY_BYTES, "big")))
