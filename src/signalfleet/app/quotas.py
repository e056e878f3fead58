"""Hold a user to the trades of a day that the plan allows, whoever counts at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from signalfleet.app.leave_account import LEFT
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.accounts.tiers import UserQuota
from signalfleet.domain.risk.facts import Allowance
from signalfleet.domain.trading.records import (
    Copy,
    CopyOutcome,
    Decision,
    QuotaUse,
    Trade,
    TradeState,
)
from signalfleet.ports.store import CopyMode, UserStore

TRADES: Final = "trades"
DAY_KEY: Final = "quota_day"
NEAR: Final = 0.8
BACK_KEY: Final = "quota_back"
ENDED: Final = frozenset({CopyOutcome.REJECTED, CopyOutcome.EXPIRED, CopyOutcome.CANCELLED})


def day_of(desk: UserDesk, at: datetime) -> str:
    """Return the day in the user's own zone."""
    return at.astimezone(desk.zone).date().isoformat()


async def allowances(desk: UserDesk, planned: int) -> Mapping[str, Allowance]:
    """Return what is used of the plan; `planned` trades of this message count already."""
    day = day_of(desk, desk.clock.now())
    return await used_of_plan(desk.store, desk.quota, day, planned)


async def used_of_plan(
    store: UserStore, limits: UserQuota, day: str, planned: int = 0
) -> Mapping[str, Allowance]:
    """Return what is used of what a plan allows; the day is the user's own."""
    used = await store.quota.used(TRADES, day)
    reading = [one for one in await store.channels.list() if one.mode is not CopyMode.OFF]
    left = {one.account_id for one in await store.accounts.list() if one.state == LEFT}
    trades = await store.journal.live_trades()
    live = {(one.account, one.signal) for one in trades if one.account not in left}
    return {
        "quota_trades_per_day": Allowance(used=used + planned, limit=limits.max_trades_per_day),
        "quota_channels": Allowance(used=len(reading), limit=limits.max_signal_channels),
        "quota_open_positions": Allowance(
            used=len(live) + planned, limit=limits.max_open_positions
        ),
    }


def counted(desk: UserDesk, decision: Decision) -> Decision:
    """Return the decision with each copy that opens counted against the day's trades.

    The day stands with the copy from then on, so that exactly it is given back.
    """
    opening = sum(copy.outcome is None for copy in decision.copies)
    if not opening:
        return decision
    day = day_of(desk, desk.clock.now())
    copies = tuple(
        replace(copy, plan={**copy.plan, DAY_KEY: day}) if copy.outcome is None else copy
        for copy in decision.copies
    )
    limit = desk.quota.max_trades_per_day
    quota = QuotaUse(kind=TRADES, day=day, count=opening, limit=limit)
    return replace(decision, copies=copies, quota=quota)


def marked(copy: Copy, outcome: CopyOutcome | None, legs: Sequence[Trade]) -> Mapping[str, object]:
    """Return a copy's plan with its day as one to be given back, once, if no leg ever opened."""
    plan = {key: value for key, value in copy.plan.items() if key != BACK_KEY}
    never = all(leg.state is TradeState.NEVER_OPENED for leg in legs)
    if outcome in ENDED and never and DAY_KEY in plan:
        return {BACK_KEY: plan.pop(DAY_KEY), **plan}
    return plan


async def give_back_unopened(store: UserStore, copies: Iterable[Copy]) -> None:
    """Give back what was marked, after the mark is stored.

    A crash between the two costs the user one trade of that day, and never gives one too many.
    """
    for copy in copies:
        if BACK_KEY in copy.plan:
            await store.quota.give_back(TRADES, str(copy.plan[BACK_KEY]))


class QuotaWatch:
    """Tells at four fifths and at all of a day's trades, once each."""

    def __init__(self, desk: UserDesk) -> None:
        self._desk = desk
        self._told: tuple[str, NoticeKind] | None = None

    async def see(self) -> tuple[NoticeKind, str] | None:
        day = day_of(self._desk, self._desk.clock.now())
        used = await self._desk.store.quota.used(TRADES, day)
        limit = self._desk.quota.max_trades_per_day
        if used < limit * NEAR:
            return None
        kind = NoticeKind.QUOTA_REACHED if used >= limit else NoticeKind.QUOTA_NEAR
        if self._told == (day, kind):
            return None
        self._told = day, kind
        return kind, f"You have used {used} of today's {limit} trades"
