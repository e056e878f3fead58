"""The numbers, names and texts of trade results, and which of them the engine's refusals become."""

from typing import Final

from signalfleet.domain.exchange.model import RejectReason

DONE: Final = 10009
NO_CHANGES: Final = 10025
REJECT: Final = 10006
REQUOTE: Final = 10004
DONE_PARTIAL: Final = 10010
INVALID: Final = 10013
INVALID_PRICE: Final = 10015
INVALID_STOPS: Final = 10016
TRADE_DISABLED: Final = 10017
POSITION_NOT_FOUND: Final = 4753
ORDER_NOT_FOUND: Final = 4754
PIP_SIZE_NOT_DEFINED: Final = -9
INVESTOR: Final = -8
ORDER_TYPE_NOT_SUPPORTED: Final = -4

_RETCODES: Final = {
    10004: ("REQUOTE", "Requote"),
    10006: ("REJECT", "Request rejected"),
    10007: ("CANCEL", "Request canceled by trader"),
    10008: ("PLACED", "Order placed"),
    10009: ("DONE", "Request completed"),
    10010: ("DONE_PARTIAL", "Only part of the request was completed"),
    10011: ("ERROR", "Request processing error"),
    10012: ("TIMEOUT", "Request canceled by timeout"),
    10013: ("INVALID", "Invalid request"),
    10014: ("INVALID_VOLUME", "Invalid volume in the request"),
    10015: ("INVALID_PRICE", "Invalid price in the request"),
    10016: ("INVALID_STOPS", "Invalid stops in the request"),
    10017: ("TRADE_DISABLED", "Trade is disabled"),
    10018: ("MARKET_CLOSED", "Market is closed"),
    10019: ("NO_MONEY", "There is not enough money to complete the request"),
    10020: ("PRICE_CHANGED", "Prices changed"),
    10021: ("PRICE_OFF", "There are no quotes to process the request"),
    10022: ("INVALID_EXPIRATION", "Invalid order expiration date in the request"),
    10023: ("ORDER_CHANGED", "Order state changed"),
    10024: ("TOO_MANY_REQUESTS", "Too frequent requests"),
    10025: ("NO_CHANGES", "No changes in request"),
    10026: ("SERVER_DISABLES_AT", "Autotrading disabled by server"),
    10027: ("CLIENT_DISABLES_AT", "Autotrading disabled by client terminal"),
    10028: ("LOCKED", "Request locked for processing"),
    10029: ("FROZEN", "Order or position frozen"),
    10030: ("INVALID_FILL", "Invalid order filling type"),
    10031: ("CONNECTION", "No connection with the trade server"),
    10032: ("ONLY_REAL", "Operation is allowed only for live accounts"),
    10033: ("LIMIT_ORDERS", "The number of pending orders has reached the limit"),
    10034: ("LIMIT_VOLUME", "The volume of orders and positions has reached the limit"),
    10035: ("INVALID_ORDER", "Incorrect or prohibited order type"),
    10036: ("POSITION_CLOSED", "Position with the specified id is already closed"),
    10038: ("INVALID_CLOSE_VOLUME", "A close volume exceeds the current position volume"),
    10039: ("CLOSE_ORDER_EXIST", "A close order already exists for the position"),
    10040: ("LIMIT_POSITIONS", "The number of open positions has reached the limit"),
    10041: ("REJECT_CANCEL", "The pending order activation is rejected, the order is canceled"),
    10042: ("LONG_ONLY", "Only long positions are allowed"),
    10043: ("SHORT_ONLY", "Only short positions are allowed"),
    10044: ("CLOSE_ONLY", "Only position closing is allowed"),
    10045: ("FIFO_CLOSE", "Position closing is allowed only by FIFO rule"),
    10046: ("HEDGE_PROHIBITED", "Opposite positions on one symbol are prohibited"),
}

_OTHERS: Final = {
    0: ("ERR_NO_ERROR", "No error"),
    4753: ("ERR_TRADE_POSITION_NOT_FOUND", "Position not found"),
    4754: ("ERR_TRADE_ORDER_NOT_FOUND", "Order not found"),
    128: ("ERR_TRADE_TIMEOUT", "Trade timeout"),
    133: ("ERR_TRADE_DISABLED", "Trade is disabled"),
    -1: ("UNKNOWN", "Unknown error"),
    -4: ("ERR_TRADE_ORDER_TYPE_NOT_SUPPORTED", "Order type is not supported"),
    -5: ("ERR_NOT_SYNCHRONIZED", "Terminal is not synchronized"),
    -6: ("ERR_NO_QUOTES", "No quotes for the symbol"),
    -7: ("ERR_TRADE_TIMED_OUT", "Trade request timed out"),
    -8: ("ERR_INVESTOR", "Trading is not possible with the investor password"),
    -9: ("ERR_PIP_SIZE_NOT_DEFINED", "Pip size is not defined for the symbol"),
}

OF_REASON: Final = {
    RejectReason.UNKNOWN_SYMBOL: 10013,
    RejectReason.TRADE_DISABLED: 10017,
    RejectReason.LONG_ONLY: 10042,
    RejectReason.SHORT_ONLY: 10043,
    RejectReason.CLOSE_ONLY: 10044,
    RejectReason.MARKET_CLOSED: 10018,
    RejectReason.NO_QUOTES: -6,
    RejectReason.INVALID_VOLUME: 10014,
    RejectReason.INVALID_CLOSE_VOLUME: 10038,
    RejectReason.INVALID_PRICE: 10015,
    RejectReason.INVALID_STOPS: 10016,
    RejectReason.INVALID_FILL: 10030,
    RejectReason.INVALID_EXPIRATION: 10022,
    RejectReason.INVALID_ORDER: 10035,
    RejectReason.NO_MONEY: 10019,
    RejectReason.TOO_MANY_ORDERS: 10033,
    RejectReason.TOO_MANY_POSITIONS: 10040,
    RejectReason.VOLUME_LIMIT: 10034,
    RejectReason.FROZEN: 10029,
    RejectReason.HEDGE_PROHIBITED: 10046,
    RejectReason.FIFO_CLOSE: 10045,
    RejectReason.POSITION_NOT_FOUND: POSITION_NOT_FOUND,
    RejectReason.ORDER_NOT_FOUND: ORDER_NOT_FOUND,
}


def answer(code: int, text: str | None = None, **more: str | None) -> dict[str, object]:
    """Make the body of a trade's answer; an unknown number gets an unknown name."""
    if code in _RETCODES:
        name, message = _RETCODES[code]
        name = f"TRADE_RETCODE_{name}"
    else:
        name, message = _OTHERS.get(code, (f"ERR_CODE_{code}", "Unknown code"))
    body: dict[str, object] = {
        "numericCode": code,
        "stringCode": name,
        "message": text or message,
    }
    body.update((key, value) for key, value in more.items() if value is not None)
    return body


ALL_CODES: Final = tuple(_RETCODES) + tuple(_OTHERS)
