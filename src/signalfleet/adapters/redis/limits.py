"""How long Redis may take. What waits for it is a page, so it is asked once and briefly."""

from typing import Any, Final

from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_S: Final = 0.05
MAX_VALUE_BYTES: Final = 1024 * 1024
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 32.0
KEY_PREFIX: Final = "sf:cache:"


def limiter_options() -> dict[str, Any]:
    """Return what slowapi's storage hands on to its client.

    Its calls block the event loop, and the client's own default repeats one for ten seconds.
    """
    return {
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
    }
