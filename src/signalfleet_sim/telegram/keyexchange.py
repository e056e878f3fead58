"""The server side of the auth key exchange (mtproto/auth_key)."""

import os
from hashlib import sha1
from typing import Final

from telethon.tl import functions, types

from signalfleet_sim.telegram.codec import MalformedError, Tl, decode, encode
from signalfleet_sim.telegram.crypto import (
    DH_PRIME_BYTES,
    GENERATOR,
    KEY_SIZE,
    CryptoError,
    DhGroup,
    ServerKey,
    ige_decrypt,
    ige_encrypt,
    is_safe_power,
)

# The client library reads pq as a signed number, so its first byte must stay below 0x80; and its
# factorisation by chance fails once in 500 times for factors of equal size, hardly ever for these.
P: Final = 40_009
Q: Final = 2_147_483_647
PQ_BYTES: Final = (P * Q).to_bytes(6, "big")


class ExchangeError(Exception):
    """The client broke the exchange; the answer is transport error -404."""


class KeyExchange:
    """One run of the exchange; `auth_key` and `salt` are set when it is complete."""

    def __init__(self, server_key: ServerKey, group: DhGroup) -> None:
        self._server_key = server_key
        self._group = group
        self._nonce = 0
        self._server_nonce = 0
        self._new_nonce = b""
        self._aes: tuple[bytes, bytes] | None = None
        self.auth_key: bytes | None = None
        self.salt = 0

    def answer(self, request: Tl, server_time: int) -> Tl:
        """Return the answer to the next plain request, or raise ExchangeError."""
        if isinstance(request, functions.ReqPqMultiRequest | functions.ReqPqRequest):
            return self._begin(request)
        known = getattr(request, "nonce", None) == self._nonce
        if not known or getattr(request, "server_nonce", None) != self._server_nonce:
            raise ExchangeError("nonces are not those of this exchange")
        try:
            if isinstance(request, functions.ReqDHParamsRequest):
                return self._offer(request, server_time)
            if isinstance(request, functions.SetClientDHParamsRequest):
                return self._finish(request)
        except (CryptoError, MalformedError) as error:
            raise ExchangeError(str(error)) from error
        raise ExchangeError("not a request of the key exchange")

    def _begin(self, request: Tl) -> Tl:
        self._nonce = request.nonce
        self._server_nonce = int.from_bytes(os.urandom(16), "little", signed=True)
        self._aes = None
        return types.ResPQ(
            nonce=self._nonce,
            server_nonce=self._server_nonce,
            pq=PQ_BYTES,
            server_public_key_fingerprints=[self._server_key.fingerprint],
        )

    def _offer(self, request: Tl, server_time: int) -> Tl:
        inner = self._inner_data(request)
        self._new_nonce = inner.new_nonce.to_bytes(32, "little", signed=True)
        new, server = self._new_nonce, self._server_nonce_bytes
        new_server, server_new = _sha1(new + server), _sha1(server + new)
        key = new_server + server_new[:12]
        iv = server_new[12:20] + _sha1(new + new) + new[:4]
        self._aes = key, iv
        answer = encode(
            types.ServerDHInnerData(
                nonce=self._nonce,
                server_nonce=self._server_nonce,
                g=GENERATOR,
                dh_prime=DH_PRIME_BYTES,
                g_a=self._group.public.to_bytes(KEY_SIZE, "big"),
                server_time=server_time,
            )
        )
        hashed = _sha1(answer) + answer
        hashed += os.urandom(-len(hashed) % 16)
        return types.ServerDHParamsOk(
            nonce=self._nonce,
            server_nonce=self._server_nonce,
            encrypted_answer=ige_encrypt(hashed, key, iv),
        )

    def _inner_data(self, request: Tl) -> Tl:
        if request.public_key_fingerprint != self._server_key.fingerprint:
            raise ExchangeError("encrypted with a key that is not ours")
        if len(request.encrypted_data) != KEY_SIZE:
            raise ExchangeError("the RSA block is not 256 bytes")
        block = self._server_key.decrypt(request.encrypted_data)
        inner = decode(block[20:])
        if not isinstance(inner, types.PQInnerData | types.PQInnerDataDc):
            raise ExchangeError("the RSA block does not hold p_q_inner_data")
        if _sha1(encode(inner)) != block[:20]:
            raise ExchangeError("the hash of p_q_inner_data is wrong")
        factors = int.from_bytes(inner.p, "big"), int.from_bytes(inner.q, "big")
        if inner.pq != PQ_BYTES or factors != (P, Q):
            raise ExchangeError("pq was not factorised")
        if inner.nonce != self._nonce or inner.server_nonce != self._server_nonce:
            raise ExchangeError("inner nonces differ from the outer ones")
        return inner

    def _finish(self, request: Tl) -> Tl:
        if self._aes is None or len(request.encrypted_data) % 16:
            raise ExchangeError("set_client_DH_params came out of turn")
        plain = ige_decrypt(request.encrypted_data, *self._aes)
        inner = decode(plain[20:])
        if not isinstance(inner, types.ClientDHInnerData) or _sha1(encode(inner)) != plain[:20]:
            raise ExchangeError("client_DH_inner_data is damaged")
        if inner.nonce != self._nonce or inner.server_nonce != self._server_nonce:
            raise ExchangeError("inner nonces differ from the outer ones")
        client_public = int.from_bytes(inner.g_b, "big")
        if not is_safe_power(client_public):
            raise ExchangeError("g_b is outside the safe range")
        auth_key = self._group.shared(client_public)
        names = {"nonce": self._nonce, "server_nonce": self._server_nonce}
        if auth_key[0] == 0:
            return types.DhGenRetry(**names, new_nonce_hash2=self._nonce_hash(2, auth_key))
        self.auth_key = auth_key
        salt = bytes(
            a ^ b for a, b in zip(self._new_nonce[:8], self._server_nonce_bytes[:8], strict=True)
        )
        self.salt = int.from_bytes(salt, "little", signed=True)
        return types.DhGenOk(**names, new_nonce_hash1=self._nonce_hash(1, auth_key))

    def _nonce_hash(self, number: int, auth_key: bytes) -> int:
        aux = _sha1(auth_key)[:8]
        digest = _sha1(self._new_nonce + bytes([number]) + aux)
        return int.from_bytes(digest[4:20], "little", signed=True)

    @property
    def _server_nonce_bytes(self) -> bytes:
        return self._server_nonce.to_bytes(16, "little", signed=True)


def _sha1(content: bytes) -> bytes:
    # Prescribed by the protocol; nothing but this loopback server relies on it.
    return sha1(content, usedforsecurity=False).digest()
