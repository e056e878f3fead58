"""Numbers of the local terminal's interface, from mql5.com/en/docs/python_metatrader5, and ours."""

from datetime import timedelta
from typing import Final

CALL_S: Final = 15.0
"""`order_send` takes no time-out: after ours an order counts as unknown."""
CLOSE_S: Final = 5.0
SYMBOLS_AGE_S: Final = 600.0
COMMENT_CHARS: Final = 31
DEVIATION_POINTS: Final = 20
HISTORY_MARGIN: Final = timedelta(hours=1)
"""The broker's clock is known by its ticks only: history is asked for more than is needed."""
OFFSET_STEP_S: Final = 1800
FRESH_TICK_S: Final = 120
"""A tick tells the broker's zone only while it is this close to a half hour's offset."""
TEXT_CHARS: Final = 300

TRADE_ACTION_DEAL: Final = 1
TRADE_ACTION_PENDING: Final = 5
TRADE_ACTION_SLTP: Final = 6
TRADE_ACTION_MODIFY: Final = 7
TRADE_ACTION_REMOVE: Final = 8
ORDER_TYPE_BUY: Final = 0
ORDER_TYPE_SELL: Final = 1
ORDER_TYPE_BUY_LIMIT: Final = 2
ORDER_TYPE_SELL_LIMIT: Final = 3
ORDER_TYPE_BUY_STOP: Final = 4
ORDER_TYPE_SELL_STOP: Final = 5
ORDER_TYPE_CLOSE_BY: Final = 8
ORDER_TIME_GTC: Final = 0
ORDER_TIME_SPECIFIED: Final = 2
ORDER_FILLING_FOK: Final = 0
ORDER_FILLING_IOC: Final = 1
ORDER_FILLING_RETURN: Final = 2
SYMBOL_FILLING_FOK: Final = 1  # Bits of `filling_mode`; requests use the other numbers.
SYMBOL_FILLING_IOC: Final = 2
SYMBOL_EXPIRATION_SPECIFIED: Final = 4
RES_S_OK: Final = 1
