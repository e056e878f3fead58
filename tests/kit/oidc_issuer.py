"""A small OpenID issuer on loopback: asks for consent, changes codes once, signs RS256.

What it must get wrong for a test is put into `header`, `claims`, `sign`, `keys` and `replies`.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kit.wall_clock import WallClock

CLIENT_ID = "7000000001"
CLIENT_SECRET = "sample+secret/of:the&tests"
PERSON = {"sub": "1234500000000000001", "id": 987654321, "name": "Ada Example"}
CONSENT = (
    "<!doctype html><title>Issuer</title><link rel=icon href='data:,'><h1>Allow SignalFleet?</h1>"
    "<form method=post><button>Allow</button></form>"
)
Reply = Callable[[], Awaitable[web.Response]]


@cache
def key_of(name: str) -> rsa.RSAPrivateKey:
    """Make a key for the name; making one is slow, so it is the same one for all tests."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(name: str) -> bytes:
    return key_of(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def listed_key(name: str, **changes: object) -> dict[str, object]:
    """The public half as the issuer's list has it."""
    algorithm = jwt.get_algorithm_by_name("RS256")
    found = json.loads(algorithm.to_jwk(key_of(name).public_key()))
    return {"kty": "RSA", "n": found["n"], "e": found["e"], "kid": name, "use": "sig", **changes}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    return_to: str
    challenge: str
    nonce: str


@dataclass(kw_only=True)
class Issuer:
    """`header` and `claims` change the next tokens, a value None leaves the claim out."""

    url: str
    return_to: str = ""
    now: Callable[[], datetime] = field(default=WallClock().now)
    header: dict[str, object] = field(default_factory=dict)
    claims: dict[str, object] = field(default_factory=dict)
    sign: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
    keys: list[dict[str, object]] = field(default_factory=lambda: [listed_key("first")])
    replies: dict[str, Reply] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    key_readings: int = 0

    def allow(self, address: str) -> str:
        """Do what a person does who allows it: return the address where the browser is sent."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.asked.append(asked)
        assert address.startswith(f"{self.url}/auth?")
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["redirect_uri"] == self.return_to
        assert asked["code_challenge_method"] == "S256"
        assert set(asked["scope"].split()) == {"openid", "profile"}
        code = secrets.token_urlsafe(24)
        self.grants[code] = Grant(
            return_to=asked["redirect_uri"],
            challenge=asked["code_challenge"],
            nonce=asked.get("nonce", ""),
        )
        back = urlencode({"code": code, "state": asked["state"]})
        return f"{asked['redirect_uri']}?{back}"

    def token(self, grant: Grant) -> str:
        seconds = int(self.now().timestamp())
        standing: dict[str, Any] = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": seconds,
            "exp": seconds + 3600,
            "nonce": grant.nonce,
            **PERSON,
            **self.claims,
        }
        claims = {name: value for name, value in standing.items() if value is not None}
        header = {"alg": "RS256", "typ": "JWT", "kid": "first", **self.header}
        made = self.sign(header, claims) if self.sign else signed(header, claims)
        self.tokens.append(made)
        return made

    async def _auth(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return web.Response(text=CONSENT, content_type="text/html")
        raise web.HTTPSeeOther(self.allow(self.url + request.path_qs))

    async def _token(self, request: web.Request) -> web.Response:
        if "token" in self.replies:
            return await self.replies["token"]()
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        known = aiohttp.encode_basic_auth(CLIENT_ID, "sample%2Bsecret%2Fof%3Athe%26tests")
        if request.headers.get("Authorization") != known:
            return web.json_response({"error": "invalid_client"}, status=401)
        grant = self.grants.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "")
        if (
            grant is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != grant.return_to
            or encoded(hashlib.sha256(verifier.encode()).digest()) != grant.challenge
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response(
            {"access_token": "unused", "token_type": "Bearer", "id_token": self.token(grant)}
        )

    async def _keys(self, _request: web.Request) -> web.Response:
        self.key_readings += 1
        if "keys" in self.replies:
            return await self.replies["keys"]()
        return web.json_response({"keys": self.keys})

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/auth", self._auth)
        app.router.add_post("/token", self._token)
        app.router.add_get("/.well-known/jwks.json", self._keys)
        return app


def signed(header: dict[str, Any], claims: dict[str, Any] | bytes, *, key: str = "first") -> str:
    """Sign by RS256 with the key, whatever the header says; bytes are taken as they are."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    parts = ".".join(encoded(part) for part in (json.dumps(header).encode(), payload))
    signature = jwt.get_algorithm_by_name("RS256").sign(parts.encode(), key_of(key))
    return f"{parts}.{encoded(signature)}"


async def hang() -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


@asynccontextmanager
async def an_issuer() -> AsyncIterator[Issuer]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    issuer = Issuer(url=f"http://127.0.0.1:{listening.getsockname()[1]}")
    runner = web.AppRunner(
        issuer.application(), access_log=None, handler_cancellation=True, shutdown_timeout=1
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        yield issuer
    finally:
        await runner.cleanup()
        listening.close()
