"""A transit engine on loopback that answers in the shapes of Vault's HTTP API.

Written from the documented requests and answers of /transit/keys, datakey, decrypt and rewrap. It
proves what we send and how we take the answers, and nothing about the real Vault.
"""

import base64
import binascii
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE: Final = 12
KEY: Final = "signalfleet"


@dataclass(slots=True)
class LoopbackVault:
    """One transit key. `is_sealed` and `is_hanging_up` make it unreachable in two ways."""

    token: str = field(default_factory=lambda: "hvs." + secrets.token_urlsafe(24))
    is_derived: bool = True
    is_sealed: bool = False
    is_hanging_up: bool = False
    lowest: int = 1
    calls: list[str] = field(default_factory=list)
    address: str = ""
    _keys: dict[int, bytes] = field(default_factory=lambda: {1: secrets.token_bytes(32)})

    @property
    def newest(self) -> int:
        return max(self._keys)

    def rotate(self) -> None:
        self._keys[self.newest + 1] = secrets.token_bytes(32)

    def retire_below(self, version: int) -> None:
        self.lowest = version

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/transit/keys/{name}", self._facts),
            web.post("/v1/transit/datakey/wrapped/{name}", self._datakey),
            web.post("/v1/transit/decrypt/{name}", self._decrypt),
            web.post("/v1/transit/rewrap/{name}", self._rewrap),
        ]

    async def _facts(self, request: web.Request) -> web.Response:
        self._let_in(request)
        keys = {str(version): 1_700_000_000 for version in self._keys if version >= self.lowest}
        facts = {"name": KEY, "type": "aes256-gcm96", "derived": self.is_derived, "keys": keys}
        return _data(
            {**facts, "latest_version": self.newest, "min_decryption_version": self.lowest}
        )

    async def _datakey(self, request: web.Request) -> web.Response:
        asked = await self._asked(request)
        size = int(asked.get("bits", 256)) // 8
        return self._wrapped(secrets.token_bytes(size), self._context(asked))

    async def _decrypt(self, request: web.Request) -> web.Response:
        asked = await self._asked(request)
        plain = self._plain(asked)
        return _data({"plaintext": base64.b64encode(plain).decode()})

    async def _rewrap(self, request: web.Request) -> web.Response:
        asked = await self._asked(request)
        return self._wrapped(self._plain(asked), self._context(asked))

    def _wrapped(self, plain: bytes, context: bytes) -> web.Response:
        nonce = secrets.token_bytes(NONCE)
        raw = nonce + AESGCM(self._keys[self.newest]).encrypt(nonce, plain, context)
        text = f"vault:v{self.newest}:{base64.b64encode(raw).decode()}"
        return _data({"ciphertext": text, "key_version": self.newest})

    def _plain(self, asked: dict[str, Any]) -> bytes:
        try:
            _, version, encoded = str(asked.get("ciphertext", "")).split(":")
            raw, number = base64.b64decode(encoded, validate=True), int(version[1:])
        except (ValueError, binascii.Error):
            raise _refusal(400, "invalid ciphertext: could not decode") from None
        if number < self.lowest:
            raise _refusal(400, "ciphertext or signature version is disallowed by policy (too old)")
        key = self._keys.get(number)
        if key is None:
            raise _refusal(400, "invalid ciphertext: version is too new")
        try:
            return AESGCM(key).decrypt(raw[:NONCE], raw[NONCE:], self._context(asked))
        except InvalidTag:
            raise _refusal(400, "cipher: message authentication failed") from None

    def _context(self, asked: dict[str, Any]) -> bytes:
        if not self.is_derived:
            return b""
        if not asked.get("context"):
            raise _refusal(400, "missing 'context' for key derivation")
        return base64.b64decode(asked["context"])

    async def _asked(self, request: web.Request) -> dict[str, Any]:
        self._let_in(request)
        asked: dict[str, Any] = await request.json()
        return asked

    def _let_in(self, request: web.Request) -> None:
        self.calls.append(f"{request.method} {request.path}")
        if self.is_hanging_up and request.transport is not None:
            request.transport.abort()
        if self.is_sealed:
            raise _refusal(503, "Vault is sealed")
        if request.headers.get("X-Vault-Token") != self.token:
            raise _refusal(403, "permission denied")
        if request.match_info["name"] != KEY:
            raise _refusal(404)


def _data(found: dict[str, Any]) -> web.Response:
    return web.json_response({"request_id": "r", "lease_id": "", "renewable": False, "data": found})


def _refusal(status: int, *errors: str) -> web.HTTPException:
    kind: type[web.HTTPException] = {
        400: web.HTTPBadRequest,
        403: web.HTTPForbidden,
        404: web.HTTPNotFound,
        503: web.HTTPServiceUnavailable,
    }[status]
    body = web.json_response({"errors": list(errors)}).text or ""
    return kind(text=body, content_type="application/json")


@asynccontextmanager
async def open_vault() -> AsyncIterator[LoopbackVault]:
    """Serve one on a free port of 127.0.0.1."""
    vault = LoopbackVault()
    application = web.Application()
    application.add_routes(vault.routes())
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        vault.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield vault
    finally:
        await runner.cleanup()
