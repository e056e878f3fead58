"""The pages in Chromium: quiet console, no sideways scrolling, live without reloading.

SCREENSHOTS=folder keeps the pictures; else they go to the test's own folder.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from kit.browser import chromium
from kit.wall_clock import WallClock
from kit.web_scene import CELL, DESK, GOLD, USER, Post, Scene, a_full_day
from kit.web_site import Site, serve
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.app.claim_slots import claim_slots
from signalfleet.domain.trading.records import CopyOutcome
from signalfleet.ports.bus import LiveEvent
from signalfleet.web.auth.sessions import digest
from signalfleet.web.live.hub import LiveHub

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(120)]

AXE = Path(__file__).parent / "vendor/axe.min.js"
WIDTHS = (1360, 768, 390)
PAGES = {
    "notices": "/notices",
    "live": "/",
    "signals": "/signals",
    "signal": f"/signals/{GOLD}/71",
    "skipped": f"/signals/{DESK}/42",
    "advert": f"/signals/{GOLD}/70",
    "resume": "/copying/resume",
    "missing": "/signals/1/1",
}
GRAVE = ("serious", "critical", "moderate", "minor")


@dataclass(kw_only=True)
class Watch:
    """What a page must never do."""

    faults: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        page.on("console", lambda one: self._console(one.type, one.text))
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("request", lambda one: self._request(one.url))
        page.on("dialog", lambda one: self.faults.append(f"dialog: {one.message}"))

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "404" not in text:
            self.faults.append(f"console {kind}: {text}")

    def _request(self, url: str) -> None:
        if "csp-report" in url or not url.startswith(("http://127.0.0.1:", "data:")):
            self.faults.append(f"request: {url}")


@asynccontextmanager
async def a_visit(
    browser: Browser, site: Site, watch: Watch, **options: object
) -> AsyncIterator[tuple[BrowserContext, Page]]:
    """Open the demo with one click in a browser of its own."""
    context = await browser.new_context(**options)  # type: ignore[arg-type]
    page = await context.new_page()
    watch.over(page)
    await page.goto(site.url)
    await page.get_by_role("button", name="Open the demo").click()
    await page.wait_for_selector("#positions table")
    yield context, page
    await context.close()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_every_page_is_quiet_fits_and_can_be_used_by_all(
    browser: Browser, site: Site, tmp_path: Path, scheme: str
) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    watch, problems = Watch(), []
    async with a_visit(browser, site, watch, color_scheme=scheme) as (_, page):
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 900})
            for name, path in PAGES.items():
                await page.goto(site.url + path)
                await page.evaluate("document.fonts.ready")
                sizes = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
                if sizes[0] > sizes[1]:
                    problems.append(f"{name} at {width} scrolls sideways: {sizes}")
                picture = folder / f"{name}-{width}-{scheme}.png"
                await page.screenshot(path=picture, full_page=True)
                problems += [f"{name} at {width}: {one}" for one in await broken_rules(page)]
    assert problems + watch.faults == []


async def broken_rules(page: Page) -> list[str]:
    """Run axe from our own file; the policy of the page does not apply to the test's script."""
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("axe.run().then(result => result.violations)")
    return [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:160]}"
        for one in found
        if one["impact"] in GRAVE
    ]


async def test_a_new_message_and_new_prices_appear_without_reloading(
    browser: Browser, site: Site
) -> None:
    watch = Watch()
    async with a_visit(browser, site, watch) as (_, page):
        await expect(page.locator("#positions")).to_contain_text("+27.28")
        assert (await page.title()).startswith("(4) ")
        scene = await owner_of(site)
        await scene.signal(
            Post(
                chat=GOLD,
                message=900,
                text="XAUUSD SELL 2660 SL 2666 <img src=x onerror=alert(1)>\n\ndata: x",
                ago=1,
                stop="2666",
                outcome=CopyOutcome.SKIPPED,
                reason="spread",
            )
        )
        await scene.show_account()
        for kind in ("signal", "account"):
            await site.bus.publish_event(LiveEvent(user=USER, kind=kind, payload={}))
        await expect(page.locator("#signals tbody tr").first).to_contain_text("XAUUSD SELL 2660")
        await expect(page.locator("#newest")).to_contain_text("<img src=x onerror=alert(1)>")
        await expect(page.locator("#positions")).to_contain_text("No open positions")
        assert not (await page.title()).startswith("(")
        await page.get_by_role("link", name="XAUUSD SELL 2660").click()
        await expect(page.locator("h1")).to_contain_text("XAUUSD")
    assert watch.faults == []


async def owner_of(site: Site) -> Scene:
    """Take the user's slot as a worker would, to write."""
    profile = await site.store.fleet.get_user(USER)
    assert profile is not None
    epoch = await claim_slots(site.store.fleet, CELL, [profile.slot], "w2")
    return Scene(store=site.store, now=WallClock().now(), epoch=epoch)


async def test_stop_acts_at_once_and_every_tab_shows_it(browser: Browser, site: Site) -> None:
    watch = Watch()
    async with a_visit(browser, site, watch) as (context, page):
        other = await context.new_page()
        watch.over(other)
        await other.goto(f"{site.url}/signals")
        await expect(other.get_by_role("link", name="Resume copying")).to_have_count(0)
        await page.get_by_role("button", name="Stop all copying").click()
        await expect(page.get_by_text("You stopped all copying.")).to_be_visible()
        assert (await site.store.user(USER).bot.status()).halted
        await expect(other.get_by_text("You stopped all copying.")).to_be_visible()
        await expect(other.get_by_role("button", name="Stop all copying")).to_be_hidden()
        await page.locator(".top .resume").click()
        await page.get_by_label("Type the word resume to confirm").fill("resume")
        await page.get_by_role("main").get_by_role("button", name="Resume copying").click()
        await expect(page.get_by_role("button", name="Stop all copying")).to_be_visible()
        await expect(other.get_by_role("button", name="Stop all copying")).to_be_visible()
    assert watch.faults == []


async def test_two_tabs_share_one_stream_and_the_second_takes_over(
    browser: Browser, site: Site
) -> None:
    hub: LiveHub = site.app.state.hub
    async with a_visit(browser, site, Watch()) as (context, page):
        other = await context.new_page()
        await other.goto(site.url)
        await expect(other.locator("#positions")).to_contain_text("+27.28")
        assert hub.stream_count == 1
        await page.close()
        scene = await owner_of(site)
        await scene.show_account()
        await site.bus.publish_event(LiveEvent(user=USER, kind="account", payload={}))
        await expect(other.locator("#positions")).to_contain_text("No open positions")
        assert hub.stream_count == 1


async def test_numbers_without_a_heartbeat_are_called_old(browser: Browser, site: Site) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.clock.install()
    await page.goto(site.url)
    await page.get_by_role("button", name="Open the demo").click()
    await page.wait_for_selector("#positions table")
    await expect(page.locator("#stale")).to_be_hidden()
    await page.clock.run_for(22_000)
    await expect(page.locator("#stale")).to_contain_text("Numbers are from")
    await expect(page.locator("#stale")).to_contain_text("reconnecting")
    await context.close()


async def test_a_session_that_ends_elsewhere_leads_to_the_sign_in_page(browser: Browser) -> None:
    store = MemoryStore(cell=CELL)
    await a_full_day(store, WallClock().now())
    async with (
        serve(store, heartbeat=timedelta(milliseconds=200)) as site,
        a_visit(browser, site, Watch()) as (context, page),
    ):
        cookie = (await context.cookies(site.url))[0]
        await store.fleet.delete_session(digest(cookie["value"]))
        await expect(page.get_by_role("button", name="Open the demo")).to_be_visible()


async def test_without_scripts_the_pages_still_work(browser: Browser, site: Site) -> None:
    async with a_visit(browser, site, Watch(), java_script_enabled=False) as (_, page):
        await page.get_by_role("link", name="Signals", exact=True).click()
        await page.get_by_label("Show").select_option("copied")
        await page.get_by_role("button", name="Show").click()
        await expect(page.locator("#list")).not_to_contain_text("JOIN OUR VIP")
        await page.get_by_role("button", name="Stop all copying").click()
        await expect(page.get_by_text("You stopped all copying.")).to_be_visible()
        assert (await site.store.user(USER).bot.status()).halted


async def test_hostile_texts_are_shown_as_texts(browser: Browser, site: Site) -> None:
    watch, scene = Watch(), await owner_of(site)
    texts = (
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(1)</script>",
        '<div hx-post="/copying/stop" hx-trigger="load">x</div>',
        "[link](javascript:alert(1)) \u202egnilles dloG",
    )
    for number, text in enumerate(texts, 1_000):
        await scene.nothing(GOLD, number, text, 5, "advert")
    async with a_visit(browser, site, watch) as (_, page):
        await page.goto(f"{site.url}/signals")
        for number, text in enumerate(texts, 1_000):
            await page.goto(f"{site.url}/signals/{GOLD}/{number}")
            await expect(page.locator(".original").first).to_have_text(text)
    assert watch.faults == []
    assert not (await site.store.user(USER).bot.status()).halted


async def test_the_page_can_be_walked_by_keyboard(browser: Browser, site: Site) -> None:
    async with a_visit(browser, site, Watch()) as (_, page):
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        names = []
        for _ in range(12):
            await page.keyboard.press("Tab")
            names.append(await page.evaluate("document.activeElement.textContent.trim()"))
        assert names[:5] == ["SignalFleet", "Paper account", "Live", "Signals", "Channels"]
        assert "Stop all copying" in names
