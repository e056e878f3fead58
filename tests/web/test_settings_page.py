"""The settings pages: what is in force and why, and changes that lose nothing of others."""

import re
from collections.abc import AsyncIterator
from html import unescape

import pytest

from kit.wall_clock import WallClock
from kit.web_scene import CELL, GOLD, USER, a_full_day
from kit.web_site import Answer, Site, serve
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.domain.settings.catalogue import CATALOGUE

pytestmark = pytest.mark.loopback

CHANNEL = f"/channels/{GOLD}/settings"


@pytest.fixture
async def home() -> AsyncIterator[Site]:
    store = MemoryStore(cell=CELL)
    await a_full_day(store, WallClock().now())
    async with serve(store) as site:
        await site.sign_in()
        yield site


def said(answer: Answer) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


async def save(site: Site, path: str = "/settings", **fields: str) -> Answer:
    found = re.search(r'name="revision" value="(\d+)"', (await site.page(path)).text)
    assert found is not None
    return await site.press(path, revision=found[1], **fields)


async def stored(site: Site, scope: str = "user") -> dict[str, object]:
    doc, _ = await site.store.user(USER).settings.get(scope)
    return dict(doc)


async def test_every_setting_of_the_level_is_on_the_page_with_its_value_and_source(
    home: Site,
) -> None:
    page = await home.page("/settings")
    fields = set(re.findall(r'name="set-([a-z_]+)"', page.text))
    assert fields == {
        name for name, spec in CATALOGUE.items() if "user" in spec.scopes and name != "copy_state"
    }
    assert "In force: 1.0 from product default" in said(page)


async def test_a_change_is_stored_and_shown_with_its_source_in_each_level(home: Site) -> None:
    answer = await save(home, **{"set-risk_percent": "0.75", "set-reverse": "", "set-layers": ""})
    assert answer.status == 303
    assert (await stored(home))["risk_percent"] == "0.75"
    assert "In force: 0.75 from your default" in said(await home.page(CHANNEL))
    await save(home, CHANNEL, **{"set-risk_percent": "0.5"})
    assert "In force: 0.5 from channel; not 0.75 from your default" in said(
        await home.page(CHANNEL)
    )


async def test_an_empty_field_takes_the_value_back_and_others_stay(home: Site) -> None:
    await save(home, **{"set-risk_percent": "0.75", "set-fixed_lots": "0.2"})
    await save(home, **{"set-risk_percent": ""})
    doc = await stored(home)
    assert "risk_percent" not in doc
    assert doc["fixed_lots"] == "0.2"


async def test_all_that_is_wrong_is_told_at_once_and_what_was_typed_stays(home: Site) -> None:
    before = await stored(home)
    answer = await save(
        home,
        **{"set-risk_percent": "99", "set-target_weights": "50, 40", "set-custom_stop": "near"},
    )
    assert answer.status == 422
    text = said(answer)
    assert "risk_percent: must be from 0.01 to 10." in text
    assert "target_weights: the percentages must sum to 100, not 90." in text
    assert "custom_stop: a distance is a number and a unit" in text
    assert 'value="50, 40"' in answer.text
    assert await stored(home) == before


async def test_how_a_channel_is_read_survives_a_change_of_its_settings(home: Site) -> None:
    docs = home.store.user(USER).settings
    doc, version = await docs.get(f"channel:{GOLD}")
    profile = {"version": 3, "default_symbol": "XAUUSD"}
    await docs.put(f"channel:{GOLD}", {**doc, "profile": profile}, version)
    await save(home, CHANNEL, **{"set-zone_mode": "layers"})
    kept = await stored(home, f"channel:{GOLD}")
    assert (kept["profile"], kept["zone_mode"]) == (profile, "layers")


async def test_a_page_that_is_out_of_date_changes_nothing(home: Site) -> None:
    await save(home, **{"set-risk_percent": "0.75"})
    answer = await home.press("/settings", revision="0", **{"set-risk_percent": "2"})
    assert answer.status == 409
    assert (await stored(home))["risk_percent"] == "0.75"


@pytest.mark.parametrize(
    ("search", "name"),
    [("slippage", "max_deviation"), ("lot mode", "size_mode"), ("TPToCopy", "targets_used")],
)
async def test_a_setting_is_found_by_the_name_that_another_product_uses(
    home: Site, search: str, name: str
) -> None:
    page = await home.page(f"/settings?q={search.replace(' ', '+')}")
    fields = re.findall(r'name="set-([a-z_]+)"', page.text)
    assert name in fields
    assert len(fields) < 10


async def test_a_stop_of_copying_cannot_be_lifted_among_the_settings(home: Site) -> None:
    answer = await save(home, **{"set-copy_state": "on"})
    assert answer.status == 422


@pytest.mark.parametrize("path", ["/accounts/a_nobody/settings", "/channels/-1009/settings"])
async def test_what_is_not_yours_is_not_found(home: Site, path: str) -> None:
    assert (await home.page(path)).status == 404
