"""What must hold at the end of every seed, judged by the broker's own books."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from drills.sim.world import USER, World
from signalfleet.domain.accounts.bot_state import BotState
from signalfleet.domain.exchange.model import OrderState
from signalfleet.domain.ids import TradeId, client_id_stem
from signalfleet.domain.trading.intents import (
    CancelLeg,
    CloseLeg,
    Intent,
    IntentState,
    ProtectLeg,
    ReduceLeg,
)
from signalfleet.domain.trading.orders import OpenOrder
from signalfleet.domain.trading.progress import trade_as_wanted
from signalfleet.domain.trading.records import CopyOutcome, SignalRecord, Trade, TradeState
from signalfleet.ports.inbox import MessageState

QUARANTINED: Final = "signalfleet_messages_quarantined_total"
COMPLETION: Final = timedelta(seconds=120)
TOLERANCE: Final = timedelta(seconds=1)
STOP_LIMIT: Final = timedelta(seconds=1)
STOP_LIMIT_DEAF: Final = timedelta(seconds=8)
"""With a store that fails or restarts under way, a lost message is made up for by polling."""


@dataclass(slots=True)
class _Books:
    """The rows of the store beside the books of the broker."""

    world: World
    signals: dict[str, SignalRecord]
    trades: dict[TradeId, Trade]
    intents: list[Intent]
    by_stem: dict[str, Trade]


async def broken_laws(world: World) -> list[str]:
    """Return what does not hold; empty if all is well."""
    books = await _read(world)
    found = list(dict.fromkeys(world.history.violations))
    laws = (_one_order_a_leg, _nothing_stale, _stop_is_heard, _truth, _done_is_done)
    for law in (*laws, _stops_tighten, _newest_stops_stand, _rules_act_once):
        found += law(books)
    found += [fault async for fault in _ends(books)]
    if world.plan.calm:
        found += _nothing_missing(books)
    if world.history.bot_state is not BotState.RUNNING:
        found.append(f"the bot does not run at the end: {world.history.bot_state}")
    if QUARANTINED in world.metrics.counts:
        found.append(f"{world.metrics.counts[QUARANTINED]:.0f} messages were quarantined")
    return found


async def _read(world: World) -> _Books:
    journal = world.store.user(USER).journal
    signals = {s.signal_id: s for s in await journal.recent_signals(limit=10_000)}
    trades = await journal.trades_of_signals(list(signals))
    intents = await journal.intents_of_trades([t.trade_id for t in trades])
    return _Books(
        world=world,
        signals={str(key): value for key, value in signals.items()},
        trades={t.trade_id: t for t in trades},
        intents=list(intents),
        by_stem={client_id_stem(t.client_id): t for t in trades},
    )


def _one_order_a_leg(books: _Books) -> Iterator[str]:
    """I1, by client id and by what the client ids stand for."""
    stems = Counter(client_id_stem(one.client_id) for one in books.world.market.executed)
    for stem, count in stems.items():
        if count > 1:
            yield f"I1 {count} orders for {stem}"
        if stem not in books.by_stem:
            yield f"I1 the broker has {stem}, which was never decided"
    legs: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for stem in stems:
        trade = books.by_stem.get(stem)
        if trade is not None:
            signal = books.signals[trade.signal]
            legs[trade.account, signal.chat, signal.message, signal.part, trade.leg].add(stem)
    for leg, found in legs.items():
        if len(found) > 1:
            yield f"I1 leg {leg} was opened as {sorted(found)}"


def _nothing_stale(books: _Books) -> Iterator[str]:
    """I2: no opening reaches the broker after its message has become too old."""
    limit = timedelta(seconds=books.world.plan.max_signal_age) + TOLERANCE
    for received in books.world.market.received:
        if not isinstance(received.order, OpenOrder):
            continue
        trade = books.by_stem.get(client_id_stem(received.order.client_id))
        if trade is None:
            continue
        signal = books.signals[trade.signal]
        post = books.world.channels.posts[signal.chat, signal.message]
        edits = [at for at in post.edits if at - post.posted_at <= COMPLETION]
        source = signal.reading.inherits
        if source is not None:  # A later message brought the levels, and its time counts.
            brought = books.world.channels.posts[source.channel, source.message]
            times = (brought.posted_at, *brought.edits)
            edits += [at for at in times if at - post.posted_at <= COMPLETION]
        if received.at > max([post.posted_at, *edits]) + limit:
            yield f"I2 {trade.trade_id} was sent at {received.at}, posted {post.posted_at}"


def _stop_is_heard(books: _Books) -> Iterator[str]:
    world = books.world
    pressed = world.history.halted_at
    if pressed is None:
        return
    deaf = bool(world.plan.faults.store_fails or world.plan.drains or world.plan.takeovers)
    limit = pressed + (STOP_LIMIT_DEAF if deaf else STOP_LIMIT)
    for received in world.market.received:
        if isinstance(received.order, OpenOrder) and received.at > limit:
            yield f"D20 an entry was sent at {received.at}, stopped at {pressed}"


async def _ends(books: _Books) -> AsyncIterator[str]:
    """I4 and I7: every message is decided, every intent final, every signal has its end."""
    user = books.world.store.user(USER)
    for stored in await user.inbox.recent(limit=10_000):
        if stored.state is not MessageState.DONE:
            yield f"I4 message {stored.key} is {stored.state.value} ({stored.reason})"
    for intent in books.intents:
        if not intent.state.is_final:
            yield f"I7 intent {intent.intent_id} {intent.action} is still {intent.state.value}"
    for signal in books.signals.values():
        if signal.outcome in (None, CopyOutcome.UNKNOWN):
            yield f"I4 signal {signal.signal_id} has no end: {signal.outcome}"
    if books.world.channels.missing:
        yield f"I7 {books.world.channels.missing} happenings never reached the inbox"


def _truth(books: _Books) -> Iterator[str]:
    """What the store says of a trade is what the broker's books show."""
    tickets = {client_id_stem(e.client_id): e.ticket for e in books.world.market.executed}
    book = books.world.market.book
    unfilled = {
        order.ticket
        for order in book.history
        if order.state in (OrderState.CANCELED, OrderState.EXPIRED)
    }
    for stem, trade in books.by_stem.items():
        ticket = tickets.get(stem)
        if ticket is None or ticket in unfilled:
            expected = TradeState.NEVER_OPENED
        elif ticket in book.positions:
            expected = TradeState.OPEN
        elif ticket in book.orders:
            expected = TradeState.PENDING
        else:
            expected = TradeState.CLOSED
        if trade.state is not expected:
            yield f"truth: {trade.trade_id} is {trade.state.value}, at the broker {expected.value}"
        elif expected is TradeState.OPEN and ticket is not None:
            lots = book.positions[ticket].lots
            if lots != trade.volume_open:
                yield f"truth: {trade.trade_id} has {trade.volume_open}, at the broker {lots}"


def _done_is_done(books: _Books) -> Iterator[str]:
    """A protective intent that is called accepted has its effect."""
    tickets = {client_id_stem(e.client_id): e.ticket for e in books.world.market.executed}
    book = books.world.market.book
    for intent in books.intents:
        if intent.state is not IntentState.ACCEPTED:
            continue
        trade = books.trades[intent.trade]
        ticket = tickets.get(client_id_stem(trade.client_id))
        held = book.positions.get(ticket) if ticket is not None else None
        match intent.command:
            case CloseLeg() if held is not None:
                yield f"protective: {trade.trade_id} is open after an accepted close"
            case ReduceLeg(remaining=remaining) if held is not None and held.lots > remaining:
                yield f"protective: {trade.trade_id} has {held.lots}, wanted {remaining}"
            case CancelLeg() if ticket in book.orders:
                yield f"protective: {trade.trade_id} waits after an accepted cancel"
            case _:
                pass


def _stops_tighten(books: _Books) -> Iterator[str]:
    """No position ever gets a stop where it loses more: no message may do that, and no rule does.

    An order that is carried out when its sender has given up waiting for it, or is gone, may undo a
    newer one for a moment; nobody can call it back.
    """
    market = books.world.market
    if market.unawaited or any(received.fate == "late" for received in market.received):
        return
    last: dict[int, Decimal] = {}
    for view in books.world.market.views:
        for held in view.positions:
            before = last.get(held.ticket)
            now = held.stop_loss.value if held.stop_loss is not None else None
            if before is not None and (now is None or (now - before) * held.side.sign < 0):
                yield f"stops: position {held.ticket} had {before} and then {now}"
            if now is not None:
                last[held.ticket] = now


def _newest_stops_stand(books: _Books) -> Iterator[str]:
    """In the end a position has the tightest stop that was accepted, also after late orders.

    Where the price has passed that stop meanwhile the broker refuses to set it again.
    """
    tickets = {client_id_stem(e.client_id): e.ticket for e in books.world.market.executed}
    moves: dict[TradeId, list[Intent]] = defaultdict(list)
    for intent in books.intents:
        if isinstance(intent.command, ProtectLeg):
            moves[intent.trade].append(intent)
    for trade_id, intents in moves.items():
        trade = books.trades[trade_id]
        ticket = tickets.get(client_id_stem(trade.client_id))
        held = books.world.market.book.positions.get(ticket) if ticket is not None else None
        if held is None or any(one.state is IntentState.REJECTED for one in intents):
            continue
        done = [one for one in intents if one.state is IntentState.ACCEPTED]
        wanted = trade_as_wanted(replace(trade, stop_loss=held.stop_loss), done).stop_loss
        if wanted != held.stop_loss:
            yield f"stops: {trade_id} has {held.stop_loss} in the end, wanted {wanted}"


def _rules_act_once(books: _Books) -> Iterator[str]:
    """What a rule does to a trade it does once, however often a life ends meanwhile."""
    done = Counter(
        (intent.trade, intent.cause.partition("#")[0])
        for intent in books.intents
        if intent.cause.startswith("rule:") and intent.state is IntentState.ACCEPTED
    )
    for (trade, cause), count in done.items():
        if count > 1:
            yield f"rules: {cause} was done {count} times to {trade}"


def _nothing_missing(books: _Books) -> Iterator[str]:
    """Without faults every signal has all its orders."""
    count: Counter[tuple[int, int]] = Counter()
    for executed in books.world.market.executed:
        trade = books.by_stem.get(client_id_stem(executed.client_id))
        if trade is not None:
            signal = books.signals[trade.signal]
            count[signal.chat, signal.message] += 1
    for (chat, message), legs in books.world.script.expected.items():
        if count[chat, message] != legs:
            yield f"missing: message {message} of {chat} has {count[chat, message]} of {legs} legs"
