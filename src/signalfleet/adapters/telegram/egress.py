"""Whether connecting works for anybody: if not, all sessions of the process hold back together."""

from collections import deque

import structlog

from signalfleet.adapters.telegram.limits import (
    EGRESS_FAILED_SHARE,
    EGRESS_LEAST,
    EGRESS_PAUSE_MAX_S,
    EGRESS_PAUSE_S,
    EGRESS_PROBE_S,
    EGRESS_WINDOW_S,
)

log = structlog.get_logger()


class Egress:
    """Counts how connects end. Too many failures make a pause, in which single tries look again.

    Without those tries a server that was away for a minute would be left alone for an hour.
    """

    def __init__(self) -> None:
        self._ends: deque[tuple[float, bool]] = deque()
        self._pause_s = EGRESS_PAUSE_S
        self._paused_until = 0.0
        self._tried_at = 0.0
        self._ended_at: float | None = None

    def is_paused(self, now: float) -> bool:
        return now < self._paused_until

    def next_try(self, now: float) -> float:
        """Return when the next connect may go; the present or the past without a pause."""
        if not self.is_paused(now):
            return 0.0
        return min(self._paused_until, self._tried_at + EGRESS_PROBE_S)

    def note_try(self, now: float) -> None:
        self._tried_at = now

    def note(self, now: float, *, ok: bool) -> None:
        """Count one connect: `ok` if the server answered on it."""
        if ok and self.is_paused(now):
            log.info("telegram_egress_resumed")
            self._end(now)
        self._ends.append((now, ok))
        while self._ends[0][0] < now - EGRESS_WINDOW_S:
            self._ends.popleft()
        failed = sum(not was_ok for _, was_ok in self._ends)
        is_enough = len(self._ends) >= EGRESS_LEAST
        if is_enough and failed > EGRESS_FAILED_SHARE * len(self._ends):
            self._begin(now)

    def _begin(self, now: float) -> None:
        if self._ended_at is not None and now - self._ended_at > EGRESS_PAUSE_MAX_S:
            self._pause_s = EGRESS_PAUSE_S
        log.warning("telegram_egress_paused", seconds=self._pause_s)
        self._paused_until = self._ended_at = now + self._pause_s
        self._tried_at = now
        self._pause_s = min(2 * self._pause_s, EGRESS_PAUSE_MAX_S)
        self._ends.clear()

    def _end(self, now: float) -> None:
        self._paused_until = self._ended_at = now
        self._ends.clear()
