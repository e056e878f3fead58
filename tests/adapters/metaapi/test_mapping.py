"""MetaApi's recorded objects as facts, and what is refused."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.metaapi_rig import (
    DEAL,
    HISTORY_ORDER,
    INFORMATION,
    ORDER,
    POSITION,
    PRICE,
    SPECIFICATION,
    STATE,
)
from signalfleet.adapters.metaapi import json_text, mapping
from signalfleet.adapters.metaapi.fields import Fields, UnreadableError
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import OrderKind

NOW = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)


def fields(recorded: dict[str, Any], **changed: object) -> Fields:
    return Fields(json_text.parse(json.dumps(recorded | changed).encode()))


def payload(recorded: dict[str, Any], **changed: object) -> object:
    return json_text.parse(json.dumps(recorded | changed).encode())


def test_a_position_is_read_exactly() -> None:
    position = mapping.position(fields(POSITION))
    assert position.open_price == Price.of("1.26101")
    assert position.profit == Decimal("-85.25999999999966")
    assert position.lots == Lots.of("0.07")
    assert position.stop_loss == Price.of("1.17721")
    assert position.take_profit is None
    assert position.client_id == "S165_EJIQROFJUNEUDZLA_E0"
    assert position.opened_at == datetime(2026, 3, 2, 10, 5, 11, tzinfo=UTC)


def test_a_level_of_zero_is_no_level() -> None:
    assert mapping.position(fields(POSITION, stopLoss=0)).stop_loss is None


@pytest.mark.parametrize(
    ("changed", "client_id"),
    [
        ({"clientId": None}, None),
        ({"clientId": ""}, None),
        ({"clientId": None, "comment": "S165_EJIQROFJUNEUDZLA_E0"}, "S165_EJIQROFJUNEUDZLA_E0"),
        (
            {"clientId": None, "brokerComment": "S165_EJIQROFJUNEUDZLA_4711"},
            "S165_EJIQROFJUNEUDZLA_4711",
        ),
        ({"clientId": None, "comment": "[sl 1.2345]"}, None),
        ({"clientId": "T_1_2", "comment": "S165_EJIQROFJUNEUDZLA_E0"}, "T_1_2"),
    ],
)
def test_a_client_id_is_found_where_brokers_leave_it(
    changed: dict[str, object], client_id: str | None
) -> None:
    assert mapping.position(fields(POSITION, **changed)).client_id == client_id


@pytest.mark.parametrize(
    ("kind", "side", "read"),
    [
        ("ORDER_TYPE_BUY_LIMIT", Side.BUY, OrderKind.LIMIT),
        ("ORDER_TYPE_SELL_LIMIT", Side.SELL, OrderKind.LIMIT),
        ("ORDER_TYPE_BUY_STOP", Side.BUY, OrderKind.STOP),
        ("ORDER_TYPE_SELL_STOP_LIMIT", Side.SELL, OrderKind.STOP),
        ("ORDER_TYPE_SELL", Side.SELL, OrderKind.MARKET),
    ],
)
def test_an_order_has_side_and_kind(kind: str, side: Side, read: OrderKind) -> None:
    order = mapping.working_order(fields(ORDER, type=kind))
    assert (order.side, order.kind) == (side, read)


def test_a_partly_filled_order_waits_with_what_is_left() -> None:
    assert mapping.working_order(fields(ORDER, volume=1, currentVolume=0.3)).lots == Lots.of("0.3")


@pytest.mark.parametrize(
    ("state", "read"),
    [
        ("ORDER_STATE_FILLED", "filled"),
        ("ORDER_STATE_PARTIAL", "filled"),
        ("ORDER_STATE_CANCELED", "cancelled"),
        ("ORDER_STATE_REJECTED", "rejected"),
        ("ORDER_STATE_EXPIRED", "expired"),
    ],
)
def test_an_ended_order_says_how(state: str, read: str) -> None:
    order = mapping.history_order(fields(HISTORY_ORDER, state=state))
    assert order is not None
    assert order.state == read


@pytest.mark.parametrize(
    ("entry", "is_exit"),
    [
        ("DEAL_ENTRY_IN", False),
        ("DEAL_ENTRY_OUT", True),
        ("DEAL_ENTRY_INOUT", True),
        ("DEAL_ENTRY_OUT_BY", True),
    ],
)
def test_a_deal_enters_or_exits(entry: str, is_exit: bool) -> None:
    deal = mapping.deal(fields(DEAL, entryType=entry))
    assert deal is not None
    assert deal.is_exit is is_exit


@pytest.mark.parametrize(
    ("reason", "read"),
    [
        ("DEAL_REASON_SL", "stop_loss"),
        ("DEAL_REASON_TP", "take_profit"),
        ("DEAL_REASON_SO", "stop_out"),
        ("DEAL_REASON_MOBILE", "client"),
        ("DEAL_REASON_EXPERT", "expert"),
        ("DEAL_REASON_ROLLOVER", "other"),
        (None, "other"),
    ],
)
def test_a_deal_has_a_reason(reason: str | None, read: str) -> None:
    deal = mapping.deal(fields(DEAL, reason=reason))
    assert deal is not None
    assert deal.reason == read


def test_what_is_no_piece_of_a_trade_is_left_out() -> None:
    balance = {"id": "1", "type": "DEAL_TYPE_BALANCE", "profit": 100, "time": DEAL["time"]}
    assert mapping.deal(fields(balance)) is None
    assert mapping.history_order(fields(HISTORY_ORDER, type="ORDER_TYPE_CLOSE_BY")) is None


@pytest.mark.parametrize(
    ("read", "recorded", "changed"),
    [
        (mapping.position, POSITION, {"id": None}),
        (mapping.position, POSITION, {"type": "POSITION_TYPE_WHAT"}),
        (mapping.position, POSITION, {"volume": "0.1"}),
        (mapping.position, POSITION, {"volume": -1}),
        (mapping.position, POSITION, {"openPrice": 0}),
        (mapping.position, POSITION, {"stopLoss": -2}),
        (mapping.position, POSITION, {"time": "yesterday"}),
        (mapping.position, POSITION, {"magic": 1.5}),
        (mapping.position, POSITION, {"symbol": True}),
        (mapping.working_order, ORDER, {"openPrice": None, "currentPrice": None}),
        (mapping.history_order, HISTORY_ORDER, {"state": "ORDER_STATE_PLACED"}),
        (mapping.deal, DEAL, {"entryType": "DEAL_ENTRY_STATE"}),
        (mapping.deal, DEAL, {"price": None}),
    ],
)
def test_an_object_that_is_not_as_documented_is_refused(
    read: Any, recorded: dict[str, Any], changed: dict[str, object]
) -> None:
    with pytest.raises(UnreadableError):
        read(fields(recorded, **changed))


def test_one_bad_row_keeps_the_others_and_says_so() -> None:
    rows = [payload(POSITION), payload(POSITION, volume=None), "x"]
    positions, whole = mapping.map_rows(rows, mapping.position)
    assert len(positions) == 1
    assert not whole


def test_account_facts_are_read_exactly() -> None:
    facts = mapping.account_facts(payload(INFORMATION), connected=True, read_at=NOW)
    assert facts.equity == Decimal("7306.649913200001")
    assert (facts.margin_mode, facts.leverage, facts.currency) == ("hedging", 100, "USD")
    assert facts.trade_allowed
    assert not facts.investor
    assert not facts.is_real


@pytest.mark.parametrize("kind", ["ACCOUNT_TRADE_MODE_REAL", "ACCOUNT_TRADE_MODE_CONTEST", None])
def test_what_is_not_called_a_demo_account_counts_as_real(kind: str | None) -> None:
    facts = mapping.account_facts(payload(INFORMATION, type=kind), connected=True, read_at=NOW)
    assert facts.is_real


def test_an_account_that_does_not_allow_trading_says_so() -> None:
    missing = mapping.account_facts(
        payload(INFORMATION, tradeAllowed=None, investorMode=True), connected=True, read_at=NOW
    )
    assert not missing.trade_allowed
    assert missing.investor


def test_an_unknown_margin_mode_is_refused() -> None:
    with pytest.raises(UnreadableError):
        mapping.account_facts(payload(INFORMATION, marginMode="X"), connected=True, read_at=NOW)


@pytest.mark.parametrize(
    ("state", "connection", "connected"),
    [
        ("DEPLOYED", "CONNECTED", True),
        ("DEPLOYED", "DISCONNECTED_FROM_BROKER", False),
        ("UNDEPLOYING", "CONNECTED", False),
        ("DRAFT", None, False),
    ],
)
def test_an_account_is_connected_only_when_deployed_and_connected(
    state: str, connection: str | None, connected: bool
) -> None:
    read = mapping.account_state(payload(STATE, state=state, connectionStatus=connection))
    assert read.is_connected is connected


def test_an_instrument_is_read_exactly() -> None:
    instrument = mapping.instrument(payload(SPECIFICATION))
    assert instrument.tick_size == Decimal("0.00001")
    assert instrument.pip_size == Decimal("0.0001")
    assert instrument.max_lots == Lots.of("200")
    assert instrument.expiration_modes[-1] == "SYMBOL_EXPIRATION_SPECIFIED"


def test_an_instrument_without_pip_size_or_tick_size_is_still_usable() -> None:
    instrument = mapping.instrument(payload(SPECIFICATION, pipSize=None, tickSize=0))
    assert instrument.pip_size is None
    assert instrument.tick_size == Decimal("0.00001")


@pytest.mark.parametrize("changed", [{"digits": -1}, {"volumeStep": 0}, {"digits": 99}])
def test_an_instrument_that_cannot_be_sized_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(UnreadableError):
        mapping.instrument(payload(SPECIFICATION, **changed))


FULL_DAY = [{"from": "00:00:00.000", "to": "24:00:00.000"}]


def test_the_hours_of_a_symbol_are_read_day_by_day() -> None:
    split = [
        {"from": "01:05:00.000", "to": "12:00:00.000"},
        {"from": "13:00:00.000", "to": "23:59:59.999"},
    ]
    hours = mapping.instrument(payload(SPECIFICATION, tradeSessions={"MONDAY": split})).sessions
    assert hours is not None
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    at = {"01:04": False, "01:05": True, "12:00": False, "13:00": True, "23:59": True}
    for clock, is_open in at.items():
        hour, minute = clock.split(":")
        assert hours.is_open(monday.replace(hour=int(hour), minute=int(minute))) is is_open, clock
    assert not hours.is_open(datetime(2026, 3, 3, 12, tzinfo=UTC))
    assert hours.on(monday) == "Mon 01:05-12:00, 13:00-24:00"
    assert hours.opens_in(datetime(2026, 3, 3, 1, 5, tzinfo=UTC)) == timedelta(days=6)


@pytest.mark.parametrize(
    "sessions",
    [
        None,
        {},
        [],
        {"MONDAY": []},
        {"MONDAY": "open"},
        {"MOONDAY": FULL_DAY},
        {"MONDAY": [{"from": "08:00:00.000"}]},
        {"MONDAY": [{"from": "08:00:00.000", "to": "07:00:00.000"}]},
        {"MONDAY": [{"from": "08:61:00.000", "to": "17:00:00.000"}]},
        {"MONDAY": [{"from": 8, "to": 17}], "TUESDAY": FULL_DAY},
        {"MONDAY": [{"from": "08:00:00.000", "to": "25:00:00.000"}]},
    ],
    ids="none empty list no_hours word no_day half backwards no_minute numbers too_long".split(),
)
def test_hours_that_cannot_be_read_are_not_known_and_refuse_nothing(sessions: object) -> None:
    assert mapping.instrument(payload(SPECIFICATION, tradeSessions=sessions)).sessions is None


@pytest.mark.parametrize(
    ("written", "ahead"),
    [
        ("2026-03-02 12:00:00.000", 120),
        ("2026-03-02 05:30:00.000", -270),
        ("2026-03-03 12:00:00.000", None),
        ("yesterday", None),
        (None, None),
    ],
    ids=["east", "west", "too_far", "word", "none"],
)
def test_how_far_the_brokers_clock_is_ahead_comes_with_a_price(
    written: str | None, ahead: int | None
) -> None:
    quote = mapping.quote(payload(PRICE, time="2026-03-02T10:00:00.000Z", brokerTime=written))
    assert quote.broker_ahead == (None if ahead is None else timedelta(minutes=ahead))


def test_a_price_carries_the_value_of_a_tick() -> None:
    quote = mapping.quote(payload(PRICE))
    assert quote.loss_tick_value == Decimal("1.00002")
    assert quote.spread == Decimal("0.00008")


@pytest.mark.parametrize("changed", [{"bid": 0}, {"ask": None}, {"lossTickValue": None}])
def test_half_a_price_is_none(changed: dict[str, object]) -> None:
    with pytest.raises(UnreadableError):
        mapping.quote(payload(PRICE, **changed))


def test_lists_come_bare_or_wrapped() -> None:
    assert mapping.rows_of([1], "deals") == mapping.Rows([1], synchronizing=False)
    wrapped = {"deals": [1], "synchronizing": True}
    assert mapping.rows_of(wrapped, "deals") == mapping.Rows([1], synchronizing=True)
    with pytest.raises(UnreadableError):
        mapping.rows_of({"orders": []}, "deals")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals("-1e20", "1e20") | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.sampled_from([POSITION, ORDER, HISTORY_ORDER, DEAL]), st.data())
def test_any_damage_to_an_object_is_a_refusal_and_nothing_else(
    recorded: dict[str, Any], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(recorded)))
    damaged = payload(recorded)
    assert isinstance(damaged, dict)
    damaged[name] = data.draw(anything)
    for read in (mapping.position, mapping.working_order, mapping.history_order, mapping.deal):
        mapping.map_rows([damaged], read)
