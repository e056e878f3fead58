"""What is asked of a broker, in the broker's words: one value for each kind of request."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from signalfleet.domain.ids import ClientId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import OrderKind


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """Open a position or place a pending order; stop and target travel with it."""

    symbol: str
    side: Side
    kind: OrderKind
    lots: Lots
    price: Price | None
    stop_loss: Price | None
    take_profit: Price | None
    client_id: ClientId
    magic: int
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyPosition:
    """Set both levels of a position; None removes that level."""

    position_id: str
    stop_loss: Price | None
    take_profit: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePosition:
    position_id: str
    client_id: ClientId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReducePosition:
    """Close `lots` of a position. Not idempotent: sent only after a fresh look at its volume."""

    position_id: str
    lots: Lots
    client_id: ClientId


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyOrder:
    order_id: str
    price: Price
    stop_loss: Price | None
    take_profit: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    order_id: str


BrokerOrder: TypeAlias = (
    OpenOrder | ModifyPosition | ClosePosition | ReducePosition | ModifyOrder | CancelOrder
)
