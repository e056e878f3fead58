"""Orders as MetaApi wants them written."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.metaapi_rig import SPECIFICATION
from signalfleet.adapters.metaapi import json_text, mapping
from signalfleet.adapters.metaapi.bodies import margin_body, trade_body
from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import ClientId
from signalfleet.domain.instruments.model import Instrument, Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.orders import (
    BrokerOrder,
    CancelOrder,
    ClosePosition,
    ModifyOrder,
    ModifyPosition,
    OpenOrder,
    ReducePosition,
    StopStep,
    TrailingStop,
)
from signalfleet.ports.broker import MarginQuestion
from signalfleet.ports.errors import NotSentError

CLIENT_ID = ClientId("S165_EJIQROFJUNEUDZLA_E0")
GBPUSD = mapping.instrument(json_text.parse(json.dumps(SPECIFICATION).encode()))


def an_order(
    kind: OrderKind = OrderKind.MARKET,
    *,
    side: Side = Side.BUY,
    lots: str = "0.07",
    price: str | None = None,
    stop: str | None = None,
    target: str | None = None,
    client_id: str = CLIENT_ID,
    expires_at: datetime | None = None,
) -> OpenOrder:
    return OpenOrder(
        symbol="GBPUSD",
        side=side,
        kind=kind,
        lots=Lots.of(lots),
        price=None if price is None else Price.of(price),
        stop_loss=None if stop is None else Price.of(stop),
        take_profit=None if target is None else Price.of(target),
        client_id=ClientId(client_id),
        magic=7,
        expires_at=expires_at,
    )


def written(order: BrokerOrder, instrument: Instrument | None = GBPUSD) -> str:
    return json_text.encode(trade_body(order, instrument))


def test_a_market_order_carries_its_stop_and_target_and_no_comment() -> None:
    assert written(an_order(stop="1.25", target="1.27")) == (
        '{"actionType":"ORDER_TYPE_BUY","symbol":"GBPUSD","volume":0.07,'
        '"stopLoss":1.25000,"takeProfit":1.27000,'
        '"clientId":"S165_EJIQROFJUNEUDZLA_E0","magic":7}'
    )


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("kind", [OrderKind.LIMIT, OrderKind.STOP])
def test_a_pending_order_names_its_kind_and_price(side: Side, kind: OrderKind) -> None:
    body = trade_body(an_order(kind, side=side, price="1.25"), GBPUSD)
    assert body["actionType"] == f"ORDER_TYPE_{side.value.upper()}_{kind.value.upper()}"
    assert body["openPrice"] == Decimal("1.25000")


def test_a_pending_order_expires_at_the_broker_where_it_can() -> None:
    moment = datetime(2026, 3, 2, 10, 0, 1, 500_000, tzinfo=UTC)
    order = an_order(OrderKind.LIMIT, price="1.25", expires_at=moment)
    assert trade_body(order, GBPUSD)["expiration"] == {
        "type": "ORDER_TIME_SPECIFIED",
        "time": "2026-03-02T10:00:01.500Z",
    }
    only_gtc = mapping.instrument(SPECIFICATION_OF_GTC)
    assert "expiration" not in trade_body(order, only_gtc)


SPECIFICATION_OF_GTC = {
    key: Decimal(str(value)) if isinstance(value, float) else value
    for key, value in SPECIFICATION.items()
} | {"allowedExpirationModes": ["SYMBOL_EXPIRATION_GTC"]}


@pytest.mark.parametrize(
    ("order", "body"),
    [
        (
            ModifyPosition(
                position_id="46", stop_loss=Price.of("1.2"), take_profit=Price.of("1.3")
            ),
            {
                "actionType": "POSITION_MODIFY",
                "positionId": "46",
                "stopLoss": Decimal("1.20000"),
                "takeProfit": Decimal("1.30000"),
            },
        ),
        (
            ModifyPosition(position_id="46", stop_loss=None, take_profit=None),
            {"actionType": "POSITION_MODIFY", "positionId": "46"},
        ),
        (
            ClosePosition(position_id="46", client_id=CLIENT_ID),
            {"actionType": "POSITION_CLOSE_ID", "positionId": "46", "clientId": CLIENT_ID},
        ),
        (
            ReducePosition(position_id="46", lots=Lots.of("0.019"), client_id=CLIENT_ID),
            {
                "actionType": "POSITION_PARTIAL",
                "positionId": "46",
                "volume": Decimal("0.01"),
                "clientId": CLIENT_ID,
            },
        ),
        (
            ModifyOrder(order_id="47", price=Price.of("1.1"), stop_loss=None, take_profit=None),
            {"actionType": "ORDER_MODIFY", "orderId": "47", "openPrice": Decimal("1.10000")},
        ),
        (CancelOrder(order_id="47"), {"actionType": "ORDER_CANCEL", "orderId": "47"}),
    ],
)
def test_each_other_order_has_its_own_body(order: BrokerOrder, body: dict[str, object]) -> None:
    assert trade_body(order, GBPUSD) == body


def test_a_trailing_stop_is_written_as_metaapi_documents_it() -> None:
    """Fields and units: metaapi.cloud/docs/client/models/trailingStopLoss."""
    step = StopStep(reached=Price.of("1.27"), stop_loss=Price.of("1.26"))
    trailing = TrailingStop(distance=Decimal("0.005"), steps=(step,))
    order = ModifyPosition(
        position_id="46", stop_loss=Price.of("1.2"), take_profit=None, trailing=trailing
    )
    assert written(order) == (
        '{"actionType":"POSITION_MODIFY","positionId":"46","stopLoss":1.20000,'
        '"trailingStopLoss":{"distance":{"distance":0.005,"units":"RELATIVE_PRICE"},'
        '"threshold":{"thresholds":[{"threshold":1.27000,"stopLoss":1.26000}],'
        '"units":"ABSOLUTE_PRICE"}}}'
    )


@pytest.mark.parametrize("distance", [None, Decimal(0), Decimal(-1), Decimal("NaN")])
def test_a_trailing_stop_that_trails_nothing_is_refused(distance: Decimal | None) -> None:
    with pytest.raises(DomainError):
        TrailingStop(distance=distance)


def test_a_question_for_margin_is_written_as_metaapi_documents_it() -> None:
    """Fields: metaapi.cloud/docs/client/restApi/api/calculateMargin."""
    question = MarginQuestion(
        symbol="GBPUSD", side=Side.SELL, lots=Lots.of("0.1"), price=Price.of("1.1")
    )
    assert json_text.encode(margin_body(question)) == (
        '{"symbol":"GBPUSD","type":"ORDER_TYPE_SELL","volume":0.1,"openPrice":1.1}'
    )


def test_prices_are_rounded_to_the_symbols_digits_and_written_without_noise() -> None:
    assert '"stopLoss":1.12346' in written(an_order(stop="1.1234567"))
    assert '"stopLoss":1.1234567' in written(an_order(stop="1.1234567"), None)


def test_a_volume_is_floored_to_the_step() -> None:
    assert '"volume":0.07,' in written(an_order(lots="0.0799"))


@pytest.mark.parametrize("lots", ["0", "0.0099"])
def test_a_volume_below_the_step_is_not_sent(lots: str) -> None:
    with pytest.raises(NotSentError) as caught:
        trade_body(an_order(lots=lots), GBPUSD)
    assert caught.value.reason == "volume_below_step"


def test_a_pending_order_without_a_price_is_not_sent() -> None:
    with pytest.raises(NotSentError) as caught:
        trade_body(an_order(OrderKind.STOP), GBPUSD)
    assert caught.value.reason == "no_price"


@pytest.mark.parametrize(
    "client_id", ["", "a", "a_b", "a_b_c_d", "a__c", "ä_b_c", "a_b_c\n", "a" * 10 + "_b" * 9]
)
def test_a_client_id_that_metaapi_would_refuse_is_not_sent(client_id: str) -> None:
    with pytest.raises(NotSentError) as caught:
        trade_body(an_order(client_id=client_id), GBPUSD)
    assert caught.value.reason == "client_id_form"


@given(st.decimals(min_value="1e-9", max_value="1e9", allow_nan=False, allow_infinity=False))
def test_a_number_survives_the_way_out_and_back(number: Decimal) -> None:
    text = json_text.encode({"n": number})
    assert json_text.parse(text.encode()) == {"n": number}
    assert "E" not in text


def test_a_float_is_never_written() -> None:
    with pytest.raises(TypeError, match="Decimal"):
        json_text.encode({"volume": 0.1})


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"NaN", b"Infinity", b"1e99999999", b"9" * 5000, b"\xff", b"[" * 10**6]
)
def test_what_is_not_sane_json_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # Many messages, one class.
        json_text.parse(raw)
