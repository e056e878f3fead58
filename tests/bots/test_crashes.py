"""A worker that dies at any point of its work: never a second order, never a lost signal."""

import asyncio
from collections import Counter

import pytest

from kit.builders import CHAT
from kit.chat_script import a_message, posted
from kit.clock import settle_down
from kit.fleet import Fleet, a_fleet
from kit.taps import Tap
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.trading.intents import IntentState
from signalfleet.domain.trading.orders import ReducePosition
from signalfleet.domain.trading.settle import DRILL, SettleRules

SIGNAL = "BUY GOLD 2350 SL 2340 TP 2360 TP 2370"
ENTRY = 30
"""At least so many points are passed from a post to the settled orders of two legs."""


async def play(fleet: Fleet) -> None:
    """Post a signal, then move its stop, then close three quarters; as far as the worker lives."""
    number = 7
    stories = [SIGNAL, "Move SL to 2345", "Close 75%"]
    for step, text in enumerate(stories):
        message = a_message(
            CHAT, number + step, text, fleet.clock.now(), reply_to=number if step else None
        )
        fleet.source.brought.put_nowait(posted(message))
        await settle_down(2)


async def deliver_again(fleet: Fleet) -> None:
    """The next start finds by gap repair what was not stored."""
    known = {m.message.message for m in await fleet.mine.inbox.recent()}
    stories = [(7, SIGNAL, None), (8, "Move SL to 2345", 7), (9, "Close 75%", 7)]
    for number, text, reply in stories:
        if number not in known:
            message = a_message(CHAT, number, text, fleet.clock.now(), reply_to=reply)
            fleet.source.brought.put_nowait(posted(message))
            await settle_down(2)


def check_orders(fleet: Fleet, point: str) -> None:
    opened: Counter[str] = fleet.broker.opened()
    assert sorted(opened.values()) == [1, 1], (point, opened)
    held = list(fleet.broker.book.positions.values())
    assert [p.take_profit for p in held] == [Price.of("2370")], point
    assert [p.stop_loss for p in held] == [Price.of("2345")], point
    assert [p.lots for p in held] == [Lots.of("0.02")], point
    reductions = [o for o in fleet.broker.received if isinstance(o, ReducePosition)]
    assert len(reductions) == 1, point


async def one_life(stop_at: int | None) -> Tap:
    tap = Tap(stop_at)
    async with a_fleet(
        started=False, wrap_store=tap.store, wrap_broker=tap.broker, rules=DRILL
    ) as fleet:
        await fleet.set_rules(max_signal_age="300")
        await fleet.start(wait=False)
        await settle_down(1)
        await play(fleet)
        if stop_at is not None:
            assert tap.reached.is_set()
            fleet.wrap_store, fleet.wrap_broker = (lambda s: s), (lambda b: b)
            await fleet.kill()
            await fleet.start()
            await settle_down(15)
            await deliver_again(fleet)
            await settle_down(15)
        point = tap.passed[stop_at - 1] if stop_at else "no crash"
        check_orders(fleet, point)
        open_ones = [i for i in await fleet.intents() if not i.state.is_final]
        assert open_ones == [], point
    return tap


async def test_the_golden_story_without_a_crash() -> None:
    tap = await one_life(None)
    assert len(tap.passed) > ENTRY


WRITES = ("inbox.add", "journal.decide", "journal.settle", "broker.submit")


async def test_a_crash_at_any_point_leads_to_the_same_orders() -> None:
    """One life for each point round a write or a request, and for every fourth round a reading."""
    passed = (await one_life(None)).passed
    chosen = [
        number
        for number, name in enumerate(passed[:-2], start=1)
        if name.startswith(WRITES) or number % 4 == 0
    ]
    assert len(chosen) > ENTRY
    for stop_at in chosen:
        await one_life(stop_at)


@pytest.mark.parametrize("rules", [DRILL, SettleRules()], ids=["short", "live"])
async def test_a_crash_between_claim_and_sending_leaves_at_most_one_order(
    rules: SettleRules,
) -> None:
    """With the live windows an entry is too old once absence is proved: missed, not doubled."""
    tap = Tap()
    async with a_fleet(started=False, wrap_broker=tap.broker, rules=rules) as fleet:
        await fleet.set_rules(max_signal_age="45")
        await fleet.start()
        tap.stop_at = len(tap.passed) + 9_999
        hung = asyncio.Event()

        async def hang(name: str) -> None:
            if name == "broker.submit:before":
                hung.set()
                await asyncio.Event().wait()

        tap.point = hang  # type: ignore[method-assign]
        await fleet.say("BUY GOLD 2350 SL 2340 TP 2360")
        assert hung.is_set()
        fleet.wrap_broker = lambda broker: broker
        await fleet.restart()
        assert [i.state for i in await fleet.intents()] == [IntentState.UNKNOWN]
        await settle_down(150)
        expected = 1 if rules is DRILL else 0
        assert sum(fleet.broker.opened().values()) == expected
        assert [i.state.is_final for i in await fleet.intents()] == [True]
