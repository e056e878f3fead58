"""What happens after a bot ended: again later, never, or when the user has signed in."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from signalfleet.bots.budgets import RecycledError
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.accounts.budgets import Recycles
from signalfleet.ports.clock import Chance
from signalfleet.ports.errors import FencedError, PortError, SignInRequiredError, TemporaryError

FIRST_DELAY: Final = timedelta(seconds=5)
LONGEST_DELAY: Final = timedelta(minutes=10)
JITTER: Final = 0.2
CRASHES: Final = 5
CRASH_WINDOW: Final = timedelta(minutes=10)
HEALTHY_AFTER: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The state to go to and why; `delay` until the next try where there is one.

    `is_crash`: an error of ours and not of the world around us. `is_recycle`: it used too much.
    """

    state: BotState
    reason: str
    delay: timedelta | None = None
    is_fenced: bool = False
    is_crash: bool = False
    is_recycle: bool = False


@dataclass(slots=True)
class Supervision:
    """Remembers one bot's failures. Trouble outside is retried for ever, crashes are not."""

    chance: Chance
    recycles: Recycles = field(default_factory=Recycles)
    _failures: int = 0
    _crashes: list[datetime] = field(default_factory=list)

    @property
    def crashes(self) -> int:
        return len(self._crashes)

    def ran(self, lasted: timedelta) -> None:
        """Forget earlier failures after a healthy run."""
        if lasted >= HEALTHY_AFTER:
            self._failures = 0

    def judge(self, error: BaseException, now: datetime) -> Verdict:
        """Decide what a bot's end means; of a group, the gravest error counts."""
        leaves = sorted(_leaves(error), key=_gravity)
        gravest = leaves[0]
        match gravest:
            case FencedError():
                return Verdict(state=BotState.STOPPING, reason="moved", is_fenced=True)
            case SignInRequiredError(reason=reason):
                return Verdict(state=BotState.SIGN_IN_NEEDED, reason=reason)
            case TemporaryError(retry_after=retry_after):
                return self._later("temporary_trouble", retry_after)
            case RecycledError(reason=reason):
                return self._recycled(reason, now)
            case PortError():
                return self._later(type(gravest).__name__, None)
            case _:
                return self._crashed(gravest, now)

    def later(self, reason: str) -> Verdict:
        """Decide to try again, for trouble that is no error."""
        return self._later(reason, None)

    def _later(self, reason: str, retry_after: float | None) -> Verdict:
        delay = self._next_delay()
        if retry_after is not None:
            delay = max(delay, timedelta(seconds=retry_after))
        return Verdict(state=BotState.RETRYING, reason=reason, delay=delay)

    def _crashed(self, error: BaseException, now: datetime) -> Verdict:
        self._crashes.append(now)
        while self._crashes[0] < now - CRASH_WINDOW:
            del self._crashes[0]
        reason = type(error).__name__
        if len(self._crashes) >= CRASHES:
            return Verdict(state=BotState.QUARANTINED, reason=reason, is_crash=True)
        delay = self._next_delay()
        return Verdict(state=BotState.RETRYING, reason=reason, delay=delay, is_crash=True)

    def _recycled(self, reason: str, now: datetime) -> Verdict:
        if self.recycles.add(now):
            return Verdict(state=BotState.QUARANTINED, reason=reason, is_recycle=True)
        return Verdict(state=BotState.RETRYING, reason=reason, delay=timedelta(), is_recycle=True)

    def _next_delay(self) -> timedelta:
        delay: timedelta = min(FIRST_DELAY * 2 ** min(self._failures, 10), LONGEST_DELAY)
        self._failures += 1
        jittered: timedelta = delay * (1 + self.chance.uniform(-JITTER, JITTER))
        return jittered


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [error]


def _gravity(error: BaseException) -> int:
    order: tuple[type[BaseException], ...] = (FencedError, SignInRequiredError, RecycledError)
    for rank, kind in enumerate(order):
        if isinstance(error, kind):
            return rank
    return 4 if isinstance(error, PortError) else 3
