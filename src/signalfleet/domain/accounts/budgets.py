"""What one bot may use up: laws of its allowances, and when too much is too often."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

BURST_S: Final = 40.0
"""A full allowance of CPU is what comes in so many seconds: 2 s at 5 percent of a core."""
LIFT_SHARE: Final = 0.1
"""An empty allowance is waited for up to this share of the full one, or it would flap."""
THROTTLED_MAX_S: Final = 300.0
HEAVY_STEP_S: Final = 1.0
HEAVY_STEPS: Final = 3
HEAVY_WITHIN_S: Final = 600.0
MESSAGES_PER_S: Final = 20.0
MESSAGES_BURST: Final = 200.0
SOFT_MEMORY_SHARE: Final = 0.1
RECYCLES: Final = 3
RECYCLE_WINDOW: Final = timedelta(hours=1)


@dataclass(slots=True, kw_only=True)
class TokenBucket:
    """An allowance that fills up by time. What was used is used: the level may be below zero."""

    rate: float
    burst: float
    level: float
    filled_at: float

    @classmethod
    def full(cls, rate: float, burst: float, now: float) -> "TokenBucket":
        return cls(rate=rate, burst=burst, level=burst, filled_at=now)

    def refill(self, now: float) -> None:
        """Add what has come since the last time; time that steps back adds nothing."""
        self.level = min(self.burst, self.level + self.rate * max(now - self.filled_at, 0.0))
        self.filled_at = max(self.filled_at, now)

    def spend(self, amount: float, now: float) -> None:
        self.refill(now)
        self.level -= amount

    def wait_s(self, now: float, level: float = 0.0) -> float:
        """Return after how many seconds the level is reached if nothing is spent meanwhile."""
        self.refill(now)
        return max(level - self.level, 0.0) / self.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class BotLimits:
    """The ceilings of one bot; they are caps and not needs."""

    cpu_percent: float = 5.0
    memory_bytes: int = 50 * 2**20
    messages_per_s: float = MESSAGES_PER_S
    messages_burst: float = MESSAGES_BURST

    @property
    def cpu_rate(self) -> float:
        """Seconds of a core for each second."""
        return self.cpu_percent / 100

    @property
    def soft_memory_bytes(self) -> int:
        return int(self.memory_bytes * SOFT_MEMORY_SHARE)


@dataclass(slots=True)
class Throttle:
    """Whether a bot is slowed down for its use of CPU, and since when."""

    bucket: TokenBucket
    since: float | None = None
    heavy: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, limits: BotLimits, now: float) -> "Throttle":
        return cls(TokenBucket.full(limits.cpu_rate, limits.cpu_rate * BURST_S, now))

    @property
    def is_on(self) -> bool:
        return self.since is not None

    def charge(self, cpu_s: float, steps_s: Sequence[float], now: float) -> str | None:
        """Charge what was used since the last time; return why it is too much for too long.

        `steps_s` are the longest single steps, which hold up everybody else at once.
        """
        self.bucket.spend(cpu_s, now)
        if self.since is None and self.bucket.level <= 0:
            self.since = now
        elif self.since is not None and self.bucket.level >= self.bucket.burst * LIFT_SHARE:
            self.since = None
        self.heavy.extend(now for step in steps_s if step > HEAVY_STEP_S)
        while self.heavy and self.heavy[0] < now - HEAVY_WITHIN_S:
            del self.heavy[0]
        if len(self.heavy) >= HEAVY_STEPS:
            return "long_steps"
        if self.since is not None and now - self.since > THROTTLED_MAX_S:
            return "cpu_limit"
        return None


@dataclass(slots=True)
class Recycles:
    """Remembers how often a bot was started anew for its use."""

    _at: list[datetime] = field(default_factory=list)

    def add(self, now: datetime) -> bool:
        """Count one; True if the bot is to be held, for it does no good to start it again."""
        self._at.append(now)
        while self._at[0] < now - RECYCLE_WINDOW:
            del self._at[0]
        return len(self._at) >= RECYCLES

    def clear(self) -> None:
        self._at.clear()

    @property
    def count(self) -> int:
        return len(self._at)
