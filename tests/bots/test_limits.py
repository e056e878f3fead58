"""Allowances of the plan and limits of losses, through a whole bot."""

from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal

import pytest

from kit.brokers import NO_MONEY
from kit.builders import ACCOUNT, USER
from kit.clock import settle_down
from kit.fleet import GOLD_BUY, Fleet
from signalfleet.app.change_tier import change_tier
from signalfleet.app.copy_states import load_states
from signalfleet.app.go_live import go_live
from signalfleet.app.watch_losses import restart_total
from signalfleet.domain.accounts.exits import ExitCause
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.trading.records import CopyOutcome, TradeState

ONE_LOOK_S = 6.0
DEEP = "BUY LIMIT GOLD {} SL {} TP 2400"


def order(level: int) -> str:
    return DEEP.format(level, level - 10)


async def reason(fleet: Fleet, number: int) -> str | None:
    (record,) = await fleet.signals(number)
    return record.reason


async def used(fleet: Fleet) -> int:
    return await fleet.mine.quota.used(
        "trades", fleet.clock.now().astimezone(UTC).date().isoformat()
    )


class TestAllowances:
    async def test_a_copy_counts_once_whatever_its_legs(self, fleet: Fleet) -> None:
        await fleet.say(GOLD_BUY, wait=2)
        assert await used(fleet) == 1

    async def test_the_plan_allows_so_many_open_positions(self, fleet: Fleet) -> None:
        await fleet.set_rules(max_open_per_symbol="10", max_open_risk_percent="50")
        numbers = [await fleet.say(order(2300 - 20 * i), wait=1) for i in range(4)]
        assert [await reason(fleet, one) for one in numbers] == [
            None,
            None,
            None,
            "quota_open_positions",
        ]
        assert await used(fleet) == 3

    async def test_the_days_trades_are_used_up(self, fleet: Fleet) -> None:
        day = fleet.clock.now().date().isoformat()
        for _ in range(9):
            await fleet.mine.quota.reserve("trades", day, 10)
        first = await fleet.say(GOLD_BUY, wait=2)
        assert await reason(fleet, first) is None
        second = await fleet.say(order(2300), wait=2)
        assert await reason(fleet, second) == "quota_trades_per_day"

    async def test_two_signals_of_one_message_do_not_share_the_last_place(
        self, fleet: Fleet
    ) -> None:
        day = fleet.clock.now().date().isoformat()
        for _ in range(9):
            await fleet.mine.quota.reserve("trades", day, 10)
        number = await fleet.say(
            "BUY GOLD 2350\nSL 2340\nTP 2360\n\nBUY EURUSD 1.1000\nSL 1.0950\nTP 1.1100", wait=2
        )
        reasons = sorted(str(copy.reason) for copy in await fleet.copies(number))
        assert reasons == ["None", "quota_trades_per_day"]

    async def test_a_copy_that_never_opened_is_given_back_once(self, fleet: Fleet) -> None:
        fleet.broker.answers.extend([NO_MONEY, NO_MONEY])
        number = await fleet.say(GOLD_BUY, wait=5)
        (copy,) = await fleet.copies(number)
        assert copy.outcome is CopyOutcome.REJECTED
        assert await used(fleet) == 0
        await fleet.say(order(2300), wait=2)
        await fleet.restart()
        await settle_down(60)
        assert await used(fleet) == 1

    async def test_too_many_channels_after_a_downgrade_open_nothing(self, fleet: Fleet) -> None:
        channel = (await fleet.mine.channels.list())[0]
        for extra in (1, 2):
            added = replace(channel, chat=type(channel.chat)(channel.chat - extra), version=0)
            await fleet.mine.channels.put(added)
        number = await fleet.say(GOLD_BUY, wait=2)
        assert await reason(fleet, number) == "quota_channels"

    async def test_another_plan_counts_for_a_running_bot_within_one_look(
        self, fleet: Fleet
    ) -> None:
        channel = (await fleet.mine.channels.list())[0]
        for extra in (1, 2):
            added = replace(channel, chat=type(channel.chat)(channel.chat - extra), version=0)
            await fleet.mine.channels.put(added)
        clock = fleet.clock
        assert await change_tier(fleet.store, clock, USER, "PREMIUM")
        assert not await change_tier(fleet.store, clock, USER, "PREMIUM")
        await settle_down(ONE_LOOK_S)
        assert await reason(fleet, await fleet.say(GOLD_BUY, wait=2)) is None
        await change_tier(fleet.store, clock, USER, "FREE")
        await settle_down(ONE_LOOK_S)
        number = await fleet.say(order(2300), wait=2)
        assert await reason(fleet, number) == "quota_channels"
        (exit_begun,) = (await load_states(fleet.mine.settings)).exits.values()
        assert exit_begun.cause is ExitCause.PLAN
        changes = [row.entry for row in await fleet.mine.events.list()]
        assert [(one.actor, one.action, one.facts["after"]) for one in changes] == [
            ("operator", "tier_changed", "PREMIUM"),
            ("operator", "tier_changed", "FREE"),
        ]

    async def test_a_place_that_another_process_took_is_seen_at_the_claim(
        self, fleet: Fleet
    ) -> None:
        """The bot has read that nine are left; by the time of the claim none is."""
        assert await reason(fleet, await fleet.say(GOLD_BUY, wait=2)) is None
        for _ in range(9):
            await fleet.mine.quota.reserve("trades", fleet.clock.now().date().isoformat(), 10)
        second = await fleet.say(order(2300), wait=2)
        assert await fleet.signals(second) == ()
        await settle_down(ONE_LOOK_S)
        assert await reason(fleet, second) == "quota_trades_per_day"
        assert await used(fleet) == 10


class TestLosses:
    async def test_the_worst_case_counts_before_the_order(self, fleet: Fleet) -> None:
        await fleet.set_rules(daily_loss="1.5", max_open_per_symbol="9")
        await settle_down(31)
        first = await fleet.say(GOLD_BUY, wait=2)
        second = await fleet.say(order(2300), wait=2)
        assert await reason(fleet, first) is None
        assert await reason(fleet, second) == "daily_loss"
        (check,) = [
            row
            for step in await fleet.trace(second)
            if step.stage == "checked"
            for row in step.facts["checks"]  # type: ignore[attr-defined]
            if not row["passed"]
        ]
        assert check["source"] == "your default"
        assert check["limit"] == "1.5 %"
        assert "% of 10000" in check["value"]

    async def test_a_limit_that_was_reached_holds_after_a_restart_until_the_next_day(
        self, fleet: Fleet
    ) -> None:
        await fleet.set_rules(daily_loss="1.2", max_risk_percent="2")
        number = await fleet.say(GOLD_BUY, wait=35)
        fleet.broker.price("2337.00", "2337.10")
        await settle_down(35)
        assert [t.state for t in await fleet.trades(number)] == [TradeState.CLOSED] * 2
        await fleet.restart()
        fleet.broker.price("2349.90", "2350.00")
        refused = await fleet.say(order(2300), wait=2)
        assert await reason(fleet, refused) == "daily_loss"
        kinds = [n.notice.kind for n in await fleet.mine.notices.recent()]
        assert NoticeKind.GUARD_REACHED in kinds or NoticeKind.GUARD_NEAR in kinds
        await settle_down(timedelta(days=1).total_seconds())
        again = await fleet.say(order(2290), wait=2)
        assert await reason(fleet, again) is None

    async def test_close_all_closes_what_is_open(self, fleet: Fleet) -> None:
        await fleet.set_rules(daily_loss="1.1", loss_action="close_all")
        await settle_down(31)
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2400", wait=2)
        await fleet.set_rules(daily_loss="0.5", loss_action="close_all")
        fleet.broker.price("2343.00", "2343.10")
        await settle_down(60)
        assert [t.state for t in await fleet.trades(number)] == [TradeState.CLOSED]
        assert [i.cause for i in await fleet.intents() if i.cause.startswith("rule:")] == [
            "rule:limit:close"
        ]

    async def test_money_that_was_paid_out_is_no_loss_also_where_its_row_comes_late(
        self, fleet: Fleet
    ) -> None:
        await fleet.set_rules(daily_loss="5 %, 200 money", loss_action="close_all")
        await settle_down(31)
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2400", wait=35)
        fleet.broker.history_hidden = True
        fleet.broker.exchange.deposit(fleet.broker.book.account, Decimal(-3_000), fleet.clock.now())
        await settle_down(90)
        fleet.broker.history_hidden = False
        await settle_down(300)
        assert [t.state for t in await fleet.trades(number)] == [TradeState.OPEN]
        assert await reason(fleet, await fleet.say(order(2300), wait=2)) is None

    async def test_a_balance_that_nothing_explains_counts_as_lost_in_the_end(
        self, fleet: Fleet
    ) -> None:
        await fleet.set_rules(daily_loss="5 %", loss_action="close_all")
        await settle_down(31)
        number = await fleet.say("BUY GOLD 2350 SL 2340 TP 2400", wait=35)
        fleet.broker.history_hidden = True
        fleet.broker.exchange.deposit(fleet.broker.book.account, Decimal(-3_000), fleet.clock.now())
        await settle_down(300)
        assert [t.state for t in await fleet.trades(number)] == [TradeState.CLOSED]

    async def test_the_loss_in_all_waits_for_the_user(self, fleet: Fleet) -> None:
        await fleet.set_rules(total_drawdown="0.5", risk_percent="0.4")
        number = await fleet.say(GOLD_BUY, wait=35)
        fleet.broker.price("2337.00", "2337.10")
        await settle_down(35)
        fleet.broker.price("2349.90", "2350.00")
        assert [t.state for t in await fleet.trades(number)] == [TradeState.CLOSED] * 2
        assert await reason(fleet, await fleet.say(order(2300), wait=2)) == "total_drawdown"
        await restart_total(fleet.mine, ACCOUNT)
        assert await reason(fleet, await fleet.say(order(2280), wait=2)) is None

    @pytest.mark.parametrize(
        ("limit", "expected"), [("9950", "equity_stop"), ("9000", None)], ids=["below", "above"]
    )
    async def test_the_equity_never_falls_below_the_stop_by_plan(
        self, fleet: Fleet, limit: str, expected: str | None
    ) -> None:
        await fleet.set_rules(equity_stop=limit)
        assert await reason(fleet, await fleet.say(GOLD_BUY, wait=2)) == expected

    async def test_a_row_of_losses_pauses_for_a_while(self, fleet: Fleet) -> None:
        await fleet.set_rules(loss_streak="1", loss_streak_pause="2")
        await fleet.say(GOLD_BUY, wait=2)
        fleet.broker.price("2337.00", "2337.10")
        await settle_down(35)
        fleet.broker.price("2349.90", "2350.00")
        assert await reason(fleet, await fleet.say(order(2300), wait=2)) == "loss_streak"
        await settle_down(2 * 3600)
        assert await reason(fleet, await fleet.say(order(2280), wait=2)) is None

    async def test_an_unknown_zone_opens_nothing(self, fleet: Fleet) -> None:
        await fleet.set_rules(time_zone="Mars/Base", daily_loss="5")
        assert await reason(fleet, await fleet.say(GOLD_BUY, wait=2)) == "zone_unknown"


async def test_a_live_account_needs_a_limit_of_losses_and_its_users_word(fleet: Fleet) -> None:
    account = await fleet.mine.accounts.get(ACCOUNT)
    assert account is not None
    await fleet.mine.accounts.put(replace(account, mode="LIVE"))
    await settle_down(40)
    assert await reason(fleet, await fleet.say(GOLD_BUY, wait=2)) == "loss_limit_missing"
    await fleet.set_rules(daily_loss="5")
    assert await reason(fleet, await fleet.say(order(2320), wait=2)) == "live_not_confirmed"
    await go_live(fleet.mine, ACCOUNT, "50011789", {}, fleet.clock.now())
    number = await fleet.say(order(2300), wait=2)
    assert await reason(fleet, number) is None
    assert sum((c.budget for c in await fleet.copies(number)), Decimal(0)) <= 100


async def test_the_user_is_told_when_the_days_trades_run_out(fleet: Fleet) -> None:
    day = fleet.clock.now().date().isoformat()
    for _ in range(7):
        await fleet.mine.quota.reserve("trades", day, 10)
    await fleet.set_rules(max_open_per_symbol="10", max_open_risk_percent="50")
    for number in range(3):
        await fleet.say(order(2300 - 20 * number), wait=1)
    kinds = [n.notice.kind for n in await fleet.mine.notices.recent()]
    assert kinds.count(NoticeKind.QUOTA_NEAR) == 1
    assert kinds.count(NoticeKind.QUOTA_REACHED) == 1
