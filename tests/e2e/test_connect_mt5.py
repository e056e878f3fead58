"""The whole product: an account is connected on the page, read by the bot, and shown on Live."""

import json
from pathlib import Path

import pytest
from playwright.async_api import expect

from kit.product_process import city_ended, complaints_in, running
from kit.watched_page import WatchedPage

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(150)]

SERVER = "ClearHarbour-Demo"
PASSWORD = "demo-password"


def facts_of(root: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((root / "city" / "city.json").read_text(encoding="utf-8"))
    return found


async def test_a_second_account_is_connected_while_the_bot_runs_and_it_follows_both(
    tmp_path: Path, page: WatchedPage
) -> None:
    root, visible = tmp_path / "demo", page.page
    visible.set_default_timeout(40_000)
    expect.set_options(timeout=40_000)
    with city_ended(root / "city"):
        async with running("demo", "--port", "0", "--root", str(root), cwd=tmp_path) as demo:
            address = await demo.until_line("Open ", limit_s=30.0)
            city = facts_of(root)
            await visible.goto(address)
            await visible.get_by_role("button", name="Open the demo").click()
            await visible.get_by_role("link", name="Accounts").first.click()
            await visible.get_by_label("MetaApi token").fill(city["metaapi_token"])
            await visible.get_by_role("button", name="Look up accounts").click()
            await visible.get_by_label("Broker's server").fill(SERVER)
            await visible.get_by_text("Type login and password here instead").click()
            await visible.get_by_label("Login", exact=True).fill("7654321")
            await visible.get_by_label("Password", exact=True).fill(PASSWORD)
            await visible.get_by_role("button", name="Connect with this password").click()
            await expect(visible.locator("#step")).to_contain_text("Waiting for MetaApi")
            await expect(visible.locator("#connected")).to_contain_text("a demo account")
            await visible.get_by_role("link", name="Go to Live").click()
            # Both accounts are shown with their own money: the bot has looked at the new one.
            await expect(visible.locator("#strip .label", has_text="Equity")).to_have_count(2)
            await expect(visible.locator("#strip .unit", has_text="USD")).to_have_count(2)
            assert page.complaints == []
            status, _ = await demo.stop()
    log = (root / "signalfleet.log").read_text(encoding="utf-8")
    entries = [json.loads(line) for line in log.splitlines()]
    assert status == 0
    assert any(one["event"] == "accounts_changed" for one in entries)
    assert complaints_in(entries) == []
    assert PASSWORD not in log
    assert city["metaapi_token"] not in log
