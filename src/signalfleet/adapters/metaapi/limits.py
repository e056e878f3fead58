"""MetaApi's limits and our own, as numbers with their source."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

PROVISIONING_URL: Final = "https://mt-provisioning-api-v1.agiliumtrade.agiliumtrade.ai"
PROFILE_URL: Final = "https://profile-api-v1.agiliumtrade.agiliumtrade.ai"
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

# What a call costs, in credits. metaapi.cloud/docs/client/models/tooManyRequestsError states 50 for
# a state read; deals and symbols are from third parties that quote the documents; what is stated
# nowhere (trade, margin, history orders) is taken for as dear as a state read.
READ_CREDITS: Final = 50.0
TRADE_CREDITS: Final = 50.0
SYMBOLS_CREDITS: Final = 500.0
DEALS_CREDITS: Final = 75.0
DEAL_CREDITS: Final = 0.65

# Sizes of the buckets by period, used until the service states its own: for one deployed account
# the example of metaapi.cloud/docs/client/restApi/api/retrieveCPUCreditUsage (older copy); per
# account and per server from third parties.
USER_CREDITS: Final = {"1s": 2_000.0, "60s": 18_000.0, "1h": 180_000.0, "6h": 432_000.0}
ACCOUNT_CREDITS: Final = {"10s": 5_000.0}
SERVER_CREDITS: Final = {"60s": 18_000.0}

ENTRY_SHARE: Final = 0.30
"""Entries and what only they need stop below this share of any bucket; the rest is protective."""
LOOK_SHARE: Final = 0.20
LOOK_PAUSE: Final = timedelta(seconds=60)
"""How far apart routine looks should be while any bucket is below LOOK_SHARE."""
CREDITS_ASKED_EVERY_S: Final = 300.0
WAIT: Final = timedelta(seconds=1)
PROTECTIVE_WAIT: Final = timedelta(seconds=10)
"""How long a call waits by itself for credits that come back soon."""
TOKENS_KEPT: Final = 20_000

ACCOUNT_FAILURES: Final = 5
ACCOUNT_WINDOW_S: Final = 30.0
ACCOUNT_OPEN_S: Final = 10.0
ACCOUNT_OPEN_LONGEST_S: Final = 120.0
REGION_WINDOW_S: Final = 30
REGION_CALLS: Final = 20
REGION_FAILING_SHARE: Final = 0.30

CALLS: Final = 100
ENTRY_CALLS: Final = 80
ACCOUNT_CALLS: Final = 4
ACCOUNT_ENTRY_CALLS: Final = 3
"""Calls at once of the process and of one account; the difference is kept for protective ones."""

PROVISIONING_S: Final = 30.0
DETECTION_LONGEST: Final = timedelta(minutes=10)
DETECTION_PAUSE: Final = timedelta(seconds=5)
READY_PAUSE: Final = timedelta(seconds=5)
READY_LONGEST: Final = timedelta(minutes=15)
METADATA_CHARS: Final = 1024
LINK_DAYS: Final = 7
NARROW_HOURS: Final = 87_600
"""Of a narrowed token whose origin does not say when it ends; without it MetaApi takes 24."""
QUOTE_STREAMING_S: Final = Decimal("2.5")
ACCOUNTS_PAGE: Final = 1000
FAILED_LOGIN_KEPT: Final = timedelta(hours=24)
"""metaapi.cloud/docs/provisioning/excessiveErrors: repeats of a refused login are billed again."""
FAILED_LOGINS: Final = 10_000
