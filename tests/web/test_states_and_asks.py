"""States of copying and questions on the pages: what a press writes, and what needs the word."""

import asyncio
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from kit.wall_clock import WallClock
from kit.web_scene import ACCOUNT, GOLD, USER
from kit.web_site import Site
from signalfleet.app.asks import load_asks, put_ask
from signalfleet.app.copy_states import load_states
from signalfleet.domain.accounts.asks import Answer, Ask, AskedPlan, AskKey
from signalfleet.domain.ids import MessageId, slot
from signalfleet.domain.settings.choices import CopyState
from signalfleet.domain.signals.model import ChannelMessage
from signalfleet.ports.chat_source import ChatBatch, Origin, Posted

pytestmark = pytest.mark.loopback
SCOPE = f"account:{ACCOUNT}"
NUMBER = MessageId(990_001)


async def state(home: Site, scope: str) -> CopyState:
    return (await load_states(home.store.user(USER).settings)).at(scope)


async def test_stop_and_close_everything_are_one_press_each(home: Site) -> None:
    await home.press("/copying/stop")
    assert await state(home, "user") is CopyState.CLOSE_ONLY
    async with home.bus.work(slot(USER), 1) as work:
        answer = await home.press("/copying/close")
        async with asyncio.timeout(1):
            delivery = await anext(work)
        await delivery.ack()
    assert (answer.status, answer.headers["Location"]) == (303, "/copying")
    assert await state(home, "user") is CopyState.PANIC
    assert (await home.store.user(USER).bot.status()).halted
    page = await home.page("/copying")
    assert "are not closed yet" in page.text or "Everything of ours is closed." in page.text
    await home.press("/copying/stop")
    assert await state(home, "user") is CopyState.PANIC
    await home.press("/copying/resume", confirm="resume")
    assert await state(home, "user") is CopyState.ON
    assert not (await home.store.user(USER).bot.status()).halted


async def test_only_what_lets_more_happen_needs_the_word(home: Site) -> None:
    tighter = await home.press("/copying/state", scope=SCOPE, state="paused")
    assert tighter.status == 303
    refused = await home.press("/copying/state", scope=SCOPE, state="on")
    assert refused.status == 422
    assert "Type the word resume" in refused.text
    assert await state(home, SCOPE) is CopyState.PAUSED
    assert (await home.press("/copying/state", scope=SCOPE, state="on", confirm="resume")).status
    assert await state(home, SCOPE) is CopyState.ON


async def test_the_page_says_how_much_of_the_plan_is_used(home: Site) -> None:
    mine = home.store.user(USER)
    today = WallClock().now().astimezone(ZoneInfo("Europe/Berlin")).date().isoformat()
    for _ in range(2):
        await mine.quota.reserve("trades", today, 10)
    page = await home.page("/copying")
    assert "Trades: 2 of 10 today" in page.text
    channels = [one for one in await mine.channels.list() if one.mode.value != "off"]
    assert f"Channels: {len(channels)} of 2" in page.text


@pytest.mark.parametrize(
    ("scope", "wanted"),
    [("account:none", "paused"), ("user", "on"), (SCOPE, "loose"), ("channel:x", "paused")],
    ids=["no account", "user", "no state", "no channel"],
)
async def test_what_is_not_the_users_or_no_state_changes_nothing(
    home: Site, scope: str, wanted: str
) -> None:
    answer = await home.press("/copying/state", scope=scope, state=wanted, confirm="resume")
    assert answer.status == 422
    assert (await load_states(home.store.user(USER).settings)).by_scope == {}


async def a_question(home: Site) -> Ask:
    """Put a message that waits, and the question about it."""
    now = WallClock().now()
    store = home.store.user(USER)
    message = ChannelMessage(
        channel=GOLD, message=NUMBER, version=0, text="BUY <GOLD> 2350", posted_at=now
    )
    await store.inbox.add(
        ChatBatch(chat=GOLD, origin=Origin.LIVE, items=(Posted(message=message),)), now, 1
    )
    ask = Ask(
        key=AskKey(chat=GOLD, message=NUMBER, rev=0, part=0),
        text="buy XAUUSD market stop 2340",
        why="awaiting_approval",
        asked_at=now,
        until=now + timedelta(minutes=2),
        plans=(AskedPlan(account="a", lots="0.10", risk="100.00 USD", orders=("buy 0.10",)),),
    )
    await put_ask(store.settings, ask)
    return ask


async def test_a_question_shows_the_message_the_plan_and_the_money(home: Site) -> None:
    await a_question(home)
    page = await home.page("/asks")
    assert "100.00 USD at risk" in page.text
    assert "BUY &lt;GOLD&gt; 2350" in page.text


async def test_the_first_tap_counts_and_the_second_says_so(home: Site) -> None:
    ask = await a_question(home)
    first = await home.press("/asks/answer", key=str(ask.key), answer="approve")
    assert first.status == 303
    second = await home.press("/asks/answer", key=str(ask.key), answer="skip")
    assert second.status == 409
    assert "answered this one already" in second.text
    (kept,) = (await load_asks(home.store.user(USER).settings)).asks
    assert kept.answer is Answer.APPROVE


@pytest.mark.parametrize("key", ["", "1.2.3", "a.b.c.d", "1.2.3.4"])
async def test_a_key_of_nothing_does_nothing(home: Site, key: str) -> None:
    assert (await home.press("/asks/answer", key=key, answer="approve")).status == 409
