"""Connecting MetaTrader in Chromium: by password, behind the link, and on a telephone."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from kit.browser import chromium
from kit.canaries import WATCH
from kit.mt5_site import LOGIN, PASSWORD, SERVER, TOKEN, Mt5Site, mt5_site
from kit.watched_page import WatchedPage

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(120)]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Mt5Site]:
    async with mt5_site(tmp_path, cookie_secure=False) as opened:
        yield opened


@pytest.fixture
async def page() -> AsyncIterator[WatchedPage]:
    async with chromium() as browser:
        context = await browser.new_context(viewport={"width": 390, "height": 844})
        yield await WatchedPage.open(context)
        await context.close()


def pictures(tmp_path: Path) -> Path:
    return Path(os.environ.get("SCREENSHOTS", tmp_path))


async def begin(page: WatchedPage, desk: Mt5Site) -> None:
    """Sign in and hand the token in."""
    visible = page.page
    await visible.goto(desk.site.url + "/signin")
    await visible.get_by_role("button", name="Open the demo").click()
    await visible.get_by_role("link", name="No account").click()
    await expect(visible.get_by_text("No trading account is connected")).to_be_visible()
    await visible.get_by_label("MetaApi token").fill(TOKEN)
    await visible.get_by_role("button", name="Look up accounts").click()
    await visible.get_by_label("Broker's server").fill(SERVER)


async def test_login_and_password_are_typed_and_the_account_appears(
    desk: Mt5Site, page: WatchedPage, tmp_path: Path
) -> None:
    await begin(page, desk)
    visible = page.page
    await visible.get_by_text("Type login and password here instead").click()
    await visible.get_by_label("Login", exact=True).fill(LOGIN)
    await visible.get_by_label("Password", exact=True).fill("wrong")
    assert not await page.goes_sideways()
    await expect(visible.get_by_role("button", name="Stop all copying")).to_be_in_viewport(ratio=1)
    await page.picture(pictures(tmp_path) / "mt5-choose.png")
    await visible.get_by_role("button", name="Connect with this password").click()
    await expect(visible.locator("#failed")).to_contain_text("refuses this login and password")
    await page.picture(pictures(tmp_path) / "mt5-failed.png")
    # Nothing that was typed comes back, neither to the eye nor in the page.
    assert await visible.locator("#password").input_value() == ""

    await visible.get_by_label("Broker's server").fill(SERVER)
    await visible.get_by_text("Type login and password here instead").click()
    await visible.get_by_label("Login", exact=True).fill(LOGIN)
    await visible.get_by_label("Password", exact=True).fill(PASSWORD)
    await visible.get_by_role("button", name="Connect with this password").click()
    await expect(visible.locator("#connected")).to_contain_text("a demo account")
    await expect(visible.locator("#report")).to_contain_text("7500.00 USD")
    assert not await page.goes_sideways()
    await page.picture(pictures(tmp_path) / "mt5-done.png")
    await expect(visible.locator("#accounts-here")).to_contain_text(SERVER)
    assert page.complaints == []


async def test_the_password_is_typed_at_metaapi_and_the_page_goes_on_by_itself(
    desk: Mt5Site, page: WatchedPage, tmp_path: Path
) -> None:
    await begin(page, desk)
    visible = page.page
    await visible.get_by_role("button", name="Continue with MetaApi's page").click()
    link = visible.locator("#configuration-link")
    await expect(link).to_be_visible()
    WATCH.may_show(await link.get_attribute("href") or "")
    await page.picture(pictures(tmp_path) / "mt5-link.png")
    async with visible.expect_popup() as opened:
        await link.click()
    there = await opened.value
    assert await there.evaluate("window.opener") is None
    await there.get_by_label("Login").fill(LOGIN)
    await there.get_by_label("Password").fill(PASSWORD)
    await there.get_by_role("button", name="Connect").click()
    await expect(there.get_by_text("Done")).to_be_visible()
    await expect(visible.locator("#connected")).to_contain_text("a demo account")
    assert PASSWORD not in "".join(desk.bus.said)
    assert page.complaints == []
