"""Whether the store keeps up: an order must not be sent where its outcome could not be written."""

from typing import Final

SLOW_COMMIT_S: Final = 1.0
SLOW_FOR_S: Final = 5.0
FORGET_S: Final = 30.0
"""Without news for so long the store is taken for well again: the next commit will tell."""


class StorePulse:
    """Counts how long commits have been slow. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._slow_since: float | None = None
        self._slow_last = 0.0

    def committed(self, begun: float, ended: float) -> None:
        if ended - begun <= SLOW_COMMIT_S:
            self._slow_since = None
            return
        self._slow_last = ended
        if self._slow_since is None:
            self._slow_since = begun

    def is_slow(self, now: float) -> bool:
        if self._slow_since is None or now - self._slow_last > FORGET_S:
            return False
        return now - self._slow_since >= SLOW_FOR_S
