"""The engine's book as a broker's facts, and orders as the engine's commands. Pure."""

from decimal import Decimal
from typing import Final, assert_never

from signalfleet.domain.exchange import model
from signalfleet.domain.exchange.model import Entry, Label, OrderState, Reason
from signalfleet.domain.money import Price
from signalfleet.domain.risk.facts import Movement
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.orders import (
    BrokerOrder,
    CancelOrder,
    ClosePosition,
    ModifyOrder,
    ModifyPosition,
    OpenOrder,
    ReducePosition,
)
from signalfleet.domain.trading.reports import Deal, HistoryOrder, Position, WorkingOrder
from signalfleet.ports.errors import NotSentError

_STATES: Final = {
    OrderState.FILLED: "filled",
    OrderState.CANCELED: "cancelled",
    OrderState.REJECTED: "rejected",
    OrderState.EXPIRED: "expired",
    OrderState.PLACED: "placed",
}
_REASONS: Final = {
    Reason.CLIENT: "client",
    Reason.EXPERT: "expert",
    Reason.STOP_LOSS: "stop_loss",
    Reason.TAKE_PROFIT: "take_profit",
    Reason.STOP_OUT: "stop_out",
}


def command_of(order: BrokerOrder) -> model.Command:
    """Return the engine's command; NotSentError for what paper cannot do."""
    match order:
        case OpenOrder():
            return _opening(order)
        case ModifyPosition():
            _refuse_trailing(order)
            return model.SetLevels(
                position=ticket(order.position_id),
                stop_loss=order.stop_loss,
                take_profit=order.take_profit,
            )
        case ClosePosition():
            label = Label(client_id=order.client_id)
            return model.ClosePosition(position=ticket(order.position_id), label=label)
        case ReducePosition():
            label = Label(client_id=order.client_id)
            return model.ClosePosition(
                position=ticket(order.position_id), lots=order.lots, label=label
            )
        case ModifyOrder():
            return model.AmendOrder(
                order=ticket(order.order_id),
                price=order.price,
                stop_loss=order.stop_loss,
                take_profit=order.take_profit,
            )
        case CancelOrder():
            return model.CancelOrder(order=ticket(order.order_id))
        case _:
            assert_never(order)


def ticket(text: str) -> int:
    """Read an id of ours; what is no number is nobody's."""
    return int(text) if text.isascii() and text.isdecimal() else 0


def position(held: model.Position, closing: Price | None, floating: Decimal) -> Position:
    return Position(
        position_id=str(held.ticket),
        symbol=held.symbol,
        side=held.side,
        lots=held.lots,
        open_price=held.open_price,
        current_price=closing,
        stop_loss=held.stop_loss,
        take_profit=held.take_profit,
        profit=floating,
        swap=held.swap,
        commission=held.commission,
        magic=held.label.magic,
        client_id=held.label.client_id,
        opened_at=held.opened_at,
    )


def working_order(order: model.Order) -> WorkingOrder:
    return WorkingOrder(
        order_id=str(order.ticket),
        symbol=order.symbol,
        side=order.side,
        kind=OrderKind(order.kind.value),
        lots=order.lots_left,
        price=order.price,
        stop_loss=order.stop_loss,
        take_profit=order.take_profit,
        magic=order.label.magic,
        client_id=order.label.client_id,
        placed_at=order.placed_at,
    )


def history_order(order: model.Order) -> HistoryOrder:
    return HistoryOrder(
        order_id=str(order.ticket),
        position_id=None if order.position is None else str(order.position),
        symbol=order.symbol,
        side=order.side,
        lots=order.lots,
        state=_STATES[order.state],
        magic=order.label.magic,
        client_id=order.label.client_id,
        done_at=order.done_at,
    )


def movement(made: model.Deal) -> Movement:
    return Movement(
        movement_id=str(made.ticket),
        at=made.at,
        amount=made.total,
        is_payment=made.entry is Entry.BALANCE,
    )


def deal(made: model.Deal) -> Deal | None:
    """Return a piece of a trade; a payment in or out is none."""
    if made.entry is Entry.BALANCE or made.price is None:
        return None
    return Deal(
        deal_id=str(made.ticket),
        order_id=None if made.order is None else str(made.order),
        position_id=None if made.position is None else str(made.position),
        symbol=made.symbol,
        side=made.side,
        lots=made.lots,
        price=made.price,
        is_exit=made.entry is not Entry.IN,
        profit=made.profit,
        swap=made.swap,
        commission=made.commission,
        magic=made.label.magic,
        client_id=made.label.client_id,
        reason=_REASONS.get(made.label.reason, "other"),
        at=made.at,
    )


def _opening(order: OpenOrder) -> model.Command:
    _refuse_trailing(order)
    label = Label(magic=order.magic, client_id=order.client_id)
    if order.kind is OrderKind.MARKET:
        return model.OpenPosition(
            symbol=order.symbol,
            side=order.side,
            lots=order.lots,
            stop_loss=order.stop_loss,
            take_profit=order.take_profit,
            label=label,
        )
    if order.price is None:
        raise NotSentError("a pending order needs a price", reason="no_price")
    return model.PlaceOrder(
        symbol=order.symbol,
        side=order.side,
        kind=model.OrderKind(order.kind.value),
        lots=order.lots,
        price=order.price,
        stop_loss=order.stop_loss,
        take_profit=order.take_profit,
        expires_at=order.expires_at,
        label=label,
    )


def _refuse_trailing(order: OpenOrder | ModifyPosition) -> None:
    if order.trailing is not None:
        raise NotSentError("a paper broker moves no stops by itself", reason="no_trailing")
