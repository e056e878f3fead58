"""MetaApi's limits and our own, as numbers with their source."""

from datetime import timedelta
from typing import Final

PROVISIONING_URL: Final = "https://mt-provisioning-api-v1.agiliumtrade.agiliumtrade.ai"
CLIENT_URL: Final = "https://mt-client-api-v1.{region}.{domain}"

POOL: Final = 200
POOL_PER_HOST: Final = 100
KEEPALIVE_S: Final = 15
"""Must stay below the servers' own; theirs is not documented."""
DNS_CACHE_S: Final = 300
TRADE_S: Final = 15.0
"""T_CALL: after it an order counts as unknown."""
READ_S: Final = 10.0
CONNECT_S: Final = 5.0
CEIL_THRESHOLD_S: Final = 60
"""Time-outs below it are exact; the library's own 5 rounds them up to whole seconds."""
CLOSE_GRACE_S: Final = 5.0
BODY_BYTES: Final = 8 * 1024 * 1024

PAGE: Final = 1000
"""Documented highest `limit` of a history page."""
MAX_PAGES: Final = 100
HISTORY_AHEAD: Final = timedelta(seconds=60)
"""Clocks differ: history is asked for until a little after now."""

STATE_AGE_S: Final = 10.0
DOMAIN_AGE_S: Final = 3600.0
SYMBOLS_AGE_S: Final = 12 * 3600.0
INSTRUMENT_AGE_S: Final = 12 * 3600.0
QUOTE_AGE_S: Final = 2.0

CLIENT_ID_LENGTH: Final = 26
"""Documentation of clientId: comment and clientId together; we send no comment."""

RETRY_SHORTEST: Final = timedelta(seconds=1)
RETRY_LONGEST: Final = timedelta(hours=1)
TEXT_CHARS: Final = 300
"""How much of a foreign message is kept."""
