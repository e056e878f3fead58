"""Which of the broker's facts belong to which of our trades."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from signalfleet.domain.ids import client_id_stem
from signalfleet.domain.trading.intents import Intent, OpenLeg
from signalfleet.domain.trading.records import Trade
from signalfleet.domain.trading.reports import Deal, HistoryOrder, Position, Snapshot, WorkingOrder

T = TypeVar("T")
Key = tuple[str, str | None]

CLOCK_TOLERANCE: Final = timedelta(seconds=2)
OUR_FORM: Final = re.compile(r"S[0-9][A-Z2-7]{2}_[A-Z2-7]{16}(_.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFacts:
    """All that a snapshot shows of one trade. More than one position is a double fill."""

    positions: tuple[Position, ...]
    orders: tuple[WorkingOrder, ...]
    history: tuple[HistoryOrder, ...]
    deals: tuple[Deal, ...]

    @property
    def exists(self) -> bool:
        return bool(self.positions or self.orders or self.history or self.deals)

    @property
    def was_closed(self) -> bool:
        """Tell whether a deal that closes is seen."""
        return any(deal.is_exit for deal in self.deals)

    @property
    def ids(self) -> frozenset[str]:
        """Return the ids of all positions and orders that belong to the trade."""
        found = self.position_ids | {order.order_id for order in self.orders}
        return found | {order.order_id for order in self.history}

    @property
    def position_ids(self) -> frozenset[str]:
        found = {position.position_id for position in self.positions}
        found |= {deal.position_id for deal in self.deals if deal.position_id}
        return frozenset(found)


class _File(Generic[T]):
    """Rows by each of their keys; those of several keys come in their own order, each once."""

    def __init__(self, rows: Sequence[T], keys: Callable[[T], tuple[Key, ...]]) -> None:
        self._rows = rows
        self._places: dict[Key, list[int]] = defaultdict(list)
        for place, row in enumerate(rows):
            for key in keys(row):
                self._places[key].append(place)

    def of(self, *keys: Key) -> tuple[T, ...]:
        found = {place for key in keys for place in self._places.get(key, ())}
        return tuple(self._rows[place] for place in sorted(found))


class FiledFacts:
    """A snapshot's rows by client id and by the broker's ids, for many trades."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._orders = _File(snapshot.orders, lambda o: (_stem(o.client_id), _id(o.order_id)))
        self._history = _File(
            snapshot.history_orders, lambda h: (_stem(h.client_id), _id(h.order_id))
        )
        self._positions = _File(
            snapshot.positions, lambda p: (_stem(p.client_id), _id(p.position_id))
        )
        self._deals = _File(snapshot.deals, lambda d: (_stem(d.client_id), _id(d.position_id)))

    def of(self, trade: Trade) -> TradeFacts:
        """Collect a trade's facts by client id and, from there, by position and order id."""
        stem = _stem(trade.client_id)
        ordered = (stem,) if trade.order_id is None else (stem, _id(trade.order_id))
        history = self._history.of(*ordered)
        named = {p.position_id for p in self._positions.of(stem)} | {trade.position_id}
        named |= {d.position_id for d in self._deals.of(stem)} | {h.position_id for h in history}
        ids = [_id(one) for one in named if one is not None]
        positions = sorted(
            self._positions.of(*ids),
            key=lambda p: (p.position_id != trade.position_id, p.opened_at, p.position_id),
        )
        return TradeFacts(
            positions=tuple(positions),
            orders=self._orders.of(*ordered),
            history=history,
            deals=self._deals.of(stem, *ids),
        )


def facts_of(trade: Trade, snapshot: Snapshot) -> TradeFacts:
    """Collect one trade's facts; for several trades file the snapshot once."""
    return FiledFacts(snapshot).of(trade)


def _stem(client: str | None) -> Key:
    return "client", None if client is None else client_id_stem(client)


def _id(number: str | None) -> Key:
    return "id", number


def unnamed_facts(
    intent: Intent, claimed: Iterable[str], snapshot: Snapshot, inflight: timedelta
) -> tuple[TradeFacts, ...]:
    """Find what may be this entry although the broker lost its client id.

    Only one find of the right volume and levels is a match. Anything else leaves the outcome open:
    it proves neither presence nor absence.
    """
    command, sent = intent.command, intent.sending_at
    if not isinstance(command, OpenLeg) or sent is None:
        return ()
    taken = frozenset(claimed)

    def fits(fact: Position | WorkingOrder | Deal, key: str, at: datetime) -> bool:
        return (
            not is_readable(fact.client_id)
            and key not in taken
            and fact.magic == command.magic
            and fact.symbol == command.symbol
            and fact.side is command.side
            and intent.created_at - CLOCK_TOLERANCE <= at <= sent + inflight
        )

    found = {
        p.position_id: TradeFacts(positions=(p,), orders=(), history=(), deals=())
        for p in snapshot.positions
        if fits(p, p.position_id, p.opened_at)
    }
    for order in snapshot.orders:
        if fits(order, order.order_id, order.placed_at) and order.kind is command.kind:
            found[order.order_id] = TradeFacts(positions=(), orders=(order,), history=(), deals=())
    for deal in snapshot.deals:
        key = deal.position_id
        if key is None or deal.is_exit or key in found or not fits(deal, key, deal.at):
            continue
        deals = tuple(one for one in snapshot.deals if one.position_id == key)
        found[key] = TradeFacts(positions=(), orders=(), history=(), deals=deals)
    return tuple(found.values())


def is_match(intent: Intent, facts: TradeFacts) -> bool:
    """Tell whether facts without a client id are what the entry asked for.

    The legs of a signal are of one volume; their levels tell them apart.
    """
    command = intent.command
    if not isinstance(command, OpenLeg):
        return False
    seen: tuple[Position | WorkingOrder, ...] = (*facts.positions, *facts.orders)
    for fact in seen:
        levels = (fact.stop_loss, fact.take_profit)
        return fact.lots == command.lots and levels == (command.stop_loss, command.take_profit)
    entered = [deal.lots for deal in facts.deals if not deal.is_exit]
    return entered[:1] == [command.lots]


def is_readable(client: str | None) -> bool:
    """Tell whether a client id has our form; brokers rewrite comments as they like."""
    return client is not None and OUR_FORM.fullmatch(client) is not None
