"""When a connection is pinged, compared and doubted: one list of times for one wait."""

import math
from typing import Final

from signalfleet.adapters.telegram.chats import spread
from signalfleet.adapters.telegram.health import HealthBoard
from signalfleet.adapters.telegram.limits import Pace
from signalfleet.ports.clock import Chance, Clock

BEAT_S: Final = 0.5
"""Clients wake at full beats of the clock, many in one turn of the loop: that halves their cost."""


class Rounds:
    """The times of one client.

    An account that had updates and has none for long is doubted too: some stalls look so.
    """

    def __init__(self, pace: Pace, clock: Clock, chance: Chance, health: HealthBoard) -> None:
        self._pace = pace
        self._clock = clock
        self._chance = chance
        self._health = health
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self._quiet_from = self._clock.monotonic()
        self._patience = self._pace.silence_s
        self._ping_at = self._next_ping()
        self._sweep_at = self._next_sweep()

    def due_in(self) -> float:
        """Return the seconds until something is due."""
        doubt_at = self._heard_or_begun() + self._patience
        return min(self._ping_at, self._sweep_at, doubt_at) - self._clock.monotonic()

    def is_ping_due(self) -> bool:
        return self._clock.monotonic() >= self._ping_at

    def pinged(self) -> None:
        self._ping_at = self._next_ping()

    def is_sweep_due(self) -> bool:
        """Tell whether it is time to compare; if so the next time counts from now."""
        is_due = self._clock.monotonic() >= self._sweep_at
        if is_due:
            self._sweep_at = self._next_sweep()
        return is_due

    def is_too_quiet(self, *, is_up: bool) -> bool:
        """Tell whether to connect anew; nights are quiet, so it is done less and less often."""
        now = self._clock.monotonic()
        quiet = now - self._heard_or_begun()
        if quiet < self._patience:
            return False
        heard_at, begun = self._health.heard_at, self._quiet_from
        is_stalled = heard_at is not None and is_up
        self._patience = self._pace.silence_s
        if heard_at is not None and is_up and heard_at < begun:
            self._patience = min(2 * quiet, self._pace.silence_max_s)
        self._quiet_from = now
        return is_stalled

    def connected_anew(self) -> None:
        self._quiet_from = self._clock.monotonic()

    def _heard_or_begun(self) -> float:
        return max(self._quiet_from, self._health.heard_at or 0.0)

    def _next_ping(self) -> float:
        return self._on_beat(self._pace.ping_every.total_seconds())

    def _next_sweep(self) -> float:
        chance = self._chance.uniform(-1.0, 1.0)
        wait = spread(self._pace.sweep_every, self._pace.sweep_jitter, chance)
        return self._on_beat(wait.total_seconds())

    def _on_beat(self, wait_s: float) -> float:
        """Return the last beat before so much time has passed; short waits are as they are."""
        at = self._clock.monotonic() + wait_s
        return at if wait_s < 2 * BEAT_S else math.floor(at / BEAT_S) * BEAT_S
