"""Where the server takes the time from."""

import time
from typing import Protocol


class WallTime(Protocol):
    """Seconds since 1970, as the server sees them."""

    def time(self) -> float:
        """Return the present moment."""
        ...


class SystemTime:
    """The machine's own time, for cities that run beside a real product."""

    def time(self) -> float:
        return time.time()  # noqa: TID251 - this class is the clock
