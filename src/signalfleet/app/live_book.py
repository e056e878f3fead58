"""What is in play for one user: signals with a live trade or an open intent, all rows of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from signalfleet.domain.ids import AccountId, IntentId, SignalId, TradeId
from signalfleet.domain.trading.intents import Intent
from signalfleet.domain.trading.outcome_of import outcome_of, reason_of
from signalfleet.domain.trading.records import Copy, Decision, Settlement, SignalRecord, Trade

_NO_DECISION: Final = datetime.min.replace(tzinfo=UTC)


class UnknownRowError(Exception):
    """What was written touches a row that is not here: the book is to be read anew."""


@dataclass(slots=True)
class Play:
    """One signal with all its copies and trades, and all intents of these trades."""

    signal: SignalId
    record: SignalRecord | None
    copies: dict[AccountId, Copy] = field(default_factory=dict)
    trades: dict[TradeId, Trade] = field(default_factory=dict)
    intents: dict[TradeId, dict[IntentId, Intent]] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return not any(trade.state.is_live for trade in self.trades.values()) and all(
            intent.state.is_final for own in self.intents.values() for intent in own.values()
        )

    def add_intent(self, intent: Intent) -> None:
        self.intents.setdefault(intent.trade, {})[intent.intent_id] = intent

    def derive(self) -> None:
        """Give the signal the outcome of its copies, as the store does."""
        if self.record is not None and self.copies:
            ends = list(self.copies.values())
            self.record = replace(self.record, outcome=outcome_of(ends), reason=reason_of(ends))


class LiveBook:
    """Rows by their signals. It answers like the journal about what is in play, else None."""

    def __init__(self) -> None:
        self._plays: dict[SignalId, Play] = {}
        self._by_trade: dict[TradeId, Play] = {}

    def put(self, play: Play) -> None:
        self._plays[play.signal] = play
        self._by_trade.update((trade, play) for trade in play.trades)

    def decided(self, decision: Decision) -> None:
        """Take note of a decision that was written."""
        for record in decision.signals:
            play = Play(record.signal_id, record)
            play.copies = {c.account: c for c in decision.copies if c.signal == record.signal_id}
            play.trades = {t.trade_id: t for t in decision.trades if t.signal == record.signal_id}
            if record.outcome is None:
                play.derive()
            self.put(play)
        for intent in decision.intents:
            self._play_of(intent.trade).add_intent(intent)
        self._clear(record.signal_id for record in decision.signals)

    def settled(self, settlement: Settlement) -> None:
        """Take note of a settlement that was written."""
        touched: dict[SignalId, Play] = {}
        for trade in settlement.trades:
            play = self._play_of(trade.trade_id)
            play.trades[trade.trade_id] = trade
            touched[play.signal] = play
        for intent in settlement.intents:
            play = self._play_of(intent.trade)
            play.add_intent(intent)
            touched[play.signal] = play
        for intent in settlement.added_intents:
            play = self._play_of(intent.trade)
            if intent.intent_id not in play.intents.get(intent.trade, {}):
                play.add_intent(intent)
        for copy in settlement.copies:
            if copy.signal not in self._plays:
                raise UnknownRowError
            self._plays[copy.signal].copies[copy.account] = copy
        for signal in {copy.signal for copy in settlement.copies}:
            self._plays[signal].derive()
        self._clear(touched)

    def live_trades(self, account: AccountId | None) -> tuple[Trade, ...]:
        found = [
            (play, trade)
            for play in self._plays.values()
            for trade in play.trades.values()
            if trade.state.is_live and account in (None, trade.account)
        ]
        found.sort(key=_by_decision)
        return tuple(trade for _, trade in found)

    def open_intents(self) -> tuple[Intent, ...]:
        return _by_age(one for one in self._intents() if not one.state.is_final)

    def trade(self, trade: TradeId) -> Trade | None:
        play = self._by_trade.get(trade)
        return None if play is None else play.trades[trade]

    def record(self, signal: SignalId) -> SignalRecord | None:
        play = self._plays.get(signal)
        return None if play is None else play.record

    def intents(self, wanted: Sequence[IntentId]) -> tuple[Intent, ...] | None:
        known = {one.intent_id: one for one in self._intents()}
        if any(one not in known for one in wanted):
            return None
        return tuple(known[one] for one in dict.fromkeys(wanted))

    def intents_of(self, trades: Sequence[TradeId]) -> tuple[Intent, ...] | None:
        plays = [self._by_trade.get(trade) for trade in dict.fromkeys(trades)]
        if None in plays:
            return None
        return _by_age(
            intent
            for trade, play in zip(dict.fromkeys(trades), plays, strict=True)
            if play is not None
            for intent in play.intents.get(trade, {}).values()
        )

    def play(self, signal: SignalId) -> Play | None:
        return self._plays.get(signal)

    def _intents(self) -> Iterator[Intent]:
        for play in self._plays.values():
            for own in play.intents.values():
                yield from own.values()

    def _play_of(self, trade: TradeId) -> Play:
        play = self._by_trade.get(trade)
        if play is None:
            raise UnknownRowError
        return play

    def _clear(self, signals: Iterable[SignalId]) -> None:
        for signal in list(signals):
            play = self._plays[signal]
            if play.is_over:
                del self._plays[signal]
                for trade in play.trades:
                    del self._by_trade[trade]


def trades_of(play: Play) -> list[Trade]:
    return sorted(play.trades.values(), key=lambda one: (one.account, one.leg))


def copies_of(play: Play) -> list[Copy]:
    return sorted(play.copies.values(), key=lambda one: one.account)


def _by_age(intents: Iterable[Intent]) -> tuple[Intent, ...]:
    return tuple(sorted(intents, key=lambda one: (one.created_at, one.intent_id)))


def _by_decision(found: tuple[Play, Trade]) -> tuple[datetime, SignalId, AccountId, int]:
    play, trade = found
    decided_at = _NO_DECISION if play.record is None else play.record.decided_at
    return (decided_at, trade.signal, trade.account, trade.leg)
