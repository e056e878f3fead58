"""A follow-up finds the signal it answers, however many the channel has posted since."""

import pytest

from kit.fleet import GOLD_BUY, Fleet

SINCE = 24
"""More than what is read of a channel for a follow-up that answers nothing."""


async def many_signals(fleet: Fleet) -> None:
    """Let the channel announce what this user copies none of: the limit is reached."""
    for number in range(SINCE):
        await fleet.say(f"SELL GOLD 2350 SL 2360.{number:02} TP 2340.{number:02}", wait=2)


async def copy_at_most(fleet: Fleet, trades: int) -> None:
    doc, version = await fleet.mine.settings.get("user")
    limits = {
        "max_open_trades": str(trades),
        "max_open_per_symbol": str(trades),
        "max_open_risk_percent": "100",
        "duplicate_window": "0",
    }
    await fleet.mine.settings.put("user", {**doc, **limits}, version)


class TestOldSignals:
    async def test_the_close_of_an_old_trade_is_carried_out(self, fleet: Fleet) -> None:
        number = await fleet.say(GOLD_BUY, wait=2)
        await copy_at_most(fleet, 1)
        await many_signals(fleet)
        assert len(fleet.broker.book.positions) == 2, "nothing else was opened"
        await fleet.say("Close now", reply_to=number, wait=2)
        assert fleet.broker.book.positions == {}

    @pytest.mark.parametrize("text", ["Close all trades now", "Close gold"])
    async def test_what_names_no_signal_reaches_an_old_trade_too(
        self, fleet: Fleet, text: str
    ) -> None:
        await fleet.say(GOLD_BUY, wait=2)
        await copy_at_most(fleet, 1)
        await many_signals(fleet)
        await fleet.say(text, wait=2)
        assert fleet.broker.book.positions == {}

    async def test_an_answer_to_what_is_over_does_not_end_another_trade(self, fleet: Fleet) -> None:
        over = await fleet.say("BUY GOLD 2350 SL 2341 TP 2361", wait=2)
        await fleet.say("Close now", reply_to=over, wait=2)
        await fleet.say("BUY GOLD 2350 SL 2342 TP 2362", wait=2)
        await copy_at_most(fleet, 1)
        await many_signals(fleet)
        await copy_at_most(fleet, 5)
        newest = await fleet.say(GOLD_BUY, wait=2)
        held = set(fleet.broker.book.positions)
        assert await fleet.trades(newest), (await fleet.message(newest)).reason
        answer = await fleet.say("Close now", reply_to=over, wait=2)
        assert set(fleet.broker.book.positions) == held
        assert (await fleet.message(answer)).reason == "no_open_trade"


async def test_trades_of_today_count_however_many_signals_came_since(fleet: Fleet) -> None:
    doc, version = await fleet.mine.settings.get("user")
    limits = {"max_trades_per_day": "1", "duplicate_window": "0"}
    await fleet.mine.settings.put("user", {**doc, **limits}, version)
    first = await fleet.say(GOLD_BUY, wait=2)
    await fleet.say("Close now", reply_to=first, wait=2)
    said = first
    for number in range(120):
        text = f"BUY GOLD 2350 SL 2340.{number:03} TP 2360.{number:03}"
        said = await fleet.say(text, wait=0.5)
    assert (await fleet.message(said)).reason == "day_count"
    assert fleet.broker.book.positions == {}


class TestEndedCopies:
    """What was filled and is over is read once, and counts as before."""

    async def test_a_repeat_is_refused_however_often_it_comes(self, fleet: Fleet) -> None:
        first = await fleet.say(GOLD_BUY, wait=2)
        await fleet.say("Close now", reply_to=first, wait=2)
        for _ in range(2):
            again = await fleet.say(GOLD_BUY, wait=2)
            assert (await fleet.message(again)).reason == "repeat_of"
        assert fleet.broker.book.positions == {}

    async def test_trades_of_today_are_counted_after_they_have_ended(self, fleet: Fleet) -> None:
        doc, version = await fleet.mine.settings.get("user")
        limits = {**doc, "max_trades_per_day": "2", "duplicate_window": "0"}
        await fleet.mine.settings.put("user", limits, version)
        reasons = []
        for number in range(4):
            said = await fleet.say(f"BUY GOLD 2350 SL 2340 TP 236{number}", wait=2)
            reasons.append((await fleet.message(said)).reason)
            await fleet.say("Close now", reply_to=said, wait=40)
        assert reasons == [None, None, "day_count", "day_count"]
