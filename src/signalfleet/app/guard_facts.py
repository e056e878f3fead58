"""Gather what the guards look at beside prices, for one account at one moment."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from signalfleet.app.go_live import LIVE, is_live_confirmed
from signalfleet.app.prop_packs import pack_use
from signalfleet.app.quotas import allowances
from signalfleet.app.user_desk import UserDesk
from signalfleet.app.watch_losses import WatchLosses, zone_of
from signalfleet.domain.risk.facts import GuardFacts, LossStreak, NewsView
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.trading.reports import AccountFacts
from signalfleet.ports.inbox import StoredMessage
from signalfleet.ports.store import Account

COMPLETION_WINDOW: Final = timedelta(seconds=120)
NEW_YORK: Final = ZoneInfo("America/New_York")


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
        live_confirmed=account.mode == LIVE and await is_live_confirmed(desk.store, account),
        market_zone=NEW_YORK,
        pack=await pack_use(desk.store.settings, account.account_id, rules.prop_pack, desk.packs),
        news=desk.calendar.view() if desk.calendar is not None else NewsView(),
    )


def time_of(stored: StoredMessage) -> datetime:
    """Return the time that the age limit counts from.

    An edit that completes a call counts from the edit, if the call itself is young.
    """
    message = stored.message
    edited = message.edited_at
    if edited is not None and edited - message.posted_at <= COMPLETION_WINDOW:
        return edited
    return message.posted_at
