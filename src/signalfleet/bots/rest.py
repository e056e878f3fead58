"""When an account has nothing left to look after, so that nothing of it needs to run."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from signalfleet.ports.clock import Clock

RESTS_AFTER: Final = timedelta(minutes=10)
"""So long an account is looked after on when its last trade has ended."""
RESTS_SOON: Final = timedelta(seconds=5)
"""The same for an account that had no trade since its last rest."""
REST_LOOK: Final = timedelta(minutes=10)
"""How often it is looked at all the same: for what others do there, and for a token that ended."""


class Rest:
    """Counts who is at work on the account, and since when there is nothing to do."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._acting = 0
        self._had_work = False
        self._due: float | None = None

    @contextmanager
    def acting(self) -> Iterator[None]:
        """What is inside must not be ended in the middle."""
        self._acting += 1
        try:
            yield
        finally:
            self._acting -= 1

    def looked(self, *, is_quiet: bool) -> None:
        """Learn what the newest look has found."""
        if not is_quiet:
            self._due, self._had_work = None, True
        elif self._due is None:
            after = RESTS_AFTER if self._had_work else RESTS_SOON
            self._due = self._clock.monotonic() + after.total_seconds()

    def due_in(self) -> timedelta | None:
        """Return when the account may rest; None if it has to be looked after."""
        if self._due is None:
            return None
        return timedelta(seconds=max(self._due - self._clock.monotonic(), 0.0))

    def may_begin(self) -> bool:
        """Tell whether the account may rest now; if so it begins."""
        if self._acting or self._due is None or self._clock.monotonic() < self._due:
            return False
        self._due, self._had_work = None, False
        return True
