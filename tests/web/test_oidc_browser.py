"""The whole way in Chromium: our page, the issuer's page on another site, and back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from kit.browser import chromium
from kit.oidc_visit import COOKIE, Visit, a_visit
from kit.watched_page import WatchedPage

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(120)]

AXE = Path(__file__).parent / "vendor/axe.min.js"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    """The pages are on localhost and the issuer on 127.0.0.1: two sites to a browser."""
    async with a_visit(name="localhost") as opened:
        yield opened


async def broken_rules(watched: WatchedPage) -> list[str]:
    await watched.page.evaluate(AXE.read_text())
    found = await watched.page.evaluate("axe.run().then(result => result.violations)")
    return [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found]


async def test_somebody_logs_in_by_two_clicks_and_is_on_the_pages(
    browser: Browser, visit: Visit, tmp_path: Path
) -> None:
    context = await browser.new_context()
    watched = await WatchedPage.open(context)
    page = watched.page
    await page.goto(visit.site.url)
    await expect(page).to_have_url(f"{visit.site.url}/signin")
    assert await broken_rules(watched) == []
    await watched.picture(tmp_path / "signin.png")

    await page.get_by_role("button", name="Log in with Telegram").click()
    await expect(page.get_by_role("heading", name="Allow SignalFleet?")).to_be_visible()
    assert page.url.startswith(f"{visit.issuer.url}/auth?")
    kept = {one["name"]: one for one in await context.cookies(visit.site.url)}
    assert kept.keys() == {COOKIE}

    await page.get_by_role("button", name="Allow").click()
    await expect(page).to_have_url(f"{visit.site.url}/")
    await expect(page.get_by_text("Signed in as Ada Example")).to_be_visible()
    kept = {one["name"]: one for one in await context.cookies(visit.site.url)}
    assert kept.keys() == {"__Host-sf"}
    assert kept["__Host-sf"]["httpOnly"]
    assert "code=" not in await page.evaluate("document.referrer + location.href")
    assert watched.complaints == []
    await context.close()


async def test_somebody_with_another_browsers_link_is_told_so_and_can_begin_again(
    browser: Browser, visit: Visit, tmp_path: Path
) -> None:
    theirs = visit.issuer.allow(await visit.start())
    context = await browser.new_context(viewport={"width": 390, "height": 800})
    watched = await WatchedPage.open(context)
    page = watched.page
    await page.goto(theirs)
    await expect(page.get_by_role("alert")).to_contain_text("not begun in this browser")
    assert await context.cookies(visit.site.url) == []
    assert await broken_rules(watched) == []
    assert not await watched.goes_sideways()
    await watched.picture(tmp_path / "refused.png")

    await page.get_by_role("button", name="Log in with Telegram").click()
    await page.get_by_role("button", name="Allow").click()
    await expect(page.get_by_text("Signed in as Ada Example")).to_be_visible()
    await context.close()


async def test_a_page_of_another_site_cannot_press_the_button(
    browser: Browser, visit: Visit
) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{visit.issuer.url}/auth")
    await page.evaluate(
        """address => {
          const form = document.createElement("form");
          form.method = "post";
          form.action = address;
          document.body.append(form);
          form.submit();
        }""",
        f"{visit.site.url}/auth/telegram/start",
    )
    await expect(page.get_by_role("heading", name="Forbidden")).to_be_visible()
    assert await context.cookies(visit.site.url) == []
    await context.close()
