"""Signing in and out, and what a session is worth."""

from dataclasses import replace
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest

from kit.wall_clock import WallClock
from kit.web_scene import CELL, USER, a_full_day
from kit.web_site import KEY, OURS, PAGE, Site, serve
from signalfleet.adapters.memory.bus import MemoryBus
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.web.auth.sessions import digest
from signalfleet.web.deps import WebConfigError, WebDeps

pytestmark = pytest.mark.loopback


def sid_of(site: Site) -> str:
    return site.cookie.partition("=")[2]


async def test_one_click_opens_the_demo(site: Site) -> None:
    page = await site.page("/signin")
    assert "Open the demo" in page.text
    await site.sign_in()
    assert "Positions" in (await site.page("/")).text
    again = await site.page("/signin")
    assert (again.status, again.headers["Location"]) == (303, "/")


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_hosts(site: Site) -> None:
    await site.ask("POST", "/auth/demo", headers={**PAGE, **OURS})
    cookie = SimpleCookie(site.set_cookie)["__Host-sf"]
    assert cookie["secure"]
    assert cookie["httponly"]
    assert (cookie["path"], cookie["samesite"], cookie["domain"]) == ("/", "lax", "")
    assert len(cookie.value) >= 43


async def test_the_store_keeps_only_the_digest_of_the_cookie(home: Site) -> None:
    assert await home.store.fleet.session(sid_of(home)) is None
    session = await home.store.fleet.session(digest(sid_of(home)))
    assert session is not None
    assert session.user_id == USER


async def test_signing_out_ends_the_session_at_once(home: Site) -> None:
    answer = await home.press("/auth/logout")
    assert (answer.status, answer.headers["Location"]) == (303, "/signin")
    assert answer.headers["Clear-Site-Data"] == '"cache","storage"'
    assert (await home.page("/")).status == 303


async def test_a_session_ends_when_its_time_is_over(home: Site) -> None:
    sid_hash = digest(sid_of(home))
    session = await home.store.fleet.session(sid_hash)
    assert session is not None
    over = replace(session, expires_at=WallClock().now() - timedelta(seconds=1))
    await home.store.fleet.put_session(sid_hash, over)
    assert (await home.page("/")).status == 303


async def test_a_session_in_use_is_prolonged_but_not_for_ever(home: Site) -> None:
    sid_hash, now = digest(sid_of(home)), WallClock().now()
    session = await home.store.fleet.session(sid_hash)
    assert session is not None
    await home.store.fleet.put_session(
        sid_hash, replace(session, expires_at=now + timedelta(hours=3))
    )
    assert (await home.page("/")).status == 200
    prolonged = await home.store.fleet.session(sid_hash)
    assert prolonged is not None
    assert prolonged.expires_at > now + timedelta(hours=11)
    old = now - timedelta(days=29, hours=22)
    await home.store.fleet.put_session(
        sid_hash, replace(session, created_at=old, expires_at=now + timedelta(minutes=5))
    )
    assert (await home.page("/")).status == 200
    last = await home.store.fleet.session(sid_hash)
    assert last is not None
    assert last.expires_at <= old + timedelta(days=30)


@pytest.mark.parametrize("cookie", ["", "x", "a" * 5000, "%00", "..", "é"])
async def test_an_invented_cookie_is_nobody(site: Site, cookie: str) -> None:
    site.cookie = f"__Host-sf={cookie}"
    assert (await site.page("/")).status == 303


async def test_without_a_demo_user_there_is_no_button_and_no_entry() -> None:
    async with serve(demo_user=None) as site:
        page = await site.page("/signin")
        assert "Open the demo" not in page.text
        answer = await site.ask("POST", "/auth/demo", headers={**PAGE, **OURS})
        assert answer.status == 404
        assert not site.set_cookie


async def test_a_plain_cookie_is_used_where_the_browser_refuses_secure_ones() -> None:
    store = MemoryStore(cell=CELL)
    await a_full_day(store, WallClock().now())
    async with serve(store, cookie_secure=False) as site:
        await site.sign_in()
        assert site.cookie.startswith("sf=")
        assert (await site.page("/")).status == 200


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bound_to_loopback": False, "public_url": "https://sf.example"}, "bind it to 127.0.0.1"),
        ({"environment": "production"}, "ENVIRONMENT=production"),
        ({"session_key": b"short"}, "32 random bytes"),
        ({"public_url": "http://sf.example"}, "https://"),
        ({"public_url": "sf.example"}, "PUBLIC_URL"),
        (
            {
                "bound_to_loopback": False,
                "demo_user": None,
                "cookie_secure": False,
                "public_url": "https://sf.example",
            },
            "COOKIE_SECURE",
        ),
    ],
)
def test_an_unsafe_start_is_refused_with_what_to_do(changes: dict[str, object], said: str) -> None:
    given: dict[str, object] = {
        "store": MemoryStore(cell=CELL),
        "bus": MemoryBus(),
        "clock": WallClock(),
        "metrics_text": bytes,
        "environment": "test",
        "demo_user": USER,
        "bound_to_loopback": True,
        "session_key": KEY,
        "public_url": "http://127.0.0.1:8080",
        "version": "0",
    }
    with pytest.raises(WebConfigError, match=said):
        WebDeps(**{**given, **changes})  # type: ignore[arg-type]


def test_the_session_key_is_not_shown() -> None:
    deps = WebDeps(
        store=MemoryStore(cell=CELL),
        bus=MemoryBus(),
        clock=WallClock(),
        metrics_text=bytes,
        environment="test",
        demo_user=None,
        bound_to_loopback=True,
        session_key=KEY,
        public_url="http://127.0.0.1:8080",
        version="0",
    )
    assert KEY.decode() not in repr(deps)
