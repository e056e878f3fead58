"""Where push services live, and what they take."""

from typing import Final

SERVICES: Final = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    ".push.apple.com",
    ".notify.windows.com",
)
"""A browser's subscription names an address that we then call: only these are called."""
CALL_TIMEOUT_S: Final = 10.0
BODY_CHARS: Final = 1200
"""A sealed message has at most 4096 bytes; a character of ours has at most two, a few have four."""
PLAIN_BYTES: Final = 3800
TTL_S: Final = 24 * 3600
TOKEN_LIFE_S: Final = 12 * 3600
ENDPOINT_CHARS: Final = 1000
