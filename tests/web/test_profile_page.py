"""A channel's page: how it is read, tried and saved by its owner."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest

from kit.wall_clock import WallClock
from kit.web_scene import CELL, GOLD, USER, a_full_day
from kit.web_site import Answer, Site, serve
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.adapters.re2.client import Re2Compiler
from signalfleet.app.channel_profiles import ChannelProfiles
from signalfleet.app.watch_layouts import ChannelWatch, scope, to_document
from signalfleet.bootstrap.language import load_parser
from signalfleet.domain.accounts.notices import Notice, NoticeKind
from signalfleet.domain.ids import MessageId
from signalfleet.domain.signals.drift import ChannelHabit, Seen

pytestmark = pytest.mark.loopback

PAGE = f"/channels/{GOLD}"
SAVE = f"{PAGE}/profile"
CALL = "zap 2350 guard 2340 tp 2360"
WORDS = {"default_symbol": "xauusd", "keywords": "Buy: zap\nstop: guard", "no_price": "market"}
RULE = {
    "rules": "1",
    "rule-0-name": "moo",
    "rule-0-pattern": r"moo (?P<sl>\d+)",
    "rule-0-action": "open",
    "rule-0-side": "buy",
    "rule-0-symbol": "XAUUSD",
    "rule-0-matches": "moo 2338",
}


@pytest.fixture
async def home() -> AsyncIterator[Site]:
    store = MemoryStore(cell=CELL)
    await a_full_day(store, WallClock().now())
    async with serve(store) as site:
        await site.sign_in()
        yield site


def said(answer: Answer) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


async def revision(site: Site) -> str:
    found = re.search(r'name="revision" value="(\d+)"', (await site.page(PAGE)).text)
    assert found is not None
    return found[1]


async def save(site: Site, **fields: str) -> Answer:
    return await site.press(SAVE, do="save", revision=await revision(site), **fields)


async def stored(site: Site) -> dict[str, object]:
    doc, _ = await site.store.user(USER).settings.get(f"channel:{GOLD}")
    profile = doc.get("profile", {})
    assert isinstance(profile, dict)
    return profile


async def test_a_message_is_tried_with_what_stands_in_the_form_and_nothing_is_saved(
    home: Site,
) -> None:
    answer = await home.press(SAVE, do="try", text=CALL, **WORDS)
    assert answer.status == 200
    assert "Buy XAUUSD at 2350 stop 2340 targets 2360" in said(answer)
    assert '<mark class="role-stop">2340' in answer.text
    assert await stored(home) == {}
    without = await home.press(SAVE, do="try", text=CALL, no_price="market")
    assert "Buy XAUUSD" not in said(without)


async def test_what_is_saved_stands_in_the_form_and_reads_the_next_message(home: Site) -> None:
    answer = await save(home, **WORDS, pip_size="XAUUSD 0.1", ignore_words="swing trade")
    assert (answer.status, answer.headers["Location"]) == (303, f"{PAGE}?saved=1")
    page = await home.page(PAGE)
    assert 'value="XAUUSD"' in page.text
    assert "buy: zap\nstop: guard" in page.text
    assert "version 1" in said(page)
    profiles = ChannelProfiles(home.store.user(USER).settings, load_parser(), Re2Compiler())
    profile = await profiles.of(GOLD)
    assert (profile.version, profile.default_symbol) == (1, "XAUUSD")
    assert profile.ignore_phrases == ("swing trade",)


async def test_settings_beside_the_profile_stay(home: Site) -> None:
    settings = home.store.user(USER).settings
    await settings.put(f"channel:{GOLD}", {"max_lots": "0.5"}, 0)
    await save(home, **WORDS)
    doc, _ = await settings.get(f"channel:{GOLD}")
    assert doc["max_lots"] == "0.5"


async def test_what_may_not_be_saved_is_refused_with_the_reason_and_stays_in_the_form(
    home: Site,
) -> None:
    broken = {**RULE, "rule-0-pattern": "moo (", "keywords": "buy: zap", "ignore_words": "a"}
    answer = await save(home, no_price="market", **broken)
    assert answer.status == 422
    assert "rule 'moo': The pattern cannot be used" in said(answer)
    assert "would silence nearly every message" in said(answer)
    assert 'value="moo ("' in answer.text
    assert "buy: zap" in answer.text
    assert await stored(home) == {}


async def test_a_rule_is_saved_and_removed_by_emptying_it(home: Site) -> None:
    assert (await save(home, no_price="market", **RULE)).status == 303
    assert len(await rules(home)) == 1
    await save(home, no_price="market", rules="1")
    assert await rules(home) == []


async def rules(site: Site) -> list[object]:
    found = (await stored(site)).get("rules") or []
    assert isinstance(found, list)
    return found


async def test_a_remembered_reading_guards_against_later_profiles(home: Site) -> None:
    await save(home, **WORDS, text=CALL, remember="1")
    refused = await save(home, no_price="market", **{"example-0": "1"})
    assert refused.status == 422
    assert "A message that you found read right would be read otherwise" in said(refused)
    assert (await save(home, no_price="market")).status == 303


async def test_two_people_at_one_form_do_not_overwrite_each_other(home: Site) -> None:
    first = await revision(home)
    await save(home, **WORDS)
    answer = await home.press(SAVE, do="save", revision=first, no_price="market")
    assert answer.status == 409
    assert "was changed elsewhere" in said(answer)


async def test_a_channel_that_changed_is_shown_until_its_owner_has_looked(home: Site) -> None:
    habit = ChannelHabit()
    for _ in range(40):
        habit = habit.after(Seen(layout="a", was_read=True, confidence=100))
    for name in ("x", "y", "z"):
        habit = habit.after(Seen(layout=name, was_read=True, confidence=100))
    watch = ChannelWatch(
        habit=habit, changed_by=MessageId(71), changed_at=datetime(2026, 3, 2, tzinfo=UTC)
    )
    settings = home.store.user(USER).settings
    await settings.put(scope(GOLD), to_document(watch), 0)
    assert "writes in a new way" in said(await home.page(PAGE))
    answer = await home.press(f"{PAGE}/layouts")
    assert answer.status == 303
    assert "writes in a new way" not in said(await home.page(PAGE))
    profile = await stored(home)
    assert profile["layouts"] == ["x", "y", "z"]
    profiles = ChannelProfiles(settings, load_parser(), Re2Compiler())
    looked = habit.checked((await profiles.of(GOLD)).layouts_at)
    assert not looked.is_strange("x")
    assert replace(looked).alarm is None


async def test_somebody_elses_channel_does_not_exist(home: Site) -> None:
    for method, path in (("GET", "/channels/-42"), ("POST", "/channels/-42/profile")):
        answer = await home.page(path) if method == "GET" else await home.press(path, do="save")
        assert answer.status == 404


async def test_a_hostile_title_is_only_text(home: Site) -> None:
    answer = await home.press(SAVE, do="try", text="<script>alert(1)</script>", no_price="market")
    assert "<script>alert" not in answer.text


async def test_the_notice_of_a_change_leads_to_the_channels_page(home: Site) -> None:
    notice = Notice(
        kind=NoticeKind.FORMAT_DRIFT,
        at=WallClock().now(),
        about=f"chat:{GOLD}",
        facts={"message": 71},
    )
    await home.store.user(USER).notices.add(notice)
    assert f'href="{PAGE}"' in (await home.page("/notices")).text
