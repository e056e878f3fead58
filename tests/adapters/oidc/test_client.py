"""The client against a real issuer on loopback that can be told to do wrong."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from aiohttp import web

from kit.oidc_issuer import (
    CLIENT_ID,
    CLIENT_SECRET,
    Issuer,
    an_issuer,
    encoded,
    hang,
    listed_key,
    public_pem,
    signed,
)
from kit.wall_clock import WallClock
from signalfleet.adapters.oidc import limits
from signalfleet.adapters.oidc.client import TelegramIdentity
from signalfleet.adapters.oidc.settings import OidcSettings
from signalfleet.ports.errors import TemporaryError
from signalfleet.ports.identity import IdentityRefusedError, ProvenIdentity, SignInAttempt
from signalfleet.ports.secrets import Secret

pytestmark = pytest.mark.loopback

KEY = b"0123456789abcdef0123456789abcdef"
RETURN_TO = "https://sf.example/auth/telegram/callback"


class Rig:
    """One client, and a person who allows everything."""

    def __init__(self, issuer: Issuer, **changes: Any) -> None:
        self.issuer = issuer
        self.settings = OidcSettings(
            client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET), issuer=issuer.url
        )
        given: dict[str, Any] = {"key": KEY, "clock": WallClock(), **changes}
        self.client = TelegramIdentity(self.settings, **given)
        self.attempt = SignInAttempt(
            state="s" * 43, nonce="n" * 43, verifier="v" * 43, begun_at=WallClock().now()
        )

    def code(self) -> str:
        back = self.issuer.allow(self.client.ask_address(self.attempt, RETURN_TO))
        return back.partition("code=")[2].partition("&")[0]

    async def sign_in(self) -> ProvenIdentity:
        return await self.client.identify(self.attempt, self.code(), RETURN_TO)

    async def refusal(self) -> str:
        with pytest.raises(IdentityRefusedError) as refused:
            await self.sign_in()
        return refused.value.reason


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with an_issuer() as opened:
        opened.return_to = RETURN_TO
        yield opened


@pytest.fixture
def rig(issuer: Issuer) -> Rig:
    return Rig(issuer)


async def test_a_code_becomes_a_person(rig: Rig, issuer: Issuer) -> None:
    found = await rig.sign_in()
    assert (found.telegram_id, found.display_name) == (987654321, "Ada Example")
    digest = hashlib.sha256(b"v" * 43).digest()
    assert issuer.asked[0]["code_challenge"] == encoded(digest)
    assert issuer.asked[0]["nonce"] == "n" * 43
    assert issuer.forms[0]["code_verifier"] == "v" * 43
    assert CLIENT_SECRET not in json.dumps(issuer.asked + issuer.forms)


def test_without_another_issuer_it_is_telegrams() -> None:
    settings = OidcSettings(client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET))
    client = TelegramIdentity(settings, key=KEY, clock=WallClock())
    attempt = SignInAttempt(state="s", nonce="n", verifier="v", begun_at=WallClock().now())
    assert client.origin == "https://oauth.telegram.org"
    address = client.ask_address(attempt, RETURN_TO)
    assert address.startswith("https://oauth.telegram.org/auth?")
    assert CLIENT_SECRET not in repr(client) + repr(settings) + address


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"client_id": "7:8"}, "letters and digits"),
        ({"client_id": ""}, "letters and digits"),
        ({"client_secret": Secret("")}, "CLIENT_SECRET"),
        *(
            ({"issuer": url}, "http://127.0.0.1:PORT")
            for url in (
                "https://evil.example",
                "http://oauth.telegram.org",
                "http://127.0.0.1:80/x",
                "http://127.0.0.1:80; script-src *",
                "http://u@127.0.0.1:80",
                "http://127.0.0.1",
                "http://127.0.0.1:99999",
                "http://localhost.evil.example:80",
                "ftp://127.0.0.1:80",
            )
        ),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(change: dict[str, Any], said: str) -> None:
    given = {"client_id": CLIENT_ID, "client_secret": Secret(CLIENT_SECRET), **change}
    with pytest.raises(ValueError, match=said):
        OidcSettings(**given)


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = (encoded(json.dumps(part).encode()) for part in (header, claims))
    return ".".join(parts) + "."


def by_public_key(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """HMAC with the public key's bytes: passes where the token chooses the algorithm."""
    parts = unsigned(header, claims).removesuffix(".")
    return f"{parts}.{encoded(hmac.digest(public_pem('first'), parts.encode(), 'sha256'))}"


@pytest.mark.parametrize("name", ["none", "None", "NONE", ""])
async def test_a_token_without_a_signature_is_nothing(rig: Rig, name: str) -> None:
    rig.issuer.header, rig.issuer.sign = {"alg": name}, unsigned
    assert await rig.refusal() == "proof"
    rig.issuer.header = {}
    assert await rig.refusal() == "proof"


@pytest.mark.parametrize("name", ["HS256", "RS256", "hs256", "RS512", "PS256", "ES256", ["RS256"]])
async def test_the_public_key_is_no_password(rig: Rig, name: object) -> None:
    rig.issuer.header, rig.issuer.sign = {"alg": name}, by_public_key
    assert await rig.refusal() == "proof"


async def test_a_token_of_another_key_under_the_same_name_is_refused(rig: Rig) -> None:
    rig.issuer.sign = lambda header, claims: signed(header, claims, key="foreign")
    assert await rig.refusal() == "proof"


async def test_a_key_that_comes_with_the_token_is_not_used(rig: Rig) -> None:
    rig.issuer.header = {"jwk": listed_key("foreign"), "jku": "http://127.0.0.1:1/keys"}
    rig.issuer.sign = lambda header, claims: signed(header, claims, key="foreign")
    assert await rig.refusal() == "proof"


@pytest.mark.parametrize(
    "name",
    [
        "../../../dev/null",
        "/etc/passwd",
        "..\\key",
        "http://127.0.0.1:1/key",
        "first' OR 1",
        "a\u0000b",
        "",
        "x" * 5000,
        None,
        ["first"],
        {"first": 1},
        7,
    ],
)
async def test_a_keys_name_is_only_a_name(rig: Rig, name: object) -> None:
    rig.issuer.header = {"kid": name}
    assert await rig.refusal() == "proof"
    assert rig.issuer.key_readings == 0


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://oauth.telegram.org"},
        {"iss": None},
        {"aud": "7000000002"},
        {"aud": [CLIENT_ID, "7000000002"]},
        {"exp": 1_600_000_000},
        {"iat": 1_600_000_000},
        {"nonce": "m" * 43},
        {"nonce": None},
        {"id": None},
    ],
)
async def test_a_signed_token_for_something_else_is_refused(
    rig: Rig, claims: dict[str, object]
) -> None:
    rig.issuer.claims = claims
    assert await rig.refusal() == "proof"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "...",
        "a.b.c",
        "é.é.é",
        "e30.e30.e30",
        encoded(b"[" * 4000) + ".e30.e30",
        encoded(b'{"alg":"RS256","alg":"none"}') + ".e30.",
        "a" * 20_000,
        7,
        None,
        ["x"],
    ],
)
async def test_what_is_no_token_is_refused(rig: Rig, token: object) -> None:
    async def reply() -> web.Response:
        return web.json_response({"id_token": token})

    rig.issuer.replies["token"] = reply
    assert await rig.refusal() == "proof"


@pytest.mark.parametrize(
    "payload", [b"[]", b"null", b"{", b"\xff", b"[" * 9000, b'{"iat": 1e999, "exp": NaN}']
)
async def test_a_signed_payload_that_is_no_set_of_claims_is_refused(
    rig: Rig, payload: bytes
) -> None:
    def sign(header: dict[str, Any], _claims: dict[str, Any]) -> str:
        return signed(header, payload)

    rig.issuer.sign = sign
    assert await rig.refusal() == "proof"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff\xfe", b"[" * 50_000, b"{}"])
async def test_an_answer_that_is_not_the_issuers_kind_is_refused(rig: Rig, body: bytes) -> None:
    async def reply() -> web.Response:
        return web.Response(body=body)

    rig.issuer.replies["token"] = reply
    assert await rig.refusal() == "proof"


async def test_an_answer_without_an_end_is_not_read_to_its_end(rig: Rig) -> None:
    async def reply() -> web.Response:
        good = json.dumps({"keys": rig.issuer.keys}).encode()
        return web.Response(body=good + b" " * limits.MOST_BYTES)

    rig.issuer.replies["keys"] = reply
    assert await rig.refusal() == "proof"


async def test_a_redirect_is_not_followed(rig: Rig, issuer: Issuer) -> None:
    async def reply() -> web.Response:
        return web.Response(status=307, headers={"Location": f"{issuer.url}/token?again"})

    issuer.replies["token"] = reply
    assert await rig.refusal() == "proof"
    assert issuer.forms == []


async def test_a_code_is_taken_once(rig: Rig) -> None:
    code = rig.code()
    await rig.client.identify(rig.attempt, code, RETURN_TO)
    with pytest.raises(IdentityRefusedError) as refused:
        await rig.client.identify(rig.attempt, code, RETURN_TO)
    assert refused.value.reason == "code"


async def test_a_stolen_code_is_worth_nothing_without_the_verifier(rig: Rig) -> None:
    code = rig.code()
    thief = SignInAttempt(state="s", nonce="n" * 43, verifier="w" * 43, begun_at=datetime.now(UTC))
    with pytest.raises(IdentityRefusedError) as refused:
        await rig.client.identify(thief, code, RETURN_TO)
    assert refused.value.reason == "code"


async def test_a_wrong_secret_of_ours_is_named_as_ours(issuer: Issuer) -> None:
    rig = Rig(issuer)
    settings = OidcSettings(client_id=CLIENT_ID, client_secret=Secret("other"), issuer=issuer.url)
    rig.client = TelegramIdentity(settings, key=KEY, clock=WallClock())
    with structlog.testing.capture_logs() as logs:
        assert await rig.refusal() == "client"
    assert [line["event"] for line in logs] == ["oidc_client_refused"]


@pytest.mark.parametrize("path", ["token", "keys"])
async def test_an_issuer_in_trouble_is_worth_another_try(issuer: Issuer, path: str) -> None:
    async def trouble() -> web.Response:
        return web.Response(status=503, text="busy")

    async def too_many() -> web.Response:
        return web.Response(status=429)

    for reply in (trouble, too_many, hang):
        rig = Rig(issuer, call_timeout_s=0.2)
        issuer.replies[path] = reply
        with pytest.raises(TemporaryError):
            await rig.sign_in()
    issuer.replies.clear()
    assert (await Rig(issuer).sign_in()).telegram_id == 987654321


async def test_nobody_there_is_worth_another_try(unused_tcp_port: int) -> None:
    settings = OidcSettings(
        client_id=CLIENT_ID,
        client_secret=Secret(CLIENT_SECRET),
        issuer=f"http://127.0.0.1:{unused_tcp_port}",
    )
    client = TelegramIdentity(settings, key=KEY, clock=WallClock())
    attempt = SignInAttempt(state="s", nonce="n", verifier="v", begun_at=datetime.now(UTC))
    with pytest.raises(TemporaryError):
        await client.identify(attempt, "code", RETURN_TO)


class SteppedClock(WallClock):
    """The machine's clock, with time added by hand."""

    added = timedelta(0)

    def monotonic(self) -> float:
        return super().monotonic() + self.added.total_seconds()


async def test_keys_are_kept_and_read_again_for_a_new_one(issuer: Issuer) -> None:
    clock = SteppedClock()
    rig = Rig(issuer, clock=clock)
    await rig.sign_in()
    await rig.sign_in()
    assert issuer.key_readings == 1

    issuer.keys.append(listed_key("second"))
    issuer.header = {"kid": "second"}
    issuer.sign = lambda header, claims: signed(header, claims, key="second")
    assert await rig.refusal() == "proof", "read again too soon"
    clock.added = limits.KEYS_PAUSE + timedelta(seconds=1)
    assert (await rig.sign_in()).telegram_id == 987654321
    assert issuer.key_readings == 2

    issuer.keys.pop()
    clock.added += limits.KEYS_KEPT
    assert await rig.refusal() == "proof", "a key that was taken back still counts"


async def test_keys_of_another_kind_are_passed_over(rig: Rig, issuer: Issuer) -> None:
    others: dict[str, dict[str, Any]] = {
        "for_encryption": {"use": "enc"},
        "other_algorithm": {"alg": "RS512"},
        "symmetric": {"kty": "oct", "k": "AAAA"},
        "curve": {"kty": "EC"},
        "broken": {"n": "!"},
        "tiny": {"n": base64.urlsafe_b64encode(b"\xff" * 128).decode().rstrip("=")},
        "half": {"e": None},
    }
    for name, changes in others.items():
        issuer.keys = ["x", listed_key("first", kid=name, **changes)]  # type: ignore[list-item]
        issuer.header = {"kid": name}
        assert await Rig(issuer).refusal() == "proof", name
    assert issuer.key_readings == len(others)
    lists: list[Any] = [{}, None, "x", [None], [[]]]
    for keys in lists:
        issuer.keys = keys
        assert await Rig(issuer).refusal() == "proof", keys


async def test_nothing_secret_is_logged(rig: Rig, issuer: Issuer) -> None:
    with structlog.testing.capture_logs() as logs:
        code = rig.code()
        await rig.client.identify(rig.attempt, code, RETURN_TO)
        issuer.claims = {"nonce": "other"}
        await rig.refusal()
    written = json.dumps(logs, default=str)
    secrets = [code, CLIENT_SECRET, "n" * 43, "v" * 43, "s" * 43, *issuer.tokens]
    assert not [one for one in secrets if one in written]
