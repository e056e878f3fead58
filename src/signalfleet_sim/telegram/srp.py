"""The password check of two-step verification (api/srp), server side."""

import hashlib
import os
from dataclasses import dataclass
from typing import Final

from signalfleet_sim.telegram.crypto import (
    DH_PRIME,
    DH_PRIME_BYTES,
    GENERATOR,
    KEY_SIZE,
    is_safe_power,
)

ROUNDS: Final = 100_000
G_BYTES: Final = GENERATOR.to_bytes(KEY_SIZE, "big")


@dataclass(frozen=True, slots=True)
class PasswordRecord:
    """What a server keeps of a password."""

    salt1: bytes
    salt2: bytes
    verifier: int


@dataclass(frozen=True, slots=True)
class Challenge:
    """One question put to a client that says it knows the password."""

    record: PasswordRecord
    secret: int
    public: bytes

    def accepts(self, client_public: bytes, proof: bytes) -> bool:
        """Check the client's proof."""
        a_public = int.from_bytes(client_public, "big")
        if not 0 < a_public < DH_PRIME:
            return False
        padded = a_public.to_bytes(KEY_SIZE, "big")
        u = int.from_bytes(_sha256(padded, self.public), "big")
        base = a_public * pow(self.record.verifier, u, DH_PRIME) % DH_PRIME
        shared = _sha256(_pad(pow(base, self.secret, DH_PRIME)))
        mixed = bytes(a ^ b for a, b in zip(_sha256(DH_PRIME_BYTES), _sha256(G_BYTES), strict=True))
        salts = _sha256(self.record.salt1) + _sha256(self.record.salt2)
        return _sha256(mixed, salts, padded, self.public, shared) == proof


def record_password(password: str) -> PasswordRecord:
    """Derive what is kept of a password; slow by design."""
    salt1, salt2 = os.urandom(16), os.urandom(16)
    inner = _sha256(salt1, password.encode(), salt1)
    inner = _sha256(salt2, inner, salt2)
    stretched = hashlib.pbkdf2_hmac("sha512", inner, salt1, ROUNDS)
    x = int.from_bytes(_sha256(salt2, stretched, salt2), "big")
    return PasswordRecord(salt1, salt2, pow(GENERATOR, x, DH_PRIME))


def challenge(record: PasswordRecord) -> Challenge:
    """Draw a fresh question; both of its parts lie in the range that clients insist on."""
    multiplier = int.from_bytes(_sha256(DH_PRIME_BYTES, G_BYTES), "big")
    while True:
        secret = int.from_bytes(os.urandom(KEY_SIZE), "big")
        power = pow(GENERATOR, secret, DH_PRIME)
        public = (multiplier * record.verifier + power) % DH_PRIME
        if is_safe_power(power) and is_safe_power(public):
            return Challenge(record, secret, _pad(public))


def _pad(number: int) -> bytes:
    return number.to_bytes(KEY_SIZE, "big")


def _sha256(*parts: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()
