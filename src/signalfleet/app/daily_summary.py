"""Sum up a user's day, once, at the hour that the user chose."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from signalfleet.app.deliver_notices import zone_of
from signalfleet.app.notice_targets import CHOICES_SCOPE
from signalfleet.app.notify import notify
from signalfleet.domain.accounts.delivery import choices_from
from signalfleet.domain.accounts.notices import Notice, NoticeKind
from signalfleet.domain.ids import UserId
from signalfleet.domain.trading.records import CopyOutcome, SignalRecord, Trade, TradeState
from signalfleet.ports.bus import Bus
from signalfleet.ports.errors import ConflictError
from signalfleet.ports.store import Store, UserStore

SCOPE: Final = "notify:summary"
DAY: Final = timedelta(days=1)
LATE: Final = timedelta(hours=6)
"""A summary that nobody could make in time is left out when it is this late."""
ROWS: Final = 1000


class DailySummary:
    """Tells of the 24 hours before the chosen hour, and not twice, whoever else looks."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    async def run(self, user: UserId, now: datetime) -> bool:
        """Tell if it is time; True if the user was told."""
        store = self._store.user(user)
        doc, _ = await store.settings.get(CHOICES_SCOPE)
        wished = choices_from(doc).summary_at
        profile = await self._store.fleet.get_user(user)
        if wished is None or profile is None:
            return False
        local = now.astimezone(zone_of(profile.timezone))
        due = local.replace(hour=wished.hour, minute=wished.minute, second=0, microsecond=0)
        if due > local:
            due -= DAY
        if local - due > LATE or not (await store.bot.status()).wish_on:
            return False
        if not await self._is_first(store, due.date().isoformat()):
            return False
        notice = Notice(
            kind=NoticeKind.DAILY_SUMMARY,
            at=now,
            about=f"day:{due.date().isoformat()}",
            facts=await facts_of_day(store, due - DAY, due),
        )
        return await notify(store, self._bus, notice)

    async def _is_first(self, store: UserStore, day: str) -> bool:
        doc, version = await store.settings.get(SCOPE)
        if str(doc.get("day", "")) >= day:
            return False
        try:
            await store.settings.put(SCOPE, {"day": day}, version)
        except ConflictError:
            return False
        return True


async def facts_of_day(store: UserStore, since: datetime, until: datetime) -> dict[str, object]:
    """Count signals, trades and results from `since` until `until`; refusals by their codes."""
    signals = [
        one
        for one in await store.journal.recent_signals(limit=ROWS)
        if since <= one.decided_at < until
    ]
    trades = await store.journal.recent_trades(limit=ROWS)
    opened = [one for one in trades if _within(one.opened_at, since, until)]
    closed = [
        one
        for one in trades
        if one.state is TradeState.CLOSED and _within(one.closed_at, since, until)
    ]
    refused = [one for one in signals if one.outcome is CopyOutcome.SKIPPED]
    currencies = {one.account_id: one.currency for one in await store.accounts.list()}
    results: defaultdict[str, Decimal] = defaultdict(Decimal)
    for trade in closed:
        results[currencies.get(trade.account) or ""] += _result(trade)
    text = f"{_counted(len(signals), 'signal')}, {len(signals) - len(refused)} copied"
    text += f", {_counted(len(opened), 'trade')} opened, {len(closed)} closed"
    if closed:
        sums = (f"{amount:+.2f} {currency}".rstrip() for currency, amount in results.items())
        text += f", result {' and '.join(sums)}"
    live = sum(one.state is TradeState.OPEN for one in trades)
    return {"text": f"{text}; {live} open now", "refusals": _by_reason(refused)}


def _by_reason(refused: list[SignalRecord]) -> dict[str, int]:
    return dict(Counter(one.reason or "unknown" for one in refused).most_common(10))


def _within(at: datetime | None, since: datetime, until: datetime) -> bool:
    return at is not None and since <= at < until


def _result(trade: Trade) -> Decimal:
    parts = (trade.profit, trade.commission, trade.swap)
    return sum((part for part in parts if part is not None), Decimal(0))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
