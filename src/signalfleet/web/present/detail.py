"""One message in full: its text with what was understood, its edits, its relatives, its trace."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Final

from signalfleet.domain.ids import ChannelId, IntentId, MessageId
from signalfleet.domain.signals.model import Span
from signalfleet.domain.trading.intents import Intent
from signalfleet.domain.trading.records import Copy, SignalRecord, TraceStep, Trade, TradeState
from signalfleet.ports.inbox import StoredMessage
from signalfleet.ports.store import UserStore
from signalfleet.web.present.formats import Moment, Times
from signalfleet.web.present.messages import (
    MessageRow,
    Parts,
    excerpt_of,
    load_facts,
    load_parts,
    message_row,
)
from signalfleet.web.present.orders import net
from signalfleet.web.present.outcomes import MessageFacts
from signalfleet.web.present.reading import Segment, cut, stored_spans
from signalfleet.web.present.steps import StepRow
from signalfleet.web.present.stored import dicts
from signalfleet.web.present.trace import TraceReader
from signalfleet.web.present.words import Words

RELATIVES_WITHIN: Final = 100
_TOKENS: Final = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A piece of an edited text: same, ins or del."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    at: Moment
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """A message that this one answers, or that answers it."""

    address: str
    at: Moment
    excerpt: str
    row: MessageRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a signal's trades brought so far; `r` in multiples of the planned risk."""

    money: Decimal
    currency: str
    r: Decimal | None
    is_final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    row: MessageRow
    segments: tuple[Segment, ...]
    edits: tuple[Edit, ...]
    is_deleted: bool
    deleted_at: Moment | None
    parent: Relative | None
    answers: tuple[Relative, ...]
    steps: tuple[StepRow, ...]
    result: Result | None
    raw: tuple[TraceStep, ...]


async def load_detail(
    store: UserStore,
    chat: ChannelId,
    message: MessageId,
    channels: Mapping[ChannelId, str],
    times: Times,
    words: Words,
) -> Detail | None:
    """Read all of one message; None if this user has no such message."""
    revisions = await store.inbox.revisions(chat, message)
    if not revisions:
        return None
    signals = await store.journal.signals_of_message(chat, message)
    parts = await load_parts(store, [one.signal_id for one in signals])
    traces = {rev.rev: await store.journal.trace(rev.key) for rev in revisions}
    shown = _decided_revision(revisions, signals)
    told = [step for rev in revisions for step in traces[rev.rev]]
    asked, touched = await _asked(store, told)
    facts = replace(_facts(shown, signals, parts, told), asked=asked)
    trades = [trade for one in signals for trade in parts.trades.get(one.signal_id, ())]
    written = [one for one in revisions if one.message.text]
    newest = _facts(revisions[-1], signals, parts, told)
    row = message_row(replace(newest, text=shown.message.text), channels, times, words)
    deleted = next((one.deleted_at for one in revisions if one.deleted_at), None)
    return Detail(
        row=row,
        segments=_segments(shown, signals, traces[shown.rev], words),
        edits=_edits(written, times),
        is_deleted=deleted is not None,
        deleted_at=times.at(deleted) if deleted else None,
        parent=await _parent(store, shown, times),
        answers=await _answers(store, chat, message, channels, times, words),
        steps=TraceReader(facts, [*trades, *touched], times, words).rows(),
        result=_result(parts, signals, trades),
        raw=facts.trace,
    )


async def _asked(
    store: UserStore, told: Sequence[TraceStep]
) -> tuple[tuple[Intent, ...], list[Trade]]:
    """Read the commands that this message led to on other messages' trades, and those trades."""
    steps = [step for step in told if step.stage == "followed"]
    found = [one.get("intent") for step in steps for one in dicts(step.facts.get("intents"))]
    wanted = [IntentId(one) for one in found if isinstance(one, str)]
    intents = await store.journal.get_intents(wanted) if wanted else ()
    trades = [await store.journal.get_trade(one) for one in {one.trade for one in intents}]
    return intents, [trade for trade in trades if trade is not None]


def _decided_revision(
    revisions: Sequence[StoredMessage], signals: Sequence[SignalRecord]
) -> StoredMessage:
    """Return the revision whose text explains what was done; else the newest with a text."""
    decided = {signal.entry_rev for signal in signals}
    for revision in revisions:
        if revision.rev in decided:
            return revision
    written = [one for one in revisions if one.message.text]
    return (written or list(revisions))[-1]


def _facts(
    stored: StoredMessage,
    signals: Sequence[SignalRecord],
    parts: Parts,
    trace: Sequence[TraceStep],
) -> MessageFacts:
    copies: list[Copy] = []
    for signal in signals:
        copies += parts.copies.get(signal.signal_id, ())
    return MessageFacts(
        stored=stored,
        signals=tuple(signals),
        copies=tuple(copies),
        intents=parts.intents_of(signals),
        trace=tuple(trace),
    )


def _segments(
    shown: StoredMessage,
    signals: Sequence[SignalRecord],
    trace: Sequence[TraceStep],
    words: Words,
) -> tuple[Segment, ...]:
    spans: list[Span] = [span for signal in signals for span in signal.reading.spans]
    if not spans:
        readings = [one for step in trace for one in dicts(step.facts.get("readings"))]
        spans = stored_spans(readings)
    return cut(shown.message.text, spans, words)


def _edits(written: Sequence[StoredMessage], times: Times) -> tuple[Edit, ...]:
    return tuple(
        Edit(
            at=times.at(after.message.edited_at or after.received_at),
            changes=changes(before.message.text, after.message.text),
        )
        for before, after in pairwise(written)
    )


def changes(before: str, after: str) -> tuple[Change, ...]:
    """Compare two texts word by word."""
    old, new = _TOKENS.findall(before), _TOKENS.findall(after)
    found: list[Change] = []
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    for kind, a0, a1, b0, b1 in matcher.get_opcodes():
        if kind == "equal":
            found.append(Change(kind="same", text="".join(old[a0:a1])))
            continue
        if a1 > a0:
            found.append(Change(kind="del", text="".join(old[a0:a1])))
        if b1 > b0:
            found.append(Change(kind="ins", text="".join(new[b0:b1])))
    return tuple(found)


async def _parent(store: UserStore, shown: StoredMessage, times: Times) -> Relative | None:
    parent = shown.message.reply_to
    if parent is None:
        return None
    revisions = await store.inbox.revisions(shown.message.channel, parent)
    if not revisions:
        return None
    written = [one for one in revisions if one.message.text] or list(revisions)
    return Relative(
        address=f"/signals/{shown.message.channel}/{parent}",
        at=times.at(written[-1].message.posted_at),
        excerpt=excerpt_of(written[-1]),
    )


async def _answers(
    store: UserStore,
    chat: ChannelId,
    message: MessageId,
    channels: Mapping[ChannelId, str],
    times: Times,
    words: Words,
) -> tuple[Relative, ...]:
    found = []
    for facts in await load_facts(store, RELATIVES_WITHIN):
        one = facts.stored.message
        if one.channel == chat and one.reply_to == message:
            row = message_row(facts, channels, times, words)
            found.append(Relative(address=row.address, at=row.at, excerpt=row.excerpt, row=row))
    return tuple(reversed(found))


def _result(
    parts: Parts, signals: Sequence[SignalRecord], trades: Sequence[Trade]
) -> Result | None:
    nets = [net(trade) for trade in trades if trade.state is TradeState.CLOSED]
    known = [value for value in nets if value is not None]
    if not known:
        return None
    copies = [copy for one in signals for copy in parts.copies.get(one.signal_id, ())]
    risked = sum((copy.budget for copy in copies), Decimal(0))
    currencies = {str(copy.plan.get("currency") or "") for copy in copies}
    money = sum(known, Decimal(0))
    return Result(
        money=money,
        currency=currencies.pop() if len(currencies) == 1 else "",
        r=money / risked if risked > 0 else None,
        is_final=all(not trade.state.is_live for trade in trades),
    )
