"""The terminal's named tuples as facts of the domain. Pure; UnreadableError names what is wrong.

Its numbers are floats and its times are the broker's wall clock written as a Unix time: prices are
rounded to the symbol's digits, and times moved by the offset that was measured.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, TypeVar

from signalfleet.adapters.mt5 import limits
from signalfleet.domain.errors import DomainError
from signalfleet.domain.instruments.model import Instrument, Quote, Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.facts import Movement
from signalfleet.domain.signals.model import OrderKind
from signalfleet.domain.trading.reports import (
    AccountFacts,
    Deal,
    HistoryOrder,
    Position,
    WorkingOrder,
)

T = TypeVar("T")
Tuple = Any
"""A named tuple of the vendor's module, or of one with the same documents."""

_MARGIN_MODES: Final = MappingProxyType({0: "netting", 1: "exchange", 2: "hedging"})
_TRADE_MODES: Final[Mapping[int, str]] = MappingProxyType(
    {0: "DISABLED", 1: "LONGONLY", 2: "SHORTONLY", 3: "CLOSEONLY", 4: "FULL"}
)
_ORDER_STATES: Final = MappingProxyType(
    {2: "cancelled", 3: "filled", 4: "filled", 5: "rejected", 6: "expired"}
)
_DEAL_REASONS: Final = MappingProxyType(
    {
        0: "client",
        1: "client",
        2: "client",
        3: "expert",
        4: "stop_loss",
        5: "take_profit",
        6: "stop_out",
    }
)
_DEMO: Final = 0
_DEAL_TYPES: Final = (0, 1)
_PAYMENTS: Final = (2, 5, 6)
"""Deposits and withdrawals, corrections, bonuses."""
_NOT_IN_BALANCE: Final = (3, 13, 14)
"""Credit is beside the balance; what was cancelled never happened."""
_ENTRY_IN: Final = 0
_LONGEST_DIGITS: Final = 10


class UnreadableError(ValueError):
    """A tuple that is not what the documents say."""


def exact(value: object) -> Decimal:
    """Return the decimal that the float was written as."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableError("a number was expected")
    number = Decimal(repr(value))
    if not number.is_finite():
        raise UnreadableError("a number is not finite")
    return number


def map_all(rows: Iterable[Tuple], one: Callable[[Tuple], T | None]) -> tuple[tuple[T, ...], bool]:
    """Return what could be read, and whether that was all."""
    facts, whole = [], True
    for row in rows:
        try:
            fact = one(row)
        except (UnreadableError, DomainError, AttributeError):
            whole = False
            continue
        if fact is not None:
            facts.append(fact)
    return tuple(facts), whole


def moment(seconds: float, offset: timedelta) -> datetime:
    return datetime.fromtimestamp(seconds, UTC) - offset


def offset_of(tick_time: int, now: datetime) -> timedelta | None:
    """Measure the broker's zone by a tick; None if the tick is too old to tell."""
    ahead = tick_time - now.timestamp()
    rounded = round(ahead / limits.OFFSET_STEP_S) * limits.OFFSET_STEP_S
    if abs(ahead - rounded) > limits.FRESH_TICK_S:
        return None
    return timedelta(seconds=rounded)


def account_facts(info: Tuple, terminal: Tuple, now: datetime) -> AccountFacts:
    may_trade = bool(info.trade_allowed and info.trade_expert and terminal.trade_allowed)
    return AccountFacts(
        currency=str(info.currency),
        balance=exact(info.balance),
        equity=exact(info.equity),
        margin=exact(info.margin),
        free_margin=exact(info.margin_free),
        leverage=int(info.leverage),
        trade_allowed=may_trade,
        investor=not info.trade_allowed,
        connected=bool(terminal.connected),
        margin_mode=_MARGIN_MODES.get(info.margin_mode, "netting"),
        is_real=info.trade_mode != _DEMO,
        broker=str(info.company),
        server=str(info.server),
        read_at=now,
    )


def instrument(info: Tuple) -> Instrument:
    digits = int(info.digits)
    if not 0 <= digits <= _LONGEST_DIGITS:
        raise UnreadableError("digits are not usable")
    point = exact(info.point)
    tick = exact(info.trade_tick_size) or point
    step = exact(info.volume_step)
    if min(point, tick, step) <= 0:
        raise UnreadableError("point, tick size and volume step must be above zero")
    return Instrument(
        name=str(info.name),
        digits=digits,
        tick_size=tick,
        point=point,
        contract_size=exact(info.trade_contract_size),
        min_lots=Lots(exact(info.volume_min)),
        max_lots=Lots(exact(info.volume_max)),
        lot_step=step,
        stops_level=int(info.trade_stops_level),
        freeze_level=int(info.trade_freeze_level),
        base_currency=str(info.currency_base),
        profit_currency=str(info.currency_profit),
        trade_mode=f"SYMBOL_TRADE_MODE_{_TRADE_MODES.get(info.trade_mode, 'DISABLED')}",
        filling_modes=_fillings(int(info.filling_mode)),
        expiration_modes=("SYMBOL_EXPIRATION_SPECIFIED",)
        if int(info.expiration_mode) & limits.SYMBOL_EXPIRATION_SPECIFIED
        else ("SYMBOL_EXPIRATION_GTC",),
    )


def _fillings(bits: int) -> tuple[str, ...]:
    modes = []
    if bits & limits.SYMBOL_FILLING_FOK:
        modes.append("SYMBOL_FILLING_FOK")
    if bits & limits.SYMBOL_FILLING_IOC:
        modes.append("SYMBOL_FILLING_IOC")
    return tuple(modes)


def quote(info: Tuple, tick: Tuple, offset: timedelta) -> Quote:
    return Quote(
        symbol=str(info.name),
        bid=Price(exact(tick.bid)),
        ask=Price(exact(tick.ask)),
        profit_tick_value=exact(info.trade_tick_value_profit),
        loss_tick_value=exact(info.trade_tick_value_loss),
        at=moment(tick.time_msc / 1000, offset),
    )


def position(row: Tuple, offset: timedelta) -> Position:
    return Position(
        position_id=str(row.ticket),
        symbol=str(row.symbol),
        side=side(row.type),
        lots=Lots(exact(row.volume)),
        open_price=Price(exact(row.price_open)),
        current_price=_level(row.price_current),
        stop_loss=_level(row.sl),
        take_profit=_level(row.tp),
        profit=exact(row.profit),
        swap=exact(row.swap),
        commission=Decimal(0),  # The terminal keeps it with the deals.
        magic=int(row.magic),
        client_id=_text(row.comment),
        opened_at=moment(row.time_msc / 1000, offset),
    )


def working_order(row: Tuple, offset: timedelta) -> WorkingOrder:
    return WorkingOrder(
        order_id=str(row.ticket),
        symbol=str(row.symbol),
        side=side(row.type),
        kind=_kind(row.type),
        lots=Lots(exact(row.volume_current)),
        price=Price(exact(row.price_open)),
        stop_loss=_level(row.sl),
        take_profit=_level(row.tp),
        magic=int(row.magic),
        client_id=_text(row.comment),
        placed_at=moment(row.time_setup_msc / 1000, offset),
    )


def history_order(row: Tuple, offset: timedelta) -> HistoryOrder | None:
    if row.type == limits.ORDER_TYPE_CLOSE_BY:
        return None
    state = _ORDER_STATES.get(row.state)
    if state is None:
        raise UnreadableError("state is none of an ended order")
    return HistoryOrder(
        order_id=str(row.ticket),
        position_id=str(row.position_id) if row.position_id else None,
        symbol=str(row.symbol),
        side=side(row.type),
        lots=Lots(exact(row.volume_initial)),
        state=state,
        magic=int(row.magic),
        client_id=_text(row.comment),
        done_at=moment(row.time_done_msc / 1000, offset) if row.time_done_msc else None,
    )


def deal(row: Tuple, offset: timedelta) -> Deal | None:
    if row.type not in _DEAL_TYPES:
        return None  # Balance, credit, correction: no piece of a trade.
    return Deal(
        deal_id=str(row.ticket),
        order_id=str(row.order) if row.order else None,
        position_id=str(row.position_id) if row.position_id else None,
        symbol=str(row.symbol),
        side=side(row.type),
        lots=Lots(exact(row.volume)),
        price=Price(exact(row.price)),
        is_exit=row.entry != _ENTRY_IN,
        profit=exact(row.profit),
        swap=exact(row.swap),
        commission=exact(row.commission),
        magic=int(row.magic),
        client_id=_text(row.comment),
        reason=_DEAL_REASONS.get(row.reason, "other"),
        at=moment(row.time_msc / 1000, offset),
    )


def span(since: datetime, now: datetime, offset: timedelta) -> tuple[int, int]:
    """Return the seconds, by the server's clock, between which the history is asked for."""
    margin = limits.HISTORY_MARGIN
    return int((since + offset - margin).timestamp()), int((now + offset + margin).timestamp())


def movement(row: Tuple, offset: timedelta) -> Movement | None:
    """Return how a deal changed the balance; None for what did not change it."""
    parts = (row.profit, row.swap, row.commission, getattr(row, "fee", 0.0))
    amount = sum((exact(part) for part in parts), Decimal(0))
    if row.type in _NOT_IN_BALANCE or not amount:
        return None
    return Movement(
        movement_id=str(row.ticket),
        at=moment(row.time_msc / 1000, offset),
        amount=amount,
        is_payment=row.type in _PAYMENTS,
    )


def side(kind: int) -> Side:
    """Return the side of a position, order or deal: even numbers buy, odd ones sell."""
    if kind not in range(limits.ORDER_TYPE_CLOSE_BY):
        raise UnreadableError("type has no side")
    return Side.SELL if kind % 2 else Side.BUY


def _kind(kind: int) -> OrderKind:
    if kind in {limits.ORDER_TYPE_BUY, limits.ORDER_TYPE_SELL}:
        return OrderKind.MARKET
    is_limit = kind in {limits.ORDER_TYPE_BUY_LIMIT, limits.ORDER_TYPE_SELL_LIMIT}
    return OrderKind.LIMIT if is_limit else OrderKind.STOP


def _level(value: object) -> Price | None:
    number = exact(value)
    return Price(number) if number else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
