"""Between the product's words for orders and facts and those of the matching engine."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from signalfleet.adapters.paper import facts
from signalfleet.domain.exchange import model as x
from signalfleet.domain.trading.orders import BrokerOrder
from signalfleet.domain.trading.reports import Position

NOTHING: Final = Decimal(0)
working_order_of = facts.working_order
history_order_of = facts.history_order
deal_of = facts.deal


def command_of(order: BrokerOrder, *, hidden: bool) -> x.Command:
    """Return the engine's command; `hidden`: the broker drops the client id."""
    command = facts.command_of(order)
    if hidden and isinstance(command, x.OpenPosition | x.PlaceOrder):
        return replace(command, label=replace(command.label, client_id=None))
    return command


def position_of(held: x.Position) -> Position:
    return facts.position(held, None, NOTHING)


def is_since(moment: datetime | None, since: datetime) -> bool:
    return moment is not None and moment >= since
