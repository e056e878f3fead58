"""The state of the connection as evidence has it, and telling it in order."""

import asyncio
import statistics
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from signalfleet.adapters.telegram.limits import CLOCK_PROBES
from signalfleet.ports.chat_source import ChatSink, LinkHealth, LinkState
from signalfleet.ports.clock import Clock
from signalfleet.ports.errands import Errand

log = structlog.get_logger()

CHANGES_MAX = 32
HALF_A_SECOND = timedelta(seconds=0.5)


class HealthBoard:
    """Holds the present health; each change of state is told once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.now = LinkHealth(state=LinkState.OFFLINE, since=clock.now())
        self.heard_at: float | None = None
        self._sink: ChatSink | None = None
        self._untold: list[LinkHealth] = []
        self._telling = Errand("telegram_health", self._tell)
        self._offsets: list[timedelta] = []

    def set(self, state: LinkState, reason: str | None = None) -> None:
        if self.now.state is state and self.now.reason == reason:
            return
        log.info("telegram_link_changed", state=state, reason=reason)
        self.now = replace(self.now, state=state, since=self._clock.now(), reason=reason)
        self._untold = [*self._untold, self.now][-CHANGES_MAX:]
        self._telling.ask()

    def pong(self) -> None:
        self.now = replace(self.now, last_pong_at=self._clock.now())

    def heard(self) -> None:
        """Take note of an update, whatever chat it is from."""
        self.heard_at = self._clock.monotonic()
        self.now = replace(self.now, last_update_at=self._clock.now())

    def repaired(self) -> None:
        self.now = replace(self.now, repaired_at=self._clock.now())

    def server_time(self, moment: datetime) -> None:
        """Learn how far Telegram's clock is from ours; it tells whole seconds, cut off."""
        offset = moment + HALF_A_SECOND - self._clock.now()
        self._offsets = [*self._offsets, offset][-CLOCK_PROBES:]
        seconds = statistics.median(offset.total_seconds() for offset in self._offsets)
        self.now = replace(self.now, clock_offset=timedelta(seconds=seconds))

    def begin(self, tasks: asyncio.TaskGroup, sink: ChatSink) -> None:
        """Tell each change from now on."""
        self._sink = sink
        self._telling.begin(tasks)

    async def _tell(self) -> None:
        while self._untold and self._sink is not None:
            await self._sink.link_changed(self._untold.pop(0))
