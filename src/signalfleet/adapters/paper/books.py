"""A paper account's book as JSON and back: exact, and only as much history as is kept. Pure.

Numbers are written as text, so that nothing turns them into floats on the way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

from signalfleet.adapters.paper import limits
from signalfleet.domain.errors import DomainError
from signalfleet.domain.exchange.book import Book
from signalfleet.domain.exchange.model import (
    AccountTerms,
    Deal,
    Entry,
    Label,
    MarginMode,
    Order,
    OrderKind,
    OrderState,
    Position,
    Reason,
)
from signalfleet.domain.ids import AccountId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price

VERSION: Final = 1
T = TypeVar("T")
Row = Mapping[str, Any]


class UnreadableBookError(ValueError):
    """What was stored is no book of this version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A book that was read back, and the first ticket number that is free in it."""

    book: Book
    first_ticket: int


def to_json(book: Book, now: datetime) -> dict[str, object]:
    since = now - limits.HISTORY_KEPT
    return {
        "version": VERSION,
        "balance": str(book.balance),
        "currency": book.terms.currency,
        "leverage": book.terms.leverage,
        "mode": book.terms.mode.value,
        "positions": [_position_row(held) for held in book.positions.values()],
        "orders": [_order_row(order) for order in book.orders.values()],
        "history": [_order_row(o) for o in book.history_since(since)[-limits.HISTORY_ROWS :]],
        "deals": [_deal_row(deal) for deal in book.deals_since(since)[-limits.HISTORY_ROWS :]],
    }


def from_json(account: AccountId, stored: Mapping[str, object]) -> Kept:
    """Read a book back; UnreadableBookError if it is damaged or of another version."""
    if stored.get("version") != VERSION:
        raise UnreadableBookError("the stored paper book is of another version")
    try:
        return _read(account, stored)
    except (KeyError, TypeError, ValueError, InvalidOperation, DomainError) as e:
        raise UnreadableBookError(f"the stored paper book is damaged: {type(e).__name__}") from e


def _read(account: AccountId, stored: Row) -> Kept:
    terms = AccountTerms(
        currency=str(stored["currency"]),
        leverage=int(stored["leverage"]),
        mode=MarginMode(stored["mode"]),
    )
    book = Book(account, terms, None)
    book.positions = {held.ticket: held for held in map(_position, stored["positions"])}
    book.orders = {order.ticket: order for order in map(_order, stored["orders"])}
    book.history = [_order(row) for row in stored["history"]]
    book.deals = [_deal(row) for row in stored["deals"]]
    book.balance = Decimal(stored["balance"])
    tickets = [0, *book.positions, *book.orders]
    tickets += [order.ticket for order in book.history] + [deal.ticket for deal in book.deals]
    return Kept(book=book, first_ticket=max(tickets) + 1)


def _position_row(held: Position) -> dict[str, object]:
    return {
        "ticket": held.ticket,
        "symbol": held.symbol,
        "side": held.side.value,
        "lots": str(held.lots),
        "open": str(held.open_price),
        "opened_at": held.opened_at.isoformat(),
        "updated_at": held.updated_at.isoformat(),
        "stop": _text(held.stop_loss),
        "target": _text(held.take_profit),
        "commission": str(held.commission),
        "swap": str(held.swap),
        "realized": str(held.realized),
        "label": _label_row(held.label),
    }


def _position(row: Row) -> Position:
    return Position(
        ticket=int(row["ticket"]),
        symbol=str(row["symbol"]),
        side=Side(row["side"]),
        lots=Lots.of(row["lots"]),
        open_price=Price.of(row["open"]),
        opened_at=datetime.fromisoformat(row["opened_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        stop_loss=_maybe(row["stop"], Price.of),
        take_profit=_maybe(row["target"], Price.of),
        label=_label(row["label"]),
        commission=Decimal(row["commission"]),
        swap=Decimal(row["swap"]),
        realized=Decimal(row["realized"]),
    )


def _order_row(order: Order) -> dict[str, object]:
    return {
        "ticket": order.ticket,
        "symbol": order.symbol,
        "side": order.side.value,
        "kind": order.kind.value,
        "state": order.state.value,
        "lots": str(order.lots),
        "lots_left": str(order.lots_left),
        "price": str(order.price),
        "placed_at": order.placed_at.isoformat(),
        "done_at": order.done_at.isoformat() if order.done_at else None,
        "stop": _text(order.stop_loss),
        "target": _text(order.take_profit),
        "expires_at": order.expires_at.isoformat() if order.expires_at else None,
        "position": order.position,
        "label": _label_row(order.label),
    }


def _order(row: Row) -> Order:
    return Order(
        ticket=int(row["ticket"]),
        symbol=str(row["symbol"]),
        side=Side(row["side"]),
        kind=OrderKind(row["kind"]),
        state=OrderState(row["state"]),
        lots=Lots.of(row["lots"]),
        lots_left=Lots.of(row["lots_left"]),
        price=Price.of(row["price"]),
        placed_at=datetime.fromisoformat(row["placed_at"]),
        done_at=_maybe(row["done_at"], datetime.fromisoformat),
        stop_loss=_maybe(row["stop"], Price.of),
        take_profit=_maybe(row["target"], Price.of),
        expires_at=_maybe(row["expires_at"], datetime.fromisoformat),
        position=_maybe(row["position"], int),
        label=_label(row["label"]),
    )


def _deal_row(deal: Deal) -> dict[str, object]:
    return {
        "ticket": deal.ticket,
        "entry": deal.entry.value,
        "at": deal.at.isoformat(),
        "profit": str(deal.profit),
        "commission": str(deal.commission),
        "swap": str(deal.swap),
        "symbol": deal.symbol,
        "side": deal.side.value,
        "lots": str(deal.lots),
        "price": _text(deal.price),
        "order": deal.order,
        "position": deal.position,
        "label": _label_row(deal.label),
    }


def _deal(row: Row) -> Deal:
    return Deal(
        ticket=int(row["ticket"]),
        entry=Entry(row["entry"]),
        at=datetime.fromisoformat(row["at"]),
        profit=Decimal(row["profit"]),
        commission=Decimal(row["commission"]),
        swap=Decimal(row["swap"]),
        symbol=str(row["symbol"]),
        side=Side(row["side"]),
        lots=Lots.of(row["lots"]),
        price=_maybe(row["price"], Price.of),
        order=_maybe(row["order"], int),
        position=_maybe(row["position"], int),
        label=_label(row["label"]),
    )


def _label_row(label: Label) -> dict[str, object]:
    return {"magic": label.magic, "client_id": label.client_id, "reason": label.reason.value}


def _label(row: Row) -> Label:
    return Label(
        magic=int(row["magic"]),
        client_id=_maybe(row["client_id"], str),
        reason=Reason(row["reason"]),
    )


def _text(price: Price | None) -> str | None:
    return None if price is None else str(price)


def _maybe(value: Any, read: Callable[[Any], T]) -> T | None:  # noqa: ANN401  JSON of any kind
    return None if value is None else read(value)
