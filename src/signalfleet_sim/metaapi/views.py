"""What the reading routes may see: the books as they were a moment ago, change by change."""

import random
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from signalfleet.domain.exchange.model import Change, Deal, Order, Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Lags:
    """How long a change stays unseen, in seconds: drawn between the two for each change."""

    state: tuple[float, float] = (0.05, 0.3)
    history: tuple[float, float] = (0.5, 2.0)
    refreshed_s: float = 0.05
    """With refreshTerminalState no state change stays unseen for longer than this."""


NO_LAGS = Lags(state=(0.0, 0.0), history=(0.0, 0.0), refreshed_s=0.0)


class _Waiting(NamedTuple):
    at: float
    visible_at: float
    change: Change


class _Queue:
    """Changes in the order they happened; one that is late holds back those after it."""

    __slots__ = ("extra_s", "frozen_until", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[_Waiting] = deque()
        self.extra_s = 0.0
        self.frozen_until = 0.0

    def settle(self, now: float, longest_s: float | None, put: Callable[[Change], None]) -> None:
        if now < self.frozen_until:
            return
        waiting = self.waiting
        while waiting:
            head = waiting[0]
            seen = head.visible_at
            if longest_s is not None:
                seen = min(seen, head.at + longest_s)
            if now < seen + self.extra_s:
                return
            waiting.popleft()
            put(head.change)


class LaggedView:
    """One account's positions, orders and history as MetaApi shows them."""

    def __init__(self, lags: Lags, rng: random.Random) -> None:
        self._lags = lags
        self._rng = rng
        self.queues = {"positions": _Queue(), "orders": _Queue(), "history": _Queue()}
        self._positions: dict[int, Position] = {}
        self._orders: dict[int, Order] = {}
        self.history: list[Order] = []
        self.deals: list[Deal] = []
        self._history_by_ticket: dict[int, list[Order]] = {}
        self._history_by_position: dict[int, list[Order]] = {}
        self._deals_by_ticket: dict[int, list[Deal]] = {}
        self._deals_by_position: dict[int, list[Deal]] = {}

    def add(self, change: Change, now: float) -> None:
        """Take a change that just happened in the book."""
        if change.deal is not None:
            self._queue("history", change, now, self._lags.history)
        elif change.position is not None:
            self._queue("positions", change, now, self._lags.state)
        else:
            self._queue("orders", change, now, self._lags.state)
            if change.is_gone:
                self._queue("history", change, now, self._lags.history)

    def positions(self, now: float, *, refreshed: bool) -> dict[int, Position]:
        longest = self._lags.refreshed_s if refreshed else None
        self.queues["positions"].settle(now, longest, self._put_position)
        return self._positions

    def orders(self, now: float, *, refreshed: bool) -> dict[int, Order]:
        longest = self._lags.refreshed_s if refreshed else None
        self.queues["orders"].settle(now, longest, self._put_order)
        return self._orders

    def orders_done(self, now: float, start: datetime, end: datetime) -> list[Order]:
        """Return the history orders done from `start` to before `end`, oldest first."""
        self._settle_history(now)
        found = self.history
        low = bisect_left(found, start, key=_done_at)
        return found[low : bisect_left(found, end, lo=low, key=_done_at)]

    def deals_made(self, now: float, start: datetime, end: datetime) -> list[Deal]:
        """Return the deals made from `start` to before `end`, oldest first."""
        self._settle_history(now)
        found = self.deals
        low = bisect_left(found, start, key=_deal_at)
        return found[low : bisect_left(found, end, lo=low, key=_deal_at)]

    def orders_by(self, now: float, *, ticket: int | None, position: int | None) -> list[Order]:
        self._settle_history(now)
        if ticket is not None:
            return self._history_by_ticket.get(ticket, [])
        return self._history_by_position.get(position or 0, [])

    def deals_by(self, now: float, *, ticket: int | None, position: int | None) -> list[Deal]:
        """Return the deals of an order's ticket or of a position."""
        self._settle_history(now)
        if ticket is not None:
            return self._deals_by_ticket.get(ticket, [])
        return self._deals_by_position.get(position or 0, [])

    def _queue(self, name: str, change: Change, now: float, lag: tuple[float, float]) -> None:
        delay = lag[0] + (lag[1] - lag[0]) * self._rng.random()
        self.queues[name].waiting.append(_Waiting(now, now + delay, change))

    def _settle_history(self, now: float) -> None:
        self.queues["history"].settle(now, None, self._put_history)

    def _put_position(self, change: Change) -> None:
        if change.is_gone:
            self._positions.pop(change.ticket, None)
        elif change.position is not None:
            self._positions[change.ticket] = change.position

    def _put_order(self, change: Change) -> None:
        if change.is_gone:
            self._orders.pop(change.ticket, None)
        elif change.order is not None:
            self._orders[change.ticket] = change.order

    def _put_history(self, change: Change) -> None:
        order, deal = change.order, change.deal
        if order is not None:
            self.history.append(order)
            self._history_by_ticket.setdefault(order.ticket, []).append(order)
            if order.position is not None:
                self._history_by_position.setdefault(order.position, []).append(order)
        if deal is not None:
            self.deals.append(deal)
            if deal.order is not None:
                self._deals_by_ticket.setdefault(deal.order, []).append(deal)
            if deal.position is not None:
                self._deals_by_position.setdefault(deal.position, []).append(deal)


def _done_at(order: Order) -> datetime:
    return order.done_at or order.placed_at


def _deal_at(deal: Deal) -> datetime:
    return deal.at
