"""The first time real money is to be traded: a loss limit, the number typed, a fresh sign-in."""

import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from playwright.async_api import Browser

from kit.browser import chromium
from kit.wall_clock import WallClock
from kit.web_scene import ACCOUNT, CELL, USER, Scene
from kit.web_site import Answer, Site, serve
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.app.go_live import is_live_confirmed, waiting_accounts
from signalfleet.ports.fleet_rows import WebSession
from signalfleet.web.auth.csrf import session_token
from signalfleet.web.auth.sessions import digest

pytestmark = pytest.mark.loopback

PAGE = f"/accounts/{ACCOUNT}/live"
NUMBER = "50011789"
SID = "a-session-of-a-test"
KEY = b"0123456789abcdef0123456789abcdef"


async def a_store() -> MemoryStore:
    store = MemoryStore(cell=CELL)
    await Scene(store=store, now=WallClock().now()).begin(mode="LIVE")
    mine = store.user(USER)
    account = await mine.accounts.get(ACCOUNT)
    assert account is not None
    await mine.accounts.put(replace(account, login_masked="…789"))
    return store


async def sign_in(site: Site, minutes_ago: float) -> None:
    """Have a session that was opened so long ago, as the user's browser would."""
    now = WallClock().now()
    opened = now - timedelta(minutes=minutes_ago)
    session = WebSession(user_id=USER, created_at=opened, expires_at=now + timedelta(hours=1))
    await site.store.fleet.put_session(digest(SID), session)
    site.cookie = f"__Host-sf={SID}"
    site.token = session_token(KEY, digest(SID))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A server that is no demo, so that a sign-in can be old."""
    async with serve(await a_store(), demo_user=None) as opened:
        await sign_in(opened, 2)
        yield opened


def said(answer: Answer) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


async def limit_losses(site: Site) -> None:
    await site.store.user(USER).settings.put(f"account:{ACCOUNT}", {"daily_loss": "3"}, 0)


async def is_let(site: Site) -> bool:
    account = await site.store.user(USER).accounts.get(ACCOUNT)
    assert account is not None
    return await is_live_confirmed(site.store.user(USER), account)


async def test_all_three_let_it_trade_and_are_noted(site: Site) -> None:
    assert "Nothing is opened on it yet" in said(await site.page("/connect/mt5"))
    await limit_losses(site)
    assert (await site.press(PAGE, number=f" {NUMBER} ")).status == 303
    assert await is_let(site)
    assert await waiting_accounts(site.store.user(USER)) == frozenset()
    assert "This account trades real money" in said(await site.page(PAGE))
    assert "Nothing is opened on it yet" not in said(await site.page("/connect/mt5"))
    (row,) = await site.store.user(USER).events.list()
    assert (row.entry.actor, row.entry.action) == ("user", "went_live")
    assert row.entry.facts["account"] == ACCOUNT
    assert "Let a real account trade" in said(await site.page("/account/activity"))


async def test_without_a_loss_limit_it_says_where_to_set_one(site: Site) -> None:
    answer = await site.press(PAGE, number=NUMBER)
    assert answer.status == 422
    assert "Set a loss limit for this account in its settings." in said(answer)
    assert f'href="/accounts/{ACCOUNT}/settings?q=loss"' in answer.text
    assert not await is_let(site)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("", id="nothing"),
        pytest.param("789", id="only-what-is-shown"),
        pytest.param("50011780", id="another"),
        pytest.param("5001178\N{SUPERSCRIPT NINE}", id="no-digits"),
        pytest.param("1" * 5000 + "789", id="endless"),
    ],
)
async def test_another_number_changes_nothing(site: Site, number: str) -> None:
    await limit_losses(site)
    answer = await site.press(PAGE, number=number)
    assert answer.status == 422
    assert "Type the whole number of this account" in said(answer)
    assert not await is_let(site)


async def test_an_old_sign_in_is_not_enough(site: Site) -> None:
    await limit_losses(site)
    await sign_in(site, 11)
    page = await site.page(PAGE)
    assert "Your last sign-in is more than 10 minutes old" in said(page)
    assert 'action="/auth/logout"' in page.text
    answer = await site.press(PAGE, number=NUMBER)
    assert answer.status == 403
    assert "Sign in again: this needs a sign-in of the last 10 minutes." in said(answer)
    assert not await is_let(site)
    assert await site.store.user(USER).events.list() == ()


async def test_the_word_is_for_one_login_at_one_server(site: Site) -> None:
    await limit_losses(site)
    await site.press(PAGE, number=NUMBER)
    mine = site.store.user(USER)
    account = await mine.accounts.get(ACCOUNT)
    assert account is not None
    await mine.accounts.put(replace(account, login_masked="…111"))
    assert not await is_let(site)
    assert await waiting_accounts(mine) == {ACCOUNT}


async def test_a_demo_account_waits_for_nothing(site: Site) -> None:
    mine = site.store.user(USER)
    account = await mine.accounts.get(ACCOUNT)
    assert account is not None
    await mine.accounts.put(replace(account, mode="DEMO"))
    assert "Nothing is opened on it yet" not in said(await site.page("/connect/mt5"))
    assert "no real money to trade on this account" in said(await site.page(PAGE))
    assert (await site.press(PAGE, number=NUMBER)).status == 422


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as one:
        yield one


async def test_the_page_is_read_and_used_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("SCREENSHOTS", tmp_path))
    async with serve(await a_store()) as site:
        page = await browser.new_page(viewport={"width": 390, "height": 900})
        faults: list[str] = []
        page.on("console", lambda one: faults.append(one.text))
        await page.goto(site.url)
        await page.get_by_role("button", name="Open the demo").click()
        await page.goto(f"{site.url}/connect/mt5")
        await page.get_by_role("link", name="Let it trade real money").click()
        await page.wait_for_selector("#number")
        await page.screenshot(path=pictures / "go-live.png", full_page=True)
        await page.get_by_label("Type the whole number").fill(NUMBER)
        faults.clear()
        await limit_losses(site)
        await page.get_by_role("button", name="Trade real money on this account").click()
        await page.wait_for_selector("text=This account trades real money")
        await page.screenshot(path=pictures / "gone-live.png", full_page=True)
        assert faults == []
        assert await is_let(site)
        await page.close()
