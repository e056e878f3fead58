"""Connecting Telegram in Chromium: by QR code, by phone code, with a password; choosing channels.

SCREENSHOTS=folder keeps the pictures.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import expect

from kit.browser import chromium
from kit.login_desk import Desk
from kit.owner_desks import owner_desks
from kit.watched_page import WatchedPage
from kit.web_site import serve
from signalfleet.adapters.telegram.session import load_session
from signalfleet.domain.ids import ChannelId
from signalfleet.ports.store import CopyMode
from signalfleet_sim.telegram import SimChannel, SimUser, World

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(120)]

AXE = Path(__file__).parents[1] / "web/vendor/axe.min.js"
PASSWORD = "correct horse"
HOSTILE = "<img src=x onerror=alert(1)> \u202egold"


@pytest.fixture
def gold(world: World, ann: SimUser) -> SimChannel:
    channel = world.channel("Gold signals", username="goldsig")
    hostile = world.channel(HOSTILE)
    for one in (channel, hostile):
        one.join(ann)
        one.post("BUY GOLD now <script>alert(1)</script>")
    return channel


@asynccontextmanager
async def a_browser(desk: Desk, *, width: int = 1000) -> AsyncIterator[tuple[WatchedPage, str]]:
    changes = {"bus": desk.bus, "sealer": desk.sealer, "cell": "c1"}
    async with (
        owner_desks(desk.bus, login=desk.worker.answer),
        serve(desk.store, demo_user=None, **changes) as site,  # type: ignore[arg-type]
        chromium() as browser,
    ):
        context = await browser.new_context(viewport={"width": width, "height": 900})
        yield await WatchedPage.open(context), site.url
        await context.close()


async def looked_at(watched: WatchedPage, name: str) -> None:
    """See that a page is in order: nobody is shut out, nothing is too wide."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        await watched.picture(Path(folder) / f"connect-{name}.png")
    assert not await watched.goes_sideways()
    await watched.page.evaluate(AXE.read_text())
    found = await watched.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


async def begin(watched: WatchedPage, url: str) -> None:
    page = watched.page
    await page.goto(f"{url}/signin")
    await page.get_by_role("link", name="Sign in with Telegram").click()
    await expect(page.get_by_role("heading", name="Connect Telegram")).to_be_visible()
    await page.get_by_label("I agree").check()


@pytest.mark.parametrize("width", [1000, 390])
async def test_a_person_signs_in_by_qr_code_and_chooses_a_channel(
    desk: Desk, world: World, ann: SimUser, gold: SimChannel, width: int
) -> None:
    async with a_browser(desk, width=width) as (watched, url):
        page = watched.page
        await begin(watched, url)
        await looked_at(watched, f"begin-{width}")
        await page.get_by_role("button", name="Show a QR code").click()
        await expect(page.get_by_role("img", name="QR code")).to_be_visible()
        await looked_at(watched, f"qr-{width}")
        address = await page.locator("#qr-address").get_attribute("href")
        assert address is not None
        world.scan(address, ann)
        await page.wait_for_url("**/connect/telegram/channels")
        await expect(page.get_by_text("Gold signals")).to_be_visible()
        await looked_at(watched, f"channels-{width}")
        await page.get_by_label("Gold signals").check()
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("Saved.")).to_be_visible()
        await page.goto(url)
        await expect(page.get_by_text("Signed in as Ann")).to_be_visible()
        assert watched.complaints == []
    profile = await desk.store.fleet.user_by_telegram(ann.user_id)
    assert profile is not None
    mine = desk.store.user(profile.user_id)
    chosen = await mine.channels.get(ChannelId(gold.chat_id))
    assert chosen is not None
    assert chosen.mode is CopyMode.PAPER
    assert (await mine.bot.status()).wish_on


async def test_a_person_signs_in_by_phone_code_and_password(desk: Desk, world: World) -> None:
    cara = world.user("+1 555 0155", "Cara", password=PASSWORD)
    async with a_browser(desk) as (watched, url):
        page = watched.page
        await begin(watched, url)
        await page.get_by_text("Use a phone code instead").click()
        await page.get_by_label("Phone number").fill("+1 555 0155")
        await page.get_by_role("button", name="Send me a code").click()
        await expect(page.get_by_text("in your Telegram app, not by SMS")).to_be_visible()
        code = world.code_for("+1 555 0155")
        await page.get_by_label("Code").fill("00000" if code != "00000" else "11111")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("This code is wrong")).to_be_visible()
        await looked_at(watched, "wrong-code")
        await page.get_by_label("Code").fill(code)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("the name of the city")).to_be_visible()
        await page.get_by_label("Two-step password").fill("wrong")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("2 tries are left")).to_be_visible()
        await looked_at(watched, "wrong-password")
        await page.get_by_label("Two-step password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url("**/connect/telegram/channels")
        await expect(page.get_by_text("no channels or groups yet")).to_be_visible()
        assert watched.complaints == []
    assert len(cara.sessions) == 1


async def test_a_person_disconnects_and_connects_again(
    desk: Desk, world: World, ann: SimUser, gold: SimChannel
) -> None:
    async with a_browser(desk) as (watched, url):
        page = watched.page
        await begin(watched, url)
        await page.get_by_role("button", name="Show a QR code").click()
        world.scan(await page.locator("#qr-address").get_attribute("href") or "", ann)
        await page.wait_for_url("**/connect/telegram/channels")
        await page.get_by_text("Disconnect Telegram").first.click()
        await page.get_by_role("button", name="Disconnect Telegram").click()
        await page.wait_for_url("**/connect/telegram")
        assert ann.sessions == []
        await page.goto(f"{url}/connect/telegram/channels")
        await expect(page.get_by_text("Telegram is not connected")).to_be_visible()
        await looked_at(watched, "not-connected")
        await page.get_by_role("link", name="Connect Telegram").click()
        await page.get_by_label("I agree").check()
        await page.get_by_role("button", name="Show a QR code").click()
        world.scan(await page.locator("#qr-address").get_attribute("href") or "", ann)
        await page.wait_for_url("**/connect/telegram/channels")
        await expect(page.get_by_text("Gold signals")).to_be_visible()
        assert watched.complaints == []
    profile = await desk.store.fleet.user_by_telegram(ann.user_id)
    assert profile is not None
    session = await desk.session(profile.user_id)
    assert session is not None
    assert load_session(session).telegram_user_id == ann.user_id


async def test_a_person_joins_a_channel_by_its_link(
    desk: Desk, world: World, ann: SimUser, gold: SimChannel
) -> None:
    silver = world.channel("Silver signals", username="silversig")
    async with a_browser(desk, width=390) as (watched, url):
        page = watched.page
        await begin(watched, url)
        await page.get_by_role("button", name="Show a QR code").click()
        world.scan(await page.locator("#qr-address").get_attribute("href") or "", ann)
        await page.wait_for_url("**/connect/telegram/channels")
        await page.get_by_text("A channel that you are not in yet").click()
        await page.get_by_label("Link or @name").fill("t.me/silversig")
        await page.get_by_role("button", name="Look up").click()
        await expect(page.get_by_text("Silver signals")).to_be_visible()
        assert ann.user_id not in silver.members
        await looked_at(watched, "looked-up")
        await page.get_by_role("button", name="Join").click()
        await expect(page.get_by_text("Joined.")).to_be_visible()
        await expect(page.get_by_label("Silver signals")).to_be_visible()
        assert watched.complaints == []
    assert ann.user_id in silver.members


async def test_a_refusal_is_told_and_can_be_started_over(desk: Desk, world: World) -> None:
    robot = world.user("+1 555 0166", "Robot", bot=True)
    async with a_browser(desk) as (watched, url):
        page = watched.page
        await begin(watched, url)
        await page.get_by_role("button", name="Show a QR code").click()
        world.scan(await page.locator("#qr-address").get_attribute("href") or "", robot)
        await expect(page.get_by_text("This is a bot's account")).to_be_visible()
        await looked_at(watched, "refused")
        await page.get_by_role("button", name="Start again").click()
        await expect(page.get_by_label("I agree")).to_be_visible()
        assert watched.complaints == []
    assert robot.sessions == []
