"""Stop all copying, and Resume."""

import asyncio

import pytest

from kit.web_scene import USER
from kit.web_site import Site
from signalfleet.domain.ids import slot

pytestmark = pytest.mark.loopback


async def test_stop_halts_wakes_the_owner_and_shows_resume(home: Site) -> None:
    before = await home.page("/")
    assert "Stop all copying" in before.text
    async with home.bus.work(slot(USER), 1) as work:
        answer = await home.press("/copying/stop")
        async with asyncio.timeout(1):
            delivery = await anext(work)
        await delivery.ack()
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert delivery.item.kind == "cmd"
    assert (await home.store.user(USER).bot.status()).halted
    after = await home.page("/")
    assert "You stopped all copying." in after.text
    assert 'data-halted="true"' in after.text


async def test_stop_works_while_the_bus_is_away(home: Site) -> None:
    home.bus.set_connected(False)
    assert (await home.press("/copying/stop")).status == 303
    assert (await home.store.user(USER).bot.status()).halted


async def test_stop_pressed_twice_is_still_stopped(home: Site) -> None:
    assert (await home.press("/copying/stop")).status == 303
    assert (await home.press("/copying/stop")).status == 303
    assert (await home.store.user(USER).bot.status()).halted


@pytest.mark.parametrize("typed", ["", "yes", "resum", "resume now"])
async def test_resume_needs_the_word(home: Site, typed: str) -> None:
    await home.press("/copying/stop")
    answer = await home.press("/copying/resume", confirm=typed)
    assert answer.status == 422
    assert "Copying is still stopped" in answer.text
    assert (await home.store.user(USER).bot.status()).halted


async def test_the_word_lifts_the_stop(home: Site) -> None:
    await home.press("/copying/stop")
    assert "Type the word resume" in (await home.page("/copying/resume")).text
    answer = await home.press("/copying/resume", confirm=" Resume ")
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert not (await home.store.user(USER).bot.status()).halted
    assert "There is nothing to resume" in (await home.page("/copying/resume")).text
