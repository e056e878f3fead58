"""Guards that need no price: states of copying, the plan's allowances, limits of losses."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from signalfleet.domain.risk.facts import GuardFacts, LossLine
from signalfleet.domain.risk.refusal import Check
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import CopyState
from signalfleet.domain.settings.resolve import Effective

YOUR_PLAN: Final = "your plan"
QUOTAS: Final = {
    "quota_trades_per_day": "trades of today",
    "quota_channels": "channels that are read",
    "quota_open_positions": "open positions of your plan",
}


def check_standing(now: datetime, facts: GuardFacts, effective: Effective) -> tuple[Check, ...]:
    """Run the guards that say whether this account may open anything at all now."""
    return (
        check_state(effective),
        *check_quotas(facts),
        check_zone(facts, effective),
        check_limit_set(facts, effective),
        *check_gone_live(facts),
        *check_pack(facts),
        *(check_reached(line, effective) for line in facts.losses),
        check_streak(now, facts, effective),
    )


def check_state(effective: Effective) -> Check:
    state = effective.rules.copy_state
    return Check(
        name="copying is",
        value=state.value,
        limit="on",
        source=effective.source("copy_state"),
        passed=state is CopyState.ON,
        code=state.value,
    )


def check_quotas(facts: GuardFacts) -> tuple[Check, ...]:
    """A channel too many is refused; of trades one more must be allowed."""
    return tuple(
        Check(
            name=QUOTAS[code],
            value=str(one.used),
            limit=str(one.limit),
            source=YOUR_PLAN,
            passed=one.used <= one.limit if code == "quota_channels" else one.used < one.limit,
            code=code,
        )
        for code, one in facts.allowances.items()
    )


def check_zone(facts: GuardFacts, effective: Effective) -> Check:
    """An unknown zone must not move the reset of a loss limit silently."""
    return Check(
        name="time zone",
        value=effective.rules.time_zone,
        limit="a zone that is known",
        source=effective.source("time_zone"),
        passed=facts.zone is not None,
        code="zone_unknown",
    )


def check_limit_set(facts: GuardFacts, effective: Effective) -> Check:
    """Real money is not traded without a limit of losses that the user has set."""
    is_set = has_loss_limit(effective.rules)
    return Check(
        name="loss limit",
        value="set" if is_set else "none",
        limit="one is needed on a live account" if facts.is_live else "",
        source="product default",
        passed=is_set or not facts.is_live,
        code="loss_limit_missing",
    )


def has_loss_limit(rules: Rules) -> bool:
    return any((rules.daily_loss, rules.weekly_loss, rules.total_drawdown, rules.equity_stop))


def check_gone_live(facts: GuardFacts) -> tuple[Check, ...]:
    """Real money waits until the user has said once that this account may trade it."""
    if not facts.is_live:
        return ()
    return (
        Check(
            name="real money",
            value="let trade by you" if facts.live_confirmed else "not let trade yet",
            limit="let trade by you",
            source="account",
            passed=facts.live_confirmed,
            code="live_not_confirmed",
        ),
    )


def check_pack(facts: GuardFacts) -> tuple[Check, ...]:
    """A pack that nobody knows, or that the user did not confirm, opens nothing."""
    pack = facts.pack
    if pack is None:
        return ()
    if not pack.is_known:
        value, code = "not known here", "prop_pack_unknown"
    elif pack.is_confirmed:
        value, code = "confirmed by you", "prop_not_confirmed"
    else:
        value = f"not confirmed, signals of others {pack.signals}"
        code = "prop_not_confirmed" if pack.signals == "allowed" else "prop_signals_forbidden"
    return (
        Check(
            name=f"rule pack {pack.name}",
            value=value,
            limit="confirmed",
            source="account",
            passed=pack.is_known and pack.is_confirmed,
            code=code,
        ),
    )


def check_reached(line: LossLine, effective: Effective) -> Check:
    return Check(
        name=f"{line.name} reached",
        value="yes" if line.reached else "no",
        limit=line.limit,
        source=effective.source(line.key),
        passed=not line.reached,
        code=line.code,
    )


def check_streak(now: datetime, facts: GuardFacts, effective: Effective) -> Check:
    limit, streak = effective.rules.loss_streak, facts.streak
    pause = timedelta(hours=float(effective.rules.loss_streak_pause))
    is_long = limit is not None and streak.losses >= limit
    is_over = streak.last_at is None or now - streak.last_at >= pause
    return Check(
        name="losses in a row",
        value=str(streak.losses),
        limit="none" if limit is None else f"{limit:f}, then {pause} of pause",
        source=effective.source("loss_streak"),
        passed=not is_long or is_over,
        code="loss_streak",
    )


def check_worst_case(
    new_risk: Decimal, open_risk: Decimal, facts: GuardFacts, effective: Effective
) -> tuple[Check, ...]:
    """See what would be left if everything that is open, and this trade too, hit its stop.

    A floating loss beyond our stops is counted as it is: others may trade on the account too.
    """
    worst = min(facts.equity, facts.balance - open_risk) - new_risk
    return (
        *(_floor_check(line, worst, effective) for line in facts.losses),
        *_equity_check(worst, facts.balance, effective),
    )


def _floor_check(line: LossLine, worst: Decimal, effective: Effective) -> Check:
    return Check(
        name=f"{line.name}, at worst",
        value=f"{line.said(worst)} of {line.anchor:.2f}",
        limit=line.limit,
        source=effective.source(line.key),
        passed=worst >= line.floor,
        code=line.code,
    )


def _equity_check(worst: Decimal, balance: Decimal, effective: Effective) -> Sequence[Check]:
    limit = effective.rules.equity_stop.of(balance)
    if limit is None:
        return ()
    check = Check(
        name="equity, at worst",
        value=f"{worst:.2f}",
        limit=f"{limit:.2f}",
        source=effective.source("equity_stop"),
        passed=worst >= limit,
        code="equity_stop",
    )
    return (check,)


def margin_level(equity: Decimal, margin: Decimal) -> Decimal | None:
    """Return equity in percent of the margin; None where none is in use."""
    return equity / margin * 100 if margin > 0 else None


def check_margin_level(level: Decimal | None, effective: Effective) -> Check:
    limit = effective.rules.min_margin_level
    return Check(
        name="margin level after it",
        value="no margin in use" if level is None else f"{level:.0f} %",
        limit=f"{limit:f} %",
        source=effective.source("min_margin_level"),
        passed=level is None or level >= limit,
        code="margin_level",
    )
