"""Gather what the guards look at beside prices, for one account at one moment."""

from typing import Final

from signalfleet.app.quotas import allowances
from signalfleet.app.user_desk import UserDesk
from signalfleet.app.watch_losses import WatchLosses, zone_of
from signalfleet.domain.risk.facts import GuardFacts, LossStreak
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.trading.reports import AccountFacts
from signalfleet.ports.store import Account

LIVE: Final = "LIVE"


async def guard_facts(
    desk: UserDesk, account: Account, facts: AccountFacts, rules: Rules, planned: int
) -> GuardFacts:
    """`planned` copies of the same message were drafted before this one."""
    losses = WatchLosses(desk)
    seen = await losses.see(account.account_id, facts, rules)
    streak = LossStreak()
    if rules.loss_streak is not None:
        streak = await losses.streak(account.account_id)
    return GuardFacts(
        zone=zone_of(rules, desk.zone),
        allowances=await allowances(desk, planned),
        losses=seen.lines,
        streak=streak,
        balance=facts.balance,
        equity=facts.equity,
        is_live=account.mode == LIVE,
    )
