"""What an intent's end means for its trade, and what the trades' states mean for the copy."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from signalfleet.domain.ids import TradeId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Price
from signalfleet.domain.signals.model import OrderKind
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
from signalfleet.domain.trading.protect import tighter
from signalfleet.domain.trading.records import CopyOutcome, Trade, TradeState

REASON_OF: Final = {
    CopyOutcome.REJECTED: IntentState.REJECTED,
    CopyOutcome.EXPIRED: IntentState.EXPIRED,
    CopyOutcome.CANCELLED: IntentState.CANCELLED,
    CopyOutcome.UNKNOWN: IntentState.UNKNOWN,
}


def trade_after(trade: Trade, intent: Intent) -> Trade:
    """Return the trade after an intent's end; a later look at the broker corrects it."""
    if not isinstance(intent.command, OpenLeg):
        is_done = intent.state is IntentState.ACCEPTED and trade.state.is_live
        return trade_as_wanted(trade, [intent]) if is_done else trade
    if trade.state is not TradeState.OPENING:
        return trade
    match intent.state:
        case IntentState.ACCEPTED:
            return _opened(trade, intent, intent.command.kind)
        case IntentState.REJECTED | IntentState.EXPIRED | IntentState.CANCELLED:
            return replace(
                trade,
                state=TradeState.NEVER_OPENED,
                close_reason=intent.reason,
                closed_at=intent.settled_at,
            )
        case _:
            return trade


def _opened(trade: Trade, intent: Intent, kind: OrderKind) -> Trade:
    known = replace(
        trade,
        order_id=intent.order_id or trade.order_id,
        position_id=intent.position_id or trade.position_id,
    )
    if kind is OrderKind.MARKET or intent.position_id is not None:
        return replace(
            known,
            state=TradeState.OPEN,
            volume_open=trade.volume,
            opened_at=intent.settled_at,
        )
    return replace(known, state=TradeState.PENDING)


def trade_as_wanted(trade: Trade, intents: Sequence[Intent]) -> Trade:
    """Return the trade as it is once these intents are done, the oldest first.

    A new instruction starts from here: the broker shows the earlier one only a moment later.
    """
    for intent in intents:
        match intent.command:
            case ProtectLeg(take_profit=target):
                stop = stop_to_send(trade.side, trade.stop_loss, intent.command)
                trade = replace(trade, stop_loss=stop, take_profit=target)
            case AmendLeg(stop_loss=stop, take_profit=target):
                trade = replace(trade, stop_loss=stop, take_profit=target)
            case ReduceLeg(remaining=remaining):
                trade = replace(trade, volume_open=min(trade.volume_open, remaining))
            case OpenLeg() | CloseLeg() | CancelLeg():
                pass
    return trade


def stop_to_send(side: Side, now: Price | None, command: ProtectLeg) -> Price | None:
    """Return the stop that a request sets on a position whose stop is `now` by the broker.

    It was decided on an older look: what the broker's side has tightened since stays.
    """
    return command.stop_loss if command.widens else tighter(side, now, command.stop_loss)


def order_prices(trades: Sequence[Trade], intents: Sequence[Intent]) -> dict[TradeId, Price]:
    """Return the price of each trade's pending order after these intents, the oldest first."""
    pending = {trade.trade_id for trade in trades if trade.state is TradeState.PENDING}
    found: dict[TradeId, Price] = {}
    for intent in intents:
        match intent.command:
            case OpenLeg(price=Price() as price) | AmendLeg(price=price):
                found[intent.trade] = price
            case _:
                pass
    return {trade: price for trade, price in found.items() if trade in pending}


def supersedes(newer: Intent, older: Intent) -> bool:
    """Tell whether an instruction that came later makes an unsent one needless or harmful."""
    if newer.created_at <= older.created_at or isinstance(older.command, CloseLeg):
        return False
    if newer.is_extra or older.is_extra:
        return False
    if newer.state in (IntentState.REJECTED, IntentState.EXPIRED, IntentState.CANCELLED):
        return False
    return isinstance(newer.command, CloseLeg | CancelLeg | type(older.command))


def is_ending(trade: Trade, intents: Sequence[Intent]) -> bool:
    """Tell whether one of these intents ends the trade."""
    own = (one for one in intents if one.trade == trade.trade_id and not one.is_extra)
    return any(isinstance(one.command, CloseLeg | CancelLeg) for one in own)


def copy_outcome(trades: Sequence[Trade], entries: Sequence[Intent]) -> CopyOutcome | None:
    """Sum up a copy's legs; None while an entry is still on its way."""
    states = {intent.state for intent in entries}
    if IntentState.UNKNOWN in states:
        return CopyOutcome.UNKNOWN
    if states & {IntentState.HELD, IntentState.SENDING}:
        return None
    lives = {trade.state for trade in trades}
    if lives & {TradeState.OPEN, TradeState.CLOSED}:
        return CopyOutcome.FILLED
    if TradeState.PENDING in lives:
        return CopyOutcome.WORKING
    if IntentState.REJECTED in states:
        return CopyOutcome.REJECTED
    if IntentState.EXPIRED in states:
        return CopyOutcome.EXPIRED
    return CopyOutcome.CANCELLED


def copy_reason(outcome: CopyOutcome | None, entries: Sequence[Intent]) -> str | None:
    """Return why a copy came to nothing, or why it is not known; None where legs were opened."""
    told = REASON_OF.get(outcome) if outcome is not None else None
    reasons = (intent.reason for intent in entries if intent.state is told)
    return next((reason for reason in reasons if reason is not None), None)
