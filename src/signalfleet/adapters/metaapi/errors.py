"""What each of MetaApi's codes proves, as one table.

Sources: metaapi.cloud/docs/client/models/metatraderTradeResponse, and MetaQuotes' own list,
mql5.com/en/docs/constants/errorswarnings/enum_trade_return_codes.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Verdict(StrEnum):
    ACCEPTED = "accepted"
    AGAIN = "again"
    """Nothing was done, and the reason may pass by itself."""
    REFUSED = "refused"
    ALREADY_SO = "already_so"
    """For a close, a change or a cancel: there is nothing left to do it to."""
    UNKNOWN = "unknown"


_RETCODE: Final = "TRADE_RETCODE_"

_ACCEPTED = {
    0: "ERR_NO_ERROR",
    10008: _RETCODE + "PLACED",
    10009: _RETCODE + "DONE",
    10010: _RETCODE + "DONE_PARTIAL",
    10025: _RETCODE + "NO_CHANGES",
}
_AGAIN = {
    10004: _RETCODE + "REQUOTE",
    10020: _RETCODE + "PRICE_CHANGED",
    10021: _RETCODE + "PRICE_OFF",
    10024: _RETCODE + "TOO_MANY_REQUESTS",
    -6: "ERR_NO_QUOTES",
    -10: _RETCODE + "DISCONNECTED_BEFORE_TRADE",  # Documented: it never reached the broker.
}
_OUR_REQUEST = {
    10013: _RETCODE + "INVALID",
    10014: _RETCODE + "INVALID_VOLUME",
    10015: _RETCODE + "INVALID_PRICE",
    10016: _RETCODE + "INVALID_STOPS",
    10022: _RETCODE + "INVALID_EXPIRATION",
    10030: _RETCODE + "INVALID_FILL",
    10035: _RETCODE + "INVALID_ORDER",
    10038: _RETCODE + "INVALID_CLOSE_VOLUME",
    -9: "ERR_PIP_SIZE_NOT_DEFINED",
    -4: "ORDER_TYPE_NOT_SUPPORTED",
}
_ACCOUNT_OR_MARKET = {
    10006: _RETCODE + "REJECT",
    10017: _RETCODE + "TRADE_DISABLED",
    10018: _RETCODE + "MARKET_CLOSED",
    10019: _RETCODE + "NO_MONEY",
    10026: _RETCODE + "SERVER_DISABLES_AT",
    10027: _RETCODE + "CLIENT_DISABLES_AT",
    10028: _RETCODE + "LOCKED",
    10029: _RETCODE + "FROZEN",
    10032: _RETCODE + "ONLY_REAL",
    10033: _RETCODE + "LIMIT_ORDERS",
    10034: _RETCODE + "LIMIT_VOLUME",
    10040: _RETCODE + "LIMIT_POSITIONS",
    10041: _RETCODE + "REJECT_CANCEL",
    10042: _RETCODE + "LONG_ONLY",
    10043: _RETCODE + "SHORT_ONLY",
    10044: _RETCODE + "CLOSE_ONLY",
    10045: _RETCODE + "FIFO_CLOSE",
    10046: _RETCODE + "HEDGE_PROHIBITED",
    133: "ERR_TRADE_DISABLED",
    -8: "ERR_INVESTOR",
}
_ALREADY_SO = {
    4753: "ERR_TRADE_POSITION_NOT_FOUND",
    4754: "ERR_TRADE_ORDER_NOT_FOUND",
    10036: _RETCODE + "POSITION_CLOSED",
    10039: _RETCODE + "CLOSE_ORDER_EXIST",
}
_UNKNOWN = {
    10007: _RETCODE + "CANCEL",
    10011: _RETCODE + "ERROR",
    10012: _RETCODE + "TIMEOUT",
    10023: _RETCODE + "ORDER_CHANGED",
    10031: _RETCODE + "CONNECTION",
    -7: "ERR_TRADE_TIMED_OUT",
    -5: "ERR_NOT_SYNCHRONIZED",
    -1: "UNKNOWN",
    128: "ERR_TRADE_TIMEOUT",
    -11: _RETCODE + "DISCONNECTED_DURING_TRADE",
}

_GROUPS = (
    (Verdict.ACCEPTED, _ACCEPTED),
    (Verdict.AGAIN, _AGAIN),
    (Verdict.REFUSED, _OUR_REQUEST),
    (Verdict.REFUSED, _ACCOUNT_OR_MARKET),
    (Verdict.ALREADY_SO, _ALREADY_SO),
    (Verdict.UNKNOWN, _UNKNOWN),
)

CODES: Final[Mapping[int, tuple[str, Verdict]]] = MappingProxyType(
    {number: (name, verdict) for verdict, codes in _GROUPS for number, name in codes.items()}
)
NUMBERS: Final[Mapping[str, int]] = MappingProxyType(
    {name: number for number, (name, _) in CODES.items()}
)

REFUSING_STATUSES: Final = frozenset({400, 401, 403, 404, 409})
"""With MetaApi's own error body these prove that nothing was done."""
TOKEN_STATUSES: Final = frozenset({401, 403})
TOO_MANY: Final = 429
GATEWAY_TIMEOUT: Final = 504
SERVER_ERRORS: Final = 500
"""From here on the other side failed, whatever was asked."""
