"""What a user is told besides the pages: the kinds of notices and how much each one matters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from signalfleet.domain.errors import DomainError

ABOUT_CHARS: Final = 80
QUIET: Final = timedelta(minutes=10)
"""The same thing about the same object is told once in this time."""


class NoticeLevel(StrEnum):
    """`MONEY` is told at any hour; quiet hours hold back `INFO` only."""

    MONEY = "money"
    ATTENTION = "attention"
    INFO = "info"


class NoticeKind(StrEnum):
    TRADE_OPENED = "trade_opened"
    TRADE_REFUSED = "trade_refused"
    TRADE_HELD = "trade_held"
    TRADE_CLOSED = "trade_closed"
    STOP_MOVED = "stop_moved"
    FOLLOW_UP_NOT_APPLIED = "follow_up_not_applied"
    OUTCOME_UNKNOWN = "outcome_unknown"
    DUPLICATE_FOUND = "duplicate_found"
    ORDER_CANCELLED = "order_cancelled"
    GUARD_NEAR = "guard_near"
    GUARD_REACHED = "guard_reached"
    CALENDAR_BLIND = "calendar_blind"
    CALENDAR_BACK = "calendar_back"
    QUOTA_NEAR = "quota_near"
    QUOTA_REACHED = "quota_reached"
    STATE_CHANGED = "state_changed"
    TELEGRAM_SIGN_IN_NEEDED = "telegram_sign_in_needed"
    BROKER_SIGN_IN_NEEDED = "broker_sign_in_needed"
    CHAT_LOST = "chat_lost"
    CHAT_BACK = "chat_back"
    CHAT_MOVED = "chat_moved"
    POSTS_MISSED = "posts_missed"
    POSTS_UNREADABLE = "posts_unreadable"
    GAP_RECOVERED = "gap_recovered"
    FORMAT_DRIFT = "format_drift"
    DAILY_SUMMARY = "daily_summary"
    BOT_THROTTLED = "bot_throttled"
    BOT_RECYCLED = "bot_recycled"
    BOT_HELD = "bot_held"
    TARGET_GONE = "target_gone"
    MESSENGER_AWAY = "messenger_away"


_K = NoticeKind
_MONEY: Final = frozenset(
    {
        _K.TRADE_OPENED,
        _K.TRADE_CLOSED,
        _K.FOLLOW_UP_NOT_APPLIED,
        _K.OUTCOME_UNKNOWN,
        _K.DUPLICATE_FOUND,
        _K.GUARD_REACHED,
        _K.BOT_HELD,
        _K.POSTS_MISSED,
    }
)
_INFO: Final = frozenset(
    {
        _K.STOP_MOVED,
        _K.STATE_CHANGED,
        _K.CALENDAR_BACK,
        _K.CHAT_BACK,
        _K.CHAT_MOVED,
        _K.GAP_RECOVERED,
        _K.DAILY_SUMMARY,
    }
)


def level_of(kind: NoticeKind) -> NoticeLevel:
    """Say how much a kind matters: what may have cost money must not wait for the morning."""
    if kind in _MONEY:
        return NoticeLevel.MONEY
    return NoticeLevel.INFO if kind in _INFO else NoticeLevel.ATTENTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that the user is told. `about` names its object and is what repeats are known by.

    It looks like chat:-1001234567890, account:a_x, trade:<id>, signal:<id> or message:<chat>.<id>,
    and is empty for what concerns the user as a whole. `facts` are JSON values for the words, never
    a secret, a phone number or the text of a message.
    """

    kind: NoticeKind
    at: datetime
    about: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.about) > ABOUT_CHARS:
            raise DomainError(f"what a notice is about has at most {ABOUT_CHARS} characters")
        if self.at.tzinfo is None:
            raise DomainError("a notice's time must have a time zone")

    @property
    def level(self) -> NoticeLevel:
        return level_of(self.kind)
