"""The settings that are a choice of a few words, as they are stored, shown and asked for."""

from enum import StrEnum


class SizeMode(StrEnum):
    RISK_PERCENT = "risk_percent"
    RISK_MONEY = "risk_money"
    FIXED_LOTS = "fixed_lots"
    BALANCE_RATIO = "balance_ratio"

    @property
    def needs_stop(self) -> bool:
        """Tell whether the size follows from the distance to the stop."""
        return self in (SizeMode.RISK_PERCENT, SizeMode.RISK_MONEY)


class RiskBase(StrEnum):
    BALANCE = "balance"
    EQUITY = "equity"
    LOWER = "lower"


class BelowMinLot(StrEnum):
    REFUSE = "refuse"
    USE_MIN = "use_min"


class UseSignalSize(StrEnum):
    NEVER = "never"
    RISK = "risk"
    RISK_AND_LOTS = "risk_and_lots"


class LevelSource(StrEnum):
    PROVIDER = "provider"
    CUSTOM = "custom"
    PROVIDER_ELSE_CUSTOM = "provider_else_custom"


class NoStop(StrEnum):
    REFUSE = "refuse"
    WAIT = "wait"
    CUSTOM = "custom"
    ALLOW = "allow"


class OpenTarget(StrEnum):
    RUNNER = "runner"
    DROP = "drop"


class FewLotsOrder(StrEnum):
    NEAREST_FIRST = "nearest_first"
    FARTHEST_FIRST = "farthest_first"
    ONE_AT = "one_at"


class ZoneMode(StrEnum):
    NEAR = "near"
    MIDDLE = "middle"
    FAR = "far"
    LAYERS = "layers"


class StopsTooClose(StrEnum):
    REFUSE = "refuse"
    WIDEN = "widen"


class EntryPolicy(StrEnum):
    MARKET_IF_NEAR = "market_if_near"
    MARKET_ALWAYS = "market_always"
    PENDING_ALWAYS = "pending_always"


class Trailing(StrEnum):
    """How a stop follows the price by itself."""

    OFF = "off"
    DISTANCE = "distance"
    STEPS = "steps"
    MOVING_TARGET = "moving_target"
    MOVING_2_TARGET = "moving_2_target"
    SHARE_OF_PEAK = "share_of_peak"


class FollowUps(StrEnum):
    ALL = "all"
    PROTECTIVE_ONLY = "protective_only"
    NONE = "none"


class EditPolicy(StrEnum):
    AMEND = "amend"
    PROTECTIVE_ONLY = "protective_only"
    IGNORE = "ignore"


class DeletePolicy(StrEnum):
    """All but the first cancel what is pending; they differ in what is done to open trades."""

    IGNORE = "ignore"
    CANCEL_PENDING = "cancel_pending"
    BREAK_EVEN = "break_even"
    CLOSE = "close"
    ASK = "ask"


class LateStop(StrEnum):
    """What is done about a stop that the price has passed before it could be set."""

    FLAG = "flag"
    CLOSE = "close"


class OnFlip(StrEnum):
    """What an edit does that turns a signal round."""

    NOTIFY = "notify"
    CLOSE = "close"


class OnDuplicate(StrEnum):
    CLOSE_LATER = "close_later"
    NOTIFY = "notify"


class Conflict(StrEnum):
    REFUSE_NEW = "refuse_new"
    CLOSE_OLD = "close_old"
    HEDGE = "hedge"


class CopyState(StrEnum):
    """What copying may do, for the user as a whole, an account or a channel."""

    ON = "on"
    CLOSE_ONLY = "close_only"
    PAUSED = "paused"
    PANIC = "panic"

    @property
    def looseness(self) -> int:
        """Order the states: the strictest of all levels is in force."""
        return 3 - tuple(CopyState).index(self)


class DrawdownFrom(StrEnum):
    """What the loss in all is counted from; `..._to_start`: the floor rises to the start only."""

    START = "start"
    PEAK = "peak"
    DAY_PEAK = "day_peak"
    PEAK_TO_START = "peak_to_start"
    DAY_PEAK_TO_START = "day_peak_to_start"

    @property
    def is_intraday(self) -> bool:
        return self in (DrawdownFrom.PEAK, DrawdownFrom.PEAK_TO_START)

    @property
    def stops_at_start(self) -> bool:
        return self in (DrawdownFrom.PEAK_TO_START, DrawdownFrom.DAY_PEAK_TO_START)


class LossAnchor(StrEnum):
    BALANCE = "balance"
    EQUITY = "equity"
    HIGHER_OF_BOTH = "higher_of_both"


class LossAction(StrEnum):
    STOP_NEW = "stop_new"
    CLOSE_ALL = "close_all"


class CrossChannel(StrEnum):
    FIRST_WINS = "first_wins"
    ALLOW = "allow"
    SPLIT_RISK = "split_risk"


class WhenPaused(StrEnum):
    """What messages about open trades may still do while copying is paused."""

    PROTECT = "protect"
    NOTHING = "nothing"


class ExitPolicy(StrEnum):
    """What becomes of open trades when their source ends. All but CLOSE_ONLY cancel what waits."""

    CLOSE_ONLY = "close_only"
    KEEP = "keep"
    BREAK_EVEN = "break_even"
    CLOSE_WINNERS = "close_winners"
    FLATTEN = "flatten"


class NewsBlind(StrEnum):
    ALLOW = "allow"
    REFUSE = "refuse"


class WeekendAction(StrEnum):
    KEEP = "keep"
    NO_NEW = "no_new"
    CLOSE = "close"


class Impact(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        return tuple(Impact).index(self)
