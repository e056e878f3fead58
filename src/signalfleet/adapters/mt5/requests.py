"""Orders as the request dictionaries of `order_send`. Pure."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from signalfleet.adapters.mt5 import limits
from signalfleet.adapters.mt5.mapping import Tuple
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.orders import (
    ModifyOrder,
    ModifyPosition,
    OpenOrder,
)
from signalfleet.ports.errors import NotSentError

Request = dict[str, Any]

_TYPES: Final = {
    (OrderKind.MARKET, Side.BUY): limits.ORDER_TYPE_BUY,
    (OrderKind.MARKET, Side.SELL): limits.ORDER_TYPE_SELL,
    (OrderKind.LIMIT, Side.BUY): limits.ORDER_TYPE_BUY_LIMIT,
    (OrderKind.LIMIT, Side.SELL): limits.ORDER_TYPE_SELL_LIMIT,
    (OrderKind.STOP, Side.BUY): limits.ORDER_TYPE_BUY_STOP,
    (OrderKind.STOP, Side.SELL): limits.ORDER_TYPE_SELL_STOP,
}


def opening(order: OpenOrder, info: Tuple, tick: Tuple, offset: timedelta) -> Request:
    """Write an order that opens. `info` and `tick` are the terminal's own of this symbol."""
    refuse_trailing(order.trailing is not None)
    request = {
        "symbol": order.symbol,
        "volume": _volume(order.lots, info),
        "type": _TYPES[order.kind, order.side],
        "sl": _level(order.stop_loss, info),
        "tp": _level(order.take_profit, info),
        "magic": order.magic,
        "comment": _comment(order.client_id),
        "type_time": limits.ORDER_TIME_GTC,
    }
    if order.kind is OrderKind.MARKET:
        return request | {
            "action": limits.TRADE_ACTION_DEAL,
            "price": tick.ask if order.side is Side.BUY else tick.bid,
            "deviation": limits.DEVIATION_POINTS,
            "type_filling": filling(int(info.filling_mode)),
        }
    if order.price is None:
        raise NotSentError("a pending order needs a price", reason="no_price")
    request |= {
        "action": limits.TRADE_ACTION_PENDING,
        "price": _level(order.price, info),
        "type_filling": limits.ORDER_FILLING_RETURN,
    }
    may_expire = int(info.expiration_mode) & limits.SYMBOL_EXPIRATION_SPECIFIED
    if order.expires_at is not None and may_expire:
        request["type_time"] = limits.ORDER_TIME_SPECIFIED
        request["expiration"] = _broker_time(order.expires_at, offset)
    return request


def closing(
    position: Tuple, info: Tuple, tick: Tuple, lots: Lots | None, client_id: str
) -> Request:
    """Write the opposite deal that closes a position, or part of it."""
    is_buy = position.type == limits.ORDER_TYPE_BUY
    return {
        "action": limits.TRADE_ACTION_DEAL,
        "position": position.ticket,
        "symbol": position.symbol,
        "volume": position.volume if lots is None else _volume(lots, info),
        "type": limits.ORDER_TYPE_SELL if is_buy else limits.ORDER_TYPE_BUY,
        "price": tick.bid if is_buy else tick.ask,
        "deviation": limits.DEVIATION_POINTS,
        "magic": position.magic,
        "comment": _comment(client_id),
        "type_time": limits.ORDER_TIME_GTC,
        "type_filling": filling(int(info.filling_mode)),
    }


def levels(order: ModifyPosition, position: Tuple, info: Tuple) -> Request:
    """Write both levels of a position; 0 removes one."""
    refuse_trailing(order.trailing is not None)
    return {
        "action": limits.TRADE_ACTION_SLTP,
        "position": position.ticket,
        "symbol": position.symbol,
        "sl": _level(order.stop_loss, info),
        "tp": _level(order.take_profit, info),
    }


def amending(order: ModifyOrder, working: Tuple, info: Tuple) -> Request:
    return {
        "action": limits.TRADE_ACTION_MODIFY,
        "order": working.ticket,
        "symbol": working.symbol,
        "price": _level(order.price, info),
        "sl": _level(order.stop_loss, info),
        "tp": _level(order.take_profit, info),
        "type_time": working.type_time,
        "expiration": working.time_expiration,
    }


def removing(working: Tuple) -> Request:
    return {"action": limits.TRADE_ACTION_REMOVE, "order": working.ticket}


def filling(bits: int) -> int:
    """Choose a filling of the request from the symbol's bits: all or nothing before a part."""
    if bits & limits.SYMBOL_FILLING_FOK:
        return limits.ORDER_FILLING_FOK
    return (
        limits.ORDER_FILLING_IOC
        if bits & limits.SYMBOL_FILLING_IOC
        else limits.ORDER_FILLING_RETURN
    )


def refuse_trailing(is_wanted: bool) -> None:  # noqa: FBT001
    if is_wanted:
        raise NotSentError("the local terminal moves no stops by itself", reason="no_trailing")


def _volume(lots: Lots, info: Tuple) -> float:
    volume = lots.floor_to(Decimal(repr(info.volume_step))).value
    if volume <= 0:
        raise NotSentError("the volume is below the symbol's step", reason="volume_below_step")
    return float(volume)  # The vendor's interface takes floats; the step has few digits.


def _level(price: Price | None, info: Tuple) -> float:
    if price is None:
        return 0.0
    return float(price.value.quantize(Decimal(1).scaleb(-int(info.digits))))


def _comment(client_id: str) -> str:
    if not client_id or len(client_id) > limits.COMMENT_CHARS:
        raise NotSentError("the client id does not fit a comment", reason="client_id_form")
    return client_id


def _broker_time(moment: datetime, offset: timedelta) -> int:
    return int((moment + offset).timestamp())
