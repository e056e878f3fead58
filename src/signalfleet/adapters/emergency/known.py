"""What a worker knows of one user's live trades, from the rows that it last read or wrote.

Only what is in play is kept: signals with a live trade or an open intent. What is over can be read
in the store, and nothing can be done about it while the store is away.
"""

from collections.abc import Container, Iterable, Sequence

from signalfleet.adapters.emergency.entries import Change
from signalfleet.domain.ids import AccountId, IntentId, SignalId, TradeId
from signalfleet.domain.trading.intents import Intent, IntentState
from signalfleet.domain.trading.records import Copy, Decision, Trade
from signalfleet.ports.errors import StoreUnavailableError

OPEN = (IntentState.HELD, IntentState.SENDING, IntentState.UNKNOWN)


class Known:
    """Answers like the journal where it knows all of the answer, else StoreUnavailableError."""

    def __init__(self) -> None:
        self._trades: dict[TradeId, Trade] = {}
        self._intents: dict[IntentId, Intent] = {}
        self._accounts: set[AccountId] = set()
        self._whole: set[TradeId] = set()
        """Trades all of whose intents are known."""
        self._knows_open = False
        self._copies: dict[SignalId, dict[AccountId, Copy]] = {}
        self._with_trades: set[SignalId] = set()
        """Signals all of whose trades are known."""
        self._writes = 0
        self._written: dict[TradeId, int] = {}
        """Which write touched a trade or its intents last."""
        self._forgotten_at = 0
        """How many writes there had been when something was forgotten last."""

    def mark(self) -> int:
        """Return the number of writes so far: a read that began then may not show later ones."""
        return self._writes

    def saw_live_trades(
        self, account: AccountId | None, trades: Sequence[Trade], since: int
    ) -> None:
        if self._is_outdated(since):
            return
        if account is not None:
            self._accounts.add(account)
            live = {trade.trade_id for trade in trades}
            gone = [
                trade.trade_id
                for trade in self._trades.values()
                if trade.account == account
                and trade.state.is_live
                and trade.trade_id not in live
                and self._is_older(trade.trade_id, since)
            ]
            for trade_id in gone:
                self._lose(trade_id)
        self._saw_trades(trades, since)

    def saw_intents_of(
        self, trades: Sequence[TradeId], intents: Sequence[Intent], since: int
    ) -> None:
        if self._is_outdated(since):
            return
        self._whole.update(trade for trade in trades if trade in self._trades)
        self._saw_intents(intents, since)

    def saw_single(
        self, trades: Sequence[Trade] = (), intents: Sequence[Intent] = (), *, since: int
    ) -> None:
        if not self._is_outdated(since):
            self._saw_trades(trades, since)
            self._saw_intents(intents, since)
            self._forget_over(trade.trade_id for trade in trades)

    def saw_open_intents(self, intents: Sequence[Intent], since: int) -> None:
        if self._is_outdated(since):
            return
        still = {intent.intent_id for intent in intents}
        ended = [
            one
            for one in self._intents.values()
            if one.state in OPEN and one.intent_id not in still and self._is_older(one.trade, since)
        ]
        for known in ended:
            # How it has ended is read again with its trade.
            del self._intents[known.intent_id]
            self._whole.discard(known.trade)
        self._knows_open = True
        self._saw_intents(intents, since)
        self._forget_over(intent.trade for intent in ended)

    def saw_trades_of(
        self, signals: Sequence[SignalId], trades: Sequence[Trade], since: int
    ) -> None:
        if self._is_outdated(since):
            return
        self._saw_trades(trades, since)
        in_play = {trade.signal for trade in self._trades.values()}
        self._with_trades.update(in_play.intersection(signals))
        self._forget_over(trade.trade_id for trade in trades)

    def saw_copies_of(self, signals: Sequence[SignalId], copies: Sequence[Copy]) -> None:
        in_play = {trade.signal for trade in self._trades.values()}
        for signal in in_play.intersection(signals):
            own = [copy for copy in copies if copy.signal == signal]
            self._copies[signal] = {copy.account: copy for copy in own}

    def apply(self, change: Change) -> None:
        """Take note of what was written, be it to the store or to the file."""
        self._writes += 1
        added = () if isinstance(change, Decision) else change.added_intents
        for trade_id in (*_trades_of(change), *(intent.trade for intent in added)):
            self._written[trade_id] = self._writes
        self._trades.update((trade.trade_id, trade) for trade in change.trades)
        self._intents.update((intent.intent_id, intent) for intent in change.intents)
        if isinstance(change, Decision):
            self._whole.update(trade.trade_id for trade in change.trades)
            signals = {trade.signal for trade in change.trades}
            self._with_trades.update(signals)
            self.saw_copies_of(sorted(signals), change.copies)
            return
        for copy in change.copies:
            if copy.signal in self._copies:
                self._copies[copy.signal][copy.account] = copy
        for intent in change.added_intents:
            self._intents.setdefault(intent.intent_id, intent)

    def stored(self, change: Change | None = None) -> None:
        """Forget what is over, now that the store has this change; without one, has all."""
        self._forget_over({*self._trades, *self._written} if change is None else _trades_of(change))

    def trade(self, trade_id: TradeId) -> Trade:
        found = self._trades.get(trade_id)
        if found is None:
            raise _unknown("this trade")
        return found

    def find_trade(self, trade_id: TradeId) -> Trade | None:
        return self._trades.get(trade_id)

    def live_trades(self, account: AccountId | None) -> tuple[Trade, ...]:
        if account is None or account not in self._accounts:
            raise _unknown("the trades of this account")
        return tuple(
            trade
            for trade in self._trades.values()
            if trade.account == account and trade.state.is_live
        )

    def open_intents(self) -> tuple[Intent, ...]:
        if not self._knows_open:
            raise _unknown("what is under way")
        found = [intent for intent in self._intents.values() if intent.state in OPEN]
        return tuple(sorted(found, key=lambda one: (one.created_at, one.intent_id)))

    def trades_of(self, signals: Sequence[SignalId]) -> tuple[Trade, ...]:
        if not self._with_trades.issuperset(signals):
            raise _unknown("the trades of one of these signals")
        found = [trade for trade in self._trades.values() if trade.signal in set(signals)]
        return tuple(sorted(found, key=lambda one: (one.signal, one.account, one.leg)))

    def copies_of(self, signals: Sequence[SignalId]) -> tuple[Copy, ...]:
        if any(signal not in self._copies for signal in signals):
            raise _unknown("the copies of one of these signals")
        return tuple(
            copy for signal in dict.fromkeys(signals) for copy in self._copies[signal].values()
        )

    def intents(self, wanted: Sequence[IntentId]) -> tuple[Intent, ...]:
        if any(one not in self._intents for one in wanted):
            raise _unknown("one of these intents")
        return tuple(self._intents[one] for one in dict.fromkeys(wanted))

    def intents_of(self, trades: Sequence[TradeId]) -> tuple[Intent, ...]:
        if not self._whole.issuperset(trades):
            raise _unknown("the intents of one of these trades")
        found = [intent for intent in self._intents.values() if intent.trade in set(trades)]
        return tuple(sorted(found, key=lambda one: (one.created_at, one.intent_id)))

    def _saw_trades(self, trades: Iterable[Trade], since: int) -> None:
        fresh = [one for one in trades if self._is_older(one.trade_id, since)]
        self._trades.update((trade.trade_id, trade) for trade in fresh)

    def _saw_intents(self, intents: Iterable[Intent], since: int) -> None:
        for intent in intents:
            is_kept = intent.state in OPEN or intent.trade in self._trades
            if is_kept and self._is_older(intent.trade, since):
                self._intents[intent.intent_id] = intent

    def _is_older(self, trade_id: TradeId, since: int) -> bool:
        return self._written.get(trade_id, 0) <= since

    def _is_outdated(self, since: int) -> bool:
        """Tell a read that may show as live what was over and forgotten before it ended."""
        return since < self._forgotten_at

    def _forget_over(self, trades: Iterable[TradeId]) -> None:
        """Forget the signals of these trades that are over, with all that hangs on them."""
        signals = set()
        for trade_id in trades:
            trade = self._trades.get(trade_id)
            if trade is not None:
                signals.add(trade.signal)
            elif not self._is_busy({trade_id}):
                self._drop(trade_id)
        for signal in signals:
            own = {key: one for key, one in self._trades.items() if one.signal == signal}
            if not any(one.state.is_live for one in own.values()) and not self._is_busy(own):
                for trade_id in own:
                    self._drop(trade_id)
                self._with_trades.discard(signal)
                self._copies.pop(signal, None)

    def _lose(self, trade_id: TradeId) -> None:
        """Forget a trade that has ended elsewhere: its signal is not known whole any more."""
        if not self._is_busy({trade_id}):
            signal = self._trades[trade_id].signal
            self._drop(trade_id)
            self._with_trades.discard(signal)
            if all(trade.signal != signal for trade in self._trades.values()):
                self._copies.pop(signal, None)

    def _is_busy(self, trades: Container[TradeId]) -> bool:
        return any(one.trade in trades and one.state in OPEN for one in self._intents.values())

    def _drop(self, trade_id: TradeId) -> None:
        self._forgotten_at = self._writes
        self._trades.pop(trade_id, None)
        self._written.pop(trade_id, None)
        self._whole.discard(trade_id)
        for key in [key for key, one in self._intents.items() if one.trade == trade_id]:
            del self._intents[key]


def _trades_of(change: Change) -> set[TradeId]:
    return {one.trade_id for one in change.trades} | {one.trade for one in change.intents}


def _unknown(what: str) -> StoreUnavailableError:
    return StoreUnavailableError(f"the store is away, and {what} is not known here")
