"""The engine's refusals by the names that MetaTrader's trade servers give them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from signalfleet.domain.exchange.model import RejectReason
from signalfleet.domain.trading.outcomes import Rejected

_RETCODE: Final = "TRADE_RETCODE_"
DONE: Final = _RETCODE + "DONE"
NO_CHANGES: Final = _RETCODE + "NO_CHANGES"

NAMES: Final[Mapping[RejectReason, str]] = MappingProxyType(
    {
        RejectReason.UNKNOWN_SYMBOL: _RETCODE + "INVALID",
        RejectReason.TRADE_DISABLED: _RETCODE + "TRADE_DISABLED",
        RejectReason.LONG_ONLY: _RETCODE + "LONG_ONLY",
        RejectReason.SHORT_ONLY: _RETCODE + "SHORT_ONLY",
        RejectReason.CLOSE_ONLY: _RETCODE + "CLOSE_ONLY",
        RejectReason.MARKET_CLOSED: _RETCODE + "MARKET_CLOSED",
        RejectReason.NO_QUOTES: "ERR_NO_QUOTES",
        RejectReason.INVALID_VOLUME: _RETCODE + "INVALID_VOLUME",
        RejectReason.INVALID_CLOSE_VOLUME: _RETCODE + "INVALID_CLOSE_VOLUME",
        RejectReason.INVALID_PRICE: _RETCODE + "INVALID_PRICE",
        RejectReason.INVALID_STOPS: _RETCODE + "INVALID_STOPS",
        RejectReason.INVALID_FILL: _RETCODE + "INVALID_FILL",
        RejectReason.INVALID_EXPIRATION: _RETCODE + "INVALID_EXPIRATION",
        RejectReason.INVALID_ORDER: _RETCODE + "INVALID_ORDER",
        RejectReason.NO_MONEY: _RETCODE + "NO_MONEY",
        RejectReason.TOO_MANY_ORDERS: _RETCODE + "LIMIT_ORDERS",
        RejectReason.TOO_MANY_POSITIONS: _RETCODE + "LIMIT_POSITIONS",
        RejectReason.VOLUME_LIMIT: _RETCODE + "LIMIT_VOLUME",
        RejectReason.FROZEN: _RETCODE + "FROZEN",
        RejectReason.HEDGE_PROHIBITED: _RETCODE + "HEDGE_PROHIBITED",
        RejectReason.FIFO_CLOSE: _RETCODE + "FIFO_CLOSE",
        RejectReason.POSITION_NOT_FOUND: "ERR_TRADE_POSITION_NOT_FOUND",
        RejectReason.ORDER_NOT_FOUND: "ERR_TRADE_ORDER_NOT_FOUND",
    }
)
_GONE: Final = frozenset({RejectReason.POSITION_NOT_FOUND, RejectReason.ORDER_NOT_FOUND})
_PASSING: Final = frozenset({RejectReason.NO_QUOTES})


def rejected(reason: RejectReason, text: str) -> Rejected:
    return Rejected(
        code=NAMES[reason], text=text, again=reason in _PASSING, already_so=reason in _GONE
    )
