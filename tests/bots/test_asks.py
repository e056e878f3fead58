"""Signals that ask first: held, answered once, planned again at the tap."""

import asyncio

from kit.builders import CHAT, USER
from kit.clock import settle_down
from kit.fleet import GOLD_BUY, Fleet
from signalfleet.app.asks import answer_ask, load_asks, open_asks
from signalfleet.domain.accounts.asks import Answer, Answered, Ask
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.trading.records import CopyOutcome, TradeState
from signalfleet.ports.bus import WorkItem
from signalfleet.ports.inbox import MessageState
from signalfleet.ports.store import CopyMode


async def asked(fleet: Fleet) -> Ask:
    (ask,) = await open_asks(fleet.mine, fleet.clock.now())
    return ask


async def tap(fleet: Fleet, ask: Ask, answer: Answer, *, wait: float = 1.0) -> Answered:
    told = await answer_ask(fleet.mine, str(ask.key), answer, fleet.clock.now())
    await fleet.bus.publish_work(WorkItem(user=USER, kind="cmd", key=f"ask:{ask.key}"))
    await settle_down(wait)
    return told


async def test_nothing_is_sent_until_the_answer_and_the_money_is_shown(fleet: Fleet) -> None:
    await fleet.set_mode(CopyMode.APPROVE)
    number = await fleet.say(GOLD_BUY, wait=2)
    ask = await asked(fleet)
    assert fleet.broker.received == []
    assert ask.plans[0].risk == "100.00 USD"
    assert len(ask.plans[0].orders) == 2
    assert (await fleet.message(number)).state is MessageState.NEW
    assert NoticeKind.TRADE_HELD in [n.notice.kind for n in await fleet.mine.notices.recent()]


async def test_an_approved_signal_is_sent_with_the_age_of_the_tap(fleet: Fleet) -> None:
    await fleet.set_mode(CopyMode.APPROVE)
    number = await fleet.say(GOLD_BUY, wait=90)
    assert await tap(fleet, await asked(fleet), Answer.APPROVE) is Answered.TAKEN
    assert [t.state for t in await fleet.trades(number)] == [TradeState.OPEN] * 2
    (record,) = await fleet.signals(number)
    assert record.posted_at == (await fleet.message(number)).message.posted_at


async def test_many_taps_at_once_are_one_plan(fleet: Fleet) -> None:
    await fleet.set_mode(CopyMode.APPROVE)
    await fleet.say(GOLD_BUY, wait=2)
    ask = await asked(fleet)
    told = []

    async def one_tap() -> None:
        told.append(await tap(fleet, ask, Answer.APPROVE, wait=0.5))

    async with asyncio.TaskGroup() as taps:
        for _ in range(5):
            taps.create_task(one_tap())
    assert sorted(told) == [Answered.ALREADY] * 4 + [Answered.TAKEN]
    await fleet.restart()
    await settle_down(60)
    assert len(fleet.broker.entries) == 2


async def test_skipped_is_final_also_for_an_edit(fleet: Fleet) -> None:
    await fleet.set_mode(CopyMode.APPROVE)
    number = await fleet.say(GOLD_BUY, wait=2)
    await tap(fleet, await asked(fleet), Answer.SKIP)
    (record,) = await fleet.signals(number)
    assert (record.outcome, record.reason) == (CopyOutcome.SKIPPED, "skipped_by_you")
    await fleet.edit(number, GOLD_BUY + " TP 2380", wait=5)
    assert await open_asks(fleet.mine, fleet.clock.now()) == []
    assert fleet.broker.received == []


async def test_no_answer_in_time_sends_nothing_and_a_late_tap_does_nothing(fleet: Fleet) -> None:
    await fleet.set_rules(approval_ttl="30")
    await fleet.set_mode(CopyMode.APPROVE)
    number = await fleet.say(GOLD_BUY, wait=2)
    ask = await asked(fleet)
    await settle_down(65)
    (record,) = await fleet.signals(number)
    assert (record.outcome, record.reason) == (CopyOutcome.EXPIRED, "no_answer")
    assert await tap(fleet, ask, Answer.APPROVE) is Answered.TOO_LATE
    assert fleet.broker.received == []


async def test_all_guards_run_again_at_the_tap(fleet: Fleet) -> None:
    await fleet.set_mode(CopyMode.APPROVE)
    number = await fleet.say(GOLD_BUY, wait=5)
    fleet.broker.price("2361.00", "2361.10")
    await tap(fleet, await asked(fleet), Answer.APPROVE)
    (record,) = await fleet.signals(number)
    assert (record.outcome, record.reason) == (CopyOutcome.SKIPPED, "tp_passed")
    assert fleet.broker.entries == []


async def test_what_a_guard_refuses_is_not_asked(fleet: Fleet) -> None:
    await fleet.set_mode(CopyMode.APPROVE)
    await fleet.set_rules(symbols_blocked=["XAUUSD"])
    number = await fleet.say(GOLD_BUY, wait=2)
    (record,) = await fleet.signals(number)
    assert record.reason == "symbol_blocked"
    assert (await load_asks(fleet.mine.settings)).asks == ()


async def test_a_deleted_message_takes_its_question_along(fleet: Fleet) -> None:
    await fleet.set_mode(CopyMode.APPROVE)
    number = await fleet.say(GOLD_BUY, wait=2)
    ask = await asked(fleet)
    await fleet.delete(number, wait=2)
    assert await open_asks(fleet.mine, fleet.clock.now()) == []
    await tap(fleet, ask, Answer.APPROVE, wait=5)
    assert fleet.broker.received == []


async def test_stop_holds_also_against_a_tap(fleet: Fleet) -> None:
    await fleet.set_mode(CopyMode.APPROVE)
    number = await fleet.say(GOLD_BUY, wait=2)
    ask = await asked(fleet)
    await fleet.mine.bot.set_halted(halted=True)
    await settle_down(6)
    await tap(fleet, ask, Answer.APPROVE)
    (record,) = await fleet.signals(number)
    assert record.reason == "halted"
    assert fleet.broker.received == []


async def test_an_instruction_about_open_trades_does_not_wait_for_an_answer(fleet: Fleet) -> None:
    first = await fleet.say(GOLD_BUY, wait=2)
    await fleet.set_mode(CopyMode.APPROVE)
    await settle_down(6)
    await fleet.say("close half", reply_to=first, wait=3)
    assert await fleet.mine.channels.get(CHAT) is not None
    volumes = {t.state for t in await fleet.trades(first)}
    assert volumes == {TradeState.OPEN, TradeState.CLOSED}
