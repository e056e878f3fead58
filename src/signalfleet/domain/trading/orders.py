"""What is asked of a broker, in the broker's words: one value for each kind of request."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from signalfleet.domain.errors import DomainError
from signalfleet.domain.ids import ClientId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import OrderKind


@dataclass(frozen=True, slots=True, kw_only=True)
class StopStep:
    """Once the price has reached `reached`, the stop belongs at `stop_loss`."""

    reached: Price
    stop_loss: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailingStop:
    """A stop that the broker's side moves while we are away; the tightest of its rules counts.

    `distance` is in price. Brokers that cannot do it refuse the order unsent ("no_trailing").
    """

    distance: Decimal | None = None
    steps: tuple[StopStep, ...] = ()

    def __post_init__(self) -> None:
        if self.distance is None and not self.steps:
            raise DomainError("a trailing stop needs a distance or steps")
        if self.distance is not None and not (self.distance.is_finite() and self.distance > 0):
            raise DomainError("a trailing distance must be above zero")


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
    trailing: TrailingStop | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyPosition:
    """Set both levels of a position; None removes that level, and its trailing stop too."""

    position_id: str
    stop_loss: Price | None
    take_profit: Price | None
    trailing: TrailingStop | None = None


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
