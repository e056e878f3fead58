"""A filed snapshot gives each trade what a search through all its rows would."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kit.builders import a_look, a_trade, deal_of, ended_order_of, order_of, position_of
from signalfleet.domain.ids import client_id_stem
from signalfleet.domain.trading.matching import FiledFacts, TradeFacts
from signalfleet.domain.trading.records import Trade
from signalfleet.domain.trading.reports import (
    Deal,
    HistoryOrder,
    Position,
    Snapshot,
    WorkingOrder,
)

TRADES = tuple(a_trade(leg) for leg in (1, 2, 3))
CLIENTS = st.sampled_from(
    [None, "a comment of somebody", *(one.client_id for one in TRADES)]
    + [one.client_id.rpartition("_")[0] + "_sl" for one in TRADES]
)
POSITIONS = st.sampled_from(["P1", "P2", "P3"])
ORDERS = st.sampled_from(["O1", "O2", "O3"])
BASE = TRADES[0]
FACTS = st.one_of(
    st.builds(lambda i, c: position_of(BASE, position_id=i, client_id=c), POSITIONS, CLIENTS),
    st.builds(lambda i, c: order_of(BASE, order_id=i, client_id=c), ORDERS, CLIENTS),
    st.builds(
        lambda i, p, c: ended_order_of(BASE, "FILLED", order_id=i, position_id=p, client_id=c),
        ORDERS,
        st.none() | POSITIONS,
        CLIENTS,
    ),
    st.builds(
        lambda p, c, e: deal_of(BASE, is_exit=e, position_id=p, client_id=c),
        st.none() | POSITIONS,
        CLIENTS,
        st.booleans(),
    ),
)
OURS = st.builds(
    lambda trade, position, order: replace(trade, position_id=position, order_id=order),
    st.sampled_from(TRADES),
    st.none() | POSITIONS,
    st.none() | ORDERS,
)


def searched(trade: Trade, snapshot: Snapshot) -> TradeFacts:
    stem = client_id_stem(trade.client_id)

    def is_named(row: Position | WorkingOrder | HistoryOrder | Deal) -> bool:
        return row.client_id is not None and client_id_stem(row.client_id) == stem

    def is_ordered(row: WorkingOrder | HistoryOrder) -> bool:
        return is_named(row) or (trade.order_id is not None and row.order_id == trade.order_id)

    history = tuple(row for row in snapshot.history_orders if is_ordered(row))
    rows: list[Position | Deal] = [*snapshot.positions, *snapshot.deals]
    named = [row for row in rows if is_named(row)]
    ids = {trade.position_id} | {row.position_id for row in (*history, *named)}
    ids -= {None}
    held = [row for row in snapshot.positions if row.position_id in ids]
    held.sort(key=lambda p: (p.position_id != trade.position_id, p.opened_at, p.position_id))
    return TradeFacts(
        positions=tuple(held),
        orders=tuple(row for row in snapshot.orders if is_ordered(row)),
        history=history,
        deals=tuple(row for row in snapshot.deals if is_named(row) or row.position_id in ids),
    )


@given(trade=OURS, rows=st.lists(FACTS, max_size=12))
def test_filing_finds_what_a_search_finds(
    trade: Trade, rows: list[Position | WorkingOrder | HistoryOrder | Deal]
) -> None:
    snapshot = a_look(*rows)
    assert FiledFacts(snapshot).of(trade) == searched(trade, snapshot)
