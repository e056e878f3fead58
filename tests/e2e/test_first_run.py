"""A first visit: start the demo, open the page, see a signal copied and managed, read why, stop."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from kit.product_process import city_ended, complaints_in, running
from kit.watched_page import WatchedPage

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(150)]

SEEN_WITHIN_S = 30.0
"""From the command to a trade that was opened and then managed, before the visitor's eyes."""
STOPS_WITHIN_S = 10.0
FOLLOWED = "#signals .chip:text-is('Followed')"
DOCS = Path(__file__).parents[2] / "docs"


def picture_folder(tmp_path: Path) -> Path:
    return DOCS if os.environ.get("SIGNALFLEET_SCREENSHOTS") == "1" else tmp_path


async def open_demo(page: Page, address: str) -> None:
    await page.goto(address)
    await page.get_by_role("button", name="Open the demo").click()
    await page.wait_for_url(address)


async def test_a_visitor_sees_a_signal_copied_managed_and_explained(
    tmp_path: Path, page: WatchedPage
) -> None:
    root = tmp_path / "demo"
    pictures, visible = picture_folder(tmp_path), page.page
    with city_ended(root / "city"):
        begun = time.monotonic()
        async with running("demo", "--port", "0", "--root", str(root), cwd=tmp_path) as demo:
            address = await demo.until_line("Open ", limit_s=SEEN_WITHIN_S)
            assert "play money" in demo.lines[0]
            await open_demo(visible, address)
            left_ms = (SEEN_WITHIN_S - (time.monotonic() - begun)) * 1000
            visible.set_default_timeout(left_ms)
            await visible.wait_for_selector("#positions tbody tr .p-symbol >> text=XAUUSD")
            await visible.wait_for_selector(FOLLOWED)
            assert time.monotonic() - begun < SEEN_WITHIN_S

            visible.set_default_timeout(30_000)
            await the_live_page_shows_what_it_is_about(page, pictures)
            await the_detail_says_which_words_and_which_steps(page, pictures)
            await nothing_goes_sideways_on_a_telephone(page, address)
            assert page.complaints == []
            status, seconds = await demo.stop()

    assert status == 0, (tmp_path / "stderr.txt").read_text()
    assert seconds < STOPS_WITHIN_S
    assert demo.lines[-1].startswith("Stopped.")
    assert (tmp_path / "stderr.txt").read_text() == ""
    the_log_is_calm(root / "signalfleet.log")


async def the_live_page_shows_what_it_is_about(page: WatchedPage, pictures: Path) -> None:
    visible = page.page
    await expect(visible.locator("#links")).to_contain_text("Demo account", ignore_case=True)
    await expect(visible.locator("#links")).to_contain_text("Listening")
    await expect(visible.locator("#stale")).to_be_hidden()
    # By then both of the first channels and a third one have something to show.
    await visible.wait_for_selector("#positions tbody tr .p-symbol >> text=NAS100")
    await visible.wait_for_selector("#newest .step >> text=Broker answer")
    await page.picture(pictures / "live.png")


async def the_detail_says_which_words_and_which_steps(page: WatchedPage, pictures: Path) -> None:
    visible = page.page
    row = visible.locator("#positions tbody tr", has_text="XAUUSD").first
    await row.get_by_role("link", name="See why").click()
    await visible.wait_for_url("**/signals/**")
    marks = visible.locator(".original mark")
    for role, text in (("Symbol", "XAUUSD"), ("Side", "BUY"), ("S/L", "234")):
        await expect(marks.filter(has_text=role).first).to_contain_text(text)
    titles = await visible.locator(".steps h3").all_inner_texts()
    wanted = ["Received", "Read", "Checked", "Sized", "Sent", "Broker answer"]
    assert [title for title in titles if title in wanted] == wanted
    await expect(visible.locator(".steps")).to_contain_text("XAUUSD")
    await page.picture(pictures / "signal.png")
    # The detail is alive: the follow-up that comes later shows up without a reload.
    await expect(visible.locator("#detail")).to_contain_text("Move SL to entry")


async def nothing_goes_sideways_on_a_telephone(page: WatchedPage, address: str) -> None:
    visible = page.page
    detail = visible.url
    await visible.set_viewport_size({"width": 390, "height": 844})
    for place in (detail, address, address + "signals", address + "copying/resume"):
        await visible.goto(place)
        assert not await page.goes_sideways(), place


def the_log_is_calm(path: Path) -> None:
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert complaints_in(entries) == []
    assert not any(one["event"] == "csp_violation_reported" for one in entries)


async def test_ctrl_c_in_the_terminal_stops_the_demo_and_it_starts_again(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    with city_ended(root / "city"):
        for _ in range(2):
            async with running("demo", "--port", "0", "--root", str(root), cwd=tmp_path) as demo:
                await demo.until_line("Open ", limit_s=SEEN_WITHIN_S)
                status, seconds = await demo.stop(signal.SIGINT)
            assert (status, demo.lines[-1].split()[0]) == (0, "Stopped.")
            assert seconds < STOPS_WITHIN_S


async def test_a_second_demo_in_the_same_folder_says_so_and_leaves_the_first_alone(
    tmp_path: Path,
) -> None:
    root = tmp_path / "demo"
    words = ("demo", "--port", "0", "--root", str(root))
    with city_ended(root / "city"):
        async with running(*words, cwd=tmp_path) as first:
            await first.until_line("Open ", limit_s=SEEN_WITHIN_S)
            async with running(*words, cwd=tmp_path) as second:
                status = await second.process.wait()
            said = (tmp_path / "stderr.txt").read_text()
            assert status == 2
            assert "stop it" in said
            assert "Traceback" not in said
            assert first.process.returncode is None
            status, _ = await first.stop()
            assert status == 0
