"""While the store is away only what lessens a known risk goes on, and it hears of that first."""

import asyncio
import gc
import sqlite3
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kit.counting_metrics import CountingMetrics
from kit.store_rows import (
    ACCOUNT,
    CELL,
    ME,
    NOW,
    OTHER_ACCOUNT,
    Rows,
    a_batch,
    a_post,
    a_profile,
    a_view,
    after,
    an_account,
    key,
)
from kit.wall_clock import WallClock
from signalfleet.adapters.emergency import EmergencyStore
from signalfleet.adapters.emergency.entries import Entry, EntryFile
from signalfleet.adapters.sql import SqlStore, migrate
from signalfleet.app.claim_slots import claim_slots
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.trading.intents import (
    AmendLeg,
    CancelLeg,
    CloseLeg,
    Command,
    Intent,
    IntentState,
    ProtectLeg,
    ReduceLeg,
)
from signalfleet.domain.trading.records import Decision, Settlement, Trade, TradeState
from signalfleet.ports.errors import FencedError, StoreUnavailableError
from signalfleet.ports.store import DecideResult

ROWS = Rows(user=ME)


def protect(stop: str | None) -> ProtectLeg:
    return ProtectLeg(
        stop_loss=None if stop is None else Price.of(stop), take_profit=Price.of("2360.50")
    )


def an_intent(trade: Trade, command: Command, state: IntentState = IntentState.SENDING) -> Intent:
    made = ROWS.intent(trade, state, cause=f"msg:{type(command).__name__}")
    return replace(made, command=command, created_at=after(9))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None, timeout=10)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


class Desk:
    """A store on a file with one open trade, and the emergency store round it."""

    def __init__(self, store: SqlStore, path: Path, epoch: int, trade: Trade) -> None:
        self.plain = store
        self.path = path
        self.epoch = epoch
        self.trade = trade
        self.metrics = CountingMetrics()
        self.folder = path.parent / "emergency"
        self.store = self.again()
        self.mine = self.store.user(ME)
        """Held, as a bot holds it."""

    def again(self) -> EmergencyStore:
        return EmergencyStore(self.plain, self.folder, WallClock(), self.metrics)

    @property
    def file(self) -> Path:
        return self.folder / f"{ME}.{self.epoch}.wal"

    async def look(self) -> None:
        """Read what a follower reads at each look."""
        journal = self.mine.journal
        await journal.open_intents()
        trades = await journal.live_trades(ACCOUNT)
        await journal.intents_of_trades([trade.trade_id for trade in trades])


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    path = tmp_path / "data" / "store.db"
    await asyncio.to_thread(migrate, str(path))
    async with aclosing(await SqlStore.open(str(path), cell=CELL)) as store:
        await store.fleet.add_user(a_profile(ME))
        epoch = await claim_slots(store.fleet, CELL, [a_profile(ME).slot], "w1")
        mine = store.user(ME)
        await mine.accounts.put(an_account())
        await mine.inbox.add(a_batch(a_post(1), a_post(2)), NOW, epoch)
        decision = ROWS.decision(1, legs=1)
        await mine.journal.decide(decision, epoch)
        opened = replace(decision.trades[0], state=TradeState.OPEN)
        filled = replace(decision.intents[0], state=IntentState.ACCEPTED)
        await mine.journal.settle(Settlement(trades=(opened,), intents=(filled,)), epoch)
        yield Desk(store, path, epoch, opened)


async def test_a_close_goes_on_while_the_store_is_locked_and_is_told_first(desk: Desk) -> None:
    await desk.look()
    close = an_intent(desk.trade, CloseLeg())
    done = replace(close, state=IntentState.ACCEPTED, evidence="10009")
    closed = replace(desk.trade, state=TradeState.CLOSED, close_reason="ours")
    with locked(desk.path):
        journal = desk.mine.journal
        await journal.settle(Settlement(added_intents=(close,)), desk.epoch)
        assert await journal.open_intents() == (close,)
        await journal.settle(Settlement(intents=(done,), trades=(closed,)), desk.epoch)
        assert await journal.live_trades(ACCOUNT) == ()
        assert await journal.get_trade(closed.trade_id) == closed
        assert done in await journal.intents_of_trades([closed.trade_id])
        assert desk.file.stat().st_mode & 0o777 == 0o600
    assert await desk.plain.user(ME).journal.get_trade(closed.trade_id) == desk.trade
    await desk.store.recover(ME, desk.epoch)
    stored = desk.plain.user(ME).journal
    assert await stored.get_trade(closed.trade_id) == closed
    assert done in await stored.intents_of_trades([closed.trade_id])
    assert not desk.file.exists()


async def test_a_follow_up_that_was_read_already_is_claimed_here(desk: Desk) -> None:
    await desk.look()
    stop = an_intent(desk.trade, protect("2345"))
    decision = Decision(key=key(2), reason=None, intents=(stop,))
    with locked(desk.path):
        claimed = await desk.mine.journal.decide(decision, desk.epoch)
        assert claimed is DecideResult.CLAIMED
    again = desk.again()
    await again.recover(ME, desk.epoch)
    assert await desk.plain.user(ME).journal.open_intents() == (stop,)
    assert [one.message.message for one in await desk.plain.user(ME).inbox.unread()] == []


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(protect("2335"), id="a wider stop"),
        pytest.param(protect(None), id="no stop"),
        pytest.param(ReduceLeg(remaining=Lots.of("0.02")), id="a part"),
        pytest.param(
            AmendLeg(price=Price.of("2350"), stop_loss=None, take_profit=None), id="a moved order"
        ),
    ],
)
async def test_what_may_do_harm_waits_for_the_store(desk: Desk, command: Command) -> None:
    await desk.look()
    wanted = Settlement(added_intents=(an_intent(desk.trade, command),))
    with locked(desk.path), pytest.raises(StoreUnavailableError):
        await desk.mine.journal.settle(wanted, desk.epoch)
    assert not desk.file.exists()


async def test_no_entry_is_claimed_while_the_store_is_locked(desk: Desk) -> None:
    await desk.look()
    with locked(desk.path), pytest.raises(StoreUnavailableError):
        await desk.mine.journal.decide(ROWS.decision(2), desk.epoch)
    assert not desk.file.exists()


async def test_what_is_not_known_is_not_guessed(desk: Desk) -> None:
    close = Settlement(added_intents=(an_intent(desk.trade, CloseLeg()),))
    with locked(desk.path):
        with pytest.raises(StoreUnavailableError):
            await desk.mine.journal.settle(close, desk.epoch)
        for read in (
            desk.mine.journal.open_intents(),
            desk.mine.journal.live_trades(ACCOUNT),
            desk.mine.journal.live_trades(OTHER_ACCOUNT),
            desk.mine.journal.get_trade(desk.trade.trade_id),
        ):
            with pytest.raises(StoreUnavailableError):
                await read


async def test_who_has_left_is_not_remembered(desk: Desk) -> None:
    """Users come and go in a worker that runs for months."""
    held = weakref.ref(desk.mine.journal)
    await desk.look()
    await desk.store.user(ME).bot.status()
    assert desk.store.user(ME).journal is held()
    del desk.mine
    gc.collect()
    assert held() is None


async def test_people_are_told_once_and_views_do_not_end_a_look(desk: Desk) -> None:
    with locked(desk.path):
        for _ in range(3):
            await desk.mine.accounts.put_view(ACCOUNT, a_view(), desk.epoch)
    assert desk.metrics.counts["signalfleet_store_away_total", ()] == 1
    assert await desk.plain.user(ME).accounts.view(ACCOUNT) is None


async def test_entries_of_an_owner_who_was_followed_are_told_by_the_next_one(desk: Desk) -> None:
    await desk.look()
    close = Settlement(added_intents=(an_intent(desk.trade, CloseLeg()),))
    with locked(desk.path):
        await desk.mine.journal.settle(close, desk.epoch)
    epoch = await claim_slots(desk.plain.fleet, CELL, [a_profile(ME).slot], "w2")
    with pytest.raises(FencedError):
        await desk.store.recover(ME, desk.epoch)
    assert await desk.plain.user(ME).journal.open_intents() == ()
    assert desk.file.exists()
    await desk.again().recover(ME, epoch)
    assert len(await desk.plain.user(ME).journal.open_intents()) == 1
    assert not desk.file.exists()
    with pytest.raises(FencedError):
        await desk.mine.journal.settle(close, desk.epoch)


async def test_nobody_touches_what_a_later_owner_has_written(desk: Desk) -> None:
    await desk.look()
    later = desk.again()
    epoch = await claim_slots(desk.plain.fleet, CELL, [a_profile(ME).slot], "w2")
    mine = later.user(ME)
    await later.recover(ME, epoch)
    await mine.journal.live_trades(ACCOUNT)
    close = Settlement(added_intents=(an_intent(desk.trade, CloseLeg()),))
    with locked(desk.path):
        await mine.journal.settle(close, epoch)
    await desk.again().recover(ME, desk.epoch)
    assert (desk.folder / f"{ME}.{epoch}.wal").exists()


COMMANDS = (CloseLeg(), CloseLeg(position_id="p9"), CancelLeg(), protect("2341"), protect(None))


def test_entries_come_back_as_they_were_written(tmp_path: Path) -> None:
    trade = ROWS.trade(state=TradeState.OPEN)
    intents = tuple(an_intent(trade, command) for command in COMMANDS)
    entries = [
        Entry(epoch=3, change=Settlement(intents=intents, trades=(trade,))),
        Entry(epoch=4, change=Decision(key=key(2), reason="x", intents=intents)),
    ]
    file = EntryFile(tmp_path / "a", ME)
    for entry in entries:
        file.append(entry)
    assert not EntryFile(tmp_path / "a", ME).is_empty()
    assert EntryFile(tmp_path / "a", ME).read() == entries


@pytest.mark.parametrize("lost", [1, 20, 300])
def test_half_a_line_was_never_acted_upon(tmp_path: Path, lost: int) -> None:
    path = tmp_path / f"{ME}.1.wal"
    file = EntryFile(tmp_path, ME)
    trade = ROWS.trade(state=TradeState.OPEN)
    for command in COMMANDS[:2]:
        file.append(Entry(epoch=1, change=Settlement(added_intents=(an_intent(trade, command),))))
    whole = path.read_bytes()
    path.write_bytes(whole[:-lost])
    assert len(EntryFile(tmp_path, ME).read()) == (2 if lost == 1 else 1)
    path.write_bytes(whole[:60] + b"x" + whole[61:])
    assert EntryFile(tmp_path, ME).read() == []


def test_a_disk_without_room_is_unavailable(tmp_path: Path) -> None:
    folder = tmp_path / "full"
    folder.write_text("a file where the folder should be")
    close = Settlement(added_intents=(an_intent(ROWS.trade(), CloseLeg()),))
    with pytest.raises(StoreUnavailableError, match="neither"):
        EntryFile(folder, ME).append(Entry(epoch=1, change=close))
