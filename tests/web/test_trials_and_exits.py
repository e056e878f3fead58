"""Probation, exits, rule packs and held-back instructions on the pages of their owner."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape

import pytest

from kit.wall_clock import WallClock
from kit.web_scene import ACCOUNT, CELL, GOLD, USER, a_full_day
from kit.web_site import Answer, Site, serve
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.app.asks import load_asks, put_ask
from signalfleet.app.copy_states import load_states
from signalfleet.app.leave_account import LEAVING
from signalfleet.app.probation import begin_probation, load_probation
from signalfleet.bootstrap.prop_packs import load_packs
from signalfleet.domain.accounts import asks
from signalfleet.domain.accounts.exits import ExitCause
from signalfleet.domain.accounts.tiers import FREE, OPERATOR, PREMIUM, UserQuota
from signalfleet.domain.ids import MessageId
from signalfleet.domain.risk.probation import Stage
from signalfleet.domain.settings.choices import CopyState, ExitPolicy
from signalfleet.ports.store import CopyMode

pytestmark = pytest.mark.loopback
PAGE = f"/channels/{GOLD}"
PACK = f"/accounts/{ACCOUNT}/pack"


@pytest.fixture
async def home() -> AsyncIterator[Site]:
    store = MemoryStore(cell=CELL)
    await a_full_day(store, WallClock().now())
    async with serve(store, packs=load_packs()) as site:
        await site.sign_in()
        yield site


def said(answer: Answer) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


async def stage(home: Site) -> Stage | None:
    found = await load_probation(home.store.user(USER).settings, GOLD)
    return None if found is None else found.stage


async def test_a_channels_page_says_what_it_lacks_and_lets_it_be_skipped(home: Site) -> None:
    await begin_probation(home.store.user(USER).settings, GOLD, WallClock().now())
    page = said(await home.page(PAGE))
    assert "Probation: on paper" in page
    assert "20 more signals on paper, to 20" in page
    assert "Nothing is traded yet: the paper account comes with" in page
    assert (await home.press(f"{PAGE}/probation/skip")).status == 303
    assert await stage(home) is Stage.FULL
    page = said(await home.page(PAGE))
    assert "Because you chose to skip it." in page
    assert "Skip it" not in page
    assert (await home.press(f"{PAGE}/probation/restart")).status == 303
    assert await stage(home) is Stage.PAPER
    accounts = {one.broker: one.mode for one in await home.store.user(USER).accounts.list()}
    assert accounts["paper"] == "PAPER"
    page = said(await home.page(PAGE))
    assert "traded with play money at real prices" in page


async def test_what_is_done_with_a_channels_signals_is_set_on_its_page(home: Site) -> None:
    mine = home.store.user(USER)
    assert (await home.press(f"{PAGE}/mode", mode="approve")).status == 303
    channel = await mine.channels.get(GOLD)
    assert channel is not None
    assert channel.mode is CopyMode.APPROVE
    assert (await home.press(f"{PAGE}/mode", mode="gold")).status == 422
    assert (await home.press(f"{PAGE}/mode", mode="off")).status == 303
    ending = (await load_states(mine.settings)).exits[f"channel:{GOLD}"]
    assert (ending.cause, ending.policy) == (ExitCause.CHANNEL, None)


async def test_an_account_is_taken_away_with_the_wish_for_its_trades(home: Site) -> None:
    mine = home.store.user(USER)
    assert "They are managed to their end" in said(await home.page("/connect/mt5"))
    assert (await home.press(f"/accounts/{ACCOUNT}/disconnect")).status == 422
    answer = await home.press(f"/accounts/{ACCOUNT}/disconnect", exit_policy="flatten")
    assert answer.status == 303
    account = await mine.accounts.get(ACCOUNT)
    assert account is not None
    assert account.state == LEAVING
    states = await load_states(mine.settings)
    assert states.exits[f"account:{ACCOUNT}"].policy is ExitPolicy.FLATTEN
    assert states.at(f"account:{ACCOUNT}") is CopyState.CLOSE_ONLY
    assert "being taken away" in said(await home.page("/connect/mt5"))


async def test_a_rule_pack_shows_what_it_changes_before_it_counts(home: Site) -> None:
    mine = home.store.user(USER)
    page = said(await home.page(f"{PACK}?pack=example"))
    assert "Daily loss none 4 %" in page
    assert "read on 2026-01-01" in page
    refused = await home.press(PACK, pack="example", confirm="yes")
    assert refused.status == 422
    assert "Type the word confirm" in refused.text
    assert (await mine.settings.get(f"account:{ACCOUNT}"))[0] == {}
    assert (await home.press(PACK, pack="no_such_pack", confirm="confirm")).status == 422
    assert (await home.press(PACK, pack="example", confirm="confirm")).status == 303
    assert (await mine.settings.get(f"account:{ACCOUNT}"))[0] == {"prop_pack": "example"}
    assert "Pack example confirmed by you" in said(await home.page(PACK))
    assert (await home.press(PACK, pack="none", confirm="confirm")).status == 303
    assert "No rule pack" in said(await home.page(PACK))


async def test_a_pack_chosen_among_the_settings_leads_to_its_confirmation(home: Site) -> None:
    settings = f"/accounts/{ACCOUNT}/settings"
    fields = {"set-prop_pack": "example", "revision": "0"}
    answer = await home.press(settings, **fields)
    assert (answer.status, answer.headers["Location"]) == (303, PACK)
    assert "not confirmed: nothing is opened" in said(await home.page(PACK))
    again = await home.press(settings, **{**fields, "revision": "1", "set-risk_percent": "0.5"})
    assert again.headers["Location"] == f"{settings}?saved=1"


async def test_what_a_pause_held_back_is_carried_out_at_one_tap(home: Site) -> None:
    mine, now = home.store.user(USER), WallClock().now()
    trade = (await mine.journal.live_trades())[0]
    key = asks.AskKey(chat=GOLD, message=MessageId(4), rev=0, part=1, is_follow_up=True)
    held = asks.Ask(
        key=key,
        text="targets 2375",
        why="follow_up_paused",
        asked_at=now,
        until=now + timedelta(hours=1),
        signals=(trade.signal,),
    )
    await put_ask(mine.settings, held)
    assert "Held back by a pause: targets 2375" in said(await home.page("/asks"))
    answer = await home.press("/asks/answer", key=str(key), answer="approve")
    assert answer.status == 303
    stored = (await load_asks(mine.settings)).get(key)
    assert stored is not None
    assert stored.answer is asks.Answer.APPROVE
    assert "Nothing waits for you." in said(await home.page("/asks"))
    assert (await home.press("/asks/answer", key=str(key), answer="skip")).status == 409


@pytest.mark.parametrize("quota", [FREE, PREMIUM, OPERATOR], ids=["free", "premium", "operator"])
async def test_the_settings_can_be_seen_with_every_plan(quota: UserQuota) -> None:
    store = MemoryStore(cell=CELL)
    await a_full_day(store, WallClock().now())
    async with serve(store, least_quota=quota) as site:
        await site.sign_in()
        assert (await site.page("/settings")).status == 200
