"""Credits, circuits and trailing stops at work against the simulator, on a clock of its own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest

from kit.broker_houses import TOKEN, HandClock, MetaApiHouse, metaapi_house
from kit.metaapi_rig import DONE, Rig, another, error
from kit.raw_http import answer
from signalfleet.adapters.metaapi import limits
from signalfleet.adapters.metaapi.broker import MetaApiBroker
from signalfleet.adapters.metaapi.client import MetaApiClient
from signalfleet.adapters.metaapi.urls import MetaApiUrls
from signalfleet.domain.ids import ClientId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.orders import (
    ClosePosition,
    ModifyPosition,
    OpenOrder,
    StopStep,
    TrailingStop,
)
from signalfleet.domain.trading.outcomes import Accepted, Rejected, Unknown
from signalfleet.ports.errors import NotSentError, TemporaryError
from signalfleet.ports.secrets import Secret
from signalfleet_sim.metaapi.credits import CreditRules

pytestmark = pytest.mark.loopback


class MovingClock(HandClock):
    """Sleeping moves the time of everybody."""

    def __init__(self, house: MetaApiHouse) -> None:
        super().__init__(house.clock._hand)
        self._house = house

    async def sleep(self, delay: timedelta) -> None:
        self._house.pass_time(delay.total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One small account whose credits are those that the documents state."""

    house: MetaApiHouse
    broker: MetaApiBroker

    @property
    def user(self) -> str:
        return self.house.server.world.tokens[TOKEN].user_id

    async def look(self, *, full: bool = False, urgent: bool = False) -> list[str]:
        since = self.house.clock.now() - timedelta(minutes=10)
        snapshot = await self.broker.snapshot(since, full=full, urgent=urgent)
        assert snapshot.complete
        return [position.position_id for position in snapshot.positions]

    def refused(self) -> list[str]:
        calls = self.house.server.world.journal.calls
        return [call["route"] for call in calls if call["status"] == 429]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with metaapi_house() as house:
        house.server.credits.rules = CreditRules()
        house.server.credits._has_limits = True
        house.jump("1.10000")
        clock = MovingClock(house)
        async with MetaApiClient(clock=clock, metrics=house.metrics) as client:
            broker = MetaApiBroker(
                client,
                account_id=house.account_id,
                token=Secret(TOKEN),
                region="new-york",
                urls=MetaApiUrls(
                    provisioning=house.server.urls["METAAPI_PROVISIONING_URL"],
                    client=house.server.urls["METAAPI_CLIENT_URL"],
                    public_only=False,
                ),
                clock=clock,
                metrics=house.metrics,
            )
            yield Desk(house=house, broker=broker)


def an_entry(number: int = 0, trailing: TrailingStop | None = None) -> OpenOrder:
    return OpenOrder(
        symbol="EURUSD",
        side=Side.BUY,
        kind=OrderKind.MARKET,
        lots=Lots.of("0.01"),
        price=None,
        stop_loss=Price.of("1.05"),
        take_profit=None,
        client_id=ClientId(f"S165_EJIQROFJUN{number:06d}_E0"),
        magic=7,
        trailing=trailing,
    )


def a_close(position: str) -> ClosePosition:
    return ClosePosition(position_id=position, client_id=ClientId("S165_EJIQROFJUNEUDZLA_C0"))


def open_gate() -> None:
    pass


async def not_sent(desk: Desk) -> str:
    with pytest.raises(NotSentError) as caught:
        await desk.broker.submit(an_entry(), open_gate)
    return caught.value.reason


async def opened(desk: Desk) -> str:
    outcome = await desk.broker.submit(an_entry(), open_gate)
    assert isinstance(outcome, Accepted)
    desk.house.pass_time(3)
    return str(outcome.position_id)


async def an_hour(desk: Desk, number: int) -> None:
    """A signal with three legs: stops moved after 20 minutes, all closed after 40."""
    broker, pass_time = desk.broker, desk.house.pass_time
    if number % 12 == 0:
        await broker.symbols()
        await broker.instrument("EURUSD")
    await broker.account()
    await broker.quote("EURUSD")
    if number % 6 == 0:
        desk.house.server.add_fault("execute_then_reset", route="trade")
    for leg in range(3):
        outcome = await broker.submit(an_entry(3 * number + leg), open_gate)
        if isinstance(outcome, Unknown):
            for seconds in (0.5, 0.5, 1, 2, 4, 7, 15, 30, 40, 6):
                pass_time(seconds)
                await desk.look(full=True)
        assert isinstance(outcome, Accepted | Unknown)
    for seconds in (1, 2, 7, 20):
        pass_time(seconds)
        await desk.look()
    positions = await desk.look()
    for minute in range(40):
        for _ in range(2):
            pass_time(30)
            await desk.look()
        if minute % 10 == 0:
            await broker.account()
        if minute == 20:
            for position in positions:
                order = ModifyPosition(
                    position_id=position, stop_loss=Price.of("1.06"), take_profit=None
                )
                assert isinstance(await broker.submit(order, open_gate), Accepted)
    for position in positions:
        await desk.look(urgent=True)
        assert isinstance(await broker.submit(a_close(position), open_gate), Accepted)
    pass_time(5)
    assert await desk.look(full=True) == []
    for _ in range(2):
        pass_time(500)
        await broker.account()


@pytest.mark.timeout(240)
async def test_a_day_of_trading_stays_inside_a_small_accounts_credits(desk: Desk) -> None:
    least = 1.0
    for number in range(24):
        await an_hour(desk, number)
        now = desk.house.clock.monotonic()
        least = min(least, desk.broker._route._credits.share("new-york", now))
    assert desk.refused() == []
    assert least > limits.ENTRY_SHARE
    assert desk.broker.look_pause == timedelta(0)


async def test_when_others_spend_the_credits_entries_stop_and_protection_goes_on(
    desk: Desk,
) -> None:
    position = await opened(desk)
    await desk.look()
    desk.house.pass_time(limits.CREDITS_ASKED_EVERY_S + 1)
    drained = {"kind": "credits", "scope": "perUser", "share": 0.15}
    desk.house.server.add_fault(drained, account=desk.house.account_id)
    await desk.look()
    assert await not_sent(desk) == "credits"
    with pytest.raises(TemporaryError) as caught:
        await desk.broker.quote("EURUSD")
    assert caught.value.retry_after
    assert desk.broker.look_pause == limits.LOOK_PAUSE
    assert await desk.look(urgent=True) == [position]
    assert isinstance(await desk.broker.submit(a_close(position), open_gate), Accepted)
    assert desk.refused() == []


async def test_after_a_refusal_nothing_is_asked_before_the_stated_time(desk: Desk) -> None:
    position = await opened(desk)
    desk.house.server.credits.drain("perAccount", desk.house.account_id, 0.0)
    with pytest.raises(TemporaryError):
        await desk.look()
    asked = len(desk.house.server.world.journal.calls)
    assert await not_sent(desk) == "credits"
    with pytest.raises(TemporaryError):
        await desk.broker.account()
    terminal = [
        call["route"]
        for call in list(desk.house.server.world.journal.calls)[asked:]
        if call["route"] != "get-account"
    ]
    assert terminal == []
    # What protects waits by itself, and then it goes.
    assert isinstance(await desk.broker.submit(a_close(position), open_gate), Accepted)
    assert desk.refused() == ["positions"]


async def test_a_long_refusal_lets_protection_say_that_it_was_not_sent(desk: Desk) -> None:
    position = await opened(desk)
    desk.house.server.add_fault({"kind": "429", "retry_in": 600}, route="trade")
    outcome = await desk.broker.submit(a_close(position), open_gate)
    assert isinstance(outcome, Rejected)
    assert outcome.again
    with pytest.raises(NotSentError) as caught:
        await desk.broker.submit(a_close(position), open_gate)
    assert caught.value.reason == "credits"
    desk.house.pass_time(601)
    assert isinstance(await desk.broker.submit(a_close(position), open_gate), Accepted)


async def test_an_account_that_cannot_be_read_takes_no_entries_but_protection(desk: Desk) -> None:
    position = await opened(desk)
    desk.house.server.add_fault("503", route="positions", times=100)
    for _ in range(5):
        with pytest.raises(TemporaryError):
            await desk.broker._route.read("/positions")
    assert await not_sent(desk) == "circuit_open"
    with pytest.raises(TemporaryError) as caught:
        await desk.broker.account()
    assert caught.value.retry_after
    since = desk.house.clock.now()
    urgent = await desk.broker.snapshot(since, full=False, urgent=True)
    assert not urgent.complete
    assert isinstance(await desk.broker.submit(a_close(position), open_gate), Accepted)


async def test_an_account_that_is_away_takes_no_entries(desk: Desk) -> None:
    await opened(desk)
    desk.house.server.add_fault(
        {"kind": "disconnect_broker", "s": 60}, account=desk.house.account_id
    )
    assert isinstance(await desk.broker.submit(an_entry(1), open_gate), Unknown)
    assert await not_sent(desk) == "account_away"
    desk.house.pass_time(61)
    assert isinstance(await desk.broker.submit(an_entry(2), open_gate), Accepted)


async def test_a_region_that_fails_takes_no_entries_but_protection(rig: Rig) -> None:
    rig.stub.default = answer(error("InternalError"), status=503)
    brokers = [another(rig, f"account-{number}", f"token-{number}") for number in range(20)]
    for broker in brokers:
        with pytest.raises(TemporaryError):
            await broker.account()
    healthy = another(rig, "healthy", "one-more")
    with pytest.raises(NotSentError) as caught:
        await healthy.submit(an_entry(), open_gate)
    assert caught.value.reason == "region_circuit_open"
    rig.stub.default = answer(DONE)
    assert isinstance(await healthy.submit(a_close("46"), open_gate), Accepted)


@pytest.mark.parametrize(
    ("trailing", "price", "stop"),
    [
        (TrailingStop(distance=Decimal("0.0050")), "1.11000", "1.10500"),
        (
            TrailingStop(
                steps=(
                    StopStep(reached=Price.of("1.105"), stop_loss=Price.of("1.1001")),
                    StopStep(reached=Price.of("1.115"), stop_loss=Price.of("1.105")),
                )
            ),
            "1.11000",
            "1.1001",
        ),
    ],
    ids=["distance", "steps"],
)
async def test_metaapi_moves_a_trailing_stop_while_we_do_nothing(
    desk: Desk, trailing: TrailingStop, price: str, stop: str
) -> None:
    outcome = await desk.broker.submit(an_entry(trailing=trailing), open_gate)
    assert isinstance(outcome, Accepted)
    desk.house.jump(price)
    desk.house.pass_time(16)
    desk.house.pass_time(3)
    snapshot = await desk.broker.snapshot(desk.house.clock.now(), full=False)
    assert snapshot.positions[0].stop_loss == Price.of(stop)
