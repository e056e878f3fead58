"""What every response carries, and what never reaches the application."""

import re
from collections.abc import AsyncIterator

import pytest

from kit.web_site import OURS, PAGE, Site, serve

pytestmark = pytest.mark.loopback

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; font-src 'self'; manifest-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'; report-uri /csp-report"
)


@pytest.mark.parametrize(
    "path", ["/", "/signin", "/signals", "/f/live/strip", "/nothing", "/healthz", "/static/0/x"]
)
async def test_every_answer_carries_the_protecting_headers(home: Site, path: str) -> None:
    answer = await home.page(path)
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-Id"])
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


async def test_https_is_kept_by_browsers_only_where_it_is_served(home: Site) -> None:
    assert "Strict-Transport-Security" not in (await home.page("/")).headers
    async with serve(demo_user=None, public_url="https://127.0.0.1") as secure:
        answer = await secure.page("/signin")
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


async def test_pages_hold_no_inline_script_or_style(home: Site) -> None:
    for path in ("/", "/signals", "/signals/-1001000000001/71", "/copying/resume", "/nothing"):
        text = (await home.page(path)).text
        assert "<style" not in text
        assert not re.search(r"<[^>]+\sstyle=", text)
        assert not re.search(r"<[^>]+\son[a-z]+=", text)
        assert not re.search(r"<script(?![^>]*\ssrc=)", text)
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::2]:80"])
async def test_a_foreign_host_name_does_not_reach_the_demo(site: Site, host: str) -> None:
    answer = await site.ask("POST", "/auth/demo", headers={**PAGE, **OURS, "Host": host})
    assert answer.status in (400, 421)
    assert not site.set_cookie


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:8080", "LOCALHOST:1"])
async def test_names_of_this_machine_are_served(site: Site, host: str) -> None:
    assert (await site.ask("GET", "/signin", headers={"Host": host})).status == 200


async def test_too_much_at_once_is_refused(home: Site) -> None:
    form = {**OURS, "Content-Type": "application/x-www-form-urlencoded"}
    body = b"csrf_token=" + b"x" * 70_000
    answer = await home.ask("POST", "/copying/stop", headers=form, body=body)
    assert answer.status == 413

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(7):
            yield b"x" * 10_000

    headers = {**form, "Cookie": home.cookie}
    async with home.client.post(
        home.url + "/copying/stop", headers=headers, data=pieces()
    ) as unmeasured:
        assert unmeasured.status == 413


async def test_failures_are_told_to_programs_as_problems(home: Site) -> None:
    answer = await home.ask("GET", "/nothing?secret=1", headers={"Accept": "application/json"})
    assert answer.headers["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert (said["status"], said["code"], said["instance"]) == (404, "not_found", "/nothing")
    assert said["request_id"] == answer.headers["X-Request-Id"]


async def test_failures_are_told_to_people_as_a_page(home: Site) -> None:
    answer = await home.page("/nothing")
    assert answer.status == 404
    assert "There is nothing here" in answer.text
    assert answer.headers["X-Request-Id"] in answer.text


async def test_a_store_that_is_down_says_so_and_asks_to_come_again(home: Site) -> None:
    home.store.is_down = True
    answer = await home.page("/")
    home.store.is_down = False
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert "open trades keep their stop" in answer.text


async def test_static_files_are_kept_for_ever_under_their_digest(home: Site) -> None:
    text = (await home.page("/")).text
    paths = set(re.findall(r"/static/[0-9a-f]{12}/[\w.-]+", text))
    assert len(paths) >= 7
    for path in paths:
        answer = await home.ask("HEAD", path)
        assert answer.status == 405
        async with home.client.get(home.url + path) as found:
            assert found.status == 200
            assert "immutable" in found.headers["Cache-Control"]
            assert await found.read()
    assert (await home.page("/static/000000000000/app.css")).status == 404


async def test_the_first_load_is_light(home: Site) -> None:
    text = (await home.page("/")).text
    total = len(text.encode())
    for path in set(re.findall(r"/static/[0-9a-f]{12}/[\w.-]+", text)):
        async with home.client.get(home.url + path, headers={"Accept-Encoding": "gzip"}) as found:
            total += int(found.headers["Content-Length"])
    assert total <= 250 * 1024


async def test_a_policy_report_is_taken_and_not_kept(home: Site) -> None:
    answer = await home.ask("POST", "/csp-report", headers=OURS, body=b'{"csp-report": {}}')
    assert (answer.status, answer.text) == (204, "")
