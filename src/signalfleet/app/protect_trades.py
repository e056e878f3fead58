"""Move stops by the user's rules, and close what has lasted too long."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from signalfleet.app.desk import AccountDesk
from signalfleet.app.take_duties import Watch, by_trade, take_duties
from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.ids import SignalId, TradeId
from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.money import Price
from signalfleet.domain.trading.care import Care
from signalfleet.domain.trading.intents import Intent
from signalfleet.domain.trading.management import (
    care_as_told,
    care_now,
    ladder_duty,
    last_protect,
    may_move,
    move_duty,
    reached_target,
    stands_still,
    too_old,
)
from signalfleet.domain.trading.protect import Held, tighter
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.timers import Duty
from signalfleet.ports.errors import RefusedError, TemporaryError

EVERY: Final = timedelta(seconds=5)
EVERY_BESIDE: Final = timedelta(seconds=20)
"""Where the broker's side moves the stop, we only make sure that it does."""
GRACE: Final = timedelta(seconds=30)
"""The broker's side moves a stop at most every 15 seconds, and a look shows it later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cared:
    """An open trade with all that its rules depend on. `copy` are the trades of its copy."""

    trade: Trade
    care: Care
    intents: tuple[Intent, ...]
    copy: tuple[Trade, ...]

    @property
    def may_be_moved(self) -> bool:
        """Tell whether a price can make anything due for its stop, here or at the broker's side."""
        told = last_protect(self.intents)
        is_told = told is not None and told.trailing is not None
        return self.care.is_watched and (is_told or may_move(self.trade, self.care))

    @property
    def needs_looks(self) -> bool:
        """Tell whether anything can become due as long as no order and no message changes it."""
        return self.care.max_hours is not None or self.may_be_moved


class ProtectTrades:
    """Looks after the stops of one account's open trades.

    All that matters is in the rows and at the broker. What is remembered here, the best prices
    since the last change of a stop, may be lost: the stop itself tells what was reached.
    """

    def __init__(self, desk: UserDesk, account: AccountDesk) -> None:
        self._desk = desk
        self._account = account
        self._best: dict[TradeId, Price] = {}
        self._due_since: dict[tuple[TradeId, str], datetime] = {}

    async def run(self) -> Watch:
        """Look at prices and times once; raises only what the store raises."""
        cared = await self._cared()
        if not cared:
            return Watch()
        due = []
        for one in cared:
            duty = await self._duty(one)
            if duty is not None:
                due.append((one.trade, duty))
        every = EVERY_BESIDE if self._account.broker.moves_stops else EVERY
        return Watch(
            taken=await take_duties(self._desk, due),
            again_in=max(every, self._account.broker.look_pause),
        )

    async def _cared(self) -> list[_Cared]:
        journal = self._desk.store.journal
        live = await journal.live_trades(self._account.account.account_id)
        held = [trade for trade in live if trade.state is TradeState.OPEN and trade.open_price]
        known = {trade.trade_id for trade in held}
        self._best = {one: best for one, best in self._best.items() if one in known}
        self._due_since = {key: at for key, at in self._due_since.items() if key[0] in known}
        if not held:
            return []
        intents = by_trade(await journal.intents_of_trades(sorted(known)))
        found = []
        for trade in held:
            own = intents.get(trade.trade_id, ())
            care = care_as_told(own)
            if care is not None and (care.is_watched or care.max_hours is not None):
                found.append((trade, own))
        if not found:
            return []
        signals = sorted({trade.signal for trade, _ in found})
        copies: dict[SignalId, list[Trade]] = defaultdict(list)
        for trade in await journal.trades_of_signals(signals):
            copies[trade.signal].append(trade)
        cared = [_cared(trade, own, copies[trade.signal]) for trade, own in found]
        return [one for one in cared if one is not None and one.needs_looks]

    async def _duty(self, one: _Cared) -> Duty | None:
        trade, care, now = one.trade, one.care, self._desk.clock.now()
        over = too_old(trade, care, now)
        if over is not None:
            return over
        if trade.open_price is None or not one.may_be_moved or not stands_still(one.intents):
            return None
        prices = await self._prices(trade.symbol)
        if prices is None:
            return None
        quote, instrument = prices
        held = self._held(one, trade.open_price, quote, care.targets)
        if self._account.broker.moves_stops:
            ladder = ladder_duty(trade, held, care, instrument, one.intents)
            if ladder is not None:
                return ladder
        duty = move_duty(trade, held, quote, care, instrument, one.intents, now)
        return duty if duty is None or self._is_ours(trade, duty, one.intents, now) else None

    def _held(
        self, one: _Cared, opened: Price, quote: Quote, targets: Sequence[Price | None]
    ) -> Held:
        trade = one.trade
        seen = tighter(trade.side, self._best.get(trade.trade_id), opened)
        best = tighter(trade.side, seen, quote.to_close(trade.side)) or opened
        self._best[trade.trade_id] = best
        return Held(
            side=trade.side,
            open_price=opened,
            stop=trade.stop_loss,
            best=best,
            target=trade.take_profit,
            reached=reached_target(one.copy, one.intents, targets),
        )

    def _is_ours(self, trade: Trade, duty: Duty, intents: Sequence[Intent], now: datetime) -> bool:
        """Leave a move to the broker's side for a while, where it was told of it."""
        told = last_protect(intents)
        if not self._account.broker.moves_stops or told is None or told.trailing is None:
            return True
        rule = duty.rule.partition("_")[0]  # A stop that follows is due under ever new names.
        since = self._due_since.setdefault((trade.trade_id, rule), now)
        return now - since >= GRACE

    async def _prices(self, symbol: str) -> tuple[Quote, Instrument] | None:
        """Return a price of the last seconds; None if there is none, to be asked again."""
        at_hand = self._account.quote_at_hand(symbol)
        try:
            instrument = await self._account.instrument(symbol)
            if at_hand is not None and at_hand.age < EVERY / 2:
                return at_hand.quote, instrument
            return await self._account.quote(symbol), instrument
        except (TemporaryError, RefusedError):
            return None


def _cared(trade: Trade, intents: tuple[Intent, ...], trades: Sequence[Trade]) -> _Cared | None:
    copy = tuple(t for t in trades if t.account == trade.account)
    care = care_now(trade, copy, intents)
    if care is None:
        return None
    return _Cared(trade=trade, care=care, intents=intents, copy=copy)
