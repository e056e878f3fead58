"""What a look at the account says about our trades and our open intents. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from signalfleet.domain.ids import IntentId, TradeId
from signalfleet.domain.money import Lots
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
from signalfleet.domain.trading.lifecycle import AbsenceProved, Found, advance
from signalfleet.domain.trading.matching import TradeFacts, facts_of, fallback_position
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.reports import Deal, Snapshot
from signalfleet.domain.trading.settle import SettleRules

NOTHING: Final = Lots(Decimal(0))
NOT_DONE_AFTER: Final = timedelta(seconds=2)
ENDED_UNFILLED: Final = frozenset({"cancelled", "expired", "rejected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LookInput:
    """`first_absent` remembers when each intent was first looked for in vain after its window."""

    trades: Sequence[Trade]
    intents: Sequence[Intent]
    snapshot: Snapshot
    now: datetime
    rules: SettleRules
    first_absent: Mapping[IntentId, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Changed rows only. `needs_full`: something vanished, and history must say why."""

    trades: tuple[Trade, ...]
    intents: tuple[Intent, ...]
    first_absent: Mapping[IntentId, datetime]
    needs_full: bool
    doubled: tuple[TradeId, ...]
    alarms: tuple[str, ...]


def reconcile(look: LookInput) -> Findings:
    """Compare what we believe with what the broker shows. An incomplete look proves no absence."""
    facts = {trade.trade_id: facts_of(trade, look.snapshot) for trade in look.trades}
    facts = _with_fallbacks(look, facts)
    trades: list[Trade] = []
    needs_full = False
    for trade in look.trades:
        seen = trade_as_seen(trade, facts[trade.trade_id], look.snapshot)
        needs_full |= seen is None
        if seen is not None and seen != trade:
            trades.append(seen)
    absent: dict[IntentId, datetime] = {}
    intents: list[Intent] = []
    alarms: list[str] = []
    for intent in look.intents:
        if intent.state is not IntentState.UNKNOWN or intent.trade not in facts:
            continue
        after, alarm = _settle(intent, facts[intent.trade], look, absent)
        if after != intent:
            intents.append(after)
        if alarm is not None:
            alarms.append(alarm)
    doubled = tuple(trade for trade, seen in facts.items() if len(seen.position_ids) > 1)
    return Findings(
        trades=tuple(trades),
        intents=tuple(intents),
        first_absent=absent,
        needs_full=needs_full and not look.snapshot.full,
        doubled=doubled,
        alarms=tuple(alarms),
    )


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


def _with_fallbacks(look: LookInput, facts: dict[TradeId, TradeFacts]) -> dict[TradeId, TradeFacts]:
    claimed = {position for seen in facts.values() for position in seen.position_ids}
    for intent in look.intents:
        seen = facts.get(intent.trade)
        if seen is None or seen.exists or intent.state is not IntentState.UNKNOWN:
            continue
        position = fallback_position(intent, claimed, look.snapshot, look.rules.inflight)
        if position is not None:
            claimed.add(position.position_id)
            facts[intent.trade] = replace(seen, positions=(position,))
    return facts


def _settle(
    intent: Intent, facts: TradeFacts, look: LookInput, absent: dict[IntentId, datetime]
) -> tuple[Intent, str | None]:
    done = is_done(intent, facts, look.snapshot)
    if done is not None:
        step = advance(intent, done, look.now)
        return step.intent, step.alarm
    if not _absence_is_proved(intent, look, absent):
        return intent, None
    step = advance(intent, AbsenceProved(), look.now)
    return step.intent, step.alarm


def is_done(intent: Intent, facts: TradeFacts, snapshot: Snapshot) -> Found | None:
    """Tell whether the look shows the intent's effect; None proves nothing by itself."""
    match intent.command:
        case OpenLeg():
            return _entry_found(facts)
        case CloseLeg():
            return _found_if(snapshot.complete and not facts.positions, "position is gone")
        case ReduceLeg(remaining=remaining):
            less = bool(facts.positions) and facts.positions[0].lots <= remaining
            gone = snapshot.complete and not facts.positions
            return _found_if(less or gone, "volume is reduced")
        case ProtectLeg(stop_loss=stop, take_profit=target):
            same = any(p.stop_loss == stop and p.take_profit == target for p in facts.positions)
            gone = snapshot.complete and not facts.positions and not facts.orders
            return _found_if(same or gone, "levels are set" if same else "position is gone")
        case CancelLeg():
            return _found_if(snapshot.complete and not facts.orders, "order is gone")
        case AmendLeg(price=price, stop_loss=stop, take_profit=target):
            same = any(
                o.price == price and o.stop_loss == stop and o.take_profit == target
                for o in facts.orders
            )
            gone = snapshot.complete and not facts.orders
            return _found_if(same or gone, "order is moved" if same else "order is gone")


def _entry_found(facts: TradeFacts) -> Found | None:
    if facts.positions:
        position = facts.positions[0]
        return Found(evidence="seen in positions", position_id=position.position_id)
    if facts.orders:
        return Found(evidence="seen in orders", order_id=facts.orders[0].order_id)
    if facts.deals:
        deal = facts.deals[0]
        return Found(evidence="seen in deals", order_id=deal.order_id, position_id=deal.position_id)
    if facts.history:
        return Found(evidence="seen in history", order_id=facts.history[0].order_id)
    return None


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
    if first is None:
        absent[intent.intent_id] = look.snapshot.begun_at
        return False
    absent[intent.intent_id] = first
    return look.snapshot.begun_at >= first + look.rules.between_looks


def _remember(intent: Intent, look: LookInput, absent: dict[IntentId, datetime]) -> None:
    first = look.first_absent.get(intent.intent_id)
    if first is not None:
        absent[intent.intent_id] = first
