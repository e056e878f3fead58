"""How long this process may still act for a user, where another one could take the slot over."""

from typing import Final, Protocol

FENCE_SHARE: Final = 0.6
"""After this share of its time without a renewal the holder acts no more."""
ENTRY_SHARE: Final = 0.2
"""So much of its time must be left before the fence for an entry to go out."""


class Lease(Protocol):
    """The hold on a slot; it is renewed by somebody else and only looked at here."""

    @property
    def ttl_s(self) -> float: ...

    def age_s(self) -> float:
        """Return the seconds, monotonic, since the last renewal that succeeded was begun."""
        ...


class EndedLease:
    """What is left of a hold on a slot that somebody else has by now."""

    @property
    def ttl_s(self) -> float:
        return 1.0

    def age_s(self) -> float:
        return float("inf")
