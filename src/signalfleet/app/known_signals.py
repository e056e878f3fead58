"""What a channel announced before, in the form that reading and correlation need."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.ids import AccountId, ChannelId, MessageId, SignalId
from signalfleet.domain.risk.checks import OpenCopy
from signalfleet.domain.signals.model import ChannelMessage, Context, KnownSignal
from signalfleet.domain.trading.records import Copy, CopyOutcome, SignalRecord, Trade, TradeState
from signalfleet.ports.inbox import MessageState, StoredMessage

RECENT = 20
LATELY = 100
LATELY_MAX = 6_400
"""More than a user's channels announce in a week."""
PARENTS = 5
NOT_READ = frozenset({"superseded", "older_revision", "deleted", "channel_off"})
NOT_TAKEN = frozenset({CopyOutcome.SKIPPED, CopyOutcome.EXPIRED, CopyOutcome.REJECTED})


async def context_of(
    desk: UserDesk, stored: StoredMessage, versions: Sequence[StoredMessage] | None = None
) -> Context:
    """Gather a message's parent, its version before, and the channel's recent signals.

    `versions` of the message itself are read where the caller has not done so.
    """
    message = stored.message
    replied, answered = await _answered(desk, message)
    before_edit, own = await _acted_on(desk, stored, versions)
    return Context(
        replied=replied,
        before_edit=before_edit,
        recent=await known_signals(desk, message.channel, (*answered, *own)),
    )


async def _answered(
    desk: UserDesk, message: ChannelMessage
) -> tuple[ChannelMessage | None, Sequence[SignalRecord]]:
    """Return the message that is answered, and its signals; through answers that have none."""
    replied, parent = None, message.reply_to
    for _ in range(PARENTS):
        if parent is None:
            break
        revisions = await desk.store.inbox.revisions(message.channel, parent)
        if not revisions:
            break
        replied = revisions[-1].message
        known = await desk.store.journal.signals_of_message(message.channel, parent)
        if known or replied.reply_to is None:
            return replied, known
        parent = replied.reply_to
    return replied, ()


async def _acted_on(
    desk: UserDesk, stored: StoredMessage, versions: Sequence[StoredMessage] | None
) -> tuple[ChannelMessage | None, Sequence[SignalRecord]]:
    """Return the version of the message that was acted on last, and the message's signals.

    An edit is compared with that version. Where none led to anything, the edit is read as if it
    were the first.
    """
    message = stored.message
    if versions is None:
        versions = await desk.store.inbox.revisions(message.channel, message.message)
    earlier = [other for other in versions if other.rev < stored.rev]
    if not earlier:
        return None, ()
    decided = await desk.store.journal.signals_of_message(message.channel, message.message)
    acted_on = [
        other.message
        for other in earlier
        if other.state is MessageState.DONE
        and (other.reason is None or (decided and other.reason not in NOT_READ))
    ]
    return acted_on[-1] if acted_on else None, decided


async def known_signals(
    desk: UserDesk, chat: ChannelId, meant: Sequence[SignalRecord] = ()
) -> tuple[KnownSignal, ...]:
    """Return the channel's newest signals, those with an open trade, and those that are meant.

    The newest come first. A trade may be held while its channel announces many others: what is
    said of it must reach it, and none of the others.
    """
    journal = desk.store.journal
    live: dict[SignalId, list[Trade]] = defaultdict(list)
    for trade in await journal.live_trades():
        live[trade.signal].append(trade)
    records = {one.signal_id: one for one in await journal.recent_signals(chat, RECENT)}
    older = {one.signal_id: one for one in meant}
    for signal_id in live.keys() - records.keys() - older.keys():
        record = await journal.get_signal(signal_id)
        if record is not None and record.chat == chat:
            older[signal_id] = record
    by_age = sorted(older.values(), key=_age, reverse=True)
    records |= {one.signal_id: one for one in by_age}
    return tuple(_known(record, live.get(signal_id, [])) for signal_id, record in records.items())


def _age(record: SignalRecord) -> tuple[datetime, MessageId, int]:
    return (record.posted_at, record.message, record.part)


def _known(record: SignalRecord, live: list[Trade]) -> KnownSignal:
    source = record.reading.inherits
    completed = source is not None and source.message > record.message
    return KnownSignal(
        signal=record.signal_id,
        message=record.message,
        part=record.part,
        symbol=record.reading.symbol,
        side=record.reading.side,
        entry=record.reading.entry,
        stop=record.reading.stop,
        targets=record.reading.targets,
        opened_at=record.posted_at,
        is_open=bool(live),
        is_pending=bool(live) and all(t.state is TradeState.PENDING for t in live),
        levels_from=source.message if source is not None and completed else None,
    )


async def open_copies(desk: UserDesk, account: AccountId, since: datetime) -> tuple[OpenCopy, ...]:
    """Return the account's copies that live or that were taken since then, for the guards.

    Some older ones may be among them. A copy that was filled and is over stays as it is, so it is
    read once.
    """
    journal = desk.store.journal
    alive = {trade.signal for trade in await journal.live_trades(account)}
    records = {r.signal_id: r for r in await _lately(desk, since)}
    for signal_id in alive - set(records):
        record = await journal.get_signal(signal_id)
        if record is not None:
            records[signal_id] = record
    kept = desk.ended_copies.get(account, {})
    found = {one: kept[one] for one in records if one in kept and one not in alive}
    desk.ended_copies[account] = ended = dict(found)
    asked = [
        one
        for one, record in records.items()
        if one in alive or (one not in found and record.outcome is not CopyOutcome.SKIPPED)
    ]
    for copy in await journal.copies_of_signals(asked):
        if copy.account != account or copy.outcome in NOT_TAKEN:
            continue
        is_live = copy.signal in alive
        found[copy.signal] = open_copy(records[copy.signal], copy, is_live=is_live)
        if copy.outcome is CopyOutcome.FILLED and not is_live:
            ended[copy.signal] = found[copy.signal]
    return tuple(found[one] for one in records if one in found)


async def _lately(desk: UserDesk, since: datetime) -> tuple[SignalRecord, ...]:
    """Return the newest signals, all of those since then among them: most of them read once."""
    limit = LATELY
    while True:
        found = await desk.store.journal.recent_signals(limit=limit)
        if len(found) < limit or found[-1].posted_at < since or limit >= LATELY_MAX:
            return found
        limit *= 4


def open_copy(record: SignalRecord, copy: Copy, *, is_live: bool) -> OpenCopy:
    return OpenCopy(
        channel=record.chat,
        message=record.message,
        symbol=record.reading.symbol or "",
        side=record.reading.side,
        entry=record.reading.entry,
        stop=record.reading.stop,
        risk=copy.budget,
        decided_at=record.decided_at,
        is_live=is_live,
        is_reversed=copy.plan.get("side") == record.reading.side.opposite.value,
    )
