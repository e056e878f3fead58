"""The other sides of the three messengers, on loopback, by their documents."""

import asyncio
import base64
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message as Letter
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kit.canaries import planted

TOKEN = "123456:" + planted("bot")
CHAT = 700_700_700
BOT = "fleet_notice_bot"
MAIL_USER = "mailer"
MAIL_PASSWORD = planted("mail")
SENDER = "fleet@example.com"
RECEIVER = "someone@example.org"


@dataclass(kw_only=True)
class Replies:
    """What the other side does next: each entry is used once, then it takes everything."""

    queue: list[str] = field(default_factory=list)
    end: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the house closes: what never answers ends then."""

    def next(self) -> str:
        return self.queue.pop(0) if self.queue else "take"


@asynccontextmanager
async def _served(app: web.Application) -> AsyncIterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        await runner.cleanup()


@dataclass(kw_only=True)
class BotApiHouse:
    """The Bot API of one bot: messages that came, updates that wait, and its refusals."""

    replies: Replies = field(default_factory=Replies)
    url: str = ""
    sent: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    polls: list[dict[str, Any]] = field(default_factory=list)
    is_polled_elsewhere: bool = False

    @property
    def texts(self) -> list[str]:
        return [str(one["text"]) for one in self.sent]

    def press_start(self, word: str, chat: int = CHAT, kind: str = "private") -> None:
        number = 1000 + len(self.updates)
        chat_object = {"id": chat, "type": kind, "username": "someone", "first_name": "Some"}
        text = f"/start {word}".strip()
        self.updates.append({"update_id": number, "message": {"chat": chat_object, "text": text}})

    async def _send(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        match self.replies.next():
            case "busy":
                extra = {"parameters": {"retry_after": 7}}
                return _error(429, "Too Many Requests: retry after 7", **extra)
            case "gone":
                return _error(403, "Forbidden: bot was blocked by the user")
            case "nobody":
                return _error(400, "Bad Request: chat not found")
            case "odd":
                return _error(400, "Bad Request: message text is empty")
            case "broken":
                return _error(500, "Internal Server Error")
            case "garbage":
                return web.Response(text="<html>", status=502)
            case "silent":
                await self.replies.end.wait()
            case "taken_then_silent":
                self.sent.append(asked)
                await self.replies.end.wait()
            case _:
                pass
        self.sent.append(asked)
        return web.json_response({"ok": True, "result": {"message_id": len(self.sent)}})

    async def _updates(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.polls.append(asked)
        if self.is_polled_elsewhere:
            return _error(409, "Conflict: terminated by other getUpdates request")
        waiting = [one for one in self.updates if one["update_id"] >= asked.get("offset", 0)]
        return web.json_response({"ok": True, "result": waiting})

    async def _me(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"ok": True, "result": {"id": 1, "username": BOT}})

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post(f"/bot{TOKEN}/sendMessage", self._send)
        app.router.add_post(f"/bot{TOKEN}/getUpdates", self._updates)
        app.router.add_post(f"/bot{TOKEN}/getMe", self._me)
        return app


def _error(status: int, description: str, **more: object) -> web.Response:
    body = {"ok": False, "error_code": status, "description": description, **more}
    return web.json_response(body, status=status)


@asynccontextmanager
async def a_bot_api() -> AsyncIterator[BotApiHouse]:
    house = BotApiHouse()
    async with _served(house.application()) as house.url:
        yield house
        house.replies.end.set()


@dataclass(kw_only=True)
class PushHouse:
    """A push service with one browser behind it, which opens what is sealed for it."""

    replies: Replies = field(default_factory=Replies)
    url: str = ""
    opened: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    server_keys: list[str] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    auth: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def subscription(self) -> str:
        keys = {"p256dh": _encode(_point(self.key.public_key())), "auth": _encode(self.auth)}
        return json.dumps({"endpoint": f"{self.url}/push/browser-1", "keys": keys})

    @property
    def texts(self) -> list[str]:
        return [str(one["body"]) for one in self.opened]

    async def _push(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        match self.replies.next():
            case "busy":
                return web.Response(status=429, headers={"Retry-After": "7"})
            case "gone":
                return web.Response(status=410)
            case "odd":
                return web.Response(status=400)
            case "broken":
                return web.Response(status=503)
            case "silent":
                await self.replies.end.wait()
            case "taken_then_silent":
                self._take(request, body)
                await self.replies.end.wait()
            case _:
                pass
        self._take(request, body)
        return web.Response(status=201)

    def _take(self, request: web.Request, body: bytes) -> None:
        token, _, key = request.headers["Authorization"].removeprefix("vapid t=").partition(", k=")
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _decode(key))
        claims = jwt.decode(
            token,
            public,
            algorithms=["ES256"],
            audience=self.url,
            options={"verify_exp": False},
        )
        self.claims.append(claims)
        self.server_keys.append(key)
        self.headers.append(dict(request.headers))
        self.opened.append(json.loads(self.open(body)))

    def open(self, body: bytes) -> bytes:
        """Decrypt as RFC 8188 and RFC 8291 say."""
        salt, size = body[:16], int.from_bytes(body[16:20], "big")
        point = body[21 : 21 + body[20]]
        record = body[21 + body[20] :]
        assert len(body) <= 4096
        assert len(record) <= size
        sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        shared = self.key.exchange(ec.ECDH(), sender)
        info = b"WebPush: info\x00" + _point(self.key.public_key()) + point
        keyed = _hkdf(shared, self.auth, info, 32)
        key = _hkdf(keyed, salt, b"Content-Encoding: aes128gcm\x00", 16)
        nonce = _hkdf(keyed, salt, b"Content-Encoding: nonce\x00", 12)
        plain = AESGCM(key).decrypt(nonce, record, None)
        assert plain.endswith(b"\x02")
        return plain[:-1]

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/push/browser-1", self._push)
        return app


def _hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@asynccontextmanager
async def a_push_service() -> AsyncIterator[PushHouse]:
    house = PushHouse()
    async with _served(house.application()) as house.url:
        yield house
        house.replies.end.set()


@dataclass(kw_only=True)
class MailHouse:
    """A mail server that wants STARTTLS and a password before it takes a letter."""

    folder: Path
    replies: Replies = field(default_factory=Replies)
    port: int = 0
    letters: list[Letter] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    in_the_clear: list[bytes] = field(default_factory=list)
    offers_tls: bool = True

    @property
    def ca_file(self) -> Path:
        """Return what a client trusts; the server itself shows `own.pem`."""
        return self.folder / "ca.pem"

    @property
    def texts(self) -> list[str]:
        return [str(one.get_content()) for one in self.letters]  # type: ignore[attr-defined]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_tls = is_known = False
        reply = self.replies.next()

        async def say(*lines: str) -> None:
            writer.write("".join(f"{line}\r\n" for line in lines).encode())
            await writer.drain()

        if reply == "broken":
            await say("421 too many connections")
            return
        await say("220 mail.example ESMTP")
        while line := await reader.readline():
            if not is_tls:
                self.in_the_clear.append(line)
            command = line.decode().strip().upper()
            match command.split(" ")[0].split(":")[0]:
                case "EHLO" if is_tls or not self.offers_tls:
                    await say("250-mail.example", "250 AUTH PLAIN LOGIN")
                case "EHLO":
                    await say("250-mail.example", "250 STARTTLS")
                case "STARTTLS":
                    await say("220 go ahead")
                    await writer.start_tls(self._context())
                    is_tls = True
                case "AUTH":
                    given = base64.b64decode(line.split()[-1]).decode().split("\0")
                    is_known = given[1:] == [MAIL_USER, MAIL_PASSWORD]
                    await say("235 ok" if is_known else "535 no")
                case "MAIL":
                    await say("250 ok" if is_known else "530 authenticate first")
                case "RCPT":
                    words = {"gone": "550 5.1.1 no such user", "busy": "451 greylisted"}
                    await say(words.get(reply, "250 ok"))
                case "DATA":
                    await say("354 go")
                    end = self._data(await reader.readuntil(b"\r\n.\r\n"), reply)
                    if not end:
                        return
                    await say(end)
                case "QUIT":
                    await say("221 bye")
                    return
                case _:
                    await say("250 ok")

    def _data(self, content: bytes, reply: str) -> str:
        """Take a letter as it was told; nothing to say means hanging up."""
        if reply == "silent":
            return ""
        if reply == "odd":
            return "554 looks like spam"
        self._take(content.removesuffix(b".\r\n"))
        return "" if reply == "taken_then_silent" else "250 queued"

    def _take(self, content: bytes) -> None:
        content = content.replace(b"\r\n..", b"\r\n.")
        self.raw.append(content)
        self.letters.append(message_from_bytes(content, policy=default))

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "own.pem", self.folder / "key.pem")
        return context

    def make_certificate(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
                critical=False,
            )
            .sign(key, hashes.SHA256())
        )
        for file in (self.ca_file, self.folder / "own.pem"):
            file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (self.folder / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


@asynccontextmanager
async def a_mail_server(folder: Path) -> AsyncIterator[MailHouse]:
    house = MailHouse(folder=folder)
    house.make_certificate()
    server = await asyncio.start_server(house.serve, "127.0.0.1", 0, limit=2**20)
    house.port = server.sockets[0].getsockname()[1]
    try:
        yield house
    finally:
        server.close()
        await server.wait_closed()
