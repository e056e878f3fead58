"""When a session may open a connection: each backs off by itself, all share one pace."""

from datetime import timedelta

from signalfleet.adapters.telegram.limits import (
    BACKOFF_MAX_S,
    CONNECT_WAIT,
    CONNECTS_PER_S,
    LONG_LIFE_S,
    SHORT_LIFE_S,
)
from signalfleet.ports.clock import Chance, Clock
from signalfleet.ports.metrics import Metrics

_POWER_MAX = 16


class ConnectGate:
    """The pace of all connects of a process; one object, given to every source."""

    def __init__(self, clock: Clock, *, connects_per_s: float = CONNECTS_PER_S) -> None:
        self._clock = clock
        self._gap = 1 / connects_per_s
        self._next = clock.monotonic() - 1

    async def turn(self) -> None:
        """Return when the next connect is due; first come, first served."""
        now = self._clock.monotonic()
        # One second's worth may go at once; a quiet hour saves up no more than that.
        due = max(self._next, now - 1)
        self._next = due + self._gap
        wait = due - now
        if wait > 0:
            await self._clock.sleep(timedelta(seconds=wait))


class SessionTurn:
    """One session's way through the gate: endless, with full jitter, never a fixed rhythm.

    `note_up` and `note_down` are called for each connection, also for those that the library
    opens by itself, so both obey one rule.
    """

    def __init__(self, gate: ConnectGate, clock: Clock, chance: Chance, metrics: Metrics) -> None:
        self._gate = gate
        self._clock = clock
        self._chance = chance
        self._metrics = metrics
        self._failures = 0
        self._up_since: float | None = None

    @property
    def failures(self) -> int:
        return self._failures

    async def turn(self) -> None:
        """Return when this session may connect: its own back-off first, then the gate."""
        start = self._clock.monotonic()
        wait = self._chance.uniform(0.0, self._ceiling()) if self._failures else 0.0
        if wait > 0:
            await self._clock.sleep(timedelta(seconds=wait))
        await self._gate.turn()
        self._metrics.observe(CONNECT_WAIT, self._since(start))

    def note_up(self) -> None:
        self._up_since = self._clock.monotonic()

    def note_down(self) -> None:
        if self._up_since is None:
            return
        lived = self._since(self._up_since)
        self._up_since = None
        if lived < SHORT_LIFE_S:
            self._failures += 1
        elif lived >= LONG_LIFE_S:
            self._failures = 0

    def note_refused(self) -> None:
        self._failures += 1

    def _ceiling(self) -> float:
        return min(BACKOFF_MAX_S, float(2 ** min(self._failures - 1, _POWER_MAX)))

    def _since(self, moment: float) -> float:
        return self._clock.monotonic() - moment
