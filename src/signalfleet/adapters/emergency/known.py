"""What a worker knows of one user's live trades, from the rows that it last read or wrote."""

from collections.abc import Iterable, Sequence

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

    def mark(self) -> int:
        """Return the number of writes so far: a read that began then may not show later ones."""
        return self._writes

    def saw_live_trades(
        self, account: AccountId | None, trades: Sequence[Trade], since: int
    ) -> None:
        if account is not None:
            self._accounts.add(account)
            live = {trade.trade_id for trade in trades}
            gone = [
                trade.trade_id
                for trade in self._trades.values()
                if trade.account == account
                and trade.trade_id not in live
                and self._is_older(trade.trade_id, since)
            ]
            for trade_id in gone:
                self._forget(trade_id)
        self.saw_trades([one for one in trades if self._is_older(one.trade_id, since)])

    def saw_trades(self, trades: Iterable[Trade]) -> None:
        self._trades.update((trade.trade_id, trade) for trade in trades)

    def saw_intents_of(
        self, trades: Sequence[TradeId], intents: Sequence[Intent], since: int
    ) -> None:
        self._whole.update(trades)
        self.saw_intents([one for one in intents if self._is_older(one.trade, since)])

    def saw_single(
        self, trades: Sequence[Trade] = (), intents: Sequence[Intent] = (), *, since: int
    ) -> None:
        self.saw_trades([one for one in trades if self._is_older(one.trade_id, since)])
        self.saw_intents([one for one in intents if self._is_older(one.trade, since)])

    def saw_open_intents(self, intents: Sequence[Intent], since: int) -> None:
        still = {intent.intent_id for intent in intents}
        for known in [one for one in self._intents.values() if one.state in OPEN]:
            if known.intent_id not in still and self._is_older(known.trade, since):
                # It has ended meanwhile; how, is read again with its trade.
                del self._intents[known.intent_id]
                self._whole.discard(known.trade)
        self._knows_open = True
        self.saw_intents([one for one in intents if self._is_older(one.trade, since)])

    def saw_intents(self, intents: Iterable[Intent]) -> None:
        self._intents.update((intent.intent_id, intent) for intent in intents)

    def apply(self, change: Change) -> None:
        """Take note of what was written, be it to the store or to the file."""
        self._writes += 1
        added = () if isinstance(change, Decision) else change.added_intents
        for trade in change.trades:
            self._written[trade.trade_id] = self._writes
        for intent in (*change.intents, *added):
            self._written[intent.trade] = self._writes
        if isinstance(change, Decision):
            self.saw_trades(change.trades)
            self._whole.update(trade.trade_id for trade in change.trades)
            self.saw_intents(change.intents)
            signals = [signal.signal_id for signal in change.signals]
            self._with_trades.update(signals)
            self.saw_copies_of(signals, change.copies)
            return
        self.saw_trades(change.trades)
        self.saw_intents(change.intents)
        for copy in change.copies:
            if copy.signal in self._copies:
                self._copies[copy.signal][copy.account] = copy
        for intent in change.added_intents:
            self._intents.setdefault(intent.intent_id, intent)

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

    def saw_trades_of(
        self, signals: Sequence[SignalId], trades: Sequence[Trade], since: int
    ) -> None:
        self._with_trades.update(signals)
        self.saw_single(trades=trades, since=since)

    def trades_of(self, signals: Sequence[SignalId]) -> tuple[Trade, ...]:
        if not self._with_trades.issuperset(signals):
            raise _unknown("the trades of one of these signals")
        found = [trade for trade in self._trades.values() if trade.signal in set(signals)]
        return tuple(sorted(found, key=lambda one: (one.signal, one.account, one.leg)))

    def saw_copies_of(self, signals: Sequence[SignalId], copies: Sequence[Copy]) -> None:
        for signal in signals:
            own = [copy for copy in copies if copy.signal == signal]
            self._copies[signal] = {copy.account: copy for copy in own}

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

    def _is_older(self, trade_id: TradeId, since: int) -> bool:
        return self._written.get(trade_id, 0) <= since

    def _forget(self, trade_id: TradeId) -> None:
        is_busy = any(i.trade == trade_id and i.state in OPEN for i in self._intents.values())
        if not is_busy:
            signal = self._trades.pop(trade_id).signal
            self._with_trades.discard(signal)
            if all(trade.signal != signal for trade in self._trades.values()):
                self._copies.pop(signal, None)
            self._written.pop(trade_id, None)
            self._whole.discard(trade_id)
            ended = [key for key, one in self._intents.items() if one.trade == trade_id]
            for key in ended:
                del self._intents[key]


def _unknown(what: str) -> StoreUnavailableError:
    return StoreUnavailableError(f"the store is away, and {what} is not known here")
