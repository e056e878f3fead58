"""The windows within which an order's outcome is looked for, and when to look."""

from dataclasses import dataclass
from datetime import datetime, timedelta


def _seconds(*values: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=value) for value in values)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleRules:
    """Presence settles at once; absence only when the broker can no longer execute.

    `inflight` is the longest that the broker's side may take to execute what it received;
    `window` is how long absence must be watched, counted from the sending. `searches` are when
    an entry that was ever in doubt is looked for again after it was settled: a second order of
    it would be found then.
    """

    inflight: timedelta = timedelta(seconds=90)
    window: timedelta = timedelta(seconds=100)
    between_looks: timedelta = timedelta(seconds=5)
    looks: tuple[timedelta, ...] = _seconds(0.5, 1, 2, 4, 8, 15, 30, 60, 100, 106)
    after_settle: tuple[timedelta, ...] = _seconds(1, 3, 10, 30)
    searches: tuple[timedelta, ...] = _seconds(60, 300)
    alarm_after: timedelta = timedelta(seconds=120)

    def next_look(self, sending_at: datetime, now: datetime) -> datetime:
        """Return when to look for an unknown outcome next."""
        passed = now - sending_at
        for look in self.looks:
            if look > passed:
                return sending_at + look
        return now + self.between_looks


DRILL = SettleRules(
    inflight=timedelta(seconds=1.5),
    window=timedelta(seconds=2),
    between_looks=timedelta(seconds=0.5),
    looks=_seconds(0.2, 0.5, 1, 2, 2.6),
    after_settle=_seconds(0.3, 1),
    searches=_seconds(2, 6),
    alarm_after=timedelta(seconds=20),
)
"""Short windows for failure drills against the simulators; never for a real broker."""
