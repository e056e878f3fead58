"""The adapter against a MetaApi that fails in every way the documents allow.

What the adapter says is compared with the simulator's own book of what was executed.
"""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import structlog

from kit.broker_houses import TOKEN, MetaApiHouse, metaapi_house
from signalfleet.adapters.metaapi import limits
from signalfleet.adapters.metaapi.errors import CODES, Verdict
from signalfleet.domain.ids import ClientId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.orders import (
    BrokerOrder,
    ClosePosition,
    ModifyPosition,
    OpenOrder,
    ReducePosition,
)
from signalfleet.domain.trading.outcomes import Accepted, Rejected, Unknown
from signalfleet.domain.trading.reports import Snapshot
from signalfleet.ports.errors import NotSentError, SignInRequiredError, TemporaryError

pytestmark = pytest.mark.loopback

ENTRY = ClientId("S165_EJIQROFJUNEUDZLA_E0")
OTHER = ClientId("S165_ABCDEFGHIJKLMNOP_E0")


def an_entry(
    kind: OrderKind = OrderKind.MARKET, *, client_id: ClientId = ENTRY, price: str | None = None
) -> OpenOrder:
    return OpenOrder(
        symbol="EURUSD",
        side=Side.BUY,
        kind=kind,
        lots=Lots.of("0.20"),
        price=None if price is None else Price.of(price),
        stop_loss=Price.of("1.05"),
        take_profit=None,
        client_id=client_id,
        magic=7,
    )


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MetaApiHouse]:
    monkeypatch.setattr(limits, "TRADE_S", 0.5)
    monkeypatch.setattr(limits, "READ_S", 0.5)
    monkeypatch.setattr(limits, "CLOSE_GRACE_S", 0.1)
    async with metaapi_house() as house:
        house.jump("1.10000")
        yield house


def open_gate() -> None:
    pass


async def look(house: MetaApiHouse) -> Snapshot:
    return await house.broker.snapshot(house.clock.now() - timedelta(hours=1), full=True)


async def an_open_position(house: MetaApiHouse) -> str:
    outcome = await house.broker.submit(an_entry(client_id=OTHER), open_gate)
    assert isinstance(outcome, Accepted)
    assert outcome.position_id is not None
    house.pass_time(3)
    return outcome.position_id


async def the_order(house: MetaApiHouse, command: str) -> BrokerOrder:
    match command:
        case "market":
            return an_entry()
        case "pending":
            return an_entry(OrderKind.LIMIT, price="1.08")
        case _:
            pass
    position = await an_open_position(house)
    match command:
        case "close":
            return ClosePosition(position_id=position, client_id=ENTRY)
        case "part":
            return ReducePosition(position_id=position, lots=Lots.of("0.05"), client_id=ENTRY)
        case _:
            return ModifyPosition(
                position_id=position, stop_loss=Price.of("1.06"), take_profit=None
            )


COMMANDS = ["market", "pending", "close", "part", "modify"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("fault", "executed"),
    [
        ("execute_then_reset", 1),
        ({"kind": "execute_then_hang", "s": 1}, 1),
        ("execute_then_504", 1),
        ("cut_body", 1),
        ("not_json", 1),
        ("wrong_type", 1),
        ({"kind": "answer_504_then_execute_after", "s": 0.05}, 1),
        ("reset_before_read", 0),
        ("reset_after_read", 0),
        ({"kind": "hang", "s": 1}, 0),
        ("html_502", 0),
        ("redirect", 0),
        ("503", 0),
        ({"kind": "429", "absent": True}, 0),
    ],
    ids=str,
)
async def test_whatever_happens_to_the_answer_the_order_is_unknown_and_never_repeated(
    house: MetaApiHouse, command: str, fault: str | dict[str, Any], executed: int
) -> None:
    order = await the_order(house, command)
    before = house.executed()
    house.server.add_fault(fault, route="trade")
    outcome = await house.broker.submit(order, open_gate)
    assert isinstance(outcome, Unknown), outcome
    if fault == {"kind": "answer_504_then_execute_after", "s": 0.05}:
        async with asyncio.timeout(5):
            while house.executed() == before:  # noqa: ASYNC110  # The simulator's own delay.
                await asyncio.sleep(0.01)
    assert house.executed() - before == executed
    assert [rule.seen for rule in house.server.faults.rules] == [1]


async def test_a_full_look_after_a_lost_answer_shows_the_order_by_its_client_id(
    house: MetaApiHouse,
) -> None:
    house.server.add_fault("execute_then_reset", route="trade")
    assert isinstance(await house.broker.submit(an_entry(), open_gate), Unknown)
    house.pass_time(3)
    snapshot = await look(house)
    assert snapshot.complete
    assert [position.client_id for position in snapshot.positions] == [ENTRY]


@pytest.mark.parametrize("number", sorted(CODES))
async def test_each_code_that_the_broker_answers_is_judged_by_the_table(
    house: MetaApiHouse, number: int
) -> None:
    house.server.add_fault({"kind": "reject", "code": number}, route="trade")
    outcome = await house.broker.submit(an_entry(), open_gate)
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


@pytest.mark.parametrize(("status", "executed"), [("401", 0), ("403", 0), ("429", 0)])
async def test_what_metaapi_itself_refuses_is_rejected(
    house: MetaApiHouse, status: str, executed: int
) -> None:
    house.server.add_fault(status, route="trade")
    outcome = await house.broker.submit(an_entry(), open_gate)
    assert isinstance(outcome, Rejected)
    assert outcome.again is (status == "429")
    assert (outcome.retry_at is not None) is outcome.again
    assert house.executed() == executed


async def test_a_server_that_refuses_connections_proves_that_nothing_was_sent(
    house: MetaApiHouse,
) -> None:
    house.server.refuse(0.5)
    await until_refused(house)
    with pytest.raises(NotSentError) as caught:
        await house.broker.submit(an_entry(), open_gate)
    assert caught.value.reason == "refused"
    assert house.executed() == 0


async def until_refused(house: MetaApiHouse) -> None:
    """Wait for the simulator's task that shuts the door."""
    port = int(house.server.base_url.rpartition(":")[2])
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return
        except ConnectionError:  # Shut while we were at it.
            continue
        writer.close()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "condition",
    [
        {"kind": "disconnect_broker", "s": 60},
        {"kind": "synchronizing", "s": 60},
    ],
    ids=str,
)
async def test_a_look_that_proves_no_absence_is_incomplete(
    house: MetaApiHouse, condition: dict[str, Any]
) -> None:
    house.server.add_fault(condition, account=house.account_id)
    try:
        assert not (await look(house)).complete
    except TemporaryError:
        assert condition["kind"] == "disconnect_broker"


async def test_an_undeployed_account_is_named(house: MetaApiHouse) -> None:
    house.server.add_fault("undeploy", account=house.account_id)
    house.pass_time(30)
    with pytest.raises(TemporaryError, match="UNDEPLOYED"):
        await look(house)


async def test_an_account_that_moved_is_found_in_its_new_region(house: MetaApiHouse) -> None:
    await look(house)
    house.server.add_fault({"kind": "move_region", "region": "london"}, account=house.account_id)
    assert isinstance(await house.broker.submit(an_entry(), open_gate), Unknown)
    assert (await house.broker.account()).connected
    assert isinstance(await house.broker.submit(an_entry(), open_gate), Accepted)
    assert house.executed() == 1


async def test_a_revoked_token_asks_for_a_new_one(house: MetaApiHouse) -> None:
    house.server.add_fault({"kind": "revoke_token", "token": TOKEN})
    with pytest.raises(SignInRequiredError):
        await house.broker.account()
    outcome = await house.broker.submit(an_entry(), open_gate)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "UnauthorizedError"


async def test_what_lies_on_the_second_page_of_history_is_found(house: MetaApiHouse) -> None:
    house.server.add_fault({"kind": "second_page", "n": 1500}, account=house.account_id)
    await house.broker.submit(an_entry(), open_gate)
    house.pass_time(3)
    snapshot = await look(house)
    assert [deal.client_id for deal in snapshot.deals] == [ENTRY]


async def test_a_lost_client_id_reads_as_none(house: MetaApiHouse) -> None:
    house.server.add_fault("lost_client_id", route="trade")
    await house.broker.submit(an_entry(), open_gate)
    house.pass_time(3)
    (position,) = (await look(house)).positions
    assert position.client_id is None
    assert position.magic == 7


async def test_somebody_elses_position_is_a_fact_like_others(house: MetaApiHouse) -> None:
    house.server.add_fault("foreign_position", account=house.account_id)
    house.pass_time(3)
    (position,) = (await look(house)).positions
    assert position.client_id is None


async def test_an_order_of_a_cancelled_caller_is_executed_once_and_no_task_is_left(
    house: MetaApiHouse,
) -> None:
    house.server.add_fault({"kind": "delay", "s": 0.1}, route="trade")
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(house.broker.submit(an_entry(), open_gate))
        async with asyncio.timeout(5):
            while not any(house.client._calls):  # noqa: ASYNC110  # It says nothing when it writes.
                await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        sending.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait(house.client._calls)
    assert sending.cancelled()
    assert house.executed() == 1


async def test_the_token_shows_in_no_log_metric_url_or_error(
    house: MetaApiHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    with structlog.testing.capture_logs() as entries:
        for fault in ("execute_then_reset", "401", "html_502", "not_json"):
            house.server.add_fault(fault)
            try:
                log.write(repr(await house.broker.submit(an_entry(), open_gate)))
                log.write(repr(await look(house)))
            except Exception as e:  # noqa: BLE001  # Whatever it is, it must not tell.
                log.write(f"{e!r} {e.__cause__!r} {e.__context__!r}")
    told = log.getvalue() + repr(entries) + repr(house.metrics.counts) + repr(house.broker)
    calls = json.dumps(list(house.server.world.journal.calls), default=str)
    assert TOKEN not in told
    assert TOKEN not in calls
    assert "token_in_url" not in repr(house.server.world.journal.violations)


async def test_careful_use_breaks_none_of_the_services_rules(house: MetaApiHouse) -> None:
    await house.broker.account()
    await house.broker.instrument("EURUSD")
    await house.broker.quote("EURUSD")
    position = await an_open_position(house)
    await look(house)
    for order in (
        ModifyPosition(position_id=position, stop_loss=Price.of("1.06"), take_profit=None),
        ReducePosition(position_id=position, lots=Lots.of("0.05"), client_id=ENTRY),
    ):
        assert isinstance(await house.broker.submit(order, open_gate), Accepted)
    assert house.server.world.journal.violations == []
