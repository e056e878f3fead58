"""A journal that remembers what is in play answers like the store, whatever was written."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.clock import LoopClock
from kit.store_rows import CELL, ME, NOW, Rows, a_batch, a_post, a_profile, key
from signalfleet.adapters.memory import MemoryStore
from signalfleet.app.claim_slots import claim_slots
from signalfleet.app.kept_journal import OVER_AFTER_S, KeptJournal
from signalfleet.domain.ids import MessageId
from signalfleet.domain.trading.intents import Intent, IntentState
from signalfleet.domain.trading.records import (
    Copy,
    CopyOutcome,
    Decision,
    Settlement,
    Trade,
    TradeState,
)
from signalfleet.ports.errors import FencedError, StoreInDoubtError, StoreUnavailableError
from signalfleet.ports.store import OrderJournal, UserStore

ROWS = Rows(user=ME)
MESSAGES = 4
LEGS = 2


class Spy:
    """The store's journal, which counts what it is asked and fails as told."""

    def __init__(self, journal: OrderJournal) -> None:
        self._journal = journal
        self.reads = 0
        self.fails: Exception | None = None
        self.loses: Exception | None = None
        """Raised after the write was done."""
        self.hold: asyncio.Event | None = None
        self.hold_reads: asyncio.Event | None = None
        self.hold_writes: asyncio.Event | None = None
        """Keeps writes from reaching the store."""

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._journal, name)

        async def call(*args: Any) -> Any:
            is_write = name in ("decide", "settle")
            self.reads += not is_write
            if is_write and self.fails is not None:
                raise self.fails
            if is_write and self.hold_writes is not None:
                await self.hold_writes.wait()
            found = await method(*args)
            if name == "open_intents" and self.hold_reads is not None:
                await self.hold_reads.wait()
            if is_write and self.hold is not None:
                await self.hold.wait()
            if is_write and self.loses is not None:
                raise self.loses
            return found

        return call


@dataclass(slots=True)
class Scene:
    mine: UserStore
    epoch: int
    spy: Spy
    clock: LoopClock
    kept: KeptJournal

    @classmethod
    async def open(cls) -> "Scene":
        store = MemoryStore(cell=CELL)
        await store.fleet.add_user(a_profile(ME))
        epoch = await claim_slots(store.fleet, CELL, [a_profile(ME).slot], "w1")
        mine = store.user(ME)
        for message in range(1, MESSAGES + 1):
            await mine.inbox.add(a_batch(a_post(message)), NOW, epoch)
        spy, clock = Spy(mine.journal), LoopClock()
        return cls(mine, epoch, spy, clock, KeptJournal(spy, clock, lambda: None))  # type: ignore[arg-type]

    async def decide(self, message: int) -> None:
        await self.kept.decide(ROWS.decision(message, legs=LEGS), self.epoch)

    async def settle(self, **rows: Any) -> None:
        await self.kept.settle(Settlement(**rows), self.epoch)

    async def answers(self, journal: Any) -> list[Any]:
        signals = [ROWS.signal_id(message) for message in range(MESSAGES, 0, -1)]
        trades = [one.trade_id for one in await self.mine.journal.trades_of_signals(signals)]
        intents = await self.mine.journal.intents_of_trades(trades)
        return [
            await journal.live_trades(),
            await journal.live_trades(ROWS.trade().account),
            await journal.open_intents(),
            # Of several signals the order is the store's own affair.
            sorted(await journal.trades_of_signals(signals), key=lambda one: one.trade_id),
            sorted(await journal.copies_of_signals([*signals, *signals]), key=copy_key),
            [await journal.trades_of_signals([signal]) for signal in signals],
            await journal.intents_of_trades(trades),
            await journal.get_intents([one.intent_id for one in intents]),
            [await journal.intents_of_trades([trade]) for trade in trades],
            [await journal.get_trade(trade) for trade in trades],
            [await journal.get_signal(signal) for signal in signals],
            await journal.recent_signals(),
            await journal.signals_of_message(key().chat, MessageId(1)),
        ]

    async def agree(self) -> None:
        assert await self.answers(self.kept) == await self.answers(self.mine.journal)


def copy_key(copy: Copy) -> tuple[str, str]:
    return copy.signal, copy.account


def closing(trade: Trade) -> Intent:
    late = ROWS.intent(trade, cause="close")
    return replace(late, created_at=late.created_at + timedelta(seconds=9))


Step = tuple[str, int, int, Any]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["decide", "trade", "intent", "copy", "added", "fail", "lose"]),
        st.integers(1, MESSAGES),
        st.integers(1, LEGS),
        st.sampled_from(list(TradeState)),
    ),
    max_size=14,
)


async def take(scene: Scene, step: Step) -> None:
    what, message, leg, state = step
    trade = ROWS.trade(message, leg, state=state)
    is_there = await scene.mine.journal.get_trade(trade.trade_id) is not None
    match what:
        case "decide":
            await scene.decide(message)
        case "trade" if is_there:
            await scene.settle(trades=(trade,))
        case "intent" if is_there:
            ended = ROWS.intent(trade, IntentState.REJECTED if state.is_live else IntentState.HELD)
            await scene.settle(intents=(ended,), trades=(trade,))
        case "copy" if is_there:
            outcome = CopyOutcome.FILLED if state.is_live else CopyOutcome.REJECTED
            await scene.settle(copies=(ROWS.copy(message, outcome=outcome, reason="why"),))
        case "added" if is_there:
            await scene.settle(added_intents=(closing(trade),))
        case "fail":
            scene.spy.fails = StoreUnavailableError("away")
            with pytest.raises(StoreUnavailableError):
                await scene.decide(message)
            scene.spy.fails = None
        case "lose":
            scene.spy.loses = StoreInDoubtError("no answer")
            with pytest.raises(StoreInDoubtError):
                await scene.decide(message)
            scene.spy.loses = None
        case _:
            pass


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_it_answers_like_the_store_after_whatever_was_written(steps: list[Step]) -> None:
    async def play() -> None:
        scene = await Scene.open()
        for step in steps:
            await take(scene, step)
            await scene.agree()

    asyncio.run(play())


async def test_what_is_in_play_is_read_once() -> None:
    scene = await Scene.open()
    await scene.kept.live_trades()
    scene.spy.reads = 0
    await scene.decide(1)
    first, second = ROWS.decision(1, legs=LEGS).trades
    opened = replace(first, state=TradeState.OPEN)
    await scene.settle(trades=(opened,), intents=(ROWS.intent(first, IntentState.ACCEPTED),))
    assert await scene.kept.live_trades() == (opened, second)
    assert await scene.kept.copies_of_signals([first.signal]) == (ROWS.copy(1),)
    assert len(await scene.kept.intents_of_trades([first.trade_id])) == 1
    assert scene.spy.reads == 0


async def test_a_write_in_doubt_has_everything_read_anew() -> None:
    scene = await Scene.open()
    await scene.kept.live_trades()
    scene.spy.loses = StoreInDoubtError("no answer")
    with pytest.raises(StoreInDoubtError):
        await scene.decide(1)
    assert len(await scene.kept.live_trades()) == LEGS


async def test_a_cancelled_write_has_everything_read_anew() -> None:
    scene = await Scene.open()
    await scene.kept.live_trades()
    scene.spy.hold = asyncio.Event()
    task = asyncio.create_task(scene.decide(1))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    scene.spy.hold = None
    await scene.agree()


async def test_a_cancelled_write_that_lands_later_is_seen() -> None:
    scene = await Scene.open()
    await scene.kept.live_trades()
    scene.spy.hold_writes = asyncio.Event()
    task = asyncio.create_task(scene.decide(1))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await scene.kept.live_trades() == ()
    await scene.mine.journal.decide(ROWS.decision(1, legs=LEGS), scene.epoch)
    assert len(await scene.kept.live_trades()) == LEGS
    await scene.clock.sleep(timedelta(seconds=OVER_AFTER_S))
    await scene.kept.live_trades()
    scene.spy.reads = 0
    assert len(await scene.kept.live_trades()) == LEGS
    assert scene.spy.reads == 0


async def test_settlements_under_way_at_once_have_everything_read_anew() -> None:
    scene = await Scene.open()
    await scene.decide(1)
    await scene.kept.live_trades()
    (first, _) = ROWS.decision(1, legs=LEGS).trades
    late = scene.spy.hold = asyncio.Event()
    pending = replace(first, state=TradeState.PENDING)
    task = asyncio.create_task(scene.settle(trades=(pending,)))
    await asyncio.sleep(0)
    scene.spy.hold = None
    await scene.settle(trades=(replace(first, state=TradeState.OPEN),))
    late.set()
    await task
    await scene.agree()


async def test_what_was_read_while_something_was_written_is_not_kept() -> None:
    scene = await Scene.open()
    scene.spy.hold_reads = asyncio.Event()
    reading = asyncio.create_task(scene.kept.live_trades())
    await asyncio.sleep(0)
    await scene.decide(1)
    scene.spy.hold_reads.set()
    await reading
    await scene.agree()


async def test_a_decision_of_an_old_owner_is_refused_and_its_book_dropped() -> None:
    scene = await Scene.open()
    await scene.kept.live_trades()
    with pytest.raises(FencedError):
        await scene.kept.decide(Decision(key=key(1), reason="late"), scene.epoch - 1)
    await scene.agree()
