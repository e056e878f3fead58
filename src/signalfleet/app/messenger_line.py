"""One messenger as a worker uses it: a pace, and patience while it is away."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from signalfleet.ports.clock import Clock
from signalfleet.ports.messenger import DeliveryOutcome, Message, Messenger, RetryLater
from signalfleet.ports.metrics import Metrics
from signalfleet.ports.secrets import Secret

log = structlog.get_logger()

AWAY_AFTER: Final = 3
LONGEST_PAUSE_S: Final = 60.0
UNTRIED: Final = "untried"
MESSENGER_AWAY: Final = "signalfleet_messenger_away"


class MessengerLine:
    """Messages of all users pass here, at most `per_second` of them.

    While the other side is in trouble one message at a time finds out whether it is back.
    """

    def __init__(
        self, messenger: Messenger, clock: Clock, metrics: Metrics, *, per_second: float
    ) -> None:
        self.messenger = messenger
        self._clock = clock
        self._metrics = metrics
        self._gap_s = 1 / per_second
        self._next_turn = 0.0
        self._not_before = 0.0
        self._failures = 0
        self._probe = asyncio.Lock()
        self._metrics.gauge(MESSENGER_AWAY, 0, kind=messenger.kind.value)

    @property
    def is_away(self) -> bool:
        return self._failures >= AWAY_AFTER

    async def deliver(self, target: Secret, message: Message) -> DeliveryOutcome:
        """Deliver in turn; what may not be tried now comes back as `RetryLater` untried."""
        pause = self._not_before - self._clock.monotonic()
        if pause > 0 or (self.is_away and self._probe.locked()):
            after = timedelta(seconds=max(pause, 1.0))
            return RetryLater(reason=UNTRIED, after=after)
        if not self.is_away:
            return await self._deliver(target, message)
        async with self._probe:
            return await self._deliver(target, message)

    async def _deliver(self, target: Secret, message: Message) -> DeliveryOutcome:
        now = self._clock.monotonic()
        turn = max(self._next_turn, now)
        self._next_turn = turn + self._gap_s
        if turn > now:
            await self._clock.sleep(timedelta(seconds=turn - now))
        outcome = await self.messenger.deliver(target, message)
        self._learn(outcome)
        return outcome

    def _learn(self, outcome: DeliveryOutcome) -> None:
        kind = self.messenger.kind.value
        name = type(outcome).__name__
        self._metrics.count("signalfleet_notice_deliveries_total", kind=kind, outcome=name)
        if not isinstance(outcome, RetryLater):
            if self.is_away:
                log.info("messenger_back", kind=kind)
            self._failures = 0
            self._metrics.gauge(MESSENGER_AWAY, 0, kind=kind)
            return
        log.info("notice_not_delivered", kind=kind, reason=outcome.reason)
        if not outcome.is_theirs:
            return
        self._failures += 1
        asked = outcome.after.total_seconds() if outcome.after is not None else 0.0
        pause = max(2.0 ** min(self._failures - 1, 6), asked)
        self._not_before = self._clock.monotonic() + min(pause, LONGEST_PAUSE_S)
        if self._failures == AWAY_AFTER:
            log.error("messenger_unreachable", kind=kind, reason=outcome.reason)
            self._metrics.gauge(MESSENGER_AWAY, 1, kind=kind)
