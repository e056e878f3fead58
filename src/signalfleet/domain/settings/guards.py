"""What keeps a signal from being entered. Guards never stop a close or a tighter stop."""

from dataclasses import dataclass
from decimal import Decimal

from signalfleet.domain.settings.choices import Conflict, CopyState, CrossChannel
from signalfleet.domain.settings.kinds import optional
from signalfleet.domain.settings.values import (
    ACCOUNT_OR_USER,
    CHANNEL_OR_USER,
    SYMBOLS,
    Merge,
    choice,
    number,
    setting,
)


@dataclass(frozen=True, kw_only=True)
class GuardRules:
    copy_state: CopyState = setting(
        CopyState.ON,
        choice(CopyState),
        "Whether signals are copied: on, close_only (what is open is managed to its end), paused "
        "(what is open keeps its stop and target), or panic (everything is closed).",
        merge=Merge.LOWEST,
        also_called=("Disable Copy", "Close Only", "pause", "Close All & Disable"),
    )
    max_signal_age: Decimal = setting(
        Decimal(45),
        number("5", "300"),
        "How old a signal may be when its order leaves.",
        merge=Merge.LOWEST,
        unit="seconds",
        also_called=("max_lag", "MaxTimeDelaySeconds", "Max Delay", "message expiry"),
    )
    max_price_gap: Decimal = setting(
        Decimal("0.25"),
        number("0", "5"),
        "How far the price may have run from the stated entry, against you.",
        merge=Merge.LOWEST,
        unit="share of the stop distance",
        also_called=("MaxPriceDistancePoints", "Max Slippage", "First Entry Grace Percentage"),
    )
    min_r_left: Decimal = setting(
        Decimal("0.2"),
        number("0", "10"),
        "How much must be left to the first target.",
        merge=Merge.HIGHEST,
        unit="times the stop distance",
    )
    max_spread: Decimal = setting(
        Decimal("0.15"),
        number("0.001", "1"),
        "How wide the spread may be.",
        merge=Merge.LOWEST,
        unit="share of the stop distance",
        also_called=("max_spread_pips", "MaxSpread"),
    )
    approval_ttl: Decimal = setting(
        Decimal(120),
        number("30", "900"),
        "How long a signal that asks first waits for your answer.",
        unit="seconds",
        also_called=("semi-auto", "confirmation"),
    )
    duplicate_window: Decimal = setting(
        Decimal(240),
        number("0", "10080"),
        "How long the same idea of the same channel counts as a repeat.",
        scopes=CHANNEL_OR_USER,
        unit="minutes",
    )
    conflict: Conflict = setting(
        Conflict.REFUSE_NEW,
        choice(Conflict),
        "What happens to a signal against a trade that is open in the same symbol.",
        scopes=ACCOUNT_OR_USER,
        also_called=("close opposite", "one-way/hedge mode"),
    )
    max_open_trades: Decimal = setting(
        Decimal(20),
        number("0", "10000"),
        "How many copied signals may be open at once.",
        merge=Merge.LOWEST,
        also_called=("max concurrent", "max_active_deals"),
    )
    max_open_per_symbol: Decimal = setting(
        Decimal(2),
        number("0", "1000"),
        "How many copied signals may be open at once in one symbol.",
        merge=Merge.LOWEST,
        also_called=("Max Symbol Open Count",),
    )
    max_trades_per_day: Decimal | None = setting(
        None,
        optional(number("1", "1000")),
        "How many signals may be copied to one account in a day.",
        merge=Merge.LOWEST,
        also_called=("max deals per day",),
    )
    cross_channel: CrossChannel = setting(
        CrossChannel.FIRST_WINS,
        choice(CrossChannel),
        "What happens to an idea that another channel brought within a quarter of an hour: it is "
        "refused, copied as well, or copied with what the first one left of the risk.",
        scopes=ACCOUNT_OR_USER,
        also_called=("reduceCorrelations", "Split risk"),
    )
    max_currency_risk_percent: Decimal = setting(
        Decimal(3),
        number("0", "100"),
        "The most that all open trades together may risk on one currency or one group of markets.",
        merge=Merge.LOWEST,
        scopes=ACCOUNT_OR_USER,
        unit="% of the balance",
        also_called=("correlation filter",),
    )
    max_open_risk_percent: Decimal = setting(
        Decimal(5),
        number("0", "100"),
        "The most that all open trades together may lose at their stops.",
        merge=Merge.LOWEST,
        scopes=ACCOUNT_OR_USER,
        unit="% of the balance",
        also_called=("Max Risk %",),
    )
    symbols_blocked: frozenset[str] = setting(
        frozenset(),
        SYMBOLS,
        "Symbols that are never traded; the lists of all levels are joined.",
        merge=Merge.UNION,
        also_called=("EXCLUDED_PAIRS", "symbolFilter"),
    )
