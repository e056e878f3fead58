"""Look at an account and write down what has become of our trades and open intents."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Final, TypeAlias

import structlog

from signalfleet.app.copies import copies_after
from signalfleet.app.desk import AccountDesk
from signalfleet.app.quotas import give_back_unopened
from signalfleet.app.record_doubles import Double, RecordDoubles, Searches
from signalfleet.app.set_again import set_again
from signalfleet.app.take_duties import by_trade
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.ids import AccountId, IntentId, TradeId
from signalfleet.domain.trading.intents import Intent, IntentState, Lane, ProtectLeg
from signalfleet.domain.trading.lifecycle import Loaded, advance
from signalfleet.domain.trading.progress import trade_after
from signalfleet.domain.trading.reconcile import Findings, LookInput, reconcile
from signalfleet.domain.trading.records import Settlement, Trade, TradeState
from signalfleet.domain.trading.reports import Snapshot
from signalfleet.ports.store import AccountView

log = structlog.get_logger()

HISTORY_MARGIN: Final = timedelta(seconds=120)
SEARCHED_AFTER_START: Final = timedelta(hours=1)
"""Whether an entry was searched again before a restart is not kept; what is older surely was."""

SHOWN_AFTER: Final = timedelta(seconds=2)
"""Positions show new levels a moment late; a look sooner would take a tightened stop back."""
KNOWN_TRADES: Final = 200
"""More than a user can have opened within a settle window."""


Send: TypeAlias = Callable[[Sequence[Intent]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookResult:
    """`changed` trades as they are now; `held` intents that may be released again.

    `is_shown`: the broker shows all that lives. `doubles` were found by this look for the first
    time.
    """

    changed: tuple[Trade, ...]
    held: tuple[Intent, ...]
    unknown: tuple[Intent, ...]
    live: int
    needs_full: bool
    complete: bool
    is_shown: bool = False
    doubles: tuple[Double, ...] = ()


class ReconcileAccount:
    """Keeps one account's trades true to the broker. Remembers looks that found nothing."""

    def __init__(self, desk: UserDesk, account: AccountDesk) -> None:
        self._desk = desk
        self._account = account
        self._first_absent: dict[IntentId, datetime] = {}
        self._doubles = RecordDoubles(desk, account)
        self._searches = Searches(desk.settle_rules)
        self._unclear: set[IntentId] = set()

    async def adopt(self) -> None:
        """Take over intents that an earlier owner was sending: their outcome is unknown."""
        journal = self._desk.store.journal
        mine = [i for i in await journal.open_intents() if i.account == self._key]
        now = self._desk.clock.now()
        recent = [t for t in await journal.recent_trades() if t.account == self._key]
        for intent in await journal.intents_of_trades([trade.trade_id for trade in recent]):
            if intent.settled_at is not None and now - intent.settled_at <= SEARCHED_AFTER_START:
                self._searches.settled(intent)
        orphans = tuple(
            advance(intent, Loaded(), now).intent
            for intent in mine
            if intent.state is IntentState.SENDING
        )
        if not orphans:
            return
        log.warning("intents_adopted", count=len(orphans))
        entries = {i.trade for i in orphans if i.lane is Lane.ENTRY}
        signals = {t.signal for t in await journal.live_trades(self._key) if t.trade_id in entries}
        copies = await copies_after(self._desk, self._key, signals, (), orphans)
        await journal.settle(Settlement(intents=orphans, copies=copies), self._desk.epoch)

    async def look(
        self,
        *,
        full: bool,
        in_flight: Callable[[], AbstractSet[IntentId]],
        send: Send,
    ) -> LookResult:
        """Take one look; raises the broker's TemporaryError or SignInRequiredError.

        Intents that are under way when the look begins or ends are left to their own reply. What it
        finds to be done is given to `send` as soon as it is written down: whatever fails after
        that, nobody else would send it in this life.
        """
        journal = self._desk.store.journal
        intents = [i for i in await journal.open_intents() if i.account == self._key]
        trades = await journal.live_trades(self._key)
        busy = in_flight()
        full = full or self._searches.is_due(self._desk.clock.now())
        if full:
            intents += await journal.get_intents(self._searches.intents)
        entries = await journal.intents_of_trades(
            [trade.trade_id for trade in trades if trade.opened_at is None]
        )
        since = _since(trades, [*intents, *entries], self._desk.clock.now())
        snapshot = await self._account.broker.snapshot(since, full=full)
        await self._show(snapshot)
        async with self._desk.settling:
            result = await self._apply(snapshot, busy | in_flight(), send)
        if full and snapshot.complete:
            self._account.reconciled = True
            self._searches.looked(snapshot.begun_at)
        return result

    def settled(self, intent: Intent) -> None:
        """Take note of an entry that has ended: one that was in doubt is searched again later."""
        self._searches.settled(intent)

    def next_search(self) -> datetime | None:
        """Return when an entry that was in doubt is searched again; None if none is."""
        return self._searches.next()

    @property
    def _key(self) -> AccountId:
        return self._account.account.account_id

    async def _apply(
        self,
        snapshot: Snapshot,
        in_flight: AbstractSet[IntentId],
        send: Send,
    ) -> LookResult:
        """Compare with rows read after the look began; those in flight settle by their reply."""
        journal = self._desk.store.journal
        intents = [i for i in await journal.open_intents() if i.account == self._key]
        if snapshot.full:
            known = {intent.intent_id for intent in intents}
            again = await journal.get_intents(self._searches.intents)
            intents += [intent for intent in again if intent.intent_id not in known]
        trades = await self._trades(intents)
        orders = by_trade(await journal.intents_of_trades([one.trade_id for one in trades]))
        busy = _touched(orders, snapshot.begun_at)
        busy |= {intent.trade for intent in intents if intent.intent_id in in_flight}
        findings = reconcile(
            LookInput(
                trades=[trade for trade in trades if trade.trade_id not in busy],
                intents=[i for i in intents if i.trade not in busy],
                snapshot=snapshot,
                now=self._desk.clock.now(),
                rules=self._desk.settle_rules,
                first_absent=self._first_absent,
                entries_in_flight=any(
                    i.lane is Lane.ENTRY and i.intent_id in in_flight for i in intents
                ),
                taken=await self._taken(intents),
                orders=orders,
            )
        )
        self._first_absent = dict(findings.first_absent)
        self._warn(findings)
        doubles = await self._doubles.run(findings.doubled, trades)
        added = [set_again(self._desk, one) for one in findings.undone]
        added += [double.intent for double in doubles]
        changed = await self._store(trades, findings, added, send)
        for intent in findings.intents:
            self._searches.settled(intent)
        after = {i.intent_id: i for i in intents} | {i.intent_id: i for i in findings.intents}
        live = {t.trade_id: t for t in trades} | {t.trade_id: t for t in changed}
        return LookResult(
            changed=changed,
            held=tuple(i for i in after.values() if i.state is IntentState.HELD),
            unknown=tuple(i for i in after.values() if i.state is IntentState.UNKNOWN),
            live=sum(1 for trade in live.values() if trade.state.is_live),
            needs_full=findings.needs_full,
            complete=snapshot.complete,
            is_shown=snapshot.complete and all(map(_is_shown, live.values())),
            doubles=doubles,
        )

    async def _trades(self, intents: Sequence[Intent]) -> tuple[Trade, ...]:
        """Return the live trades and those whose intents are still open."""
        journal = self._desk.store.journal
        live = await journal.live_trades(self._key)
        missing = {i.trade for i in intents} - {trade.trade_id for trade in live}
        ended = [await journal.get_trade(trade) for trade in sorted(missing)]
        return (*live, *(trade for trade in ended if trade is not None))

    async def _taken(self, intents: Sequence[Intent]) -> frozenset[str]:
        """Return the ids of trades that ended lately or are being changed just now.

        They matter where an entry's outcome is in doubt.
        """
        if not any(i.lane is Lane.ENTRY and i.state is IntentState.UNKNOWN for i in intents):
            return frozenset()
        recent = await self._desk.store.journal.recent_trades(KNOWN_TRADES)
        mine = [trade for trade in recent if trade.account == self._key]
        return frozenset(one for t in mine for one in (t.position_id, t.order_id) if one)

    async def _store(
        self,
        trades: Sequence[Trade],
        findings: Findings,
        added: Sequence[Intent],
        send: Send,
    ) -> tuple[Trade, ...]:
        known = {trade.trade_id: trade for trade in trades}
        changed = {trade.trade_id: trade for trade in findings.trades}
        for intent in findings.intents:
            before = changed.get(intent.trade) or known.get(intent.trade)
            if before is not None and intent.state.is_final:
                after = trade_after(before, intent)
                if after != before:
                    changed[intent.trade] = after
        if not changed and not findings.intents and not added:
            return ()
        everything = known | changed
        signals = {trade.signal for trade in changed.values()}
        # What protects a leg does not change what became of its entry.
        entries = [i for i in findings.intents if i.lane is Lane.ENTRY]
        signals |= {everything[i.trade].signal for i in entries if i.trade in everything}
        copies = await copies_after(
            self._desk, self._key, signals, changed.values(), findings.intents
        )
        await self._desk.store.journal.settle(
            Settlement(
                intents=findings.intents,
                trades=tuple(changed.values()),
                copies=copies,
                added_intents=tuple(added),
            ),
            self._desk.epoch,
        )
        send([intent for intent in added if intent.state is IntentState.SENDING])
        await give_back_unopened(self._desk.store, copies)
        for trade in changed.values():
            if trade.state is TradeState.CLOSED:
                log.info("trade_closed", trade=trade.trade_id, reason=trade.close_reason)
        return tuple(changed.values())

    async def _show(self, snapshot: Snapshot) -> None:
        facts = await self._account.facts(max_age=timedelta(0))
        view = AccountView(
            facts=facts,
            positions=snapshot.positions,
            orders=snapshot.orders,
            seen_at=snapshot.begun_at,
        )
        account = self._account.account.account_id
        await self._desk.store.accounts.put_view(account, view, self._desk.epoch)

    def _warn(self, findings: Findings) -> None:
        for intent in findings.unclear:
            if intent not in self._unclear:
                self._unclear.add(intent)
                log.error("order_cannot_be_told_apart", intent=intent)
                self._desk.metrics.count("signalfleet_contradictions_total", kind="unclear_match")
        for alarm in findings.alarms:
            log.error("intent_contradiction", alarm=alarm)
            self._desk.metrics.count("signalfleet_contradictions_total", kind=alarm)


def _touched(orders: Mapping[TradeId, Sequence[Intent]], since: datetime) -> set[TradeId]:
    """Return the trades that an intent changed meanwhile: the look may show them as before."""
    return {
        i.trade
        for i in chain.from_iterable(orders.values())
        if i.settled_at is not None
        and i.settled_at >= (since - SHOWN_AFTER if isinstance(i.command, ProtectLeg) else since)
    }


def _is_shown(trade: Trade) -> bool:
    """Tell whether nothing more is to be learnt of a trade; its answer has no price."""
    return trade.state is not TradeState.OPENING and (
        trade.state is not TradeState.OPEN or trade.open_price is not None
    )


def _since(trades: Sequence[Trade], intents: Sequence[Intent], now: datetime) -> datetime:
    begun = [intent.created_at for intent in intents]
    begun += [trade.opened_at for trade in trades if trade.opened_at is not None]
    return min(begun, default=now) - HISTORY_MARGIN
