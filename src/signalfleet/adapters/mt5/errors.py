"""What a trade server's code or the package's own error proves, as two tables.

Sources: mql5.com/en/docs/constants/errorswarnings/enum_trade_return_codes and
mql5.com/en/docs/python_metatrader5/mt5lasterror_py.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Verdict(StrEnum):
    ACCEPTED = "accepted"
    AGAIN = "again"
    REFUSED = "refused"
    ALREADY_SO = "already_so"
    UNKNOWN = "unknown"


_GROUPS: Final = (
    (
        Verdict.ACCEPTED,
        {10008: "PLACED", 10009: "DONE", 10010: "DONE_PARTIAL", 10025: "NO_CHANGES"},
    ),
    (
        Verdict.AGAIN,
        {
            10004: "REQUOTE",
            10020: "PRICE_CHANGED",
            10021: "PRICE_OFF",
            10024: "TOO_MANY_REQUESTS",
        },
    ),
    (
        Verdict.REFUSED,
        {
            10006: "REJECT",
            10013: "INVALID",
            10014: "INVALID_VOLUME",
            10015: "INVALID_PRICE",
            10016: "INVALID_STOPS",
            10017: "TRADE_DISABLED",
            10018: "MARKET_CLOSED",
            10019: "NO_MONEY",
            10022: "INVALID_EXPIRATION",
            10026: "SERVER_DISABLES_AT",
            10027: "CLIENT_DISABLES_AT",
            10028: "LOCKED",
            10029: "FROZEN",
            10030: "INVALID_FILL",
            10032: "ONLY_REAL",
            10033: "LIMIT_ORDERS",
            10034: "LIMIT_VOLUME",
            10035: "INVALID_ORDER",
            10038: "INVALID_CLOSE_VOLUME",
            10040: "LIMIT_POSITIONS",
            10041: "REJECT_CANCEL",
            10042: "LONG_ONLY",
            10043: "SHORT_ONLY",
            10044: "CLOSE_ONLY",
            10045: "FIFO_CLOSE",
            10046: "HEDGE_PROHIBITED",
        },
    ),
    (Verdict.ALREADY_SO, {10036: "POSITION_CLOSED", 10039: "CLOSE_ORDER_EXIST"}),
    (
        Verdict.UNKNOWN,
        {
            10007: "CANCEL",
            10011: "ERROR",
            10012: "TIMEOUT",
            10023: "ORDER_CHANGED",
            10031: "CONNECTION",
        },
    ),
)
CODES: Final[Mapping[int, tuple[str, Verdict]]] = MappingProxyType(
    {
        number: (f"TRADE_RETCODE_{name}", verdict)
        for verdict, codes in _GROUPS
        for number, name in codes.items()
    }
)

REFUSED_LOCALLY: Final[Mapping[int, str]] = MappingProxyType(
    {-2: "RES_E_INVALID_PARAMS", -7: "RES_E_UNSUPPORTED", -8: "RES_E_AUTO_TRADING_DISABLED"}
)
"""`order_send` gave nothing, and the package says that it did not even try."""
NOT_SENT: Final[Mapping[int, str]] = MappingProxyType(
    {-10003: "RES_E_INTERNAL_FAIL_INIT", -10004: "RES_E_INTERNAL_FAIL_CONNECT"}
)
"""No terminal was there. Every other error of the package proves nothing."""
