"""The words that an account's row may hold, the same in every store."""

from typing import Final

BROKERS: Final = ("metaapi", "mt5_local", "paper")
MODES: Final = ("PAPER", "DEMO", "LIVE")
