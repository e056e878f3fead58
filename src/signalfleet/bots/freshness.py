"""Whether what a bot has read of the store is still so."""

from dataclasses import dataclass
from typing import Final

from signalfleet.ports.fleet_rows import UserMark

REFRESH_S: Final = 300.0
"""How often all is read again, though nothing says that it has changed."""


@dataclass(slots=True)
class Freshness:
    """`mark` is what the newest look said, None if it said nothing of this user.

    `has_news`: the bot itself has done something since it last read. Times are monotonic seconds.
    """

    read_at: float
    mark: UserMark | None = None
    has_news: bool = False
    read_rev: tuple[object, ...] | None = None

    @property
    def is_outdated(self) -> bool:
        """Tell whether somebody else may have written what the bot goes by, Stop included."""
        return self.mark is None or self.mark.rev != self.read_rev

    def is_due(self, now: float) -> bool:
        """Tell whether to read again although nobody else has written anything."""
        return self.has_news or self.is_old(now)

    def is_old(self, now: float) -> bool:
        """Tell whether all is to be read again, whatever is said of it."""
        return now - self.read_at >= REFRESH_S

    def begin(self) -> UserMark | None:
        """Return the mark under which it is read now."""
        self.has_news = False
        return self.mark

    def end(self, mark: UserMark | None, now: float) -> None:
        """Take note that all was read that there was when `begin` gave this mark."""
        self.read_rev = None if mark is None else mark.rev
        self.read_at = now
