"""Paper accounts: what survives a restart, what a missing price does, and what paper refuses."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest

from kit.broker_houses import PaperHouse, paper_house
from kit.store_rows import a_profile
from signalfleet.adapters.memory.store import MemoryStore
from signalfleet.adapters.paper.books import UnreadableBookError, from_json
from signalfleet.adapters.paper.broker import PaperBroker
from signalfleet.adapters.paper.codes import NAMES
from signalfleet.adapters.paper.memory import StorePaperMemory
from signalfleet.domain.exchange.model import RejectReason
from signalfleet.domain.ids import AccountId, ClientId, new_user_id
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.orders import ClosePosition, OpenOrder, TrailingStop
from signalfleet.domain.trading.outcomes import Accepted, Unknown
from signalfleet.domain.trading.reports import Snapshot
from signalfleet.ports.broker import Broker
from signalfleet.ports.errors import (
    NotSentError,
    RefusedError,
    StoreUnavailableError,
)

ENTRY = ClientId("S165_EJIQROFJUNEUDZLA_E0")


@pytest.fixture
async def house() -> AsyncIterator[PaperHouse]:
    async with paper_house() as house:
        house.jump("1.10000")
        yield house


def an_entry(
    kind: OrderKind = OrderKind.MARKET,
    price: str | None = None,
    trailing: TrailingStop | None = None,
) -> OpenOrder:
    return OpenOrder(
        symbol="EURUSD",
        side=Side.BUY,
        kind=kind,
        lots=Lots.of("0.20"),
        price=None if price is None else Price.of(price),
        stop_loss=Price.of("1.05"),
        take_profit=None,
        client_id=ENTRY,
        magic=7,
        trailing=trailing,
    )


def open_gate() -> None:
    pass


async def look(house: PaperHouse, broker: Broker) -> Snapshot:
    return await broker.snapshot(house.clock.now() - timedelta(hours=1), full=True)


async def test_a_restart_finds_the_whole_book_and_its_levels_still_work(house: PaperHouse) -> None:
    await house.broker.submit(an_entry(), open_gate)
    await house.broker.submit(an_entry(OrderKind.LIMIT, "1.08"), open_gate)
    before, money = await look(house, house.broker), await house.broker.account()
    again = house.reopened()
    after = await look(house, again)
    assert (after.positions, after.orders) == (before.positions, before.orders)
    assert (after.history_orders, after.deals) == (before.history_orders, before.deals)
    assert await again.account() == money
    house.jump("1.04000")
    house.pass_time(1)
    closed = await look(house, again)
    assert closed.orders == ()
    assert [deal.reason for deal in closed.deals if deal.is_exit] == ["stop_loss"] * 2


async def test_tickets_never_repeat_after_a_restart(house: PaperHouse) -> None:
    seen = set()
    broker: Broker = house.broker
    for _ in range(4):
        outcome = await broker.submit(an_entry(), open_gate)
        assert isinstance(outcome, Accepted)
        assert outcome.position_id not in seen
        seen.add(outcome.position_id)
        close = ClosePosition(position_id=str(outcome.position_id), client_id=ENTRY)
        assert isinstance(await broker.submit(close, open_gate), Accepted)
        broker = house.reopened()


@pytest.mark.parametrize("was_kept", [False, True])
async def test_an_order_whose_saving_failed_is_unknown_and_a_look_tells(
    house: PaperHouse, *, was_kept: bool
) -> None:
    await house.broker.submit(an_entry(), open_gate)
    house.memory.error = StoreUnavailableError("away")
    house.memory.keeps_in_spite_of_error = was_kept
    assert await house.broker.submit(an_entry(), open_gate) == Unknown(cause="paper_not_saved")
    house.memory.error = None
    assert len((await look(house, house.broker)).positions) == 1 + was_kept


async def test_without_a_price_nothing_is_sent_and_a_look_is_incomplete(house: PaperHouse) -> None:
    await house.broker.submit(an_entry(), open_gate)
    house.prices.is_silent = True
    with pytest.raises(NotSentError) as caught:
        await house.broker.submit(an_entry(), open_gate)
    assert caught.value.reason == "no_price"
    snapshot = await look(house, house.broker)
    assert not snapshot.complete
    assert len(snapshot.positions) == 1


async def test_paper_moves_no_stop_by_itself_and_says_so(house: PaperHouse) -> None:
    trailing = TrailingStop(distance=Decimal("0.001"))
    with pytest.raises(NotSentError) as caught:
        await house.broker.submit(an_entry(trailing=trailing), open_gate)
    assert caught.value.reason == "no_trailing"


async def test_a_damaged_book_is_refused_and_never_overwritten(house: PaperHouse) -> None:
    await house.broker.submit(an_entry(), open_gate)
    assert house.memory.saved is not None
    book = json.loads(house.memory.saved)
    book["positions"][0]["lots"] = "NaN"
    house.memory.saved = damaged = json.dumps(book)
    with pytest.raises(RefusedError, match="reset"):
        await house.reopened().account()
    with pytest.raises(NotSentError):
        await house.reopened().submit(an_entry(), open_gate)
    assert house.memory.saved == damaged


@pytest.mark.parametrize(
    "stored", [{}, {"version": 2}, {"version": 1}, {"version": 1, "balance": 1}]
)
def test_what_is_no_book_is_unreadable(stored: dict[str, object]) -> None:
    with pytest.raises(UnreadableBookError):
        from_json(AccountId("a"), stored)


def test_every_refusal_of_the_engine_has_a_name() -> None:
    assert set(NAMES) == set(RejectReason)


async def test_the_store_keeps_a_book_beside_the_users_settings(house: PaperHouse) -> None:
    store, user = MemoryStore(cell="c1"), new_user_id(b"u" * 16)
    await store.fleet.add_user(a_profile(user))
    account = AccountId("a_paper")

    def open_again() -> PaperBroker:
        memory = StorePaperMemory(store.user(user).settings, account)
        return PaperBroker(house.prices, account=account, clock=house.clock, memory=memory)

    first = open_again()
    assert isinstance(await first.submit(an_entry(), open_gate), Accepted)
    second = open_again()
    assert isinstance(await second.submit(an_entry(), open_gate), Accepted)
    # The first was overtaken: what it does not know must not overwrite what the second did.
    assert await first.submit(an_entry(), open_gate) == Unknown(cause="paper_not_saved")
    assert len((await look(house, first)).positions) == 2
