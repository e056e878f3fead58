"""What is known of a channel changes how its messages are read, on the whole path."""

from typing import Any

import pytest

from kit.builders import CHAT
from kit.fleet import GOLD_BUY, GOLD_LIMIT, Fleet
from signalfleet.app.watch_layouts import from_document, scope
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.money import Price
from signalfleet.domain.signals.model import OrderKind
from signalfleet.ports.inbox import MessageState
from signalfleet.ports.notices import StoredNotice

ZAP = {
    "name": "zap",
    "pattern": r"zap (?P<side>\w+) x(?P<sl>[\d.]+) o(?P<tp>[\d.]+)",
    "action": "open",
    "symbol": "XAUUSD",
    "matches": ["zap long x2340 o2360"],
}


async def profile(fleet: Fleet, **doc: Any) -> None:
    await fleet.set_rules(f"channel:{CHAT}", profile=doc)


async def test_a_channels_own_words_and_symbol_open_a_trade(fleet: Fleet) -> None:
    text = "ZAP 2350 guard 2340 TP 2360"
    before = await fleet.say(text)
    assert await fleet.signals(before) == ()
    await profile(
        fleet, version=3, default_symbol="XAUUSD", keywords={"buy": ["zap"], "stop": ["guard"]}
    )
    number = await fleet.say(text, wait=2)
    (record,) = await fleet.signals(number)
    assert (record.reading.symbol, record.reading.stop) == ("XAUUSD", Price.of("2340"))
    assert len(fleet.broker.entries) == 1
    read = next(step for step in await fleet.trace(number) if step.stage == "read")
    assert read.facts["profile"] == 3


async def test_a_users_rule_opens_what_the_grammar_cannot_read(fleet: Fleet) -> None:
    assert await fleet.signals(await fleet.say("zap long x2340 o2360")) == ()
    await profile(fleet, rules=[ZAP])
    number = await fleet.say("zap long x2340 o2360", wait=2)
    assert len(await fleet.signals(number)) == 1
    assert [order.stop_loss for order in fleet.broker.entries] == [Price.of("2340")]


async def test_ignored_words_silence_a_message_and_settings_stay_beside_the_profile(
    fleet: Fleet,
) -> None:
    await fleet.set_rules(
        f"channel:{CHAT}", symbols_blocked=["XAUUSD"], profile={"ignore_words": ["swing"]}
    )
    ignored = await fleet.say(f"Swing: {GOLD_BUY}")
    assert (await fleet.message(ignored)).reason == "ignored_by_channel_rule"
    read = await fleet.say(GOLD_BUY, wait=2)
    assert (await fleet.message(read)).reason == "symbol_blocked"


async def test_a_profile_that_is_changed_holds_for_the_next_message(fleet: Fleet) -> None:
    await profile(fleet, version=1, ignore_words=["swing"])
    await fleet.say(f"Swing: {GOLD_BUY}", wait=2)
    assert fleet.broker.received == []
    await profile(fleet, version=2)
    await fleet.say(f"Swing: {GOLD_BUY}", wait=2)
    assert len(fleet.broker.entries) == 2


async def test_without_a_price_a_signal_waits_where_the_profile_says_so(fleet: Fleet) -> None:
    await profile(fleet, no_price_means_market=False)
    held = await fleet.say("BUY GOLD SL 2340 TP 2360", wait=160)
    assert (await fleet.message(held)).reason == "no_price"
    assert fleet.broker.received == []
    await fleet.say(GOLD_BUY, wait=2)
    assert len(fleet.broker.entries) == 2


async def test_a_stop_in_pips_is_measured_as_the_channel_means_it(fleet: Fleet) -> None:
    await profile(fleet, pip_size={"XAUUSD": "1"})
    await fleet.say("BUY GOLD 2350 SL 10 pips TP 2390", wait=2)
    assert [order.stop_loss for order in fleet.broker.entries] == [Price.of("2340")]


async def test_a_profile_that_cannot_be_used_stops_the_reading(fleet: Fleet) -> None:
    await profile(fleet, rules=[{"name": "x", "pattern": "(", "action": "open"}])
    number = await fleet.say(GOLD_BUY, wait=2)
    stored = await fleet.message(number)
    assert (stored.state, stored.reason) == (MessageState.DONE, "profile_unreadable")
    assert fleet.broker.received == []


async def test_patterns_are_compiled_once_for_each_version(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    real = type(fleet.services().patterns).compile

    def counted(self: object, source: str) -> object:
        compiled.append(source)
        return real(self, source)  # type: ignore[arg-type]

    monkeypatch.setattr(type(fleet.services().patterns), "compile", counted)
    await profile(fleet, rules=[ZAP])
    for _ in range(4):
        await fleet.say("Good morning traders")
    assert len(compiled) == 1


async def test_the_end_that_a_channel_states_travels_with_the_order(fleet: Fleet) -> None:
    number = await fleet.say(f"{GOLD_LIMIT}\nValid for 2 hours", wait=2)
    (order,) = fleet.broker.entries
    posted = (await fleet.message(number)).message.posted_at
    assert order.kind is OrderKind.LIMIT
    assert order.expires_at is not None
    assert (order.expires_at - posted).total_seconds() == 7_200


async def notices(fleet: Fleet) -> list[StoredNotice]:
    """Return what was told besides what happened to trades."""
    trading = {NoticeKind.TRADE_OPENED, NoticeKind.TRADE_REFUSED, NoticeKind.TRADE_HELD}
    return [n for n in await fleet.mine.notices.recent(30) if n.notice.kind not in trading]


class TestTurnedSignals:
    async def test_an_edit_that_turns_the_signal_round_changes_nothing_and_is_told(
        self, fleet: Fleet
    ) -> None:
        number = await fleet.say(GOLD_BUY, wait=2)
        sent = len(fleet.broker.received)
        await fleet.edit(number, "SELL GOLD 2350 SL 2360 TP 2340", wait=2)
        assert len(fleet.broker.received) == sent
        assert (await fleet.message(number, rev=1)).reason == "side_flipped"
        (notice,) = await notices(fleet)
        assert notice.notice.kind is NoticeKind.FOLLOW_UP_NOT_APPLIED

    async def test_an_edit_to_another_symbol_opens_nothing(self, fleet: Fleet) -> None:
        number = await fleet.say(GOLD_BUY, wait=2)
        sent = len(fleet.broker.received)
        await fleet.edit(number, "BUY EURUSD 1.1000 SL 1.0950 TP 1.1100", wait=2)
        assert len(fleet.broker.received) == sent
        assert (await fleet.message(number, rev=1)).reason == "symbol_conflict"


class TestLayouts:
    async def usual(self, fleet: Fleet, count: int) -> None:
        for number in range(count):
            await fleet.say(f"BUY GOLD {2350 + number} SL 2340 TP 2360 TP 2370", wait=0.01)

    async def unusual(self, fleet: Fleet) -> list[int]:
        texts = [
            "Gold\nentry 2351\nwe buy\ntarget 2361\nstop 2341",
            "SL 2341, TP 2362, buy gold at 2352",
            "TP1 2363\nTP2 2373\nSL 2343\nGOLD BUY",
        ]
        return [await fleet.say(text, wait=0.5) for text in texts]

    async def test_a_channel_that_writes_in_a_new_way_is_held_and_told_until_the_user_looked(
        self, fleet: Fleet
    ) -> None:
        await fleet.set_rules(symbols_blocked=["XAUUSD"])
        await self.usual(fleet, 22)
        first, _, third = await self.unusual(fleet)
        assert (await fleet.message(first)).reason == "symbol_blocked"
        assert (await fleet.message(third)).reason == "new_layout"
        (notice,) = await notices(fleet)
        assert (notice.notice.kind, notice.notice.facts["message"]) == (
            NoticeKind.FORMAT_DRIFT,
            third,
        )
        assert fleet.metrics.labels_of("signalfleet_parse_drift_total") == [{}]
        usual = await fleet.say(GOLD_BUY)
        assert (await fleet.message(usual)).reason == "symbol_blocked"
        watch = from_document((await fleet.mine.settings.get(scope(CHAT)))[0])
        strange = sorted(name for name in watch.habit.layouts if watch.habit.is_strange(name))
        await profile(fleet, version=2, layouts=strange, layouts_at=watch.habit.total)
        again = (await self.unusual(fleet))[2]
        assert (await fleet.message(again)).reason == "symbol_blocked"

    async def test_the_counts_survive_a_restart(self, fleet: Fleet) -> None:
        await fleet.set_rules(symbols_blocked=["XAUUSD"])
        await self.usual(fleet, 22)
        await fleet.restart()
        third = (await self.unusual(fleet))[2]
        assert (await fleet.message(third)).reason == "new_layout"

    async def test_a_message_is_counted_once_and_chatter_is_not(self, fleet: Fleet) -> None:
        await fleet.set_rules(symbols_blocked=["XAUUSD"])
        number = await fleet.say(GOLD_BUY)
        await fleet.edit(number, GOLD_BUY.replace("2340", "2341"))
        await fleet.say("Good morning traders")
        watch = from_document((await fleet.mine.settings.get(scope(CHAT)))[0])
        assert watch.habit.total == 1


async def test_a_signal_goes_out_although_its_layout_cannot_be_counted(fleet: Fleet) -> None:
    await fleet.say("BUY GOLD 2350 SL 2360 TP 2340")
    _, version = await fleet.mine.settings.get(scope(CHAT))
    await fleet.mine.settings.put(scope(CHAT), {}, version)
    await fleet.say(GOLD_BUY, wait=2)
    assert len(fleet.broker.entries) == 2
