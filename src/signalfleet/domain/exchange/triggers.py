"""Which level a quote touches: four heaps a symbol, so a quiet quote costs four comparisons.

Entries are never searched or removed when a level moves; a stale one is recognised when it comes
up, and the heap is swept when it has doubled since the last sweep.
"""

import heapq
from collections.abc import Callable
from decimal import Decimal
from enum import IntEnum
from typing import Final, NamedTuple

from signalfleet.domain.exchange.model import Order, OrderKind, Position
from signalfleet.domain.ids import AccountId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Price

_SWEEP_AT: Final = 256


class Role(IntEnum):
    STOP_LOSS = 0
    TAKE_PROFIT = 1
    ORDER = 2


class Touch(IntEnum):
    """Which price touches a level, from which direction; stops come before limits."""

    BID_FALLS = 0
    ASK_RISES = 1
    BID_RISES = 2
    ASK_FALLS = 3


class Trigger(NamedTuple):
    """A level to watch; the first two fields order a heap, the level touched first on top."""

    key: Decimal
    sequence: int
    account: AccountId
    ticket: int
    role: Role
    side: Side
    level: Decimal


IsLive = Callable[[Trigger], bool]


class _Heap:
    __slots__ = ("entries", "sweep_at")

    def __init__(self) -> None:
        self.entries: list[Trigger] = []
        self.sweep_at = _SWEEP_AT

    def push(self, trigger: Trigger, is_live: IsLive) -> None:
        heapq.heappush(self.entries, trigger)
        if len(self.entries) >= self.sweep_at:
            self.entries = [entry for entry in self.entries if is_live(entry)]
            heapq.heapify(self.entries)
            self.sweep_at = max(_SWEEP_AT, 2 * len(self.entries))


class Triggers:
    """The watched levels of all books of one exchange."""

    def __init__(self, is_live: IsLive) -> None:
        self._is_live = is_live
        self._heaps: dict[str, tuple[_Heap, _Heap, _Heap, _Heap]] = {}
        self._sequence = 0

    def watch_position(
        self, account: AccountId, position: Position, before: Position | None = None
    ) -> None:
        """Watch the levels of a position that differ from those it had `before`."""
        is_buy = position.side is Side.BUY
        if before is not None and before.side is not position.side:
            before = None
        stop, target = position.stop_loss, position.take_profit
        if stop is not None and (before is None or before.stop_loss != stop):
            touch = Touch.BID_FALLS if is_buy else Touch.ASK_RISES
            self._push(position, touch, account, Role.STOP_LOSS, stop)
        if target is not None and (before is None or before.take_profit != target):
            touch = Touch.BID_RISES if is_buy else Touch.ASK_FALLS
            self._push(position, touch, account, Role.TAKE_PROFIT, target)

    def watch_order(self, account: AccountId, order: Order) -> None:
        is_buy = order.side is Side.BUY
        if order.kind is OrderKind.LIMIT:
            touch = Touch.ASK_FALLS if is_buy else Touch.BID_RISES
        else:
            touch = Touch.ASK_RISES if is_buy else Touch.BID_FALLS
        self._push(order, touch, account, Role.ORDER, order.price)

    def next_touched(self, symbol: str, bid: Decimal, ask: Decimal) -> Trigger | None:
        """Take out the next live level that these prices touch."""
        heaps = self._heaps.get(symbol)
        if heaps is None:
            return None
        for touch, limit in (
            (Touch.BID_FALLS, -bid),
            (Touch.ASK_RISES, ask),
            (Touch.BID_RISES, bid),
            (Touch.ASK_FALLS, -ask),
        ):
            entries = heaps[touch].entries
            while entries and entries[0].key <= limit:
                trigger = heapq.heappop(entries)
                if self._is_live(trigger):
                    return trigger
        return None

    def _push(
        self, owner: Position | Order, touch: Touch, account: AccountId, role: Role, level: Price
    ) -> None:
        heaps = self._heaps.get(owner.symbol)
        if heaps is None:
            heaps = self._heaps[owner.symbol] = (_Heap(), _Heap(), _Heap(), _Heap())
        self._sequence += 1
        falls = touch in (Touch.BID_FALLS, Touch.ASK_FALLS)
        trigger = Trigger(
            key=-level.value if falls else level.value,
            sequence=self._sequence,
            account=account,
            ticket=owner.ticket,
            role=role,
            side=owner.side,
            level=level.value,
        )
        heaps[touch].push(trigger, self._is_live)
