"""What is on an account at the moment it is connected: its rules, and how it differs from us."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from signalfleet.domain.ids import client_id_stem
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.reports import AccountFacts, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """Shown before the first trade. `foreign` is not ours and never touched, `missing` is ours."""

    server: str
    broker: str
    is_real: bool
    currency: str
    balance: Decimal
    leverage: int
    margin_mode: str
    trade_allowed: bool
    investor: bool
    foreign: tuple[str, ...]
    ours: tuple[str, ...]
    missing: tuple[str, ...]
    complete: bool


def account_report(facts: AccountFacts, snapshot: Snapshot, live: Sequence[Trade]) -> AccountReport:
    """Compare a look at the account with the trades that we believe are open there."""
    found: set[str] = set()
    foreign: list[str] = []
    ours: list[str] = []
    by_name = {client_id_stem(trade.client_id): trade for trade in live}
    by_place = {trade.position_id: trade for trade in live if trade.position_id is not None}
    by_place |= {trade.order_id: trade for trade in live if trade.order_id is not None}
    rows = [
        (p.position_id, p.client_id, _line(p.side, p.lots, p.symbol)) for p in snapshot.positions
    ]
    rows += [
        (o.order_id, o.client_id, f"{_line(o.side, o.lots, o.symbol)}, {o.kind.value} order")
        for o in snapshot.orders
    ]
    for place, name, line in rows:
        trade = by_place.get(place) or (by_name.get(client_id_stem(name)) if name else None)
        if trade is None:
            foreign.append(line)
        else:
            ours.append(line)
            found.add(trade.trade_id)
    missing = [
        _line(trade.side, trade.volume, trade.symbol)
        for trade in live
        if trade.trade_id not in found and trade.state in (TradeState.OPEN, TradeState.PENDING)
    ]
    return AccountReport(
        server=facts.server,
        broker=facts.broker,
        is_real=facts.is_real,
        currency=facts.currency,
        balance=facts.balance,
        leverage=facts.leverage,
        margin_mode=facts.margin_mode,
        trade_allowed=facts.trade_allowed,
        investor=facts.investor,
        foreign=tuple(foreign),
        ours=tuple(ours),
        missing=tuple(missing) if snapshot.complete else (),
        complete=snapshot.complete,
    )


def _line(side: Side, lots: Lots, symbol: str) -> str:
    return f"{side.value.upper()} {lots} {symbol}"
