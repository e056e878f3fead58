"""News, hours, weekend, filters, other channels and exposure, through a whole bot."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from kit.builders import ACCOUNT, CHAT
from kit.clock import settle_down
from kit.fleet import GOLD_BUY, Fleet, a_fleet
from signalfleet.app.prop_packs import confirm_pack
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.ids import ChannelId
from signalfleet.domain.risk.facts import NewsEvent, NewsView
from signalfleet.domain.risk.prop_packs import build_pack
from signalfleet.domain.settings.choices import Impact
from signalfleet.domain.trading.records import TradeState

OTHER = ChannelId(CHAT - 1)


class Calendar:
    """A calendar as a test wants it."""

    def __init__(self) -> None:
        self.now = NewsView(is_configured=True)

    def view(self) -> NewsView:
        return self.now


async def reason(fleet: Fleet, number: int, chat: ChannelId = CHAT) -> str | None:
    (record,) = await fleet.mine.journal.signals_of_message(chat, type(number)(number))  # type: ignore[arg-type]
    return record.reason


async def second_channel(fleet: Fleet) -> None:
    channel = await fleet.mine.channels.get(CHAT)
    assert channel is not None
    await fleet.mine.channels.put(replace(channel, chat=OTHER, version=0))
    await settle_down(6)


class TestNews:
    async def at(self, fleet: Fleet, calendar: Calendar, minutes: float, **event: object) -> None:
        now = fleet.clock.now()
        facts = {"currency": "USD", "impact": Impact.HIGH, "title": "Payrolls", **event}
        found = NewsEvent(at=now + timedelta(minutes=minutes), **facts)  # type: ignore[arg-type]
        calendar.now = NewsView(events=(found,), read_at=now, is_configured=True)

    @pytest.mark.parametrize(
        ("minutes", "event", "expected"),
        [
            (29, {}, "news"),
            (-14, {}, "news"),
            (31, {}, None),
            (-16, {}, None),
            (5, {"currency": "EUR"}, None),
            (5, {"impact": Impact.MEDIUM}, None),
        ],
        ids=["before", "after", "early", "over", "other currency", "small"],
    )
    async def test_nothing_is_opened_around_news_of_the_symbols_currency(
        self, minutes: float, event: dict[str, object], expected: str | None
    ) -> None:
        calendar = Calendar()
        async with a_fleet(calendar=calendar) as fleet:
            await self.at(fleet, calendar, minutes, **event)
            assert await reason(fleet, await fleet.say(GOLD_BUY, wait=2)) == expected

    @pytest.mark.parametrize(
        ("choice", "expected"), [("allow", None), ("refuse", "news_blind")], ids=str
    )
    @pytest.mark.parametrize("state", ["down", "late", "malformed", "future", "ended"])
    async def test_a_calendar_that_fails_follows_the_users_choice_and_says_so(
        self, choice: str, expected: str | None, state: str
    ) -> None:
        calendar = Calendar()
        async with a_fleet(calendar=calendar) as fleet:
            now = fleet.clock.now()
            late = NewsView(read_at=now - timedelta(hours=13), is_configured=True)
            down = NewsView(trouble="it cannot be read (OSError)", is_configured=True)
            broken = NewsView(trouble="it is no valid JSON", is_configured=True)
            future = NewsView(read_at=now + timedelta(days=400), is_configured=True)
            old = NewsEvent(
                at=now - timedelta(days=8), currency="USD", impact=Impact.HIGH, title="x"
            )
            ended = NewsView(events=(old,), read_at=now, is_configured=True)
            views = {"down": down, "late": late, "malformed": broken}
            calendar.now = (views | {"future": future, "ended": ended})[state]
            await settle_down(6)
            await fleet.set_rules(news_blind=choice)
            number = await fleet.say(GOLD_BUY, wait=2)
            assert await reason(fleet, number) == expected
            kinds = [n.notice.kind for n in await fleet.mine.notices.recent()]
            assert kinds.count(NoticeKind.CALENDAR_BLIND) == 1
            doc, _ = await fleet.mine.settings.get("news")
            assert "calendar of news" in str(doc["blind"])
            rows = [
                row
                for step in await fleet.trace(number)
                if step.stage == "checked"
                for row in step.facts["checks"]  # type: ignore[attr-defined]
                if row["name"] == "news"
            ]
            assert "calendar of news" in rows[0]["value"]

    async def test_a_calendar_that_is_back_is_told_once(self) -> None:
        calendar = Calendar()
        async with a_fleet(calendar=calendar) as fleet:
            await settle_down(6)
            calendar.now = NewsView(read_at=fleet.clock.now(), is_configured=True)
            await settle_down(70)
            kinds = [n.notice.kind for n in await fleet.mine.notices.recent()]
            assert kinds.count(NoticeKind.CALENDAR_BACK) == 1

    async def test_news_never_holds_back_a_close(self) -> None:
        calendar = Calendar()
        async with a_fleet(calendar=calendar) as fleet:
            number = await fleet.say(GOLD_BUY, wait=2)
            await self.at(fleet, calendar, 1)
            await fleet.set_rules(news_blind="refuse", trading_hours="sun 00:00-00:01")
            await fleet.say("close all now", reply_to=number, wait=5)
            assert [t.state for t in await fleet.trades(number)] == [TradeState.CLOSED] * 2


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"symbols_allowed": ["EURUSD"]}, "symbol_not_allowed"),
        ({"sides_blocked": ["buy"]}, "side_blocked"),
        ({"orders_blocked": ["market", "limit"]}, "order_kind_blocked"),
        ({"ignore_phrases": ["Tp  2370".replace("  ", " ")]}, "phrase_ignored"),
        ({"trading_hours": "sat-sun 00:00-24:00"}, "closed_hours"),
        ({"trading_hours": "mon-fri 00:00-24:00"}, None),
        ({"weekend": "no_new 60"}, None),
        ({"weekend": "no_new 9000"}, "weekend"),
        ({"max_currency_risk_percent": "0.9"}, "currency_risk"),
    ],
    ids=["symbol", "side", "order", "phrase", "shut", "open", "far", "weekend", "currency"],
)
async def test_each_guard_gives_its_own_reason(
    fleet: Fleet, rules: dict[str, object], expected: str | None
) -> None:
    await fleet.set_rules(**rules)  # type: ignore[arg-type]
    assert await reason(fleet, await fleet.say(GOLD_BUY, wait=2)) == expected


async def test_copy_to_keeps_other_accounts_out(fleet: Fleet) -> None:
    await fleet.set_rules(copy_to=["a_other"])
    number = await fleet.say(GOLD_BUY, wait=2)
    assert (await fleet.message(number)).reason == "no_account"
    await fleet.set_rules(copy_to=["a_other", ACCOUNT])
    assert await reason(fleet, await fleet.say(GOLD_BUY, wait=2)) is None


@pytest.mark.parametrize(
    ("choice", "expected"), [("first_wins", "already_taken"), ("allow", None)], ids=str
)
async def test_the_same_idea_of_another_channel(
    fleet: Fleet, choice: str, expected: str | None
) -> None:
    await fleet.set_rules(cross_channel=choice)
    await second_channel(fleet)
    await fleet.say(GOLD_BUY, wait=2)
    number = await fleet.say("BUY GOLD 2351 SL 2341 TP 2361", wait=2, chat=OTHER)
    assert await reason(fleet, number, OTHER) == expected


async def test_the_days_count_of_an_account_is_a_limit_of_the_users_own(fleet: Fleet) -> None:
    await fleet.set_rules(max_trades_per_day="1")
    await fleet.say(GOLD_BUY, wait=2)
    number = await fleet.say("BUY LIMIT GOLD 2300 SL 2290 TP 2400", wait=2)
    assert await reason(fleet, number) == "day_count"


async def test_close_old_closes_the_opposite_trade_with_the_new_entry(fleet: Fleet) -> None:
    await fleet.set_rules(conflict="close_old")
    old = await fleet.say(GOLD_BUY, wait=2)
    new = await fleet.say("SELL GOLD 2350 SL 2360 TP 2340", wait=5)
    assert [t.state for t in await fleet.trades(old)] == [TradeState.CLOSED] * 2
    assert [t.state for t in await fleet.trades(new)] == [TradeState.OPEN]


async def test_a_rule_pack_is_the_strictest_and_needs_the_users_word(fleet: Fleet) -> None:
    pack = build_pack(
        "mine",
        {
            "name": "Mine",
            "source": "my contract",
            "read_on": date(2026, 1, 1),
            "daily_loss": "0.5",
            "total_loss": "8",
            "third_party_signals": "unclear",
        },
    )
    fleet.packs["mine"] = pack
    await fleet.restart()
    await fleet.set_rules(f"account:{ACCOUNT}", prop_pack="mine", daily_loss="50")
    number = await fleet.say(GOLD_BUY, wait=2)
    assert await reason(fleet, number) == "prop_signals_forbidden"
    await confirm_pack(fleet.mine, ACCOUNT, fleet.packs, fleet.clock.now())
    number = await fleet.say("BUY LIMIT GOLD 2300 SL 2290 TP 2400", wait=2)
    assert await reason(fleet, number) == "daily_loss"
    rows = [
        row
        for step in await fleet.trace(number)
        if step.stage == "checked"
        for row in step.facts["checks"]  # type: ignore[attr-defined]
        if row["code"] == "daily_loss" and not row["passed"]
    ]
    assert rows[0]["source"] == "rule pack mine"
    await fleet.set_rules(f"account:{ACCOUNT}", prop_pack="unheard-of")
    number = await fleet.say("BUY LIMIT GOLD 2280 SL 2270 TP 2400", wait=2)
    assert await reason(fleet, number) == "prop_pack_unknown"


async def test_the_margin_level_after_the_trade_is_a_limit(fleet: Fleet) -> None:
    await fleet.set_rules(min_margin_level="99000")
    assert await reason(fleet, await fleet.say(GOLD_BUY, wait=2)) == "margin_level"


async def test_before_the_weekend_everything_is_closed_where_that_is_wished(fleet: Fleet) -> None:
    number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2400", wait=2)
    await settle_down(65)
    assert [t.state for t in await fleet.trades(number)] == [TradeState.OPEN]
    await fleet.set_rules(weekend="close 9000")
    await settle_down(70)
    assert [t.state for t in await fleet.trades(number)] == [TradeState.CLOSED]
    assert "rule:weekend:close" in [i.cause for i in await fleet.intents()]
