"""Do what brokers do not: end orders whose time or idea is over, and take earlier targets."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from signalfleet.app.desk import AccountDesk
from signalfleet.app.effective_settings import effective_settings
from signalfleet.app.take_duties import Watch, by_trade, take_duties
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.ids import TradeId
from signalfleet.domain.instruments.model import Quote
from signalfleet.domain.trading.intents import Intent, OpenLeg
from signalfleet.domain.trading.management import steps_now
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.timers import (
    Duty,
    expiry_of,
    needs_watching,
    passed_before_entry,
    step_reached,
    was_amended,
)
from signalfleet.ports.errors import RefusedError, TemporaryError

ORDERS_EVERY: Final = timedelta(seconds=15)
TARGETS_EVERY: Final = timedelta(seconds=5)
"""A target that is ours to take is looked at more often than an order that only waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    trade: Trade
    entry: OpenLeg
    intents: tuple[Intent, ...]
    cancels_early: bool


class WatchTrades:
    """Looks after one account's trades. A trade keeps the setting that it was first seen with."""

    def __init__(self, desk: UserDesk, account: AccountDesk) -> None:
        self._desk = desk
        self._account = account
        self._cancels_early: dict[TradeId, bool] = {}

    async def run(self) -> Watch:
        """Look at prices and times once; raises only what the store raises."""
        watched = await self._watched()
        if not watched:
            return Watch()
        due = [
            (one.trade, duty)
            for one in watched
            if (duty := await self._duty(one, self._desk.telegram_now())) is not None
        ]
        has_steps = any(one.trade.state is TradeState.OPEN for one in watched)
        every = TARGETS_EVERY if has_steps else ORDERS_EVERY
        return Watch(
            taken=await take_duties(self._desk, due),
            again_in=max(every, self._account.broker.look_pause),
        )

    async def _watched(self) -> list[_Watched]:
        journal = self._desk.store.journal
        trades = await journal.live_trades(self._account.account.account_id)
        live = {trade.trade_id for trade in trades}
        self._cancels_early = {k: v for k, v in self._cancels_early.items() if k in live}
        intents = by_trade(await journal.intents_of_trades(sorted(live)) if live else ())
        found = []
        for trade in trades:
            own = intents.get(trade.trade_id, ())
            entry = next((i.command for i in own if isinstance(i.command, OpenLeg)), None)
            if entry is None:
                continue
            early = trade.state is TradeState.PENDING and await self._is_cancelled_early(trade)
            steps = steps_now(entry, own)
            entry = entry if steps == entry.steps else replace(entry, steps=steps)
            if needs_watching(trade, entry, cancels_early=early):
                found.append(_Watched(trade=trade, entry=entry, intents=own, cancels_early=early))
        return found

    async def _is_cancelled_early(self, trade: Trade) -> bool:
        known = self._cancels_early.get(trade.trade_id)
        if known is None:
            record = await self._desk.store.journal.get_signal(trade.signal)
            chat = record.chat if record is not None else None
            known = True
            if chat is not None:
                found = await effective_settings(self._desk, chat, trade.account)
                known = found.rules.cancel_if_target_first
            self._cancels_early[trade.trade_id] = known
        return known

    async def _duty(self, one: _Watched, now: datetime) -> Duty | None:
        over = expiry_of(one.trade, one.entry, now)
        if over is not None:
            return over
        quote = await self._quote(one.trade.symbol)
        if quote is None:
            return None
        if one.cancels_early:
            amended = was_amended(one.intents)
            passed = passed_before_entry(one.trade, one.entry, quote, is_amended=amended)
            if passed is not None:
                return passed
        return step_reached(one.trade, one.entry, quote)

    async def _quote(self, symbol: str) -> Quote | None:
        """Return a price of the last seconds, read again if it is older."""
        at_hand = self._account.quote_at_hand(symbol)
        if at_hand is not None and at_hand.age < TARGETS_EVERY / 2:
            return at_hand.quote
        try:
            return await self._account.quote(symbol)
        except (TemporaryError, RefusedError):
            return None  # The next look asks again; the broker keeps stop and last target.
