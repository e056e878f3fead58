"""Orders that a leg should not have: a second one that got out in spite of everything."""

from dataclasses import dataclass
from datetime import datetime

from signalfleet.domain.ids import TradeId, client_id_stem
from signalfleet.domain.trading.intents import Intent, OpenLeg
from signalfleet.domain.trading.matching import TradeFacts
from signalfleet.domain.trading.records import Trade

LOOKED_UP = "seen in"
"""How the evidence begins where a look and not a reply settled an entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A position or a working order beside the one that is the leg's.

    `is_open` only while the leg's own is open too: what is the last of its leg is the leg.
    `is_merged`: the broker added it to the leg's position, so that nothing of it can be closed.
    """

    trade: TradeId
    position_id: str | None = None
    order_id: str | None = None
    is_open: bool = False
    is_merged: bool = False

    @property
    def key(self) -> str:
        return f"position {self.position_id}" if self.position_id else f"order {self.order_id}"


def was_in_doubt(intent: Intent) -> bool:
    """Tell whether an entry's outcome was ever unknown, or it was sent a second time."""
    if not isinstance(intent.command, OpenLeg) or intent.settled_at is None:
        return False
    by_look = (intent.evidence or "").startswith(LOOKED_UP)
    return by_look or intent.attempt > 1 or intent.reason == "absent_after_doubt"


def extras_of(trade: Trade, facts: TradeFacts) -> tuple[Extra, ...]:
    """Return all but one of the openings that bear the leg's client id; the oldest one stays."""
    return (*_positions(trade, facts), *_orders(trade, facts), *_merged(trade, facts))


def _positions(trade: Trade, facts: TradeFacts) -> list[Extra]:
    born: dict[str, datetime] = {}
    for deal in facts.deals:
        if deal.position_id is not None:
            born[deal.position_id] = min(born.get(deal.position_id, deal.at), deal.at)
    for position in facts.positions:
        born.setdefault(position.position_id, position.opened_at)
    if len(born) < 2:  # noqa: PLR2004 - one is as it should be
        return []
    kept = min(born, key=lambda one: (one != trade.position_id, born[one], one))
    live = {position.position_id for position in facts.positions}
    return [
        Extra(trade=trade.trade_id, position_id=one, is_open=one in live and kept in live)
        for one in sorted(born)
        if one != kept
    ]


def _merged(trade: Trade, facts: TradeFacts) -> list[Extra]:
    """Return orders beyond the first that filled the leg's one position."""
    stem = client_id_stem(trade.client_id)
    if len(facts.position_ids) > 1:
        return []
    filled: dict[str, datetime] = {}
    for deal in facts.deals:
        ours = deal.client_id is not None and client_id_stem(deal.client_id) == stem
        if ours and not deal.is_exit and deal.order_id is not None:
            filled[deal.order_id] = min(filled.get(deal.order_id, deal.at), deal.at)
    first = min(filled, key=lambda one: (filled[one], one), default=None)
    later = sorted(set(filled) - {first})
    return [Extra(trade=trade.trade_id, order_id=one, is_merged=True) for one in later]


def _orders(trade: Trade, facts: TradeFacts) -> list[Extra]:
    entered = {deal.order_id for deal in facts.deals if not deal.is_exit}
    entered |= {trade.order_id, trade.position_id, *facts.position_ids}
    waiting = sorted(facts.orders, key=lambda order: (order.placed_at, order.order_id))
    # What is left of an order that was filled in part is the leg's own.
    strange = [order for order in waiting if order.order_id not in entered]
    is_taken = len(strange) < len(waiting) or bool(facts.positions)
    beside = strange if is_taken else strange[1:]
    return [Extra(trade=trade.trade_id, order_id=one.order_id, is_open=True) for one in beside]
