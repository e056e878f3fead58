"""The books of one account: what is open, what is done, and the balance that follows from it."""

from bisect import bisect_left
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from signalfleet.domain.errors import InvariantError
from signalfleet.domain.exchange.model import (
    ZERO,
    AccountTerms,
    Change,
    Deal,
    MarginMode,
    Order,
    Position,
)
from signalfleet.domain.ids import AccountId

Observer = Callable[[Change], None]


def _done_at(order: Order) -> datetime:
    if order.done_at is None:
        raise InvariantError(f"order {order.ticket} is in the history but not done")
    return order.done_at


def _deal_at(deal: Deal) -> datetime:
    return deal.at


class Book:
    """Positions, working orders and history. Only the engine writes; everybody may read."""

    __slots__ = (
        "account",
        "balance",
        "deals",
        "history",
        "is_trade_allowed",
        "observe",
        "orders",
        "positions",
        "terms",
    )

    def __init__(self, account: AccountId, terms: AccountTerms, observe: Observer | None) -> None:
        self.account = account
        self.terms = terms
        self.observe = observe
        self.balance: Decimal = ZERO
        self.is_trade_allowed = True
        self.positions: dict[int, Position] = {}
        self.orders: dict[int, Order] = {}
        self.history: list[Order] = []
        self.deals: list[Deal] = []

    @property
    def is_netting(self) -> bool:
        return self.terms.mode is MarginMode.NETTING

    def positions_in(self, symbol: str) -> list[Position]:
        return [held for held in self.positions.values() if held.symbol == symbol]

    def history_since(self, since: datetime) -> list[Order]:
        """Return the orders done at or after that moment, oldest first."""
        return self.history[bisect_left(self.history, since, key=_done_at) :]

    def deals_since(self, since: datetime) -> list[Deal]:
        """Return the deals made at or after that moment, oldest first."""
        return self.deals[bisect_left(self.deals, since, key=_deal_at) :]

    def put_position(self, position: Position) -> None:
        self.positions[position.ticket] = position
        if self.observe is not None:
            self.observe(
                Change(
                    account=self.account,
                    ticket=position.ticket,
                    position=position,
                    at=position.updated_at,
                )
            )

    def drop_position(self, position: Position, now: datetime) -> None:
        del self.positions[position.ticket]
        if self.observe is not None:
            self.observe(
                Change(
                    account=self.account,
                    ticket=position.ticket,
                    position=position,
                    is_gone=True,
                    at=now,
                )
            )

    def put_order(self, order: Order, now: datetime) -> None:
        """Keep a working order; a done one moves to the history."""
        if order.done_at is None:
            self.orders[order.ticket] = order
        else:
            self.orders.pop(order.ticket, None)
            self.history.append(order)
        if self.observe is not None:
            self.observe(
                Change(
                    account=self.account,
                    ticket=order.ticket,
                    order=order,
                    is_gone=order.done_at is not None,
                    at=now,
                )
            )

    def put_deal(self, deal: Deal) -> None:
        self.deals.append(deal)
        self.balance += deal.total
        if self.observe is not None:
            self.observe(Change(account=self.account, ticket=deal.ticket, deal=deal, at=deal.at))
