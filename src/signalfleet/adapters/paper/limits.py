"""How much a paper account remembers, and what it is opened with."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

BALANCE: Final = Decimal(10_000)
LEVERAGE: Final = 100
HISTORY_KEPT: Final = timedelta(days=30)
HISTORY_ROWS: Final = 2_000
