"""The state of the connection as evidence has it, and telling it in order."""

import asyncio
import statistics
from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn

import structlog

from signalfleet.adapters.telegram.limits import CLOCK_PROBES
from signalfleet.ports.chat_source import ChatSink, LinkHealth, LinkState
from signalfleet.ports.clock import Clock

log = structlog.get_logger()

CHANGES_MAX = 32
HALF_A_SECOND = timedelta(seconds=0.5)


class HealthBoard:
    """Holds the present health; each change of state is told once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.now = LinkHealth(state=LinkState.OFFLINE, since=clock.now())
        self.heard_at: float | None = None
        self._told: deque[LinkHealth] = deque(maxlen=CHANGES_MAX)
        self._news = asyncio.Event()
        self._offsets: deque[timedelta] = deque(maxlen=CLOCK_PROBES)

    def set(self, state: LinkState, reason: str | None = None) -> None:
        if self.now.state is state and self.now.reason == reason:
            return
        log.info("telegram_link_changed", state=state, reason=reason)
        self.now = replace(self.now, state=state, since=self._clock.now(), reason=reason)
        self._told.append(self.now)
        self._news.set()

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
        self._offsets.append(moment + HALF_A_SECOND - self._clock.now())
        seconds = statistics.median(offset.total_seconds() for offset in self._offsets)
        self.now = replace(self.now, clock_offset=timedelta(seconds=seconds))

    async def tell(self, sink: ChatSink) -> NoReturn:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._told:
                await sink.link_changed(self._told.popleft())
