"""Which of the broker's facts belong to which of our trades."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from signalfleet.domain.ids import client_id_stem
from signalfleet.domain.trading.intents import Intent, OpenLeg
from signalfleet.domain.trading.records import Trade
from signalfleet.domain.trading.reports import Deal, HistoryOrder, Position, Snapshot, WorkingOrder

CLOCK_TOLERANCE: Final = timedelta(seconds=2)


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
    def position_ids(self) -> frozenset[str]:
        found = {position.position_id for position in self.positions}
        found |= {deal.position_id for deal in self.deals if deal.position_id}
        return frozenset(found)


def facts_of(trade: Trade, snapshot: Snapshot) -> TradeFacts:
    """Collect a trade's facts by client id and, from there, by position and order id."""
    stem = client_id_stem(trade.client_id)

    def ours(client: str | None) -> bool:
        return client is not None and client_id_stem(client) == stem

    positions = tuple(
        p for p in snapshot.positions if ours(p.client_id) or p.position_id == trade.position_id
    )
    orders = tuple(o for o in snapshot.orders if ours(o.client_id) or o.order_id == trade.order_id)
    history = tuple(
        h
        for h in snapshot.history_orders
        if ours(h.client_id) or (trade.order_id is not None and h.order_id == trade.order_id)
    )
    ids = {p.position_id for p in positions} | {trade.position_id}
    ids |= {d.position_id for d in snapshot.deals if ours(d.client_id)}
    ids |= {h.position_id for h in history}
    ids.discard(None)
    deals = tuple(d for d in snapshot.deals if ours(d.client_id) or d.position_id in ids)
    return TradeFacts(positions=positions, orders=orders, history=history, deals=deals)


def fallback_position(
    intent: Intent, claimed: Iterable[str], snapshot: Snapshot, inflight: timedelta
) -> Position | None:
    """Find the one position that can only be this entry where the broker lost the client id.

    None if there is none or more than one: two candidates prove nothing.
    """
    command = intent.command
    if not isinstance(command, OpenLeg) or intent.sending_at is None:
        return None
    taken = frozenset(claimed)
    candidates = [
        position
        for position in snapshot.positions
        if not position.client_id
        and position.position_id not in taken
        and position.magic == command.magic
        and position.symbol == command.symbol
        and position.side is command.side
        and position.lots == command.lots
        and _in_window(position.opened_at, intent.sending_at, inflight)
    ]
    return candidates[0] if len(candidates) == 1 else None


def _in_window(at: datetime, sending_at: datetime, inflight: timedelta) -> bool:
    return sending_at - CLOCK_TOLERANCE <= at <= sending_at + inflight
