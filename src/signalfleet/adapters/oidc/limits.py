"""Telegram's addresses and our bounds. Source: core.telegram.org/bots/telegram-login."""

from datetime import timedelta
from typing import Final

ISSUER: Final = "https://oauth.telegram.org"
ASK_PATH: Final = "/auth"
TOKEN_PATH: Final = "/token"  # noqa: S105 - an address
KEYS_PATH: Final = "/.well-known/jwks.json"
ALGORITHM: Final = "RS256"
SCOPE: Final = "openid profile"

CALL_TIMEOUT_S: Final = 5.0
"""For one call, waiting for a free place included."""
CALLS: Final = 8
"""At once: who floods the callback must not take all of a process's sockets."""
MOST_BYTES: Final = 64 * 1024
MOST_TOKEN_CHARS: Final = 16 * 1024
FEWEST_KEY_BITS: Final = 2048

ISSUED_WITHIN: Final = timedelta(minutes=5)
KEYS_KEPT: Final = timedelta(hours=1)
KEYS_PAUSE: Final = timedelta(seconds=10)
"""Between two readings for the sake of an unknown key."""
MOST_NAME_CHARS: Final = 128
