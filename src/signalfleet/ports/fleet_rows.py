"""Rows that the fleet's part of the store gives and takes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from signalfleet.domain.ids import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSession:
    user_id: UserId
    created_at: datetime
    expires_at: datetime


OFTEN_WRITTEN: Final = ("hold:", "habit:")
"""Documents whose names begin so change all the time, and are nothing that a bot goes by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMark:
    """`rev` is another one after any change of Stop, accounts, channels, settings or profile.

    A change of documents that are OFTEN_WRITTEN is none.
    """

    rev: tuple[object, ...]
    has_unread: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLimit:
    count: int
    within: timedelta
