"""What the pages say about stored facts."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from kit.wall_clock import WallClock
from kit.web_scene import (
    CELL,
    DESK,
    GOLD,
    INDEX,
    USER,
    Leg,
    Post,
    Scene,
)
from kit.web_site import Site, serve
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.ids import ChannelId, UserId, slot
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.trading.intents import IntentState
from signalfleet.domain.trading.records import CopyOutcome, TradeState
from signalfleet.ports.store import UserProfile

pytestmark = pytest.mark.loopback

OTHER = UserId("u_other0000000000000")
GOLD_PAGE = f"/signals/{GOLD}/71"


@pytest.fixture
async def scene() -> Scene:
    return Scene(store=MemoryStore(cell=CELL), now=WallClock().now())


@pytest.fixture
async def fresh(scene: Scene) -> AsyncIterator[Site]:
    """A user with an account and nothing else, signed in."""
    await scene.begin()
    assert isinstance(scene.store, MemoryStore)
    async with serve(scene.store) as site:
        await site.sign_in()
        yield site


def words_of(html: str) -> str:
    """Return what a person reads: no tags, single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


async def test_live_shows_account_positions_and_messages(home: Site) -> None:
    said = words_of((await home.page("/")).text)
    assert "Paper account" in said
    assert "Telegram Listening" in said
    assert "Broker Connected" in said
    assert "Equity 10 398.74 USD" in said
    assert "Open P/L +7.79" in said
    assert "Signals today" in said
    assert "XAUUSD" in said
    assert "GBPUSD" in said
    assert "placed" in said
    assert "The message is an advert." in said
    assert "The spread of 22.4 % of the stop distance is above your limit of 15 %." in said


async def test_positions_come_in_the_order_of_metatrader(home: Site) -> None:
    panel = (await home.page("/f/live/positions")).text
    heads = re.findall(r"<th[^>]*>([^<]+)</th>", panel)
    assert heads == [
        "Symbol", "Ticket", "Time", "Type", "Volume", "Price", "S / L", "T / P", "Price",
        "Swap", "Profit", "Channel", "Signal",
    ]  # fmt: skip


async def test_a_position_of_somebody_else_is_marked(fresh: Site, scene: Scene) -> None:
    await a_full_day_of(scene)
    ours = scene.positions[0]
    scene.positions = [replace(ours, position_id="999", client_id=None)]
    await scene.show_account()
    panel = (await fresh.page("/f/live/positions")).text
    assert "not by SignalFleet" in panel
    assert "See why" not in panel


async def a_full_day_of(scene: Scene) -> None:
    await scene.channel(GOLD, "Gold Room VIP")
    await scene.signal(
        Post(
            chat=GOLD,
            message=1,
            text="BUY XAUUSD SL 2643",
            ago=30,
            stop="2643",
            legs=(Leg(lots="0.10", target=None, fill="2650.10", profit="3.00"),),
        )
    )
    await scene.show_account()


async def test_a_new_user_is_told_what_will_appear_where(fresh: Site) -> None:
    said = words_of((await fresh.page("/")).text)
    assert "Nothing has arrived yet" in said
    assert "No open positions" in said
    assert "No signal yet" in said
    assert "Telegram Off" in said
    assert "Broker Not seen yet" in said
    assert "Nothing has arrived yet" in words_of((await fresh.page("/signals")).text)


async def test_a_user_without_an_account_sees_no_numbers() -> None:
    store = MemoryStore(cell=CELL)
    await store.fleet.add_user(
        UserProfile(
            user_id=USER,
            telegram_id=None,
            display_name="New",
            tier="FREE",
            timezone="Nowhere/Land",
            slot=slot(USER),
        )
    )
    async with serve(store) as site:
        await site.sign_in()
        said = words_of((await site.page("/")).text)
    assert "No account" in said
    assert "No trading account yet" in said
    assert "Times in UTC" in said


async def test_the_detail_marks_what_was_understood(home: Site) -> None:
    text = (await home.page(GOLD_PAGE)).text
    marks = re.findall(r'<mark class="role-(\w+)">([^<]+)<span class="tag"[^>]*>(.*?)</mark>', text)
    shown = [(role, value, words_of(label).strip("() ")) for role, value, label in marks]
    assert shown == [
        ("symbol", "GOLD", "Symbol"),
        ("side", "BUY", "Side"),
        ("entry", "2650.4", "Entry"),
        ("stop", "2643", "S/L"),
        ("target", "2655", "T/P 1"),
        ("target", "2662", "T/P 2"),
        ("target", "2670", "T/P 3"),
    ]


async def test_the_trace_tells_each_step_with_its_time(home: Site) -> None:
    text = (await home.page(GOLD_PAGE)).text
    steps = re.findall(r"<h3>([^<]+)</h3>", text)
    assert steps == [
        "Received", "Read", "Checked", "Sized", "Sent", "Broker answer", "Filled", "Closed",
        "Follow-ups",
    ]  # fmt: skip
    said = words_of(text)
    assert "Came live from Telegram." in said
    assert "8 of 8 passed" in said
    assert "Asked 1.00 % (104.82 USD), got 0.89 % (93.20 USD)." in said
    assert "3 orders, each once" in said
    assert "0.12 worse" in said
    assert "Take profit +17.71" in said
    assert "Result so far +17.71 USD" in said
    assert "Leg 2, stop to 2650.52, target 2662: accepted." in said
    assert f'href="/signals/{GOLD}/72"' in text
    assert len(re.findall(r'class="since"[^>]*>[+]', text)) == len(steps)


async def test_answers_are_threaded_under_their_parent(home: Site) -> None:
    said = words_of((await home.page(GOLD_PAGE)).text)
    assert "Answers to it" in said
    assert "TP1 hit, move SL to BE" in said
    answer = words_of((await home.page(f"/signals/{GOLD}/72")).text)
    assert "In answer to" in answer
    assert "Followed" in answer
    assert "Break-even: stop to 2650.52 on 2 legs." in answer
    assert "Leg 2 of XAUUSD, stop to 2650.52, target 2662: accepted." in answer


@pytest.mark.parametrize(
    ("chat", "message", "chip", "why"),
    [
        (GOLD, 70, "Not a signal", "The message is an advert."),
        (INDEX, 12, "Not a signal", "The message asks a question."),
        (INDEX, 14, "Not sure", "The message says buy and sell."),
        (INDEX, 13, "Expired", "The message was 71.3 s old, your limit is 45 s."),
        (DESK, 42, "Skipped", "is above your limit of 15 %."),
        (DESK, 43, "Working", "0.26 lot in 1 order, waiting for the price."),
    ],
)
async def test_every_message_says_why(
    home: Site, chat: int, message: int, chip: str, why: str
) -> None:
    answer = await home.page(f"/signals/{chat}/{message}")
    assert answer.status == 200
    said = words_of(answer.text)
    assert chip in said
    assert why in said


async def test_an_unknown_outcome_stands_on_top_of_every_page(fresh: Site, scene: Scene) -> None:
    await scene.channel(GOLD, "Gold Room VIP")
    await scene.signal(Post(
        chat=GOLD, message=5, text="BUY XAUUSD SL 2643", ago=12, stop="2643",
        legs=(Leg(lots="0.03", target=None, state=TradeState.OPENING,
                  intent=IntentState.UNKNOWN, reason="timeout"),),
        outcome=None,
    ))  # fmt: skip
    for path in ("/", "/signals", f"/signals/{GOLD}/5", "/copying/resume"):
        said = words_of((await fresh.page(path)).text)
        assert "We do not know yet whether this order was executed." in said
        assert "BUY 0.03 XAUUSD, checking since" in said
        assert "Nothing is sent again." in said
    detail = words_of((await fresh.page(f"/signals/{GOLD}/5")).text)
    assert "Unknown, being checked" in detail


async def test_a_rejected_leg_makes_the_copy_a_partial_one(fresh: Site, scene: Scene) -> None:
    await scene.channel(GOLD, "Gold Room VIP")
    await scene.signal(Post(
        chat=GOLD, message=6, text="BUY XAUUSD SL 2643", ago=12, stop="2643",
        legs=(
            Leg(lots="0.03", target=None, fill="2650.10"),
            Leg(lots="0.03", target=None, state=TradeState.NEVER_OPENED,
                intent=IntentState.REJECTED, reason="TRADE_RETCODE_NO_MONEY"),
        ),
    ))  # fmt: skip
    said = words_of((await fresh.page(f"/signals/{GOLD}/6")).text)
    assert "Partly copied" in said
    assert "0.03 lot in 1 order, 1 not opened." in said
    assert "There is not enough money on the account" in said


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        (BotState.SIGN_IN_NEEDED, "revoked", "Telegram ended this session"),
        (BotState.QUARANTINED, None, "held until the operator looks at it"),
        (BotState.RETRYING, None, "Trying again"),
        (BotState.STARTING, None, "Starting"),
    ],
)
async def test_the_link_is_shown_as_it_is(
    fresh: Site, scene: Scene, state: BotState, reason: str | None, words: str
) -> None:
    await scene.bot(state, ago=90, reason=reason)
    text = (await fresh.page("/")).text
    assert words in text
    assert "Listening" not in words_of(text)
    assert "1 min" in words_of(text)


async def test_old_figures_are_called_old(fresh: Site, scene: Scene) -> None:
    await scene.show_account(seen_ago=600)
    said = words_of((await fresh.page("/")).text)
    assert "The broker has not answered for a while." in said
    assert "Broker Silent" in said
    await scene.show_account(connected=False)
    said = words_of((await fresh.page("/")).text)
    assert "The broker is not connected." in said
    assert "Broker Disconnected" in said


async def test_an_edit_and_a_deletion_are_shown_with_their_times(fresh: Site, scene: Scene) -> None:
    await scene.channel(GOLD, "Gold Room VIP")
    await scene.receive(GOLD, 9, "BUY GOLD 2650 SL 2640", 100)
    await scene.receive(GOLD, 9, "BUY GOLD 2650 SL 2643", 100, edited_ago=50)
    text = (await fresh.page(f"/signals/{GOLD}/9")).text
    assert "<del>2640</del><ins>2643</ins>" in text
    assert "Edited" in words_of(text)
    await scene.delete(GOLD, 9)
    assert "BUY GOLD 2650 SL 2643" in words_of((await fresh.page("/signals")).text)
    text = (await fresh.page(f"/signals/{GOLD}/9")).text
    assert "The channel deleted this message" in text
    assert "<ins>2643</ins>" in text


async def test_the_list_can_be_narrowed(home: Site) -> None:
    copied = words_of((await home.page("/signals?show=copied")).text)
    assert "JOIN OUR VIP" not in copied
    assert "GOLD BUY NOW" in copied
    one = words_of((await home.page(f"/signals?channel={INDEX}")).text)
    assert "NAS100" in one
    assert "GBPUSD BUY LIMIT" not in one
    none = words_of((await home.page(f"/signals?show=waiting&channel={GOLD}")).text)
    assert "Nothing matches" in none
    odd = await home.page("/signals?show=%3Cscript%3E&channel=%22%3E")
    assert odd.status == 200
    assert "<script>" not in odd.text.replace("<script defer", "").replace("<script type", "")


async def test_a_signal_is_found_by_its_id(home: Site) -> None:
    signals = await home.store.user(USER).journal.recent_signals()
    one = signals[0]
    answer = await home.page(f"/signals/{one.signal_id}")
    assert answer.headers["Location"] == f"/signals/{one.chat}/{one.message}"


async def test_what_belongs_to_another_user_does_not_exist(home: Site) -> None:
    scene = Scene(store=home.store, now=WallClock().now(), user=OTHER)
    await scene.begin("Other")
    chat = ChannelId(-1009999)
    await scene.channel(chat, "Secret channel")
    signal = await scene.signal(Post(
        chat=chat, message=3, text="SELL XAUUSD SL 2660", ago=5, side=Side.SELL, stop="2660",
        outcome=CopyOutcome.SKIPPED, reason="halted",
    ))  # fmt: skip
    for path in (f"/signals/{chat}/3", f"/f/signals/{chat}/3", f"/signals/{signal}"):
        assert (await home.page(path)).status == 404
    for path in ("/", "/signals", "/f/live/signals", "/f/live/newest"):
        assert "Secret channel" not in (await home.page(path)).text


@pytest.mark.parametrize(
    "path",
    [
        "/signals/0/0",
        "/signals/1/99999999999999999999999",
        "/signals/x/y",
        "/signals/..%2f..",
        "/f/live/nothing",
        "/f/signals/1",
        f"/signals/{GOLD}/71/",
        "/signals/%00",
    ],
)
async def test_odd_addresses_are_simply_not_there(home: Site, path: str) -> None:
    assert (await home.page(path)).status == 404


HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "{{ 7*7 }} {% raw %}",
    "\u202eSELL\u202c BUY",
    "line\n\ndata: evil\nevent: bye\ndata: signed_out",
    '<div hx-get="/copying/stop" hx-trigger="load">x</div>',
    "\u2028\u2029\x0b\x0c",
)


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_texts_stay_texts(fresh: Site, scene: Scene, text: str) -> None:
    await scene.channel(GOLD, text)
    await scene.nothing(GOLD, 1, text, 30, "advert")
    await scene.nothing(GOLD, 2, "x", 20, text)
    await scene.signal(Post(
        chat=GOLD, message=3, text=f"BUY XAUUSD {text}", ago=10, symbol="XAUUSD", stop="2640",
        outcome=CopyOutcome.SKIPPED, reason=text, detail=text,
        failed={"name": text, "value": text, "limit": text, "source": text, "passed": False,
                "code": text},
    ))  # fmt: skip
    for path in ("/", "/signals", *(f"/signals/{GOLD}/{one}" for one in (1, 2, 3))):
        answer = await fresh.page(path)
        assert answer.status == 200
        for raw in ("<img", "<script>", "<svg onload", '<div hx-get="/copying', "49 "):
            assert raw not in answer.text, raw
        titles = re.findall(r"<(?:title|bdi)>([^<]*)<", answer.text)
        assert not any("\u202e" in one for one in titles)


async def test_a_trace_of_another_version_is_shown_as_far_as_it_goes(
    fresh: Site, scene: Scene
) -> None:
    await scene.channel(GOLD, "Gold Room VIP")
    await scene.signal(Post(
        chat=GOLD, message=3, text="BUY XAUUSD", ago=10, stop="2640",
        outcome=CopyOutcome.SKIPPED, reason="a_code_from_tomorrow",
        failed={"name": None, "value": 3, "limit": [1, {"a": None}]},
    ))  # fmt: skip
    said = words_of((await fresh.page(f"/signals/{GOLD}/3")).text)
    assert "A code from tomorrow" in said
