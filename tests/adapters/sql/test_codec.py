"""Every value comes back from its columns as it was."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.store_rows import NOW, Rows, a_post, a_view
from signalfleet.adapters.sql import codec, rows
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import ChannelId, MessageId, UserId
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.settings.distances import Distance, Unit
from signalfleet.domain.settings.protection import BreakEvenMode, BreakEvenWhen
from signalfleet.domain.signals.model import ChannelMessage, PriceRange, Signal, Span
from signalfleet.domain.trading.intents import (
    AmendLeg,
    CancelLeg,
    CloseLeg,
    Command,
    OpenLeg,
    ProtectLeg,
    ReduceLeg,
    action_of,
)
from signalfleet.domain.trading.orders import StopStep, TrailingStop
from signalfleet.domain.trading.records import Copy, TraceStep, Trade
from signalfleet.domain.trading.reports import Position, WorkingOrder
from signalfleet.ports.chat_source import Origin
from signalfleet.ports.inbox import MessageState, StoredMessage
from signalfleet.ports.store import AccountView

ME = UserId("u_mfrggzdfmztwq2lk")

decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12)
above_zero = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=Decimal("1e-12"), max_value=10**12
)
texts = st.text(st.characters(exclude_categories=["Cs"]))
moments = st.datetimes(timezones=st.just(UTC))
st.register_type_strategy(Decimal, decimals)
st.register_type_strategy(datetime, moments)
st.register_type_strategy(str, texts)
st.register_type_strategy(Price, st.builds(Price, above_zero))
st.register_type_strategy(Lots, st.builds(Lots, above_zero | st.just(Decimal(0))))
st.register_type_strategy(
    PriceRange,
    st.builds(PriceRange.of, st.builds(Price, above_zero), st.builds(Price, above_zero)),
)
st.register_type_strategy(
    Distance, st.builds(Distance, amount=above_zero, unit=st.sampled_from(Unit))
)
st.register_type_strategy(
    BreakEvenWhen,
    st.sampled_from(
        (
            BreakEvenWhen(mode=BreakEvenMode.OFF),
            BreakEvenWhen(mode=BreakEvenMode.AT_TARGET, amount=Decimal(2)),
            BreakEvenWhen(mode=BreakEvenMode.AT_R, amount=Decimal("0.5")),
        )
    ),
)
st.register_type_strategy(
    TrailingStop,
    st.builds(TrailingStop, distance=above_zero)
    | st.builds(TrailingStop, steps=st.lists(st.from_type(StopStep), min_size=1).map(tuple)),
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | texts
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
facts = st.dictionaries(texts, json_values, max_size=4)
big = st.integers(min_value=-(2**63), max_value=2**63 - 1)


def as_row(params: rows.Params) -> rows.Params:
    """What SQLite would hand back: text enums are text, all else as it was."""
    return {name: str(v) if isinstance(v, str) else v for name, v in params.items()}


@given(st.from_type(Signal))
def test_a_reading_comes_back(signal: Signal) -> None:
    assert codec.decode_signal(codec.encode_signal(signal)) == signal


@given(
    st.one_of(*map(st.from_type, (OpenLeg, CloseLeg, ReduceLeg, ProtectLeg, CancelLeg, AmendLeg)))
)
def test_a_command_comes_back_as_the_same_kind(command: Command) -> None:
    action = action_of(command)
    decoded = codec.decode_command(action, codec.encode_command(action, command))
    assert (type(decoded), decoded) == (type(command), command)


@given(
    st.builds(
        AccountView,
        positions=st.lists(st.from_type(Position), max_size=1).map(tuple),
        orders=st.lists(st.from_type(WorkingOrder), max_size=1).map(tuple),
    )
)
@settings(max_examples=30)
def test_a_view_comes_back(view: AccountView) -> None:
    assert codec.decode_view(codec.encode_view(view)) == view


@given(st.lists(st.builds(TraceStep, stage=texts, at=moments, facts=facts), max_size=4))
def test_a_trace_comes_back(steps: list[TraceStep]) -> None:
    assert codec.decode_trace(codec.encode_trace(tuple(steps))) == tuple(steps)


@given(
    message=st.builds(
        ChannelMessage,
        channel=st.builds(ChannelId, big),
        message=st.builds(MessageId, big),
        struck=st.tuples(st.builds(Span, start=big, end=big, field=texts)),
        edited_at=st.none() | moments,
    )
)
def test_a_message_comes_back(message: ChannelMessage) -> None:
    stored = StoredMessage(
        message=message,
        rev=message.version,
        via=Origin.LIVE,
        received_at=NOW,
        state=MessageState.NEW,
    )
    assert rows.stored_message(as_row(rows.message_params(ME, stored, "hash", 1))) == stored


@given(st.from_type(Trade))
def test_a_trade_comes_back(trade: Trade) -> None:
    assert rows.stored_trade(as_row(rows.trade_params(ME, trade))) == trade


@given(st.from_type(Copy), facts)
def test_a_copy_comes_back(copy: Copy, plan: dict[str, object]) -> None:
    copy = replace(copy, plan=plan)
    assert rows.signal_copy(as_row(rows.copy_params(ME, copy))) == copy


@given(moments, st.integers(min_value=-23, max_value=23))
def test_a_moment_keeps_its_microseconds_in_any_zone(moment: datetime, hours: int) -> None:
    if not datetime(2, 1, 1, tzinfo=UTC) < moment < datetime(9998, 1, 1, tzinfo=UTC):
        return
    local = moment.astimezone(timezone(timedelta(hours=hours)))
    assert codec.from_micros(codec.to_micros(local)) == moment


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(DomainError):
        codec.to_micros(NOW.replace(tzinfo=None))


@pytest.mark.parametrize("value", [Decimal(1), NOW, float("inf"), {1}, object()])
def test_facts_that_are_not_json_are_refused(value: object) -> None:
    with pytest.raises(DomainError):
        codec.encode_trace((TraceStep(stage="sized", at=NOW, facts={"value": value}),))


def test_json_is_the_same_for_equal_values() -> None:
    assert codec.to_json({"b": 1, "a": [2]}, "it") == '{"a":[2],"b":1}'
    assert codec.to_json({"a": [2], "b": 1}, "it") == '{"a":[2],"b":1}'


def test_stored_forms_stay_as_they_are() -> None:
    """These texts are in databases: a change here needs a migration."""
    signal = Rows(user=ME).signal(1)
    assert codec.encode_signal(signal.reading) == (
        '{"side":"buy","symbol":"XAUUSD","order":"limit",'
        '"entry":{"low":{"value":"2349"},"high":{"value":"2350.10"}},"stop":{"value":"2340"},'
        '"stop_pips":null,"targets":[{"value":"2360.50"},null],"target_pips":[],"target_r":[],'
        '"risk_percent":null,"lots":null,"size_word":"","leverage":null,"expires_at":null,'
        '"inherits":null,"is_addition":false,"issues":[],"spans":[],"confidence":100}'
    )
    assert codec.encode_attributes(a_post()) == (
        '{"forwarded":true,"has_media":true,"media":"photo",'
        '"struck":[{"end":3,"field":"side","start":0}],"topic":3}'
    )
    assert '"balance":"1000.10"' in codec.encode_view(a_view())
