"""When a session may open a connection: each backs off by itself, all share one pace."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import structlog

from signalfleet.adapters.telegram.egress import Egress
from signalfleet.adapters.telegram.limits import (
    BACKOFF_MAX_S,
    BURST_S,
    CONNECT_WAIT,
    CONNECTS_PER_S,
    LONG_LIFE_S,
    REFUSED_BACKOFF_MAX_S,
    SHORT_LIFE_S,
)
from signalfleet.ports.clock import Chance, Clock
from signalfleet.ports.errands import LightEvent
from signalfleet.ports.metrics import Metrics

log = structlog.get_logger()

_POWER_MAX = 16


class SharedPace(Protocol):
    """The pace that several processes of one address keep together."""

    def take(self, now: float, gap: float) -> float:
        """Reserve the next connect and return when it is due; `now` is the clock's monotonic."""
        ...


@dataclass(slots=True, order=True)
class _Waiter:
    """One who waits: those with open trades first, then in order of arrival."""

    is_patient: bool
    number: int
    called: asyncio.Event = field(default_factory=asyncio.Event, compare=False)


class ConnectGate:
    """The pace of all connects of a process; one object, given to every source."""

    def __init__(
        self,
        clock: Clock,
        *,
        connects_per_s: float = CONNECTS_PER_S,
        shared: SharedPace | None = None,
    ) -> None:
        self._clock = clock
        self.keep_pace(connects_per_s)
        self._next = clock.monotonic() - BURST_S
        self._shared = shared
        self._waiting: list[_Waiter] = []
        self._numbers = itertools.count()
        self._sleeper: _Waiter | None = None
        self.egress = Egress()

    def keep_pace(self, connects_per_s: float) -> None:
        """Go on at another pace."""
        self._gap = 1 / connects_per_s

    async def turn(self, *, is_urgent: bool = False) -> None:
        """Return when the caller's connect is due."""
        me = _Waiter(not is_urgent, next(self._numbers))
        heapq.heappush(self._waiting, me)
        try:
            while not await self._is_mine(me):
                pass
        finally:
            self._waiting.remove(me)
            heapq.heapify(self._waiting)
            self._call_next()

    async def _is_mine(self, me: _Waiter) -> bool:
        """Wait, as the first in line for the moment, as any other to be called."""
        if self._sleeper is not None or self._waiting[0] is not me:
            await me.called.wait()
            me.called.clear()
            return False
        self._sleeper = me
        try:
            due = await self._until_due()
        finally:
            self._sleeper = None
        if self._waiting[0] is not me:  # Somebody more urgent came meanwhile.
            self._call_next()
            return False
        self._next = due + self._gap
        if self._shared is not None:
            await self._sleep_until(self._shared.take(self._clock.monotonic(), self._gap))
        return True

    async def _until_due(self) -> float:
        while True:
            now = self._clock.monotonic()
            due = max(self._next, now - BURST_S, self.egress.next_try(now))
            await self._sleep_until(due)
            # A pause may have begun or ended while this one slept.
            now = self._clock.monotonic()
            if self.egress.next_try(now) <= now:
                self.egress.note_try(now)
                return due

    async def _sleep_until(self, moment: float) -> None:
        wait = moment - self._clock.monotonic()
        if wait > 0:
            await self._clock.sleep(timedelta(seconds=wait))

    def _call_next(self) -> None:
        if self._waiting:
            self._waiting[0].called.set()


class SessionTurn:
    """One session's way through the gate: endless, with full jitter, never a fixed rhythm.

    The `note_...` methods are called for each connection, also for those that the library opens
    by itself, so both obey one rule.
    """

    def __init__(self, gate: ConnectGate, clock: Clock, chance: Chance, metrics: Metrics) -> None:
        self._gate = gate
        self._clock = clock
        self._chance = chance
        self._metrics = metrics
        self._failures = 0
        self._refusals = 0
        self._up_since: float | None = None
        self._is_proved = False
        self._allowed = LightEvent()
        self._allowed.set()
        self.is_urgent: Callable[[], bool] = bool

    @property
    def failures(self) -> int:
        return self._failures

    def allow(self, *, allowed: bool) -> None:
        """Park every further connect of this session, or let them go again."""
        if allowed:
            self._allowed.set()
        else:
            self._allowed.clear()

    async def turn(self) -> None:
        """Return when this session may connect: its own back-off first, then the gate.

        A connect that is not allowed waits here: an error would make the library try each second.
        """
        start = self._clock.monotonic()
        while True:
            await self._allowed.wait()
            ceiling = self._ceiling()
            if ceiling > 0:
                wait = self._chance.uniform(0.0, ceiling)
                await self._clock.sleep(timedelta(seconds=wait))
            await self._gate.turn(is_urgent=self.is_urgent())
            if self._allowed.is_set():
                break
        self._metrics.observe(CONNECT_WAIT, self._since(start))

    def note_up(self) -> None:
        self._up_since = self._clock.monotonic()
        self._is_proved = False

    def note_proved(self) -> None:
        """The server has answered on this connection."""
        self._is_proved = True
        self._refusals = 0
        self._gate.egress.note(self._clock.monotonic(), ok=True)

    def note_throttled(self) -> None:
        """The server says that there are too many connections from this address."""
        self._is_proved = True  # Counted here, not once more when the connection ends.
        self._gate.egress.note(self._clock.monotonic(), ok=False)

    def note_down(self) -> None:
        if self._up_since is None:
            return
        if not self._is_proved:
            self._gate.egress.note(self._clock.monotonic(), ok=False)
        lived = self._since(self._up_since)
        self._up_since = None
        if lived < SHORT_LIFE_S:
            self._failures += 1
        elif lived >= LONG_LIFE_S:
            self._failures = 0

    def note_refused(self) -> None:
        """Nobody listens at the address, or nothing gets there."""
        self._refusals += 1
        self._gate.egress.note(self._clock.monotonic(), ok=False)

    def _ceiling(self) -> float:
        # Asking whether a server is back costs it nothing; connections that die young do.
        refused = min(REFUSED_BACKOFF_MAX_S, _doubled(self._refusals))
        return max(refused, min(BACKOFF_MAX_S, _doubled(self._failures)))

    def _since(self, moment: float) -> float:
        return self._clock.monotonic() - moment


def _doubled(failures: int) -> float:
    return float(2 ** min(failures - 1, _POWER_MAX)) if failures else 0.0
