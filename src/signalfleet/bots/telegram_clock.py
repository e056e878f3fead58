"""How far Telegram's clock is from ours: it dates the messages, and entries go by their age."""

from collections.abc import Callable
from datetime import timedelta

import structlog

from signalfleet.app.execute_gate import CLOCK_ALERT
from signalfleet.app.user_desk import UserDesk
from signalfleet.ports.chat_source import ChatSource

log = structlog.get_logger()


class TelegramClock:
    """Tells the desk what the connection knows; `known` is called when it is known at last."""

    def __init__(self, desk: UserDesk, known: Callable[[], None]) -> None:
        self._desk = desk
        self._known = known

    def see(self, source: ChatSource | None) -> None:
        """Ask the connection; what was known last counts on where it does not know."""
        if source is not None:
            self.learn(source.health().clock_offset)

    def learn(self, offset: timedelta | None) -> None:
        """Take note of Telegram's clock minus ours, and raise the alarm once when it is far off."""
        known = self._desk.clock_offset
        if offset is None or offset == known:
            return
        self._desk.clock_offset = offset
        if known is None:
            self._known()
        was_off = known is not None and abs(known) > CLOCK_ALERT
        if abs(offset) > CLOCK_ALERT and not was_off:
            log.error("clock_is_off", seconds=round(offset.total_seconds(), 1))
            self._desk.metrics.count("signalfleet_clock_alerts_total")
