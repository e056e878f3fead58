"""Tell a user what became of signals and trades, from the rows, after they were stored."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final, TypeAlias

import structlog

from signalfleet.app.rush import Rush
from signalfleet.domain.accounts.notices import NoticeKind
from signalfleet.domain.ids import ChannelId, TradeId
from signalfleet.domain.money import Price
from signalfleet.domain.trading.intents import Intent, IntentState, Lane
from signalfleet.domain.trading.records import (
    CopyOutcome,
    Decision,
    MessageKey,
    Trade,
    TradeState,
)
from signalfleet.ports.chat_source import ChatBatch, Origin
from signalfleet.ports.clock import Clock
from signalfleet.ports.errands import Errand
from signalfleet.ports.errors import PortError
from signalfleet.ports.notices import KEPT
from signalfleet.ports.store import UserStore

log = structlog.get_logger()

Tell: TypeAlias = Callable[[NoticeKind, str, Mapping[str, object]], Awaitable[None]]

News: TypeAlias = TradeId | MessageKey | Intent | ChannelId

TOLD_AFTER_START: Final = timedelta(hours=1)
"""What happened while nobody ran is told unless it is older; the pages show it anyhow."""
REMEMBERED: Final = 2000
WAITING: Final = 2000
PAUSE: Final = timedelta(seconds=5)
FOLLOWED: Final = "followed"
NO_MATTER: Final = frozenset(
    {"no_open_trade", "nothing_to_do", "nothing_pending", "already_so", "already_filled"}
)
"""Instructions that came to nothing because there was nothing that they could change."""


class TradeNotices:
    """Runs beside the bot: orders never wait for a notice, and a notice may wait for the store."""

    def __init__(
        self, store: UserStore, clock: Clock, tell: Tell, rush: Rush | None = None
    ) -> None:
        self._rush = rush or Rush()
        self._store = store
        self._clock = clock
        self._tell = tell
        self._waiting: list[News] = []
        self._telling = Errand("trade_notices", self._tell_waiting)
        self._has_begun = False
        self._told: dict[tuple[NoticeKind, str], None] = {}
        self._stops: dict[TradeId, Price | None] = {}

    def trades(self, trades: Iterable[TradeId]) -> None:
        """Look at trades that were written."""
        self._add(*trades)

    def intent(self, intent: Intent) -> None:
        """Look at an intent that was settled, and at its trade."""
        self._add(intent, intent.trade)

    def message(self, key: MessageKey) -> None:
        """Look at a message that was decided on."""
        self._add(key)

    def stored(self, batch: ChatBatch, *, has_news: bool) -> None:
        """Tell of posts that were missed and have been read now."""
        if has_news and batch.origin is Origin.REPAIR:
            self._add(batch.chat)

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Tell from now on; begin with what happened while nobody ran."""
        self._telling.begin(tasks)
        self._telling.ask()

    async def _tell_waiting(self) -> None:
        while not self._has_begun:
            self._has_begun = await self._began()
            if not self._has_begun:
                await self._clock.sleep(PAUSE)
        while self._waiting:
            item = self._waiting[0]
            try:
                async with self._rush.turn():
                    await self._look(item)
            except PortError as error:
                log.warning("trade_notices_wait", cause=type(error).__name__)
                await self._clock.sleep(PAUSE)
            else:
                # What waits for too long makes room meanwhile.
                if self._waiting and self._waiting[0] is item:
                    del self._waiting[0]

    def _add(self, *items: News) -> None:
        self._waiting.extend(items)
        del self._waiting[:-WAITING]
        self._telling.ask()

    async def _began(self) -> bool:
        try:
            for stored in await self._store.notices.recent(KEPT):
                self._remember(stored.notice.kind, stored.notice.about)
            recent = await self._store.journal.recent_trades()
        except PortError:
            return False
        since = self._clock.now() - TOLD_AFTER_START
        for trade in recent:
            if trade.state.is_live:
                self._stops[trade.trade_id] = trade.stop_loss
            for at, kind in (
                (trade.opened_at, NoticeKind.TRADE_OPENED),
                (trade.closed_at, NoticeKind.TRADE_CLOSED),
            ):
                if at is not None and at < since:
                    self._remember(kind, f"trade:{trade.trade_id}")
        self._add(*(trade.trade_id for trade in reversed(recent)))
        return True

    async def _look(self, item: News) -> None:
        match item:
            case MessageKey():
                await self._look_at_message(item)
            case Intent():
                await self._look_at_intent(item)
            case int():
                await self._tell(NoticeKind.GAP_RECOVERED, f"chat:{item}", {"chat": item})
            case _:
                trade = await self._store.journal.get_trade(item)
                if trade is not None:
                    await self._look_at_trade(trade)

    async def _look_at_trade(self, trade: Trade) -> None:
        about = f"trade:{trade.trade_id}"
        facts = {"leg": trade.leg, "signal": str(trade.signal)}
        what = f"{trade.side.value} {trade.volume} {trade.symbol}"
        # The broker's answer has no price yet; the look that follows has.
        is_known = trade.open_price is not None or trade.state is TradeState.CLOSED
        if trade.opened_at is not None and is_known:
            at = "" if trade.open_price is None else f" at {trade.open_price}"
            text = f"{what}{at}, leg {trade.leg}"
            await self._once(NoticeKind.TRADE_OPENED, about, {**facts, "text": text})
        if trade.state is TradeState.CLOSED:
            text = f"{what}, leg {trade.leg}{_result(trade)}"
            await self._once(NoticeKind.TRADE_CLOSED, about, {**facts, "text": text})
        elif trade.state is TradeState.OPEN:
            known = self._stops.get(trade.trade_id, trade.stop_loss)
            if trade.stop_loss is not None and known is not None and trade.stop_loss != known:
                text = f"{what}, leg {trade.leg}, from {known} to {trade.stop_loss}"
                await self._tell(NoticeKind.STOP_MOVED, about, {**facts, "text": text})
        if trade.state.is_live:
            self._stops[trade.trade_id] = trade.stop_loss
        else:
            self._stops.pop(trade.trade_id, None)
        while len(self._stops) > REMEMBERED:
            del self._stops[next(iter(self._stops))]

    async def _look_at_intent(self, intent: Intent) -> None:
        """Tell of an order that the broker or a check refused for good."""
        if intent.state not in (IntentState.REJECTED, IntentState.EXPIRED):
            return
        trade = await self._store.journal.get_trade(intent.trade)
        if trade is None:
            return
        reason = intent.reason or intent.state.value.lower()
        text = f"{trade.side.value} {trade.volume} {trade.symbol}, leg {trade.leg}"
        facts = {"text": text, "reason": reason, "signal": str(trade.signal)}
        about = f"trade:{trade.trade_id}"
        if intent.lane is Lane.ENTRY:
            await self._once(NoticeKind.TRADE_REFUSED, about, facts)
        elif reason not in NO_MATTER and trade.state.is_live:
            text = f"{intent.action.value.lower()} of {text}"
            await self._tell(NoticeKind.FOLLOW_UP_NOT_APPLIED, about, {**facts, "text": text})

    async def _look_at_message(self, key: MessageKey) -> None:
        for record in await self._store.journal.signals_of_message(key.chat, key.message):
            is_refused = record.outcome is CopyOutcome.SKIPPED and record.entry_rev == key.rev
            if is_refused:
                reading = record.reading
                facts: dict[str, object] = {"chat": int(key.chat), "message": int(key.message)}
                facts |= {"text": f"{reading.side.value} {reading.symbol or ''}".strip()}
                if record.reason is not None:
                    facts["reason"] = record.reason
                await self._once(NoticeKind.TRADE_REFUSED, f"signal:{record.signal_id}", facts)
        for step in await self._store.journal.trace(key):
            reason = step.facts.get("reason")
            if step.stage != FOLLOWED or reason is None or reason in NO_MATTER:
                continue
            about = f"message:{key.chat}.{key.message}"
            facts = {"text": str(step.facts.get("action", "")), "reason": str(reason)}
            await self._once(NoticeKind.FOLLOW_UP_NOT_APPLIED, about, facts)

    async def _once(self, kind: NoticeKind, about: str, facts: Mapping[str, object]) -> None:
        if (kind, about) not in self._told:
            await self._tell(kind, about, facts)
            self._remember(kind, about)

    def _remember(self, kind: NoticeKind, about: str) -> None:
        self._told[kind, about] = None
        while len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]


def has_refusals(decision: Decision) -> bool:
    """Tell whether a look at the decided message may find something to tell of."""
    return (
        any(record.outcome is not None for record in decision.signals)
        or any(copy.outcome is not None for copy in decision.copies)
        or any(step.stage == FOLLOWED and "reason" in step.facts for step in decision.trace)
    )


def _result(trade: Trade) -> str:
    if trade.profit is None:
        return ""
    result = trade.profit + (trade.commission or Decimal(0)) + (trade.swap or Decimal(0))
    return f", result {result:+.2f}"
