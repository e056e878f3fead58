"""Between the product's words for orders and facts and those of the matching engine."""

from datetime import datetime
from decimal import Decimal
from typing import Final, assert_never

from signalfleet.domain.exchange import model as x
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

NOTHING: Final = Decimal(0)
_STATES: Final = {x.OrderState.CANCELED: "cancelled"}
_REASONS: Final = {
    x.Reason.STOP_LOSS: "stop_loss",
    x.Reason.TAKE_PROFIT: "take_profit",
    x.Reason.STOP_OUT: "stop_out",
    x.Reason.CLIENT: "client",
    x.Reason.EXPERT: "expert",
    x.Reason.BROKER: "other",
}


def command_of(order: BrokerOrder, *, hidden: bool) -> x.Command:
    """Return the engine's command; `hidden`: the broker drops the client id."""
    match order:
        case OpenOrder():
            return _opening(order, hidden=hidden)
        case ClosePosition(position_id=position):
            return x.ClosePosition(position=int(position))
        case ReducePosition(position_id=position, lots=lots):
            return x.ClosePosition(position=int(position), lots=lots)
        case ModifyPosition(position_id=position, stop_loss=stop, take_profit=target):
            return x.SetLevels(position=int(position), stop_loss=stop, take_profit=target)
        case ModifyOrder(order_id=number, price=price, stop_loss=stop, take_profit=target):
            return x.AmendOrder(order=int(number), price=price, stop_loss=stop, take_profit=target)
        case CancelOrder(order_id=number):
            return x.CancelOrder(order=int(number))
        case _:
            assert_never(order)


def _opening(order: OpenOrder, *, hidden: bool) -> x.Command:
    label = x.Label(magic=order.magic, client_id=None if hidden else order.client_id)
    if order.kind is OrderKind.MARKET or order.price is None:
        return x.OpenPosition(
            symbol=order.symbol,
            side=order.side,
            lots=order.lots,
            stop_loss=order.stop_loss,
            take_profit=order.take_profit,
            label=label,
        )
    return x.PlaceOrder(
        symbol=order.symbol,
        side=order.side,
        kind=x.OrderKind(order.kind.value),
        lots=order.lots,
        price=order.price,
        stop_loss=order.stop_loss,
        take_profit=order.take_profit,
        expires_at=order.expires_at,
        label=label,
    )


def position_of(held: x.Position) -> Position:
    return Position(
        position_id=str(held.ticket),
        symbol=held.symbol,
        side=held.side,
        lots=held.lots,
        open_price=held.open_price,
        current_price=None,
        stop_loss=held.stop_loss,
        take_profit=held.take_profit,
        profit=NOTHING,
        swap=NOTHING,
        commission=NOTHING,
        magic=held.label.magic,
        client_id=held.label.client_id,
        opened_at=held.opened_at,
    )


def working_order_of(order: x.Order) -> WorkingOrder:
    return WorkingOrder(
        order_id=str(order.ticket),
        symbol=order.symbol,
        side=order.side,
        kind=OrderKind(order.kind.value),
        lots=order.lots,
        price=order.price,
        stop_loss=order.stop_loss,
        take_profit=order.take_profit,
        magic=order.label.magic,
        client_id=order.label.client_id,
        placed_at=order.placed_at,
    )


def history_order_of(order: x.Order) -> HistoryOrder:
    return HistoryOrder(
        order_id=str(order.ticket),
        position_id=None if order.position is None else str(order.position),
        symbol=order.symbol,
        side=order.side,
        lots=order.lots,
        state=_STATES.get(order.state, order.state.value),
        magic=order.label.magic,
        client_id=order.label.client_id,
        done_at=order.done_at,
    )


def deal_of(deal: x.Deal) -> Deal | None:
    """Return a fill; None for a payment."""
    if deal.price is None or deal.entry is x.Entry.BALANCE:
        return None
    return Deal(
        deal_id=str(deal.ticket),
        order_id=None if deal.order is None else str(deal.order),
        position_id=None if deal.position is None else str(deal.position),
        symbol=deal.symbol,
        side=deal.side,
        lots=deal.lots,
        price=deal.price,
        is_exit=deal.entry is x.Entry.OUT,
        profit=deal.profit,
        swap=deal.swap,
        commission=deal.commission,
        magic=deal.label.magic,
        client_id=deal.label.client_id,
        reason=_REASONS[deal.label.reason],
        at=deal.at,
    )


def is_since(moment: datetime | None, since: datetime) -> bool:
    return moment is not None and moment >= since
