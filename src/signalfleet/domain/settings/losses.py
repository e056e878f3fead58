"""How much an account may lose before nothing more is opened."""

import re
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from typing import Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.settings.choices import DrawdownFrom, LossAction, LossAnchor
from signalfleet.domain.settings.kinds import optional
from signalfleet.domain.settings.loss_limits import (
    EQUITY_FLOOR,
    LOSS_LIMIT,
    EquityFloor,
    LossLimit,
)
from signalfleet.domain.settings.times import MINE, TIME_OF_DAY, TIME_ZONE
from signalfleet.domain.settings.values import (
    ACCOUNT_OR_USER,
    Kind,
    Merge,
    Scope,
    choice,
    number,
    setting,
)

SLUG: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def _pack(value: object) -> str:
    if not isinstance(value, str) or not SLUG.fullmatch(value):
        raise DomainError("a rule pack is named by small letters and digits, or none")
    return value


PACK: Final = Kind(read=_pack, allowed="the name of a rule pack, or none")


@dataclass(frozen=True, kw_only=True)
class LossRules:
    daily_loss: LossLimit = setting(
        LossLimit(),
        LOSS_LIMIT,
        "The most that a day may lose, with everything that is open counted at its stop: a share "
        "of what the day began with, or money of the account's currency.",
        merge=Merge.UNION,
        scopes=ACCOUNT_OR_USER,
        also_called=("Daily Net Loss", "MaxDailyDrawdownPercent", "riskLimits"),
    )
    weekly_loss: LossLimit = setting(
        LossLimit(),
        LOSS_LIMIT,
        "The most that a week, from Monday on, may lose.",
        merge=Merge.UNION,
        scopes=ACCOUNT_OR_USER,
        also_called=("Weekly Loss Limit",),
    )
    total_drawdown: LossLimit = setting(
        LossLimit(),
        LOSS_LIMIT,
        "The most that the account may lose in all, a share being of what was there when counting "
        "began; it opens nothing until you reset it.",
        merge=Merge.UNION,
        scopes=ACCOUNT_OR_USER,
        also_called=("Max Drawdown", "MaxTotalDrawdown"),
    )
    drawdown_from: DrawdownFrom = setting(
        DrawdownFrom.START,
        choice(DrawdownFrom),
        "What total_drawdown counts from: the start; the highest equity since then; or the highest "
        "with which a day began. With to_start the limit follows up to the start and stays there.",
        scopes=ACCOUNT_OR_USER,
        also_called=("trailing drawdown", "high-water mark", "EOD trailing"),
    )
    equity_stop: EquityFloor = setting(
        EquityFloor(),
        EQUITY_FLOOR,
        "Nothing is opened that could take the equity below this amount, or below this share of "
        "the balance.",
        merge=Merge.UNION,
        scopes=ACCOUNT_OR_USER,
        also_called=("Equity Protector", "Equity Stop", "min equity"),
    )
    loss_anchor: LossAnchor = setting(
        LossAnchor.HIGHER_OF_BOTH,
        choice(LossAnchor),
        "What a loss limit is counted from: balance, equity, or the higher of both at the reset.",
        scopes=ACCOUNT_OR_USER,
        also_called=("day-start anchor",),
    )
    loss_reset: time = setting(
        time(0, 0),
        TIME_OF_DAY,
        "When a day begins, in the time zone below; daylight saving is followed.",
        scopes=ACCOUNT_OR_USER,
        also_called=("reset time",),
    )
    time_zone: str = setting(
        MINE,
        TIME_ZONE,
        "In which zone the reset and your trading hours are meant; mine is that of your pages.",
        scopes=ACCOUNT_OR_USER,
        also_called=("server time zone",),
    )
    loss_action: LossAction = setting(
        LossAction.STOP_NEW,
        choice(LossAction),
        "What happens at a loss limit: no new trades, or everything is closed too.",
        scopes=ACCOUNT_OR_USER,
        also_called=("Disable Copy", "Close All & Disable"),
    )
    prop_pack: str = setting(
        "none",
        PACK,
        "A pack of a prop firm's rules for this account; nothing loosens what it sets.",
        scopes=(Scope.ACCOUNT,),
        also_called=("prop firm mode", "challenge rules"),
    )
    loss_streak: Decimal | None = setting(
        None,
        optional(number("1", "100")),
        "After so many losing trades in a row, nothing is opened for a while.",
        merge=Merge.LOWEST,
        scopes=ACCOUNT_OR_USER,
        also_called=("max losses in a row", "consecutive losses"),
    )
    min_margin_level: Decimal = setting(
        Decimal(200),
        number("0", "100000"),
        "The margin level, equity against margin, that must be left after a trade.",
        merge=Merge.HIGHEST,
        unit="%",
        also_called=("accfilter",),
    )
    loss_streak_pause: Decimal = setting(
        Decimal(24),
        number("1", "720"),
        "How long nothing is opened after a row of losses.",
        merge=Merge.HIGHEST,
        scopes=ACCOUNT_OR_USER,
        unit="hours",
    )
