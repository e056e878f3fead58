"""Which intent goes out next: protective first, one for each trade, within the limits."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kit.builders import a_trade, after, an_entry, an_intent
from kit.clock import settle_down
from signalfleet.bots.dispatch import CALLS, ENTRY_CALLS, Dispatcher
from signalfleet.domain.trading.intents import CloseLeg, Intent, Lane, ProtectLeg
from signalfleet.domain.trading.records import Trade

PROTECT = ProtectLeg(stop_loss=None, take_profit=None)


class Desk:
    """Executes nothing and remembers the order; each intent ends when it is told to."""

    def __init__(self) -> None:
        self.begun: list[Intent] = []
        self.most: dict[str, int] = {"all": 0, "entries": 0}
        self._ends: dict[str, asyncio.Event] = {}
        self._running: list[Intent] = []
        self.dispatcher = Dispatcher(self.execute)

    async def execute(self, intent: Intent) -> None:
        self.begun.append(intent)
        self._running.append(intent)
        entries = sum(1 for one in self._running if one.lane is Lane.ENTRY)
        self.most["all"] = max(self.most["all"], len(self._running))
        self.most["entries"] = max(self.most["entries"], entries)
        trades = [one.trade for one in self._running]
        assert len(set(trades)) == len(trades), "two requests of one trade at once"
        await self._ends.setdefault(intent.intent_id, asyncio.Event()).wait()
        self._running.remove(intent)

    async def finish(self, *intents: Intent) -> None:
        for intent in intents:
            self._ends.setdefault(intent.intent_id, asyncio.Event()).set()
        await settle_down()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    running = asyncio.create_task(desk.dispatcher.run())
    await settle_down()
    yield desk
    running.cancel()
    await asyncio.wait([running])


def entries(count: int, first: int = 1) -> list[Intent]:
    return [an_entry(a_trade(leg)) for leg in range(first, first + count)]


def close(trade: Trade, at: float = 1) -> Intent:
    return an_intent(trade, CloseLeg(), created_at=after(at))


async def test_one_call_is_kept_for_protective_intents(desk: Desk) -> None:
    desk.dispatcher.add(entries(10))
    await settle_down()
    assert len(desk.begun) == ENTRY_CALLS
    protective = [close(a_trade(leg)) for leg in (20, 21)]
    desk.dispatcher.add(protective)
    await settle_down()
    assert desk.begun[ENTRY_CALLS:] == protective[: CALLS - ENTRY_CALLS]


async def test_a_protective_intent_overtakes_every_waiting_entry(desk: Desk) -> None:
    waiting = entries(20)
    desk.dispatcher.add(waiting)
    await settle_down()
    shields = [close(a_trade(leg), at=99) for leg in (30, 31, 32)]
    desk.dispatcher.add(shields)
    await desk.finish(*waiting[:2])
    assert desk.begun[3:6] == shields


async def test_intents_of_one_trade_go_one_after_another_in_their_order(desk: Desk) -> None:
    trade = a_trade(1)
    chain = [
        an_intent(trade, PROTECT, cause="first"),
        an_intent(trade, PROTECT, cause="second", created_at=after(1)),
        close(trade, 2),
    ]
    desk.dispatcher.add(reversed(chain))
    await settle_down()
    for at, intent in enumerate(chain, start=1):
        assert desk.begun == chain[:at]
        await desk.finish(intent)


async def test_a_busy_trade_does_not_hold_up_others(desk: Desk) -> None:
    busy = close(a_trade(1))
    desk.dispatcher.add([busy])
    await settle_down()
    behind, other = an_intent(a_trade(1), PROTECT), close(a_trade(2))
    desk.dispatcher.add([behind, other])
    await settle_down()
    assert desk.begun == [busy, other]


async def test_what_waits_or_runs_is_not_taken_twice(desk: Desk) -> None:
    five = entries(5)
    desk.dispatcher.add(five)
    desk.dispatcher.add(five)
    await settle_down()
    desk.dispatcher.add(five)
    assert desk.dispatcher.in_flight() == {intent.intent_id for intent in five}
    await desk.finish(*five)
    await desk.finish()
    assert sorted(i.intent_id for i in desk.begun) == sorted(i.intent_id for i in five)
    assert desk.dispatcher.in_flight() == frozenset()


async def test_nothing_is_dropped_and_no_limit_is_passed(desk: Desk) -> None:
    mixed = [*entries(30), *(close(a_trade(leg)) for leg in range(20, 50))]
    desk.dispatcher.add(mixed)
    await desk.finish(*mixed)
    await desk.finish()
    assert sorted(i.intent_id for i in desk.begun) == sorted(i.intent_id for i in mixed)
    assert desk.most["all"] <= CALLS
    assert desk.most["entries"] <= ENTRY_CALLS


async def test_draining_waits_for_what_runs_and_begins_nothing(desk: Desk) -> None:
    five = entries(5)
    desk.dispatcher.add(five)
    await settle_down()
    draining = asyncio.create_task(desk.dispatcher.drain())
    await settle_down()
    assert not draining.done()
    await desk.finish(*five[:3])
    assert draining.done()
    assert len(desk.begun) == 3
    assert [i.intent_id for i in desk.dispatcher.waiting()] == [i.intent_id for i in five[3:]]


async def test_an_idle_dispatcher_drains_at_once(desk: Desk) -> None:
    await desk.dispatcher.drain()


async def test_an_unexpected_failure_ends_the_run() -> None:
    async def fail(intent: Intent) -> None:
        raise KeyError(intent.intent_id)

    dispatcher = Dispatcher(fail)
    dispatcher.add(entries(1))
    with pytest.raises(ExceptionGroup) as ended:
        await dispatcher.run()
    assert ended.group_contains(KeyError)
    assert dispatcher.in_flight() == frozenset()
