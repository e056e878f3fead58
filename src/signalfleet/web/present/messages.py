"""Rows of messages: what came, how it was understood, what became of it and how fast."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeAlias

from signalfleet.domain.ids import ChannelId, MessageId, SignalId, TradeId
from signalfleet.domain.trading.intents import Action, Intent, IntentState
from signalfleet.domain.trading.records import Copy, SignalRecord, Trade
from signalfleet.ports.inbox import StoredMessage
from signalfleet.ports.store import UserStore
from signalfleet.web.present.formats import Moment, Times, one_line
from signalfleet.web.present.outcomes import (
    MessageFacts,
    Outcome,
    kind_of_signals,
    outcome_of_message,
)
from signalfleet.web.present.reading import signal_line
from signalfleet.web.present.stored import dicts
from signalfleet.web.present.words import Words

EXCERPT_CHARS: Final = 140
REVISIONS_PER_ROW: Final = 3
"""How many newest revisions are read to fill one row, since an edited message has several."""
MAX_REVISIONS: Final = 400
SIGNALS_A_DAY: Final = 200
P95: Final = Decimal("0.95")
COPIED: Final = frozenset({"copied", "partly", "working"})
WAITING: Final = frozenset({"sending", "held", "unknown"})

Place: TypeAlias = tuple[ChannelId, MessageId]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """One message in a list. `latency` runs from Telegram's time to the last opened order."""

    chat: ChannelId
    message: MessageId
    channel: str
    at: Moment
    excerpt: str
    understood: str
    outcome: Outcome
    latency: timedelta | None
    is_signal: bool
    is_edited: bool

    @property
    def address(self) -> str:
        return f"/signals/{self.chat}/{self.message}"

    @property
    def row_id(self) -> str:
        """Return an id for the page; a chat's minus sign has no place in it."""
        return f"m{abs(self.chat)}-{self.message}"


async def load_facts(store: UserStore, limit: int) -> tuple[MessageFacts, ...]:
    """Read the newest messages, each once, with all that belongs to them; newest first."""
    recent = await store.inbox.recent(min(limit * REVISIONS_PER_ROW, MAX_REVISIONS))
    newest: dict[Place, StoredMessage] = {}
    texts: dict[Place, str] = {}
    for stored in recent:
        place = (stored.message.channel, stored.message.message)
        if stored.message.text:
            texts.setdefault(place, stored.message.text)
        known = newest.get(place)
        if known is None or stored.rev > known.rev:
            newest[place] = stored
    shown = list(newest.values())[:limit]
    signals = await _signals_by_message(store, shown, limit)
    ids = [one.signal_id for found in signals.values() for one in found]
    parts = await load_parts(store, ids)
    return tuple([await _facts(store, stored, texts, signals, parts) for stored in shown])


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Copies, trades and intents of some signals."""

    copies: Mapping[SignalId, Sequence[Copy]]
    trades: Mapping[SignalId, Sequence[Trade]]
    intents: Mapping[TradeId, Sequence[Intent]]

    def intents_of(self, signals: Iterable[SignalRecord]) -> tuple[Intent, ...]:
        return tuple(
            intent
            for signal in signals
            for trade in self.trades.get(signal.signal_id, ())
            for intent in self.intents.get(trade.trade_id, ())
        )


async def load_parts(store: UserStore, signals: Sequence[SignalId]) -> Parts:
    copies: dict[SignalId, list[Copy]] = defaultdict(list)
    trades: dict[SignalId, list[Trade]] = defaultdict(list)
    intents: dict[TradeId, list[Intent]] = defaultdict(list)
    if signals:
        for copy in await store.journal.copies_of_signals(signals):
            copies[copy.signal].append(copy)
        for trade in await store.journal.trades_of_signals(signals):
            trades[trade.signal].append(trade)
        known = [trade.trade_id for found in trades.values() for trade in found]
        for intent in await store.journal.intents_of_trades(known):
            intents[intent.trade].append(intent)
    return Parts(copies=copies, trades=trades, intents=intents)


async def _signals_by_message(
    store: UserStore, shown: Sequence[StoredMessage], limit: int
) -> dict[Place, list[SignalRecord]]:
    found: dict[Place, list[SignalRecord]] = defaultdict(list)
    for signal in await store.journal.recent_signals(limit=limit * 2):
        found[signal.chat, signal.message].append(signal)
    for stored in shown:
        place = (stored.message.channel, stored.message.message)
        # An old signal that was edited or deleted now is recent as a message only.
        is_touched = stored.message.edited_at is not None or stored.deleted_at is not None
        if place not in found and is_touched:
            found[place] += await store.journal.signals_of_message(*place)
    return found


async def _facts(
    store: UserStore,
    stored: StoredMessage,
    texts: Mapping[Place, str],
    signals: Mapping[Place, Sequence[SignalRecord]],
    parts: Parts,
) -> MessageFacts:
    place = (stored.message.channel, stored.message.message)
    own = tuple(sorted(signals.get(place, ()), key=lambda one: one.part))
    return MessageFacts(
        stored=stored,
        text=texts.get(place, ""),
        signals=own,
        copies=tuple(c for one in own for c in parts.copies.get(one.signal_id, ())),
        intents=parts.intents_of(own),
        trace=await store.journal.trace(stored.key),
    )


def message_row(
    facts: MessageFacts, channels: Mapping[ChannelId, str], times: Times, words: Words
) -> MessageRow:
    message = facts.stored.message
    return MessageRow(
        chat=message.channel,
        message=message.message,
        channel=channels.get(message.channel, f"Chat {message.channel}"),
        at=times.at(message.edited_at or message.posted_at),
        excerpt=excerpt_of(facts.stored, facts.text),
        understood=understood_as(facts),
        outcome=outcome_of_message(facts, times, words),
        latency=latency_of(facts),
        is_signal=bool(facts.signals),
        is_edited=message.edited_at is not None,
    )


def excerpt_of(stored: StoredMessage, text: str = "") -> str:
    text = one_line(stored.message.text or text, EXCERPT_CHARS)
    if text:
        return text
    if stored.deleted_at is not None:
        return "Message deleted"
    return "Picture or file without text" if stored.message.has_media else "No text"


def understood_as(facts: MessageFacts) -> str:
    """Say in one line how the message was read; empty if it gives no instruction."""
    if facts.signals:
        return "; ".join(signal_line(one.reading) for one in facts.signals)
    texts: list[str] = []
    for step in facts.trace:
        readings = step.facts.get("readings") if step.stage == "read" else None
        texts += [str(one.get("text", "")) for one in dicts(readings)]
    line = "; ".join(text for text in texts if text)
    return f"{line[:1].upper()}{line[1:]}"


def latency_of(facts: MessageFacts) -> timedelta | None:
    """Return the time from the channel's post until the last of its orders was accepted."""
    accepted = last_accepted(facts.entries)
    if accepted is None:
        return None
    entered = {signal.entry_rev for signal in facts.signals}
    message = facts.stored.message
    # A later edit must not make the entry look faster than it was.
    posted = message.posted_at
    if facts.stored.rev in entered and message.edited_at is not None:
        posted = message.edited_at
    return accepted - posted


def last_accepted(entries: Iterable[Intent]) -> datetime | None:
    """Return when the last of some entries was accepted."""
    settled = (one.settled_at for one in entries if one.state is IntentState.ACCEPTED)
    return max((moment for moment in settled if moment is not None), default=None)


async def channel_names(store: UserStore) -> dict[ChannelId, str]:
    channels = await store.channels.list()
    return {channel.chat: one_line(channel.title, 60) for channel in channels}


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """Signals since the user's midnight; the times are those of copied ones."""

    received: int
    copied: int
    skipped: int
    waiting: int
    p95: timedelta | None
    slowest: timedelta | None


async def count_day(store: UserStore, times: Times) -> DayCount:
    """Count today's signals by what became of them."""
    begun = times.midnight
    recent = await store.journal.recent_signals(limit=SIGNALS_A_DAY)
    signals = [one for one in recent if one.posted_at >= begun]
    parts = await load_parts(store, [one.signal_id for one in signals])
    kinds: list[str] = []
    taken: list[timedelta] = []
    for signal in signals:
        entries = [one for one in parts.intents_of([signal]) if one.action is Action.OPEN]
        kinds.append(kind_of_signals([signal], entries))
        accepted = last_accepted(entries)
        if accepted is not None:
            taken.append(accepted - signal.posted_at)
    copied = sum(1 for kind in kinds if kind in COPIED)
    waiting = sum(1 for kind in kinds if kind in WAITING)
    taken.sort()
    return DayCount(
        received=len(kinds),
        copied=copied,
        skipped=len(kinds) - copied - waiting,
        waiting=waiting,
        p95=taken[int(P95 * (len(taken) - 1))] if taken else None,
        slowest=taken[-1] if taken else None,
    )
