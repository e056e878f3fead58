"""What the Bot API allows, and what we allow it."""

from typing import Final

ADDRESS: Final = "https://api.telegram.org"
CALL_TIMEOUT_S: Final = 15.0
POLL_S: Final = 25
MOST_BYTES: Final = 1024 * 1024
TEXT_CHARS: Final = 4000
"""A message has at most 4096."""
WORD_CHARS: Final = 64
NAME_CHARS: Final = 60
CONFLICT_PAUSE_S: Final = 30.0
