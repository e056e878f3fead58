"""What an intent's end means for its trade, and what the trades' states mean for the copy."""

from collections.abc import Sequence
from dataclasses import replace

from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.intents import Intent, IntentState, OpenLeg
from signalfleet.domain.trading.records import CopyOutcome, Trade, TradeState


def trade_after(trade: Trade, intent: Intent) -> Trade:
    """Return the trade after its entry's end; follow-ups change it only through looks."""
    if not isinstance(intent.command, OpenLeg) or trade.state is not TradeState.OPENING:
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
