"""What a look at the account says about our trades and our open intents. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from signalfleet.domain.ids import IntentId, TradeId
from signalfleet.domain.money import Lots
from signalfleet.domain.trading.doubles import Extra, extras_of
from signalfleet.domain.trading.intents import (
    AmendLeg,
    CancelLeg,
    CloseLeg,
    Intent,
    IntentState,
    OpenLeg,
    ProtectLeg,
    ReduceLeg,
)
from signalfleet.domain.trading.lifecycle import AbsenceProved, Found, Replied, advance
from signalfleet.domain.trading.matching import FiledFacts, TradeFacts, is_match, unnamed_facts
from signalfleet.domain.trading.outcomes import Rejected
from signalfleet.domain.trading.progress import stop_to_send
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.reports import Deal, Snapshot
from signalfleet.domain.trading.settle import SettleRules
from signalfleet.domain.trading.undone import Undone, undone_levels

NOTHING: Final = Lots(Decimal(0))
NOT_DONE_AFTER: Final = timedelta(seconds=2)
ENTRY_NOES: Final = frozenset(
    {IntentState.HELD, IntentState.REJECTED, IntentState.EXPIRED, IntentState.CANCELLED}
)
ENDED_UNFILLED: Final = frozenset({"cancelled", "expired", "rejected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LookInput:
    """`first_absent` remembers when each intent was first looked for in vain after its window.

    `trades` are the live ones and those of the intents. `entries_in_flight`: what carries no client
    id may belong to an order whose reply is still to come. Entries that have ended are looked for
    once more: whatever is found of them contradicts a "no". `taken` are the ids of orders and
    positions of trades that are not looked at here, or that ended lately: they are nobody else's.
    `orders` are all intents of each trade, the ended ones too.
    """

    trades: Sequence[Trade]
    intents: Sequence[Intent]
    snapshot: Snapshot
    now: datetime
    rules: SettleRules
    first_absent: Mapping[IntentId, datetime]
    entries_in_flight: bool = False
    taken: frozenset[str] = frozenset()
    orders: Mapping[TradeId, Sequence[Intent]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Changed rows only. `needs_full`: something vanished, and history must say why.

    `unclear` entries may be one of several orders without a client id: only a person can tell.
    `undone`: levels that a late order took back.
    """

    trades: tuple[Trade, ...]
    intents: tuple[Intent, ...]
    first_absent: Mapping[IntentId, datetime]
    needs_full: bool
    doubled: tuple[Extra, ...]
    unclear: tuple[IntentId, ...]
    alarms: tuple[str, ...]
    undone: tuple[Undone, ...] = ()


def reconcile(look: LookInput) -> Findings:
    """Compare what we believe with what the broker shows. An incomplete look proves no absence."""
    filed = FiledFacts(look.snapshot)
    facts = {trade.trade_id: filed.of(trade) for trade in look.trades}
    facts, unclear = _with_unnamed(look, facts)
    by_id = {trade.trade_id: trade for trade in look.trades}
    trades: list[Trade] = []
    needs_full = False
    for trade in look.trades:
        if not trade.state.is_live:
            continue
        seen = trade_as_seen(trade, facts[trade.trade_id], look.snapshot)
        needs_full |= seen is None
        if seen is not None and seen != trade:
            trades.append(seen)
    absent: dict[IntentId, datetime] = {}
    intents: list[Intent] = []
    alarms: list[str] = []
    revived: list[Trade] = []
    for intent in look.intents:
        if intent.trade not in facts:
            continue
        seen_of = facts[intent.trade]
        if intent.state is IntentState.UNKNOWN:
            is_unclear = intent.intent_id in unclear
            trade = by_id[intent.trade]
            after, alarm = _settle(intent, trade, seen_of, look, absent, is_unclear=is_unclear)
        elif intent.state in ENTRY_NOES and isinstance(intent.command, OpenLeg):
            after, alarm = _told_no(intent, seen_of, look.now)
            trade = by_id[intent.trade]
            if after.state is IntentState.ACCEPTED and not trade.state.is_live:
                revived.append(_revived(trade, seen_of, look.snapshot))
        else:
            continue
        if after != intent:
            intents.append(after)
        if alarm is not None:
            alarms.append(alarm)
    doubled = tuple(
        extra
        for trade, seen in facts.items()
        for extra in extras_of(by_id[trade], seen)
        # Positions and orders are read one after the other: an order may fill in between.
        if extra.order_id is None or (look.snapshot.full and look.snapshot.complete)
    )
    return Findings(
        trades=(*trades, *revived),
        intents=tuple(intents),
        first_absent=absent,
        needs_full=needs_full and not look.snapshot.full,
        doubled=doubled,
        unclear=tuple(sorted(unclear)),
        alarms=tuple(alarms),
        undone=_undone(look, facts) if look.snapshot.complete else (),
    )


def _undone(look: LookInput, facts: Mapping[TradeId, TradeFacts]) -> tuple[Undone, ...]:
    found = (
        undone_levels(
            trade,
            facts[trade.trade_id],
            look.orders.get(trade.trade_id, ()),
            look.rules,
            look.snapshot.begun_at,
        )
        for trade in look.trades
    )
    return tuple(one for one in found if one is not None)


def trade_as_seen(trade: Trade, facts: TradeFacts, snapshot: Snapshot) -> Trade | None:
    """Return the trade as the broker shows it; None if it vanished and the look cannot say why."""
    if facts.positions:
        position = facts.positions[0]
        return replace(
            trade,
            state=TradeState.OPEN,
            position_id=position.position_id,
            volume_open=position.lots,
            open_price=position.open_price,
            stop_loss=position.stop_loss,
            take_profit=position.take_profit,
            profit=position.profit,
            swap=position.swap,
            commission=position.commission,
            opened_at=position.opened_at,
        )
    if facts.orders:
        order = facts.orders[0]
        return replace(
            trade,
            state=TradeState.PENDING,
            order_id=order.order_id,
            stop_loss=order.stop_loss,
            take_profit=order.take_profit,
        )
    exits = tuple(deal for deal in facts.deals if deal.is_exit)
    if exits and sum(d.lots.value for d in exits) >= _entered(trade, facts):
        return _closed(trade, facts, exits)
    if not facts.deals and any(order.state in ENDED_UNFILLED for order in facts.history):
        ended = facts.history[-1]
        return replace(
            trade,
            state=TradeState.NEVER_OPENED,
            close_reason=ended.state,
            closed_at=ended.done_at,
        )
    if trade.state is TradeState.OPENING:
        return trade
    # History lags behind the positions: a full look that does not show the end yet is repeated.
    return trade if snapshot.full and not snapshot.complete else None


def _entered(trade: Trade, facts: TradeFacts) -> Decimal:
    entries = sum((deal.lots.value for deal in facts.deals if not deal.is_exit), Decimal(0))
    return entries or trade.volume_open.value or trade.volume.value


def _closed(trade: Trade, facts: TradeFacts, exits: Sequence[Deal]) -> Trade:
    last = max(exits, key=lambda deal: deal.at)
    volume = sum((deal.lots.value for deal in exits), Decimal(0))
    worth = sum((deal.lots.value * deal.price.value for deal in exits), Decimal(0))
    entries = [deal for deal in facts.deals if not deal.is_exit]
    opened = trade.open_price or (entries[0].price if entries else None)
    return replace(
        trade,
        state=TradeState.CLOSED,
        volume_open=NOTHING,
        open_price=opened,
        opened_at=trade.opened_at or (entries[0].at if entries else None),
        position_id=last.position_id or trade.position_id,
        close_price=replace(last.price, value=worth / volume),
        profit=sum((deal.profit for deal in facts.deals), Decimal(0)),
        commission=sum((deal.commission for deal in facts.deals), Decimal(0)),
        swap=sum((deal.swap for deal in facts.deals), Decimal(0)),
        closed_at=last.at,
        close_reason=last.reason,
    )


def _with_unnamed(
    look: LookInput, facts: dict[TradeId, TradeFacts]
) -> tuple[dict[TradeId, TradeFacts], frozenset[IntentId]]:
    """Add facts whose client id the broker lost, where only one entry can be meant."""
    claimed = look.taken.union(*(seen.ids for seen in facts.values()))
    open_entries = [
        intent
        for intent in look.intents
        if intent.state is IntentState.UNKNOWN
        and intent.trade in facts
        and not facts[intent.trade].exists
    ]
    for intent in open_entries:
        found = unnamed_facts(intent, claimed, look.snapshot, look.rules.inflight)
        fitting = [one for one in found if is_match(intent, one)]
        rivals = sum(
            is_match(other, one) for other in open_entries for one in fitting if other != intent
        )
        if len(fitting) == 1 and not rivals and not look.entries_in_flight:
            claimed |= fitting[0].ids
            facts[intent.trade] = fitting[0]
    unclear = {
        intent.intent_id
        for intent in open_entries
        if not facts[intent.trade].exists
        and unnamed_facts(intent, claimed, look.snapshot, look.rules.inflight)
    }
    return facts, frozenset(unclear)


def _settle(
    intent: Intent,
    trade: Trade,
    facts: TradeFacts,
    look: LookInput,
    absent: dict[IntentId, datetime],
    *,
    is_unclear: bool,
) -> tuple[Intent, str | None]:
    done = is_done(intent, trade, facts, look.snapshot)
    if done is not None:
        step = advance(intent, done, look.now)
        return step.intent, step.alarm
    if is_unclear or not _absence_is_proved(intent, look, absent):
        return intent, None
    step = advance(intent, AbsenceProved(), look.now)
    return step.intent, step.alarm


def _revived(trade: Trade, facts: TradeFacts, snapshot: Snapshot) -> Trade:
    """Take up a trade that was given up and exists after all."""
    opening = replace(trade, state=TradeState.OPENING, close_reason=None, closed_at=None)
    return trade_as_seen(opening, facts, snapshot) or opening


def _told_no(intent: Intent, facts: TradeFacts, now: datetime) -> tuple[Intent, str | None]:
    """See whether an entry exists at the broker although a "no" was told."""
    found = _entry_found(facts)
    if found is None:
        return intent, None
    step = advance(intent, found, now)
    return step.intent, step.alarm


def is_done(
    intent: Intent, trade: Trade, facts: TradeFacts, snapshot: Snapshot
) -> Found | Replied | None:
    """Tell whether the look shows the intent's effect; None proves nothing by itself.

    Positions and orders show up a moment after they were made, and one look may be older than the
    look before it. What is not shown is therefore not taken to be gone unless history says so.
    """
    command = intent.command
    if isinstance(command, OpenLeg):
        return _entry_found(facts)
    if intent.is_extra:
        return _extra_gone(intent, facts, snapshot)
    if not trade.state.is_live:
        return Found(evidence="the trade has ended")
    no_position = snapshot.complete and not facts.positions and facts.was_closed
    ended = any(order.state in ENDED_UNFILLED for order in facts.history)
    became_something = bool(facts.positions or facts.deals or ended)
    no_order = snapshot.complete and not facts.orders and became_something
    match command:
        case CloseLeg():
            return _found_if(no_position, "position is gone")
        case ReduceLeg(remaining=remaining):
            less = bool(facts.positions) and facts.positions[0].lots <= remaining
            return _found_if(less or no_position, "volume is reduced")
        case ProtectLeg(take_profit=target):
            same = command.trailing is None and any(
                p.take_profit == target
                and p.stop_loss == stop_to_send(trade.side, p.stop_loss, command)
                for p in facts.positions
            )
            gone = no_position and not facts.orders
            return _found_if(same or gone, "levels are set" if same else "position is gone")
        case CancelLeg():
            return _found_if(no_order, "order is gone")
        case AmendLeg(price=price, stop_loss=stop, take_profit=target):
            same = any(
                o.price == price and o.stop_loss == stop and o.take_profit == target
                for o in facts.orders
            )
            return _found_if(same or no_order, "order is moved" if same else "order is gone")


def _extra_gone(intent: Intent, facts: TradeFacts, snapshot: Snapshot) -> Found | None:
    """Tell whether an order or position that should not exist is gone, by what history says."""
    match intent.command:
        case CloseLeg(position_id=str(extra)):
            is_open = any(position.position_id == extra for position in snapshot.positions)
            closed = any(deal.is_exit and deal.position_id == extra for deal in facts.deals)
            return _found_if(
                snapshot.complete and closed and not is_open, "the extra position is gone"
            )
        case CancelLeg(order_id=str(extra)):
            is_open = any(order.order_id == extra for order in snapshot.orders)
            ended = any(order.order_id == extra for order in facts.history)
            return _found_if(snapshot.complete and ended and not is_open, "the extra order is gone")
        case _:
            return None


def _entry_found(facts: TradeFacts) -> Found | Replied | None:
    if facts.positions:
        position = facts.positions[0]
        return Found(evidence="seen in positions", position_id=position.position_id)
    if facts.orders:
        return Found(evidence="seen in orders", order_id=facts.orders[0].order_id)
    if facts.deals:
        deal = facts.deals[0]
        return Found(evidence="seen in deals", order_id=deal.order_id, position_id=deal.position_id)
    if not facts.history:
        return None
    if all(order.state == "rejected" for order in facts.history):
        return Replied(Rejected(code="rejected", text="seen in history"))
    return Found(evidence="seen in history", order_id=facts.history[0].order_id)


def _found_if(is_so: bool, evidence: str) -> Found | None:  # noqa: FBT001 - the finding itself
    return Found(evidence=evidence) if is_so else None


def _absence_is_proved(intent: Intent, look: LookInput, absent: dict[IntentId, datetime]) -> bool:
    """Two complete looks apart from each other, both begun when nothing can happen any more."""
    if intent.sending_at is None or not look.snapshot.complete:
        _remember(intent, look, absent)
        return False
    repeatable = not isinstance(intent.command, OpenLeg | ReduceLeg)
    wait = min(NOT_DONE_AFTER, look.rules.window) if repeatable else look.rules.window
    if not repeatable and not look.snapshot.full:
        _remember(intent, look, absent)
        return False
    if look.snapshot.begun_at < intent.sending_at + wait:
        return False
    first = look.first_absent.get(intent.intent_id)
    # A look from before a second sending says nothing about that sending.
    if first is None or first < intent.sending_at + wait:
        absent[intent.intent_id] = look.snapshot.begun_at
        return False
    absent[intent.intent_id] = first
    return look.snapshot.begun_at >= first + look.rules.between_looks


def _remember(intent: Intent, look: LookInput, absent: dict[IntentId, datetime]) -> None:
    first = look.first_absent.get(intent.intent_id)
    if first is not None:
        absent[intent.intent_id] = first
