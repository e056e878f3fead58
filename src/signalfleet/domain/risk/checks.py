"""The guards before an entry: each looks at one rule and says value, limit and result."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from signalfleet.domain.instruments.model import Quote, Side
from signalfleet.domain.money import Price
from signalfleet.domain.risk.facts import NO_FACTS, GuardFacts
from signalfleet.domain.risk.refusal import Check
from signalfleet.domain.settings.choices import Conflict
from signalfleet.domain.settings.resolve import Effective
from signalfleet.domain.signals.model import Issue, PriceRange, Signal

MAX_QUOTE_AGE: Final = timedelta(seconds=10)
NEAR_SHARE: Final = Decimal("0.1")
"""Two signals are the same idea if their levels differ by less of the stop distance."""
HUNDRED: Final = Decimal(100)
MAX_UNKNOWN: Final = 3
"""With so many orders whose outcome is not known, nothing more is opened (F9)."""
PRODUCT: Final = "product default"
BROKER: Final = "your broker"
RIGHT_SIDES: Final = "on the right sides"
PAUSED: Final = {
    "store_slow": "the database is slow",
    "stop_unknown": "it is not known whether you pressed Stop",
    "clock_unknown": "Telegram's clock is not known yet",
    "clock_wrong": "this machine's clock is wrong",
    "lease_over": "this process lost its place",
    "lease_ending": "this process may lose its place",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCopy:
    """A copy on this account that still lives, or lately did."""

    channel: int
    message: int
    symbol: str
    side: Side
    entry: PriceRange | None
    stop: Price | None
    risk: Decimal
    decided_at: datetime
    is_live: bool
    is_reversed: bool = False

    @property
    def traded(self) -> Side:
        """Return the side of its trades; `side` is the channel's."""
        return self.side.opposite if self.is_reversed else self.side


@dataclass(frozen=True, slots=True, kw_only=True)
class Gatekeeping:
    """Facts of the account and of us that do not depend on prices.

    `paused` says why no entry may go out at all just now; `clock_offset` is Telegram's clock minus
    ours; `symbol_held`: the account has a position in the symbol, whoever opened it.
    """

    now: datetime
    posted_at: datetime
    halted: bool
    trade_allowed: bool
    investor: bool
    connected: bool
    unknown_entries: int
    unknown_on_symbol: bool
    reconciled: bool = True
    paused: str | None = None
    clock_offset: timedelta = timedelta(0)
    symbol_held: bool = False
    facts: GuardFacts = NO_FACTS
    text: str = ""


def check_account(facts: Gatekeeping) -> tuple[Check, ...]:
    return (
        _flag("copying", "stopped by you" if facts.halted else "on", "on", "you", code="halted"),
        _flag(
            "entries",
            PAUSED.get(facts.paused, facts.paused) if facts.paused else "on",
            "on",
            PRODUCT,
            code="entries_paused",
        ),
        _flag(
            "compared with the broker",
            _yes(facts.reconciled),
            "yes",
            PRODUCT,
            code="not_reconciled",
        ),
        _flag("connection", _yes(facts.connected), "yes", BROKER, code="account_not_ready"),
        _flag(
            "password",
            "investor" if facts.investor else "trading",
            "trading",
            BROKER,
            code="investor_password",
        ),
        _flag("trading allowed", _yes(facts.trade_allowed), "yes", BROKER, code="trading_disabled"),
        Check(
            name="unknown outcomes",
            value=f"{facts.unknown_entries}, one of this symbol"
            if facts.unknown_on_symbol
            else str(facts.unknown_entries),
            limit=f"{MAX_UNKNOWN - 1}, none of this symbol",
            source=PRODUCT,
            passed=facts.unknown_entries < MAX_UNKNOWN and not facts.unknown_on_symbol,
            code="outcome_unknown",
        ),
    )


def check_netting(
    symbol: str, facts: Gatekeeping, copies: Sequence[OpenCopy], *, nets: bool
) -> Check:
    """Where a broker nets positions, a second one in a symbol would melt into the first."""
    live = sum(1 for copy in copies if copy.is_live and copy.symbol == symbol)
    busy = nets and bool(live or facts.symbol_held)
    value = f"{live} of ours" if live else "another position" if facts.symbol_held else "free"
    return Check(
        name="symbol on this account",
        value=value if nets else "any number",
        limit="one position" if nets else "",
        source="your broker nets positions" if nets else "",
        passed=not busy,
        code="netting_symbol_busy",
    )


def check_age(facts: Gatekeeping, effective: Effective) -> Check:
    """Compare the message's age with the limit. Telegram's date has whole seconds."""
    age = (facts.now + facts.clock_offset - facts.posted_at).total_seconds()
    limit = effective.rules.max_signal_age
    return Check(
        name="age",
        value=f"{age:.1f} s",
        limit=f"{limit} s",
        source=effective.source("max_signal_age"),
        passed=age <= float(limit) + 1,
        code="too_old",
    )


def check_symbol(symbol: str, effective: Effective) -> Check:
    blocked = symbol in effective.rules.symbols_blocked
    return Check(
        name="symbol",
        value=symbol,
        limit=", ".join(sorted(effective.rules.symbols_blocked)) or "none blocked",
        source=effective.source("symbols_blocked"),
        passed=not blocked,
        code="symbol_blocked",
    )


def check_geometry(signal: Signal) -> Check:
    """Refuse levels on the wrong side as they were said; the side is never guessed from them."""
    levels = {
        Issue.STOP_WRONG_SIDE: (signal.stop,),
        Issue.TARGET_WRONG_SIDE: signal.targets,
    }
    entry = "at market"
    if signal.entry is not None:
        ends = dict.fromkeys((str(signal.entry.low), str(signal.entry.high)))
        entry = " to ".join(ends)
    for issue, wrong in levels.items():
        if issue in signal.issues:
            said = ", ".join(str(level) for level in wrong if level is not None)
            return Check(
                name="levels",
                value=said,
                limit=entry,
                source="the signal",
                passed=False,
                code=issue.value,
            )
    return _flag("levels", RIGHT_SIDES, RIGHT_SIDES, "the signal", code="stop_wrong_side")


def check_repeat(
    signal: Signal, channel: int, copies: Sequence[OpenCopy], now: datetime, effective: Effective
) -> Check:
    """Find the same idea posted before by the same channel, unless this is said to be more."""
    window = timedelta(minutes=float(effective.rules.duplicate_window))
    same = None
    if not signal.is_addition:
        same = next(
            (
                copy
                for copy in copies
                if copy.channel == channel
                and (copy.is_live or now - copy.decided_at <= window)
                and _same_idea(signal, copy)
            ),
            None,
        )
    return Check(
        name="repeat",
        value="none" if same is None else f"message {same.message}",
        limit=f"{effective.rules.duplicate_window} min",
        source=effective.source("duplicate_window"),
        passed=same is None,
        code="repeat_of",
    )


def _same_idea(signal: Signal, copy: OpenCopy) -> bool:
    if signal.symbol != copy.symbol or signal.side is not copy.side:
        return False
    if signal.stop is None or copy.stop is None:
        return signal.stop is copy.stop
    mine = signal.entry.low.value if signal.entry else signal.stop.value
    theirs = copy.entry.low.value if copy.entry else copy.stop.value
    distance = max(abs(mine - signal.stop.value), abs(theirs - copy.stop.value))
    if signal.entry and copy.entry and abs(mine - theirs) > distance * NEAR_SHARE:
        return False
    return abs(signal.stop.value - copy.stop.value) <= distance * NEAR_SHARE


def check_conflict(
    symbol: str, side: Side, copies: Sequence[OpenCopy], effective: Effective
) -> Check:
    opposite = [c for c in copies if c.is_live and c.symbol == symbol and c.traded is not side]
    hedging = effective.rules.conflict is not Conflict.REFUSE_NEW
    return Check(
        name="opposite trade",
        value=str(len(opposite)),
        limit=effective.rules.conflict.value,
        source=effective.source("conflict"),
        passed=hedging or not opposite,
        code="opposite_open",
    )


def check_counts(
    symbol: str, copies: Sequence[OpenCopy], effective: Effective
) -> tuple[Check, ...]:
    live = [copy for copy in copies if copy.is_live]
    here = sum(1 for copy in live if copy.symbol == symbol)
    return (
        _below("open trades", len(live), "max_open_trades", "max_open", effective),
        _below("open in this symbol", here, "max_open_per_symbol", "symbol_open", effective),
    )


def check_quote(quote: Quote, now: datetime) -> Check:
    age = now - quote.at
    return Check(
        name="quote age",
        value=f"{age.total_seconds():.1f} s",
        limit=f"{MAX_QUOTE_AGE.total_seconds():.0f} s",
        source="product default",
        passed=age <= MAX_QUOTE_AGE,
        code="stale_quote",
    )


def check_spread(quote: Quote, stop: Price, side: Side, effective: Effective) -> Check:
    distance = abs(quote.to_open(side).value - stop.value)
    share = quote.spread / distance if distance else Decimal(1)
    return Check(
        name="spread",
        value=f"{share * HUNDRED:.1f} % of the stop distance",
        limit=f"{effective.rules.max_spread * HUNDRED:.0f} %",
        source=effective.source("max_spread"),
        passed=share <= effective.rules.max_spread,
        code="spread",
    )


def check_levels(
    side: Side, entries: Sequence[Price], stop: Price | None, targets: Sequence[Price | None]
) -> tuple[Check, ...]:
    """See that the stop loses and every target wins from wherever the order may fill."""
    worst = min(price.value * side.sign for price in entries)
    best = max(price.value * side.sign for price in entries)
    wrong = [t for t in targets if t is not None and t.value * side.sign <= best]
    return (
        Check(
            name="stop side",
            value="no stop, as you allow" if stop is None else str(stop),
            limit=" and ".join(dict.fromkeys(str(price) for price in entries)),
            source="the signal",
            passed=stop is None or stop.value * side.sign < worst,
            code="stop_wrong_side",
        ),
        Check(
            name="target sides",
            value=", ".join(str(target) for target in wrong) or "on the right side",
            limit=" and ".join(dict.fromkeys(str(price) for price in entries)),
            source="the signal",
            passed=not wrong,
            code="target_wrong_side",
        ),
    )


def check_reward(entry: Price, stop: Price, target: Price | None, effective: Effective) -> Check:
    """See that enough is left to the first target, in multiples of the risk."""
    risk = abs(entry.value - stop.value)
    left = abs(target.value - entry.value) / risk if target and risk else None
    return Check(
        name="reward left",
        value="open target" if left is None else f"{left:.2f} R",
        limit=f"{effective.rules.min_r_left} R",
        source=effective.source("min_r_left"),
        passed=left is None or left >= effective.rules.min_r_left,
        code="r_left",
    )


def check_open_risk(
    new_risk: Decimal, balance: Decimal, copies: Sequence[OpenCopy], effective: Effective
) -> Check:
    total = sum((copy.risk for copy in copies if copy.is_live), new_risk)
    percent = total / balance * HUNDRED if balance > 0 else HUNDRED
    return Check(
        name="open risk",
        value=f"{percent:.2f} %",
        limit=f"{effective.rules.max_open_risk_percent} %",
        source=effective.source("max_open_risk_percent"),
        passed=percent <= effective.rules.max_open_risk_percent,
        code="open_risk",
    )


def check_margin(needed: Decimal, free: Decimal) -> Check:
    return Check(
        name="margin",
        value=f"{needed:.2f}",
        limit=f"{free:.2f} free",
        source="your account",
        passed=needed <= free,
        code="margin",
    )


def _below(name: str, count: int, key: str, code: str, effective: Effective) -> Check:
    limit = getattr(effective.rules, key)
    return Check(
        name=name,
        value=str(count),
        limit=f"{limit:f}",
        source=effective.source(key),
        passed=count < limit,
        code=code,
    )


def _flag(name: str, value: str, limit: str, source: str, *, code: str) -> Check:
    """Return a check of something that is as it has to be, or not."""
    return Check(
        name=name, value=value, limit=limit, source=source, passed=value == limit, code=code
    )


def _yes(value: bool) -> str:  # noqa: FBT001 - a word for a fact
    return "yes" if value else "no"
