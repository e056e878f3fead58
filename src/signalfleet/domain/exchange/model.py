"""What is sent to the matching engine, what it answers, and what its books hold."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from signalfleet.domain.ids import AccountId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price

ZERO = Decimal(0)


class MarginMode(StrEnum):
    HEDGING = "hedging"
    NETTING = "netting"


class OrderKind(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class OrderState(StrEnum):
    PLACED = "placed"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class Entry(StrEnum):
    """How a deal changed a position; `INOUT` turns a netted one round."""

    IN = "in"
    OUT = "out"
    INOUT = "inout"
    BALANCE = "balance"


class Reason(StrEnum):
    """Who caused an order or a deal."""

    CLIENT = "client"
    EXPERT = "expert"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    STOP_OUT = "stop_out"
    BROKER = "broker"


class RejectReason(StrEnum):
    UNKNOWN_SYMBOL = "unknown_symbol"
    TRADE_DISABLED = "trade_disabled"
    LONG_ONLY = "long_only"
    SHORT_ONLY = "short_only"
    CLOSE_ONLY = "close_only"
    MARKET_CLOSED = "market_closed"
    NO_QUOTES = "no_quotes"
    INVALID_VOLUME = "invalid_volume"
    INVALID_CLOSE_VOLUME = "invalid_close_volume"
    INVALID_PRICE = "invalid_price"
    INVALID_STOPS = "invalid_stops"
    INVALID_FILL = "invalid_fill"
    INVALID_EXPIRATION = "invalid_expiration"
    INVALID_ORDER = "invalid_order"
    NO_MONEY = "no_money"
    TOO_MANY_ORDERS = "too_many_orders"
    TOO_MANY_POSITIONS = "too_many_positions"
    VOLUME_LIMIT = "volume_limit"
    FROZEN = "frozen"
    HEDGE_PROHIBITED = "hedge_prohibited"
    FIFO_CLOSE = "fifo_close"
    POSITION_NOT_FOUND = "position_not_found"
    ORDER_NOT_FOUND = "order_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What the sender writes on an order; the engine only carries it."""

    magic: int = 0
    client_id: str | None = None
    comment: str | None = None
    reason: Reason = Reason.EXPERT


NO_LABEL = Label()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTerms:
    """What an account was opened with. Zero in a `max_` field means no limit."""

    currency: str = "USD"
    leverage: int = 100
    mode: MarginMode = MarginMode.HEDGING
    stop_out_percent: Decimal = Decimal(50)
    max_orders: int = 200
    max_positions: int = 0
    max_symbol_lots: Decimal = ZERO
    is_fifo: bool = False
    may_hedge: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPosition:
    """Buy or sell at the market."""

    symbol: str
    side: Side
    lots: Lots
    stop_loss: Price | None = None
    take_profit: Price | None = None
    label: Label = NO_LABEL
    filling: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """Leave an order in the book; `expires_at` None means good till cancelled."""

    symbol: str
    side: Side
    kind: OrderKind
    lots: Lots
    price: Price
    stop_limit_price: Price | None = None
    stop_loss: Price | None = None
    take_profit: Price | None = None
    expires_at: datetime | None = None
    label: Label = NO_LABEL
    filling: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLevels:
    """Set both levels of a position; None clears that level."""

    position: int
    stop_loss: Price | None = None
    take_profit: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePosition:
    """Close a position at the market, or part of it when `lots` is given."""

    position: int
    lots: Lots | None = None
    label: Label | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendOrder:
    """Replace price, levels and expiry of a pending order; None clears level or expiry."""

    order: int
    price: Price
    stop_limit_price: Price | None = None
    stop_loss: Price | None = None
    take_profit: Price | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    order: int


Command: TypeAlias = (
    OpenPosition | PlaceOrder | SetLevels | ClosePosition | AmendOrder | CancelOrder
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The command was carried out; `is_changed` is False when all was so already."""

    order: int | None = None
    position: int | None = None
    deal: int | None = None
    price: Price | None = None
    lots: Lots | None = None
    is_changed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Nothing was done; `text` says what is wrong."""

    reason: RejectReason
    text: str


Outcome: TypeAlias = Done | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    ticket: int
    symbol: str
    side: Side
    lots: Lots
    open_price: Price
    opened_at: datetime
    updated_at: datetime
    stop_loss: Price | None
    take_profit: Price | None
    label: Label
    commission: Decimal = ZERO
    swap: Decimal = ZERO
    realized: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order, working or done. `price` of a done market order is its fill."""

    ticket: int
    symbol: str
    side: Side
    kind: OrderKind
    state: OrderState
    lots: Lots
    lots_left: Lots
    price: Price
    placed_at: datetime
    done_at: datetime | None = None
    stop_limit_price: Price | None = None
    stop_loss: Price | None = None
    take_profit: Price | None = None
    expires_at: datetime | None = None
    position: int | None = None
    filling: str = ""
    label: Label = NO_LABEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """One movement of money: a fill, or with `entry` BALANCE a payment in or out."""

    ticket: int
    entry: Entry
    at: datetime
    profit: Decimal
    commission: Decimal = ZERO
    swap: Decimal = ZERO
    symbol: str = ""
    side: Side = Side.BUY
    lots: Lots = field(default_factory=lambda: Lots(ZERO))
    price: Price | None = None
    order: int | None = None
    position: int | None = None
    label: Label = NO_LABEL
    stop_loss: Price | None = None
    take_profit: Price | None = None

    @property
    def total(self) -> Decimal:
        """Return by how much the deal moved the balance."""
        return self.profit + self.commission + self.swap


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The money of an account at the latest quotes; `margin_level` is a percentage."""

    balance: Decimal
    equity: Decimal
    margin: Decimal
    free_margin: Decimal
    margin_level: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step of a book: `now` is the record after it, None when it left the book."""

    account: AccountId
    ticket: int
    position: Position | None = None
    order: Order | None = None
    deal: Deal | None = None
    is_gone: bool = False
    at: datetime
