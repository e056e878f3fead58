"""The calendar of news, as it was read last. Whoever keeps it reads it again in the background."""

from typing import Protocol

from signalfleet.domain.risk.facts import NewsView


class NewsCalendar(Protocol):
    def view(self) -> NewsView:
        """Return what is known now, without waiting: planning must not depend on a feed."""
        ...
