"""Asking Telegram: one pace, one time limit and one pause per session, errors in our words."""

import asyncio
from datetime import timedelta
from typing import Any

import structlog

from signalfleet.adapters.telegram.client import GuardedClient
from signalfleet.adapters.telegram.errors import FloodError, translated
from signalfleet.adapters.telegram.limits import FLOOD_WAITS, Pace
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import TemporaryError
from signalfleet.ports.metrics import Metrics

log = structlog.get_logger()


class Asker:
    """Sends one session's own requests. The client changes, the pace and the pause stay."""

    def __init__(self, clock: Clock, metrics: Metrics, pace: Pace) -> None:
        self._clock = clock
        self._metrics = metrics
        self._pace = pace
        self._due = clock.monotonic() - pace.requests_burst / pace.requests_per_s
        self._calm_at = 0.0
        self.client: GuardedClient | None = None

    def pause_left(self) -> float:
        """Return the seconds of silence that Telegram asked for and that are left."""
        return max(0.0, self._calm_at - self._clock.monotonic())

    def note(self, error: BaseException) -> None:
        """Keep still for as long as the error says."""
        if not isinstance(error, FloodError) or error.retry_after is None:
            return
        until = self._clock.monotonic() + error.retry_after
        if until > self._calm_at + 1:
            self._calm_at = until
            self._metrics.count(FLOOD_WAITS, reason=error.reason)
            log.warning(
                "telegram_asked_to_wait", seconds=round(error.retry_after), reason=error.reason
            )

    async def ask(self, request: Any) -> Any:
        """Send a request and return the answer; raises port errors only."""
        left = self.pause_left()
        if left > 0:
            raise FloodError("Telegram asked us to wait", retry_after=left, reason="flood")
        await self._turn()
        client = self.client
        if client is None:
            raise TemporaryError("there is no connection to Telegram")
        try:
            async with asyncio.timeout(self._pace.request_limit_s):
                return await client(request)
        except Exception as error:
            known = translated(error)
            if known is None:
                raise
            self.note(known)
            raise known from None if known is error else error

    async def ask_by_click(self, request: Any) -> Any:
        """Send the one request that the account's owner has just pressed a button for."""
        client = self.client
        if client is None:
            raise TemporaryError("there is no connection to Telegram")
        client.clicked = request
        try:
            return await self.ask(request)
        finally:
            client.clicked = None

    async def _turn(self) -> None:
        now = self._clock.monotonic()
        due = max(self._due, now - self._pace.requests_burst / self._pace.requests_per_s)
        self._due = due + 1 / self._pace.requests_per_s
        if due > now:
            await self._clock.sleep(timedelta(seconds=due - now))
