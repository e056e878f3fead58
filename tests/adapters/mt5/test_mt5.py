"""The local terminal, on a module of our own with the documented functions."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from kit.broker_houses import Mt5House, mt5_house
from signalfleet.adapters.metaapi import errors as metaapi_errors
from signalfleet.adapters.mt5 import limits, mapping
from signalfleet.adapters.mt5.broker import Mt5Broker
from signalfleet.adapters.mt5.client import load_module
from signalfleet.adapters.mt5.errors import CODES, NOT_SENT, REFUSED_LOCALLY, Verdict
from signalfleet.domain.ids import ClientId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.orders import ClosePosition, OpenOrder
from signalfleet.domain.trading.outcomes import Accepted, Rejected, Unknown
from signalfleet.domain.trading.reports import Snapshot
from signalfleet.ports.errors import NotSentError, RefusedError, TemporaryError
from signalfleet.ports.secrets import Secret

ENTRY = OpenOrder(
    symbol="EURUSD",
    side=Side.BUY,
    kind=OrderKind.MARKET,
    lots=Lots.of("0.20"),
    price=None,
    stop_loss=Price.of("1.05"),
    take_profit=None,
    client_id=ClientId("S165_EJIQROFJUNEUDZLA_E0"),
    magic=7,
)


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Mt5House]:
    monkeypatch.setattr(limits, "CALL_S", 0.2)
    async with mt5_house() as house:
        house.jump("1.10000")
        yield house


def open_gate() -> None:
    pass


async def look(house: Mt5House) -> Snapshot:
    return await house.broker.snapshot(house.clock.now() - timedelta(hours=1), full=True)


def answers(house: Mt5House, number: int) -> None:
    """Make every request answer with a code, without carrying it out."""

    def send(request: dict[str, Any]) -> object:
        return SimpleNamespace(
            retcode=number, order=0, comment="text", request=SimpleNamespace(**request)
        )

    house.module.order_send = send  # type: ignore[method-assign]


def fails(house: Mt5House, number: int) -> None:
    def send(request: dict[str, Any]) -> None:
        house.module.error = (number, "failed")

    house.module.order_send = send  # type: ignore[method-assign]


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_on_another_system_it_is_refused_with_what_to_do(platform: str) -> None:
    with pytest.raises(RefusedError, match="use MetaApi"):
        load_module(platform)


def test_on_windows_without_the_package_it_says_what_to_install() -> None:
    with pytest.raises(RefusedError, match=r"signalfleet\[mt5\]"):
        load_module("win32")


def test_the_codes_prove_what_they_prove_at_metaapi() -> None:
    theirs = {n: (name, v.value) for n, (name, v) in metaapi_errors.CODES.items() if n >= 10_000}
    assert {n: (name, v.value) for n, (name, v) in CODES.items()} == theirs


@pytest.mark.parametrize("number", sorted(CODES))
async def test_each_code_is_judged_by_the_table(house: Mt5House, number: int) -> None:
    answers(house, number)
    outcome = await house.broker.submit(ENTRY, open_gate)
    match CODES[number][1]:
        case Verdict.ACCEPTED:
            assert isinstance(outcome, Accepted)
        case Verdict.AGAIN:
            assert isinstance(outcome, Rejected)
            assert outcome.again
        case Verdict.REFUSED:
            assert isinstance(outcome, Rejected)
            assert not outcome.again
        case _:
            assert outcome == Unknown(cause=f"code_{number}")


async def test_a_code_that_nobody_knows_proves_nothing(house: Mt5House) -> None:
    answers(house, 10099)
    assert await house.broker.submit(ENTRY, open_gate) == Unknown(cause="code_10099")


@pytest.mark.parametrize("number", sorted(NOT_SENT))
async def test_without_a_terminal_nothing_was_sent(house: Mt5House, number: int) -> None:
    fails(house, number)
    with pytest.raises(NotSentError):
        await house.broker.submit(ENTRY, open_gate)


@pytest.mark.parametrize("number", sorted(REFUSED_LOCALLY))
async def test_what_the_package_refuses_itself_is_rejected(house: Mt5House, number: int) -> None:
    fails(house, number)
    assert isinstance(await house.broker.submit(ENTRY, open_gate), Rejected)


@pytest.mark.parametrize("number", [-1, -3, -6, -10000, -10001, -10002, -10005, 1])
async def test_every_other_failure_of_the_package_proves_nothing(
    house: Mt5House, number: int
) -> None:
    fails(house, number)
    assert await house.broker.submit(ENTRY, open_gate) == Unknown(cause=f"error_{number}")


async def test_a_terminal_that_hangs_makes_the_order_unknown_and_its_answer_is_heard_later(
    house: Mt5House,
) -> None:
    release = threading.Event()
    house.module.before_send = lambda: assert_true(release.wait(5))
    assert await house.broker.submit(ENTRY, open_gate) == Unknown(cause="timeout")
    with pytest.raises(NotSentError) as caught:  # The thread is still busy with the first.
        await house.broker.submit(ENTRY, open_gate)
    assert caught.value.reason == "terminal_busy"
    release.set()
    async with asyncio.timeout(5):
        while not house.late:  # noqa: ASYNC110  # The thread tells the loop when it is done.
            await asyncio.sleep(0.01)
    assert isinstance(house.late[0][1], Accepted)
    assert len((await look(house)).positions) == 1


def assert_true(value: bool) -> None:
    assert value


async def test_a_cancelled_caller_has_sent_nothing_or_hears_the_outcome_later(
    house: Mt5House,
) -> None:
    started, release = threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        assert release.wait(5)

    house.module.before_send = hold
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(house.broker.submit(ENTRY, open_gate))
        await asyncio.to_thread(started.wait, 5)
        second = tasks.create_task(house.broker.submit(ENTRY, open_gate))
        await asyncio.sleep(0)
        # The second waits behind the first: its end is awaited before the first may go on.
        second.cancel()
        await asyncio.wait([second], timeout=5)
        first.cancel()
        release.set()
    assert len((await look(house)).positions) == 1
    assert [type(outcome) for _, outcome in house.late] == [Accepted]
    assert len(house.module.requests) == 1


async def test_the_brokers_clock_is_measured_and_shows_nowhere(house: Mt5House) -> None:
    outcome = await house.broker.submit(ENTRY, open_gate)
    assert isinstance(outcome, Accepted)
    snapshot = await look(house)
    now = house.clock.now()
    assert snapshot.positions[0].opened_at == now
    assert snapshot.deals[0].at == now
    assert (await house.broker.quote("EURUSD")).at == now


@pytest.mark.parametrize(
    ("ahead_s", "hours"), [(0, 0), (7_199, 2), (10_805, 3), (19_800, 5.5), (-18_000, -5)]
)
def test_a_fresh_tick_tells_the_offset(ahead_s: int, hours: float) -> None:
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    measured = mapping.offset_of(int(now.timestamp()) + ahead_s, now)
    assert measured == timedelta(hours=hours)


def test_an_old_tick_tells_nothing() -> None:
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert mapping.offset_of(int(now.timestamp()) + 7_200 - 900, now) is None


async def test_a_terminal_without_its_server_proves_no_absence(house: Mt5House) -> None:
    house.module.is_connected = False
    assert not (await look(house)).complete
    assert not (await house.broker.account()).connected


async def test_a_list_that_failed_proves_no_absence_and_an_empty_one_does(house: Mt5House) -> None:
    house.module.history_deals_get = lambda *_: None  # type: ignore[method-assign]
    assert (await look(house)).complete
    house.module.positions_get = lambda **_: failed(house)  # type: ignore[method-assign]
    assert not (await look(house)).complete


def failed(house: Mt5House) -> None:
    house.module.error = (-10005, "IPC timeout")


async def test_with_the_button_off_nothing_may_be_traded(house: Mt5House) -> None:
    house.module.is_button_on = False
    assert not (await house.broker.account()).trade_allowed
    outcome = await house.broker.submit(ENTRY, open_gate)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "TRADE_RETCODE_CLIENT_DISABLES_AT"


async def test_a_close_carries_its_own_id_and_only_the_ticket_it_was_given(house: Mt5House) -> None:
    outcome = await house.broker.submit(ENTRY, open_gate)
    assert isinstance(outcome, Accepted)
    close = ClosePosition(
        position_id=str(outcome.position_id), client_id=ClientId("S165_EJIQROFJUNEUDZLA_C0")
    )
    assert isinstance(await house.broker.submit(close, open_gate), Accepted)
    request = house.module.requests[-1]
    assert (request["position"], request["type"]) == (int(close.position_id), 1)
    assert request["comment"] == close.client_id


async def test_somebody_who_logs_the_terminal_in_elsewhere_is_noticed(house: Mt5House) -> None:
    house.module.login += 1
    with pytest.raises(RefusedError, match="another account"):
        await house.broker.account()


@pytest.mark.parametrize("password", ["canary-password", ""])
async def test_a_terminal_that_does_not_open_says_so_without_the_password(
    house: Mt5House, password: str
) -> None:
    other = Mt5Broker(
        house.module, login=1, password=Secret(password), server="x", clock=house.clock
    )
    with pytest.raises(TemporaryError) as caught:
        async with other:
            pass
    assert "canary" not in repr(caught.value)


async def test_a_terminal_that_is_closed_takes_no_orders(house: Mt5House) -> None:
    closed = Mt5Broker(house.module, login=1, password=Secret("p"), server="x", clock=house.clock)
    with pytest.raises(NotSentError):
        await closed.submit(ENTRY, open_gate)
    with pytest.raises(TemporaryError):
        await closed.account()


async def test_the_list_of_symbols_is_asked_for_once_and_again_when_it_is_old(
    house: Mt5House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    get = house.module.symbols_get

    def symbols_get() -> Any:
        asked.append(1)
        return get()

    house.module.symbols_get = symbols_get  # type: ignore[method-assign]
    for _ in range(3):
        assert "EURUSD" in await house.broker.symbols()
    assert len(asked) == 1
    monkeypatch.setattr(limits, "SYMBOLS_AGE_S", -1.0)
    assert "EURUSD" in await house.broker.symbols()
    assert len(asked) == 2


async def test_a_list_of_symbols_that_does_not_come_is_asked_for_again(house: Mt5House) -> None:
    get = house.module.symbols_get
    house.module.symbols_get = lambda: None  # type: ignore[method-assign]
    with pytest.raises(TemporaryError, match="lists no symbols"):
        await house.broker.symbols()
    house.module.symbols_get = get  # type: ignore[method-assign]
    assert "EURUSD" in await house.broker.symbols()
