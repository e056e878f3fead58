"""What a broker's answer proves: accepted, rejected, or nothing.

A time-out, a lost connection, a server error or an unreadable answer proves nothing: the order may
exist. Only looking at the broker's positions, orders and history settles an `Unknown`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The broker says that it did it."""

    code: str
    order_id: str | None = None
    position_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The broker says that it did nothing. `again`: the reason may pass by itself.

    `already_so` marks answers such as "position not found" to a close: read the account again.
    """

    code: str
    text: str
    again: bool = False
    already_so: bool = False
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Nobody knows; `cause` is a short constant word, never a foreign text."""

    cause: str


Outcome: TypeAlias = Accepted | Rejected | Unknown
