"""Facts that a broker reports: positions, orders, deals, and the account itself."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.signals.model import OrderKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    position_id: str
    symbol: str
    side: Side
    lots: Lots
    open_price: Price
    current_price: Price | None
    stop_loss: Price | None
    take_profit: Price | None
    profit: Decimal
    swap: Decimal
    commission: Decimal
    magic: int
    client_id: str | None
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingOrder:
    """A pending order that waits at the broker."""

    order_id: str
    symbol: str
    side: Side
    kind: OrderKind
    lots: Lots
    price: Price
    stop_loss: Price | None
    take_profit: Price | None
    magic: int
    client_id: str | None
    placed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryOrder:
    """An order that has ended; `state` is filled, cancelled, rejected or expired."""

    order_id: str
    position_id: str | None
    symbol: str
    side: Side
    lots: Lots
    state: str
    magic: int
    client_id: str | None
    done_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """A piece of a trade's execution; `is_exit` when it reduces a position.

    `reason` is one of client, expert, stop_loss, take_profit, stop_out, other.
    """

    deal_id: str
    order_id: str | None
    position_id: str | None
    symbol: str
    side: Side
    lots: Lots
    price: Price
    is_exit: bool
    profit: Decimal
    swap: Decimal
    commission: Decimal
    magic: int
    client_id: str | None
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One look at an account. `complete` only if every part was answered while connected.

    A light look (`full` False) has no history: it can prove presence, never absence.
    """

    positions: tuple[Position, ...]
    orders: tuple[WorkingOrder, ...]
    history_orders: tuple[HistoryOrder, ...]
    deals: tuple[Deal, ...]
    begun_at: datetime
    full: bool
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """The account as the broker states it; `margin_mode` is hedging, netting or exchange."""

    currency: str
    balance: Decimal
    equity: Decimal
    margin: Decimal
    free_margin: Decimal
    leverage: int
    trade_allowed: bool
    investor: bool
    connected: bool
    margin_mode: str
    is_real: bool
    broker: str
    server: str
    read_at: datetime

    @property
    def nets(self) -> bool:
        """Tell whether the broker holds one position for each symbol, whatever opened it."""
        return self.margin_mode != "hedging"
