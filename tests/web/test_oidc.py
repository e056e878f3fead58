"""Log in with Telegram at the pages, and who is not let in."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie

import pytest
import structlog

from kit.oidc_issuer import CLIENT_SECRET, hang
from kit.oidc_visit import CALLBACK, COOKIE, START, Visit, a_visit, identity_of
from kit.web_scene import CELL, USER
from kit.web_site import KEY, OURS, PAGE, Answer, Site, serve
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.adapters.oidc.seal import AttemptSeal
from signalfleet.domain import ids
from signalfleet.ports.store import UserProfile
from signalfleet.web.auth.sessions import digest
from signalfleet.web.present.words import Words

pytestmark = pytest.mark.loopback

WORDS = Words.english()
PERSON_ID = 987654321


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    async with a_visit() as opened:
        yield opened


def cookies_of(answer: Answer) -> dict[str, Morsel[str]]:
    found: dict[str, Morsel[str]] = {}
    for line in answer.headers.getall("Set-Cookie", []):  # type: ignore[attr-defined]
        found |= SimpleCookie(line)
    return found


async def refused(visit: Visit, answer: Answer, reason: str, status: int = 400) -> None:
    """The answer is a page in plain words, ends the attempt, and lets nobody in."""
    assert answer.status == status, answer.text
    assert WORDS["oidc"][reason] in answer.text.replace("&#39;", "'")
    assert "Log in with Telegram" in answer.text
    cookies = cookies_of(answer)
    assert cookies.keys() == {COOKIE}
    assert (cookies[COOKIE].value, cookies[COOKIE]["max-age"]) == ("", "0")
    assert await visit.site.store.fleet.user_by_telegram(PERSON_ID) is None


async def test_the_button_leads_to_the_issuer_and_back_to_the_pages(visit: Visit) -> None:
    assert "Log in with Telegram" in (await visit.site.page("/signin")).text
    answer = await visit.log_in()
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookies = cookies_of(answer)
    assert cookies[COOKIE]["max-age"] == "0"
    visit.site.cookie = f"__Host-sf={cookies['__Host-sf'].value}"
    home = await visit.site.page("/")
    assert 'Signed in as <a href="/account"><bdi>Ada Example</bdi></a>' in home.text
    profile = await visit.site.store.fleet.user_by_telegram(PERSON_ID)
    assert profile is not None
    assert (profile.tier, profile.timezone) == ("FREE", "UTC")


async def test_the_same_person_is_the_same_user_each_time(visit: Visit) -> None:
    await visit.log_in()
    first = await visit.site.store.fleet.user_by_telegram(PERSON_ID)
    visit.issuer.claims = {"sub": "another", "name": "Renamed"}
    visit.site.cookie = ""
    await visit.log_in()
    assert first is not None
    assert await visit.site.store.fleet.user_by_telegram(PERSON_ID) == first
    visit.issuer.claims = {"id": 5}
    visit.site.cookie = ""
    await visit.log_in()
    other = await visit.site.store.fleet.user_by_telegram(5)
    assert other is not None
    assert other.user_id != first.user_id


async def test_somebody_known_by_another_way_is_found_by_id() -> None:
    store = MemoryStore(cell=CELL)
    await store.fleet.add_user(
        UserProfile(
            user_id=USER,
            telegram_id=PERSON_ID,
            display_name="Connected by QR",
            tier="FREE",
            timezone="UTC",
            slot=ids.slot(USER),
        )
    )
    async with a_visit(store) as visit:
        cookies = cookies_of(await visit.log_in())
        session = await store.fleet.session(digest(cookies["__Host-sf"].value))
    assert session is not None
    assert session.user_id == USER


async def test_each_log_in_has_a_session_of_its_own_and_ends_the_browsers_last(
    visit: Visit,
) -> None:
    fleet = visit.site.store.fleet
    planted = "chosen-by-somebody-else"
    address = await visit.start()
    visit.site.cookie += f"; __Host-sf={planted}"
    first = cookies_of(await visit.come_back(visit.issuer.allow(address)))["__Host-sf"].value
    assert first != planted
    assert await fleet.session(digest(planted)) is None

    address = await visit.start()
    visit.site.cookie += f"; __Host-sf={first}"
    second = cookies_of(await visit.come_back(visit.issuer.allow(address)))["__Host-sf"].value
    assert second != first
    assert await fleet.session(digest(first)) is None
    assert await fleet.session(digest(second)) is not None


async def test_the_attempt_is_in_a_sealed_cookie_of_ten_minutes(visit: Visit) -> None:
    answer = await visit.site.ask("POST", START, headers={**PAGE, **OURS})
    cookie = cookies_of(answer)[COOKIE]
    assert (cookie["path"], cookie["samesite"], cookie["domain"]) == ("/", "lax", "")
    assert (cookie["secure"], cookie["httponly"], cookie["max-age"]) == (True, True, "600")
    attempt = AttemptSeal(KEY).open(cookie.value)
    for part in (attempt.state, attempt.nonce, attempt.verifier):
        assert len(part) >= 43
        assert part not in cookie.value
    assert attempt.state in answer.headers["Location"]
    assert attempt.verifier not in answer.headers["Location"]
    again = await visit.site.ask("POST", START, headers={**PAGE, **OURS})
    other = AttemptSeal(KEY).open(cookies_of(again)[COOKIE].value)
    mine = {attempt.state, attempt.nonce, attempt.verifier}
    assert not mine & {other.state, other.nonce, other.verifier}


async def test_a_plain_cookie_is_used_where_the_browser_refuses_secure_ones() -> None:
    async with a_visit(cookie_secure=False) as visit:
        answer = await visit.log_in()
        assert cookies_of(answer).keys() == {"sf", "sf-oidc"}


async def test_a_link_or_a_page_elsewhere_cannot_start_it(visit: Visit) -> None:
    assert (await visit.site.page(START)).status == 405
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        answer = await visit.site.ask("POST", START, headers={**PAGE, **headers})
        assert answer.status == 403
        assert not visit.site.set_cookie


async def test_forms_may_be_sent_on_to_the_issuer_and_nowhere_else(visit: Visit) -> None:
    for path in ("/signin", "/nothing", CALLBACK):
        policy = (await visit.site.page(path)).headers["Content-Security-Policy"]
        assert f"; form-action 'self' {visit.issuer.url}; " in policy
        assert policy.count("http") == 1


async def test_where_it_is_not_set_up_there_is_neither_button_nor_way(site: Site) -> None:
    assert "Log in with Telegram" not in (await site.page("/signin")).text
    for method, path in (("POST", START), ("GET", CALLBACK)):
        answer = await site.ask(method, path, headers={**PAGE, **OURS})
        assert answer.status == 404


async def test_the_state_of_another_browser_lets_nobody_in(visit: Visit) -> None:
    """Else somebody could sign a victim in to the somebody's own account by a link."""
    theirs = visit.issuer.allow(await visit.start())
    visit.site.cookie = ""
    await refused(visit, await visit.come_back(theirs), "browser")
    await visit.start()
    await refused(visit, await visit.come_back(theirs), "browser")
    assert visit.issuer.forms == [], "a code of somebody else was given to the issuer"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=x",
        "code=x&state=",
        "code=x&state=%00",
        "code=x&state=%ED%A0%80",
        "code=x&state=a&state=b",
        "code=x&state={state}&state={state}",
        "code=x&state={state}x",
        "error=access_denied",
        "code=x&state[]={state}",
    ],
)
async def test_without_the_right_state_the_code_is_not_looked_at(visit: Visit, query: str) -> None:
    address = await visit.start()
    found = re.search(r"state=([\w-]+)", address)
    assert found is not None
    answer = await visit.site.page(f"{CALLBACK}?{query.replace('{state}', found[1])}")
    await refused(visit, answer, "browser")
    assert visit.issuer.forms == []


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "proof"),
        ("&code=", "proof"),
        ("&code=a&code=b", "proof"),
        ("&code=" + "x" * 2049, "proof"),
        ("&code=invented", "code"),
        ("&code=%00%0d%0a", "code"),
        ("&code=../../token", "code"),
        ("&error=access_denied&error_description=<script>alert(1)</script>", "cancelled"),
        ("&error=access_denied&code=x", "cancelled"),
    ],
)
async def test_a_way_back_without_a_good_code_is_refused(
    visit: Visit, query: str, reason: str
) -> None:
    found = re.search(r"state=([\w-]+)", await visit.start())
    assert found is not None
    answer = await visit.site.page(f"{CALLBACK}?state={found[1]}{query}")
    await refused(visit, answer, reason)
    assert "<script>alert" not in answer.text


async def test_a_way_back_is_walked_once(visit: Visit) -> None:
    back = visit.issuer.allow(await visit.start())
    held = visit.site.cookie
    assert (await visit.come_back(back)).status == 303
    visit.site.cookie = ""
    answer = await visit.come_back(back)
    assert answer.status == 400
    assert WORDS["oidc"]["browser"] in answer.text

    visit.site.cookie = held  # A browser that did not clear it, or a thief's copy.
    answer = await visit.come_back(back)
    assert answer.status == 400
    assert WORDS["oidc"]["code"] in answer.text.replace("&#39;", "'")
    assert "__Host-sf" not in cookies_of(answer)


@pytest.mark.parametrize(
    "value",
    ["", "x", "A" * 4097, "A" * 9000, "%00", "é", "..", "e30.e30.", '"{}"'],
    ids=lambda value: f"{value[:4]}*{len(value)}",
)
async def test_a_cookie_that_is_not_ours_is_refused(visit: Visit, value: str) -> None:
    back = visit.issuer.allow(await visit.start())
    visit.site.cookie = f"{COOKIE}={value}"
    await refused(visit, await visit.come_back(back), "browser")


async def test_a_good_cookie_made_longer_than_4_kib_is_refused(visit: Visit) -> None:
    back = visit.issuer.allow(await visit.start())
    visit.site.cookie += "=" * 4096
    await refused(visit, await visit.come_back(back), "browser")
    assert visit.issuer.forms == []


async def test_a_cookie_that_another_key_sealed_is_refused(visit: Visit) -> None:
    back = visit.issuer.allow(await visit.start())
    attempt = AttemptSeal(KEY).open(visit.site.cookie.partition("=")[2])
    visit.site.cookie = f"{COOKIE}={AttemptSeal(KEY[::-1]).close(attempt)}"
    await refused(visit, await visit.come_back(back), "browser")


async def test_an_attempt_older_than_ten_minutes_is_refused(visit: Visit) -> None:
    back = visit.issuer.allow(await visit.start())
    attempt = AttemptSeal(KEY).open(visit.site.cookie.partition("=")[2])
    old = replace(attempt, begun_at=attempt.begun_at - timedelta(minutes=10))
    visit.site.cookie = f"{COOKIE}={AttemptSeal(KEY).close(old)}"
    await refused(visit, await visit.come_back(back), "browser")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "1"},
        {"exp": 1},
        {"iat": 1},
        {"nonce": None},
        {"nonce": "other"},
        {"id": None},
    ],
    ids=str,
)
async def test_a_token_for_something_else_lets_nobody_in(
    visit: Visit, claims: dict[str, object]
) -> None:
    visit.issuer.claims = claims
    await refused(visit, await visit.log_in(), "proof")


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"kid": "../../key"}])
async def test_a_token_signed_in_another_way_lets_nobody_in(
    visit: Visit, header: dict[str, object]
) -> None:
    visit.issuer.header = header
    await refused(visit, await visit.log_in(), "proof")


async def test_a_silent_issuer_is_said_to_be_away() -> None:
    async with a_visit() as visit:
        quick = identity_of(visit.issuer, call_timeout_s=0.2)
        async with serve(demo_user=None, identity=quick) as site:
            hurried = Visit(site=site, issuer=visit.issuer)
            visit.issuer.return_to = site.url + CALLBACK
            visit.issuer.replies["token"] = hang
            answer = await hurried.log_in()
            await refused(hurried, answer, "away", 503)
            assert answer.headers["Retry-After"] == "2"


async def test_programs_are_told_as_a_problem(visit: Visit) -> None:
    answer = await visit.site.ask("GET", CALLBACK)
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == WORDS["oidc"]["browser"]


async def test_nothing_that_opens_a_door_is_logged(visit: Visit) -> None:
    with structlog.testing.capture_logs() as logs:
        back = visit.issuer.allow(await visit.start())
        held = visit.site.cookie
        good = await visit.come_back(back)
        visit.site.cookie = held
        await visit.come_back(back)
        visit.issuer.claims = {"aud": "other"}
        await visit.log_in()
    attempt = AttemptSeal(KEY).open(held.partition("=")[2])
    secrets = [
        attempt.state,
        attempt.nonce,
        attempt.verifier,
        held.partition("=")[2],
        re.findall(r"code=([\w-]+)", back)[0],
        cookies_of(good)["__Host-sf"].value,
        CLIENT_SECRET,
        *visit.issuer.tokens,
    ]
    written = json.dumps(logs, default=str)
    assert not [one for one in secrets if one in written]
    events = [line["event"] for line in logs if line["log_level"] != "debug"]
    assert events == ["user_signed_in", "sign_in_refused", "sign_in_refused"]


def test_every_reason_of_a_refusal_has_a_sentence() -> None:
    for reason in ("browser", "cancelled", "code", "client", "proof", "away"):
        assert WORDS["oidc"][reason].endswith(".")
        assert "!" not in WORDS["oidc"][reason]
