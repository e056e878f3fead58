"""Limits of the service as numbers, and what we allow ourselves within them."""

from typing import Final

MAX_KEY_BYTES: Final = 768
"""firebase.google.com/docs/database/usage/limits"""
THREADS: Final = 8
"""More threads do not write faster: the SDK is bound by the interpreter at about 700 writes/s."""
QUEUE: Final = 1000
"""Calls that may wait for a thread; past it the store counts as unavailable."""
HTTP_TIMEOUT_S: Final = 10.0
"""The SDK's own is 120 s."""
HOT_TIMEOUT_S: Final = 2.0
SLOW_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 3.0
MAX_TRIES: Final = 25
"""Of a conditional write, as the SDK's own transaction."""
PATHS_AT_ONCE: Final = 500
"""Of one multi-path update over many nodes."""
LAYOUT: Final = 1
"""Raised when rows are stored otherwise; a database that was proved for another one is not."""
