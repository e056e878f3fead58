"""Orders as the bodies of `POST .../trade`. Pure; raises NotSentError for what must not be sent."""

import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, assert_never

from signalfleet.adapters.metaapi import limits
from signalfleet.domain.instruments.model import Instrument
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
    TrailingStop,
)
from signalfleet.ports.broker import MarginQuestion
from signalfleet.ports.errors import NotSentError

_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9]{1,10}_[A-Za-z0-9]{1,20}_[A-Za-z0-9]{1,10}")
_EXPIRES: Final = "SYMBOL_EXPIRATION_SPECIFIED"

Body = dict[str, object]


def trade_body(order: BrokerOrder, instrument: Instrument | None) -> Body:
    """Return the body; `instrument` None means that the symbol's digits are not known."""
    match order:
        case OpenOrder():
            return _open(order, instrument)
        case ModifyPosition():
            # An omitted level is cleared: both are always the whole truth.
            body: Body = {"actionType": "POSITION_MODIFY", "positionId": order.position_id}
            return body | _levels(order, instrument)
        case ClosePosition():
            return {
                "actionType": "POSITION_CLOSE_ID",
                "positionId": order.position_id,
                "clientId": _client_id(order.client_id),
            }
        case ReducePosition():
            return {
                "actionType": "POSITION_PARTIAL",
                "positionId": order.position_id,
                "volume": _volume(order.lots, instrument),
                "clientId": _client_id(order.client_id),
            }
        case ModifyOrder():
            price = _price(order.price, instrument)
            body = {"actionType": "ORDER_MODIFY", "orderId": order.order_id, "openPrice": price}
            return body | _levels(order, instrument)
        case CancelOrder():
            return {"actionType": "ORDER_CANCEL", "orderId": order.order_id}
        case _:
            assert_never(order)


def margin_body(question: MarginQuestion) -> Body:
    return {
        "symbol": question.symbol,
        "type": f"ORDER_TYPE_{question.side.name}",
        "volume": question.lots.value,
        "openPrice": question.price.value,
    }


def trailing_body(trailing: TrailingStop, instrument: Instrument | None) -> Body:
    """Write a stop that MetaApi moves by itself; of two the one closer to the price counts.

    metaapi.cloud/docs/client/models/trailingStopLoss; it runs only while the account is deployed.
    """
    body: Body = {}
    if trailing.distance is not None:
        body["distance"] = {"distance": trailing.distance, "units": "RELATIVE_PRICE"}
    if trailing.steps:
        body["threshold"] = {
            "thresholds": [
                {
                    "threshold": _price(step.reached, instrument),
                    "stopLoss": _price(step.stop_loss, instrument),
                }
                for step in trailing.steps
            ],
            "units": "ABSOLUTE_PRICE",
        }
    return body


def _open(order: OpenOrder, instrument: Instrument | None) -> Body:
    action = f"ORDER_TYPE_{order.side.name}"
    body: Body = {}
    if order.kind is not OrderKind.MARKET:
        action += f"_{order.kind.name}"
        if order.price is None:
            raise NotSentError("a pending order needs a price", reason="no_price")
        body["openPrice"] = _price(order.price, instrument)
        if order.expires_at is not None and _may_expire(instrument):
            body["expiration"] = {"type": "ORDER_TIME_SPECIFIED", "time": iso(order.expires_at)}
    return {
        "actionType": action,
        "symbol": order.symbol,
        "volume": _volume(order.lots, instrument),
        **body,
        **_levels(order, instrument),
        "clientId": _client_id(order.client_id),
        "magic": order.magic,
    }


def _may_expire(instrument: Instrument | None) -> bool:
    return instrument is None or _EXPIRES in instrument.expiration_modes


def _levels(order: OpenOrder | ModifyPosition | ModifyOrder, instrument: Instrument | None) -> Body:
    levels: Body = {}
    if order.stop_loss is not None:
        levels["stopLoss"] = _price(order.stop_loss, instrument)
    if order.take_profit is not None:
        levels["takeProfit"] = _price(order.take_profit, instrument)
    if not isinstance(order, ModifyOrder) and order.trailing is not None:
        levels["trailingStopLoss"] = trailing_body(order.trailing, instrument)
    return levels


def _price(price: Price, instrument: Instrument | None) -> Decimal:
    if instrument is None:
        return price.value
    return price.value.quantize(Decimal(1).scaleb(-instrument.digits), ROUND_HALF_UP)


def _volume(lots: Lots, instrument: Instrument | None) -> Decimal:
    volume = (lots if instrument is None else lots.floor_to(instrument.lot_step)).value
    if volume <= 0:
        raise NotSentError("the volume is below the symbol's step", reason="volume_below_step")
    return volume


def _client_id(client_id: str) -> str:
    if len(client_id) > limits.CLIENT_ID_LENGTH or not _CLIENT_ID.fullmatch(client_id):
        raise NotSentError("the client id has a form that MetaApi refuses", reason="client_id_form")
    return client_id


def iso(moment: datetime) -> str:
    """Write a time as MetaApi does: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
