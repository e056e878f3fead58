"""RSA, Diffie-Hellman and message encryption of MTProto 2.0, server side."""

import functools
import os
import secrets
import struct
from dataclasses import dataclass
from hashlib import sha1, sha256
from typing import Final, Self

import cryptg
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signalfleet_sim.telegram.codec import tl_bytes

KEY_SIZE: Final = 256
GENERATOR: Final = 3
# The 2048-bit safe prime that Telegram publishes; clients skip their slow primality test for it.
DH_PRIME_BYTES: Final = bytes.fromhex(
    "C71CAEB9C6B1C9048E6C522F70F13F73980D40238E3E21C14934D037563D930F"
    "48198A0AA7C14058229493D22530F4DBFA336F6E0AC925139543AED44CCE7C37"
    "20FD51F69458705AC68CD4FE6B6B13ABDC9746512969328454F18FAF8C595F64"
    "2477FE96BB2A941D5BCD1D4AC8CC49880708FA9B378E3C4F3A9060BEE67CF9A4"
    "A4A695811051907E162753B56B0F6B410DBA74D8A84B2A14B3144E0EF1284754"
    "FD17ED950D5965B4B9DD46582DB1178D169C6BC465B0D6FF9CA3928FEF5B9AE4"
    "E418FC15E83EBEA0F87FA9FF5EED70050DED2849F47BF959D956850CE929851F"
    "0D8115F635B105EE2E4E15D04B2454BF6F4FADF034B10403119CD8E3B92FCC5B"
)
DH_PRIME: Final = int.from_bytes(DH_PRIME_BYTES, "big")
SAFE_RANGE: Final = 1 << (2048 - 64)

PLAIN_HEAD: Final = struct.Struct("<qqqii")


class CryptoError(Exception):
    """A message that was not made with the key it names."""


def is_safe_power(number: int) -> bool:
    """Check a public value of the exchange against the documented range."""
    return SAFE_RANGE <= number <= DH_PRIME - SAFE_RANGE


def key_id_of(auth_key: bytes) -> bytes:
    """Return the eight bytes that name a key on the wire."""
    return sha1(auth_key, usedforsecurity=False).digest()[12:20]


def random_auth_key() -> bytes:
    """Make a key as an exchange would; a zero first byte is what the client library cannot hold."""
    return bytes([1 + secrets.randbelow(255)]) + os.urandom(KEY_SIZE - 1)


@dataclass(frozen=True, slots=True)
class DhGroup:
    """The server's half of the exchange; one secret per run saves an exponentiation each time."""

    secret: int
    public: int

    @classmethod
    def generate(cls) -> Self:
        """Draw exponents until the public value is inside the documented range."""
        while True:
            secret = int.from_bytes(os.urandom(KEY_SIZE), "big")
            public = pow(GENERATOR, secret, DH_PRIME)
            if is_safe_power(public):
                return cls(secret, public)

    def shared(self, client_public: int) -> bytes:
        """Return the auth key as 256 bytes."""
        return pow(client_public, self.secret, DH_PRIME).to_bytes(KEY_SIZE, "big")


@functools.cache
def key_of_process() -> "ServerKey":
    """Return the one key of this process: making one takes as long as a hundred connects."""
    return ServerKey()


class ServerKey:
    """The RSA key pair that clients are given to recognise this server."""

    def __init__(self) -> None:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._numbers = private.private_numbers()
        public = private.public_key()
        self.pem = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
        n, e = public.public_numbers().n, public.public_numbers().e
        named = tl_bytes(_minimal(n)) + tl_bytes(_minimal(e))
        digest = sha1(named, usedforsecurity=False).digest()
        self.fingerprint = int.from_bytes(digest[-8:], "little", signed=True)

    def decrypt(self, block: bytes) -> bytes:
        """Return the 255 bytes inside a raw RSA block."""
        numbers, cipher = self._numbers, int.from_bytes(block, "big")
        p, q = numbers.p, numbers.q
        low = pow(cipher, numbers.dmq1, q)
        high = (pow(cipher, numbers.dmp1, p) - low) * numbers.iqmp % p
        plain = low + high * q
        if plain.bit_length() > 255 * 8:
            raise CryptoError("the RSA block does not hold 255 bytes")
        return plain.to_bytes(255, "big")


def _minimal(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def ige_encrypt(plain: bytes, key: bytes, iv: bytes) -> bytes:
    """Encrypt with AES-256 in IGE mode; the length must be a multiple of 16."""
    return cryptg.encrypt_ige(plain, key, iv)


def ige_decrypt(cipher: bytes, key: bytes, iv: bytes) -> bytes:
    """Decrypt AES-256 in IGE mode; the length must be a multiple of 16."""
    return cryptg.decrypt_ige(cipher, key, iv)


@dataclass(frozen=True, slots=True)
class ClientMessage:
    """One decrypted message from a client."""

    salt: int
    session_id: int
    msg_id: int
    seq_no: int
    body: bytes


class MessageCipher:
    """Encrypts to and decrypts from the holder of one auth key."""

    __slots__ = ("_key", "key_id")

    def __init__(self, auth_key: bytes) -> None:
        self._key = auth_key
        self.key_id = key_id_of(auth_key)

    def decrypt(self, payload: bytes) -> ClientMessage:
        """Decrypt a client's packet; refuse anything that was altered on the way."""
        msg_key, cipher = payload[8:24], payload[24:]
        if not cipher or len(cipher) % 16:
            raise CryptoError("encrypted part is not made of 16-byte blocks")
        plain = ige_decrypt(cipher, *self._aes(msg_key, 0))
        if sha256(self._key[88:120] + plain).digest()[8:24] != msg_key:
            raise CryptoError("msg_key does not match the content")
        salt, session_id, msg_id, seq_no, length = PLAIN_HEAD.unpack_from(plain)
        if not 0 <= length <= len(plain) - PLAIN_HEAD.size or length % 4:
            raise CryptoError("message length does not fit the packet")
        body = plain[PLAIN_HEAD.size : PLAIN_HEAD.size + length]
        return ClientMessage(salt, session_id, msg_id, seq_no, body)

    def encrypt(self, salt: int, session_id: int, msg_id: int, seq_no: int, body: bytes) -> bytes:
        """Return the packet payload for one server message."""
        plain = PLAIN_HEAD.pack(salt, session_id, msg_id, seq_no, len(body)) + body
        plain += os.urandom(-(len(plain) + 12) % 16 + 12)
        msg_key = sha256(self._key[96:128] + plain).digest()[8:24]
        return self.key_id + msg_key + ige_encrypt(plain, *self._aes(msg_key, 8))

    def _aes(self, msg_key: bytes, offset: int) -> tuple[bytes, bytes]:
        key = self._key
        a = sha256(msg_key + key[offset : offset + 36]).digest()
        b = sha256(key[40 + offset : 76 + offset] + msg_key).digest()
        return a[:8] + b[8:24] + a[24:], b[:8] + a[8:24] + b[24:]
