"""What a user's plan allows."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class UserQuota:
    """`max_signal_channels` counts every channel that is read, also those without orders.

    A trade is one signal copied to one account, whatever its legs; a day is the user's own.
    """

    max_trades_per_day: int
    max_signal_channels: int
    max_open_positions: int

    def at_least(self, other: "UserQuota") -> "UserQuota":
        """Return the larger of each two figures."""
        names = [field.name for field in fields(self)]
        return UserQuota(**{name: max(getattr(self, name), getattr(other, name)) for name in names})


FREE: Final = UserQuota(max_trades_per_day=10, max_signal_channels=2, max_open_positions=3)
PREMIUM: Final = UserQuota(max_trades_per_day=100, max_signal_channels=10, max_open_positions=20)
OPERATOR: Final = UserQuota(
    max_trades_per_day=100_000, max_signal_channels=500, max_open_positions=10_000
)
"""For whoever runs the server for themselves: only their own settings limit them."""
_LIMITS: Final[Mapping[str, UserQuota]] = {
    "FREE": FREE,
    "PREMIUM": PREMIUM,
    "OPERATOR": OPERATOR,
}
TIERS: Final = tuple(_LIMITS)


def limits_of(tier: str) -> UserQuota:
    """Return a tier's limits; an unknown one has the smallest."""
    return _LIMITS.get(tier, FREE)
