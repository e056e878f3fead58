"""Whatever is sent, by whoever is signed in: a clear no, never a crash, and nothing repeated."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import hypothesis
import pytest
import schemathesis

from kit.openapi import document_of
from kit.tenants import Tenants
from kit.web_scene import USER
from kit.web_site import OURS
from signalfleet.web.auth.csrf import TOKEN_HEADER
from signalfleet.web.routes import Access

pytestmark = pytest.mark.loopback

T = TypeVar("T")
CANARY = "CANARYc0ffee"
IDS = (
    *("..", "%2e%2e", "%2E%2E%2F", "a%2Fb", ".", "$", "%23", "%5B", "%5D", "%00", "%0a", "%20"),
    *("%D0%B0", "%EF%BC%91", "%C3%28", "%ED%A0%80", "%FF", "-0", "1e3", "0x10", "1_0", "NaN"),
    *("9" * 30, "-" + "9" * 30, "9" * 5000, "x" * 769, "'%20OR%20'1'='1", "%3Cscript%3E", "%25"),
    *(f"{CANARY}{{{{7*7}}}}", "..%5C..", "%F0%9F%92%A5", "null", "true", "[]", "{}"),
)
FIELDS = ("chat", "shown", "mode", "confirm", "token", "account", "search", "link", "name", "user")
VALUES = (
    *("", "\0", "\ud7ff", "９", "1e309", "NaN", "-0.0", "true", "\r\nSet-Cookie: a=b", "../../x"),
    *("x" * 20_000, "-1" * 400, "<img src=x onerror=alert(1)>", "{{7*7}}", "%s%n", "', 1); --"),
)
JSON = "application/json"
BODIES: Mapping[str, tuple[str, bytes]] = {
    "nan": (JSON, b'{"a": NaN}'),
    "infinity": (JSON, b'{"a": -Infinity, "b": 1e309}'),
    "digits": (JSON, b'{"a": ' + b"9" * 5000 + b"}"),
    "deep": (JSON, b"[" * 30_000),
    "twice": (JSON, b'{"a": 1, "a": 2}'),
    "mark": (JSON, b"\xef\xbb\xbf{}"),
    "surrogate": (JSON, b'{"a": "\\ud800"}'),
    "bytes": (JSON, b"\xff\xfe\x00"),
    "list": (JSON, b"[]"),
    "nothing": (JSON, b""),
    "xml": ("application/xml", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
    "no_boundary": ("multipart/form-data", b"--x\r\n\r\n"),
    "boundary": ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n"),
    "form": ("application/x-www-form-urlencoded", b"a=%ff&%zz&&=&chat=" + b"&chat=1" * 5000),
    "charset": ("application/x-www-form-urlencoded; charset=utf-7", b"a=+ADw-"),
    "no_type": ("", b"a=b"),
}
REFUSED = frozenset({400, 403, 404, 405, 409, 413, 414, 415, 421, 422, 429, 431})


def some(things: Sequence[T], number: int, count: int) -> list[T]:
    """Return a few of many, other ones for each route, so that all of them have their turn."""
    return [things[(number * count + step) % len(things)] for step in range(count)]


def own_headers(tenants: Tenants) -> dict[str, str]:
    return {**OURS, TOKEN_HEADER: tenants.b.token}


async def test_an_id_that_is_none_is_not_there(tenants: Tenants) -> None:
    routes = [one for one in tenants.site.app.state.routes if "{" in one.path]
    assert len(routes) >= 5
    for number, route in enumerate(routes):
        for hostile in some(IDS, number, 16):
            path = re.sub(r"\{\w+\}", hostile, route.path)
            answer = await tenants.b.ask(route.method, path, headers=own_headers(tenants))
            # A dot segment is taken out by clients: what is left may be another page. A page that
            # everybody may see says the same whatever is asked, so that nobody can guess by it.
            is_open = route.access not in (Access.SIGNED_IN, Access.OWNER, Access.OPERATOR)
            if not is_open and hostile not in ("..", ".", "%2e%2e", "%20", "-0"):
                assert answer.status in REFUSED, (route.method, path[:80], answer.text[:300])
            assert answer.status < 500, (route.method, path[:80])
            assert "Traceback" not in answer.text


async def test_a_body_that_is_none_changes_nothing(tenants: Tenants) -> None:
    before = tenants.rows_of_a()
    for number, route in enumerate(tenants.site.app.state.routes):
        if route.method == "GET" or route.path == "/auth/logout":
            continue
        path = re.sub(r"\{\w+\}", "-1001", route.path)
        for name, (kind, body) in some(list(BODIES.items()), number, 5):
            headers = {**own_headers(tenants), "Accept": JSON}
            if kind:
                headers["Content-Type"] = kind
            answer = await tenants.b.ask(route.method, path, headers=headers, body=body)
            assert answer.status < 500, (name, path, answer.text[:300])
    assert tenants.rows_of_a() == before


async def test_a_field_that_is_none_is_refused_or_does_nothing(tenants: Tenants) -> None:
    before = tenants.rows_of_a()
    for number, route in enumerate(tenants.site.app.state.routes):
        if route.method == "GET" or route.path == "/auth/logout":
            continue
        path = re.sub(r"\{\w+\}", "-1001", route.path)
        for value in some(VALUES, number, 5):
            form = {**dict.fromkeys(FIELDS, value), "user": USER, "csrf_token": tenants.b.token}
            answer = await tenants.b.ask(route.method, path, headers=OURS, form=form)
            assert answer.status < 500, (path, value[:40], answer.text[:300])
            assert "Set-Cookie: a=b" not in str(answer.headers)
            assert "<img src=x" not in answer.text
    assert tenants.rows_of_a() == before


async def test_too_much_is_refused_before_it_is_read(tenants: Tenants) -> None:
    for route in tenants.site.app.state.routes:
        if route.method != "GET":
            path = re.sub(r"\{\w+\}", "-1001", route.path)
            body = b"x" * (64 * 1024 + 1)
            answer = await tenants.b.ask(route.method, path, headers=OURS, body=body)
            assert answer.status == 413, path


async def test_methods_that_nobody_serves_are_refused(tenants: Tenants) -> None:
    for method in ("TRACE", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "PROPFIND"):
        for path in ("/", "/signals", "/copying/stop", "/live/events", "/nothing"):
            answer = await tenants.b.ask(method, path)
            assert answer.status in (404, 405), (method, path)


async def raw(tenants: Tenants, request: bytes) -> bytes:
    """Send bytes as they are and return what comes back until the server has closed."""
    address = urlsplit(tenants.site.url)
    reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
    try:
        writer.write(request)
        await writer.drain()
        writer.write_eof()
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"GET / HTTP/1.1\r\nSec-Fetch-Site: none\r\nSec-Fetch-Site: same-origin\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 60 * 1024 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nCookie : sf=1\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\nY: b\0\r\n", 400),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n", 421),
        (b"GET / HTTP/9.9\r\n", 400),
        (b"\0\0\0\0 / HTTP/1.1\r\n", 400),
    ],
    ids=[
        *("length_and_chunks", "two_origins", "two_lengths", "negative_length", "unknown_coding"),
        *("long_header", "space_before_colon", "nul", "foreign_host", "version", "method"),
    ],
)
async def test_requests_that_two_servers_would_read_differently_are_refused(
    tenants: Tenants, lines: bytes, status: int
) -> None:
    host = b"" if b"Host:" in lines else b"Host: 127.0.0.1\r\n"
    head, _, rest = lines.partition(b"\r\n")
    answer = await raw(tenants, head + b"\r\n" + host + rest + b"\r\nabcd")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]


async def test_who_one_is_comes_from_the_session_alone(tenants: Tenants) -> None:
    ids = await tenants.store.user(USER).journal.recent_signals()
    path = f"/signals/{ids[0].signal_id}"
    for headers in (
        {"X-User-Id": USER, "X-Forwarded-User": USER, "Authorization": f"Bearer {USER}"},
        {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"},
        {"X-Original-URL": "/", "X-Rewrite-URL": "/", "X-HTTP-Method-Override": "DELETE"},
    ):
        answer = await tenants.b.ask("GET", f"{path}?user={USER}&user_id={USER}", headers=headers)
        assert answer.status == 404
    for cookie in ("sf=" + quote(USER), "sf=" + "x" * 5000, "sf=a; sf=b", "sf=", "sf=\xff"):
        answer = await tenants.site.ask("GET", path, headers={"Cookie": cookie})
        assert answer.status in (400, 401)


def bounded(document: dict[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """Let ids be real ones as often as not, and describe the forms that pages send."""
    field = {"type": "string", "maxLength": 40}
    form = {"type": "object", "properties": dict.fromkeys(FIELDS, field)}
    for methods in document["paths"].values():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                real = ids.get(parameter["name"])
                if real is not None:
                    parameter["schema"] = {"anyOf": [{"enum": [real]}, parameter["schema"]]}
            if method == "post":
                content = {"application/x-www-form-urlencoded": {"schema": form}}
                operation["requestBody"] = {"content": content}
    return document


SKIPPED = ("/live/events", "/auth/logout", "/metrics")
EXAMPLES = 3


async def test_nothing_that_the_document_allows_is_a_crash(tenants: Tenants) -> None:
    (signal, *_) = await tenants.store.user(USER).journal.recent_signals()
    ids = {"chat": str(signal.chat), "message": str(signal.message), "signal_id": signal.signal_id}
    schema = schemathesis.openapi.from_dict(bounded(document_of(tenants.site.app), ids))
    found = await asyncio.to_thread(_crashes, schema, tenants)
    assert found == []


def _crashes(schema: Any, tenants: Tenants) -> list[str]:
    """Call every operation by examples of its schema, as A and as B; return what went wrong."""
    found: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in SKIPPED:
            continue

        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def look(case: Any) -> None:
            for who in (tenants.site, tenants.b):
                answer = case.call(
                    base_url=who.url,
                    headers={**OURS, "Cookie": who.cookie, TOKEN_HEADER: who.token},
                    allow_redirects=False,
                    timeout=5,
                )
                if answer.status_code >= 500 or "Traceback" in answer.text:
                    found.append(f"{case.method} {case.path}: {answer.status_code}")

        look()
    return found
