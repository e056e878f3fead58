"""How a newly chosen channel earns your money: on paper, then with a small size, then in full."""

from dataclasses import dataclass
from decimal import Decimal

from signalfleet.domain.settings.values import CHANNEL_OR_USER, FLAG, number, setting


@dataclass(frozen=True, kw_only=True)
class ProbationRules:
    probation: bool = setting(
        True,
        FLAG,
        "Whether a channel that you choose anew trades on paper first, and then with a part of "
        "the size, before it trades in full.",
        scopes=CHANNEL_OR_USER,
        also_called=("paper trading first", "demo period", "incubation", "forward test"),
    )
    probation_signals: Decimal = setting(
        Decimal(20),
        number("1", "500"),
        "After so many signals on paper a channel goes on with a part of the size.",
        scopes=CHANNEL_OR_USER,
        unit="signals",
    )
    probation_days: Decimal = setting(
        Decimal(14),
        number("1", "365"),
        "After so many days on paper it does so too, however many signals there were.",
        scopes=CHANNEL_OR_USER,
        unit="days",
    )
    probation_closed: Decimal = setting(
        Decimal(20),
        number("1", "500"),
        "So many closed signals are looked at before a channel goes a stage up, or back.",
        scopes=CHANNEL_OR_USER,
        unit="signals",
    )
    probation_share: Decimal = setting(
        Decimal("0.25"),
        number("0.01", "1"),
        "The part of your usual size that a channel trades with after paper.",
        scopes=CHANNEL_OR_USER,
        unit="times",
        also_called=("reduced size", "warm-up multiplier"),
    )
    probation_drawdown: Decimal = setting(
        Decimal(10),
        number("0.5", "100"),
        "The largest fall of a channel's summed results with which it may trade in full.",
        scopes=CHANNEL_OR_USER,
        unit="times the risk of one signal",
    )
