"""The settings that are a choice of a few words, as they are stored, shown and asked for."""

from enum import StrEnum


class SizeMode(StrEnum):
    RISK_PERCENT = "risk_percent"
    FIXED_LOTS = "fixed_lots"


class RiskBase(StrEnum):
    BALANCE = "balance"
    EQUITY = "equity"
    LOWER = "lower"


class BelowMinLot(StrEnum):
    REFUSE = "refuse"
    USE_MIN = "use_min"


class StopsTooClose(StrEnum):
    REFUSE = "refuse"
    WIDEN = "widen"


class EntryPolicy(StrEnum):
    MARKET_IF_NEAR = "market_if_near"
    MARKET_ALWAYS = "market_always"
    PENDING_ALWAYS = "pending_always"


class FollowUps(StrEnum):
    ALL = "all"
    PROTECTIVE_ONLY = "protective_only"
    NONE = "none"


class EditPolicy(StrEnum):
    AMEND = "amend"
    IGNORE = "ignore"


class DeletePolicy(StrEnum):
    IGNORE = "ignore"
    CANCEL_PENDING = "cancel_pending"


class OnDuplicate(StrEnum):
    CLOSE_LATER = "close_later"
    NOTIFY = "notify"


class Conflict(StrEnum):
    REFUSE_NEW = "refuse_new"
    HEDGE = "hedge"
