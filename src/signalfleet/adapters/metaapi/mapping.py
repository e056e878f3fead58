"""MetaApi's objects as facts of the domain. Pure; UnreadableError names what is wrong."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final, TypeVar

from signalfleet.adapters.metaapi.fields import Fields, UnreadableError
from signalfleet.adapters.metaapi.sessions import trade_sessions
from signalfleet.domain.instruments.model import Instrument, Quote, Side
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

_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9]{1,10}_[A-Za-z0-9]{1,20}_[A-Za-z0-9]{1,10}")
_ZERO: Final = Decimal(0)
MAX_AHEAD_MIN: Final = 14 * 60
_HISTORY_STATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ORDER_STATE_FILLED": "filled",
        "ORDER_STATE_PARTIAL": "filled",
        "ORDER_STATE_CANCELED": "cancelled",
        "ORDER_STATE_REJECTED": "rejected",
        "ORDER_STATE_EXPIRED": "expired",
    }
)
_DEAL_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "DEAL_REASON_CLIENT": "client",
        "DEAL_REASON_MOBILE": "client",
        "DEAL_REASON_WEB": "client",
        "DEAL_REASON_EXPERT": "expert",
        "DEAL_REASON_SL": "stop_loss",
        "DEAL_REASON_TP": "take_profit",
        "DEAL_REASON_SO": "stop_out",
    }
)
_PAYMENTS: Final = frozenset({"DEAL_TYPE_BALANCE", "DEAL_TYPE_BONUS", "DEAL_TYPE_CORRECTION"})
_NOT_IN_BALANCE: Final = frozenset(
    {"DEAL_TYPE_CREDIT", "DEAL_TYPE_BUY_CANCELED", "DEAL_TYPE_SELL_CANCELED"}
)
"""Credit is beside the balance; what was cancelled never happened."""
_MARGIN_MODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ACCOUNT_MARGIN_MODE_RETAIL_HEDGING": "hedging",
        "ACCOUNT_MARGIN_MODE_RETAIL_NETTING": "netting",
        "ACCOUNT_MARGIN_MODE_EXCHANGE": "exchange",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """What provisioning says of an account."""

    state: str
    connection: str
    region: str
    server: str
    currency: str | None

    @property
    def is_deployed(self) -> bool:
        return self.state == "DEPLOYED"

    @property
    def is_connected(self) -> bool:
        return self.is_deployed and self.connection == "CONNECTED"


@dataclass(frozen=True, slots=True)
class Rows:
    """A list that was read: the raw items, and whether MetaApi still gathers more."""

    items: list[object]
    synchronizing: bool


def rows_of(payload: object, wrapper: str) -> Rows:
    """Return the items of a bare array, or of `{wrapper: [...], synchronizing}`."""
    if isinstance(payload, list):
        return Rows(payload, synchronizing=False)
    if isinstance(payload, dict) and isinstance(payload.get(wrapper), list):
        return Rows(payload[wrapper], synchronizing=payload.get("synchronizing") is True)
    raise UnreadableError("a list was expected")


def map_rows(items: list[object], one: Callable[[Fields], T | None]) -> tuple[tuple[T, ...], bool]:
    """Return what could be read, and whether that was all. None from `one` is left out."""
    facts, whole = [], True
    for item in items:
        try:
            fact = one(Fields(item))
        except UnreadableError:
            whole = False
            continue
        if fact is not None:
            facts.append(fact)
    return tuple(facts), whole


def account_state(payload: object) -> AccountState:
    fields = Fields(payload)
    return AccountState(
        state=fields.text("state"),
        connection=fields.text("connectionStatus", "DISCONNECTED"),
        region=fields.text("region", ""),
        server=fields.text("server", ""),
        currency=fields.maybe_text("baseCurrency"),
    )


def account_facts(payload: object, *, connected: bool, read_at: datetime) -> AccountFacts:
    fields = Fields(payload)
    mode = fields.text("marginMode", "ACCOUNT_MARGIN_MODE_RETAIL_NETTING")
    if mode not in _MARGIN_MODES:
        raise UnreadableError("marginMode is none that is known")
    return AccountFacts(
        currency=fields.text("currency"),
        balance=fields.number("balance"),
        equity=fields.number("equity"),
        margin=fields.number("margin", _ZERO),
        free_margin=fields.number("freeMargin", _ZERO),
        leverage=int(fields.number("leverage", Decimal(1))),
        trade_allowed=fields.flag("tradeAllowed", default=False),
        investor=fields.flag("investorMode", default=False),
        connected=connected,
        margin_mode=_MARGIN_MODES[mode],
        # Whatever does not say that it is play money is treated as real.
        is_real=fields.text("type", "") != "ACCOUNT_TRADE_MODE_DEMO",
        broker=fields.text("broker", ""),
        server=fields.text("server", ""),
        read_at=read_at,
    )


def position(fields: Fields) -> Position:
    return Position(
        position_id=fields.text("id"),
        symbol=fields.text("symbol"),
        side=_side(fields.text("type"), "POSITION_TYPE_"),
        lots=fields.lots("volume"),
        open_price=fields.price("openPrice"),
        current_price=fields.maybe_price("currentPrice"),
        stop_loss=fields.maybe_price("stopLoss"),
        take_profit=fields.maybe_price("takeProfit"),
        profit=fields.number("profit", _ZERO),
        swap=fields.number("swap", _ZERO),
        commission=fields.number("commission", _ZERO),
        magic=fields.whole("magic", 0),
        client_id=_client_id(fields),
        opened_at=fields.time("time"),
    )


def working_order(fields: Fields) -> WorkingOrder:
    kind = fields.text("type")
    left = fields.lots("currentVolume") if fields.has("currentVolume") else None
    price = fields.maybe_price("openPrice") or fields.maybe_price("currentPrice")
    if price is None:
        raise UnreadableError("openPrice is missing")
    return WorkingOrder(
        order_id=fields.text("id"),
        symbol=fields.text("symbol"),
        side=_side(kind, "ORDER_TYPE_"),
        kind=_kind(kind),
        lots=left if left is not None and left.value > 0 else fields.lots("volume"),
        price=price,
        stop_loss=fields.maybe_price("stopLoss"),
        take_profit=fields.maybe_price("takeProfit"),
        magic=fields.whole("magic", 0),
        client_id=_client_id(fields),
        placed_at=fields.time("time"),
    )


def history_order(fields: Fields) -> HistoryOrder | None:
    kind = fields.text("type")
    if kind == "ORDER_TYPE_CLOSE_BY":
        return None  # Two positions against each other; it has no side and is never ours.
    state = _HISTORY_STATES.get(fields.text("state"))
    if state is None:
        raise UnreadableError("state is none of an ended order")
    return HistoryOrder(
        order_id=fields.text("id"),
        position_id=fields.maybe_text("positionId"),
        symbol=fields.text("symbol"),
        side=_side(kind, "ORDER_TYPE_"),
        lots=fields.lots("volume"),
        state=state,
        magic=fields.whole("magic", 0),
        client_id=_client_id(fields),
        done_at=fields.maybe_time("doneTime"),
    )


def deal(fields: Fields) -> Deal | None:
    kind = fields.text("type")
    if kind not in {"DEAL_TYPE_BUY", "DEAL_TYPE_SELL"}:
        return None  # Balance, credit, commission: no piece of a trade.
    entry = fields.text("entryType")
    if entry not in {"DEAL_ENTRY_IN", "DEAL_ENTRY_OUT", "DEAL_ENTRY_INOUT", "DEAL_ENTRY_OUT_BY"}:
        raise UnreadableError("entryType is none that is known")
    return Deal(
        deal_id=fields.text("id"),
        order_id=fields.maybe_text("orderId"),
        position_id=fields.maybe_text("positionId"),
        symbol=fields.text("symbol"),
        side=_side(kind, "DEAL_TYPE_"),
        lots=fields.lots("volume"),
        price=fields.price("price"),
        is_exit=entry != "DEAL_ENTRY_IN",
        profit=fields.number("profit", _ZERO),
        swap=fields.number("swap", _ZERO),
        commission=fields.number("commission", _ZERO),
        magic=fields.whole("magic", 0),
        client_id=_client_id(fields),
        reason=_DEAL_REASONS.get(fields.text("reason", ""), "other"),
        at=fields.time("time"),
    )


def movement(fields: Fields) -> Movement | None:
    kind = fields.text("type")
    if kind in _NOT_IN_BALANCE:
        return None
    parts = (fields.number(name, _ZERO) for name in ("profit", "swap", "commission"))
    amount = sum(parts, _ZERO)
    if not amount:
        return None
    return Movement(
        movement_id=fields.text("id"),
        at=fields.time("time"),
        amount=amount,
        is_payment=kind in _PAYMENTS,
    )


def instrument(payload: object) -> Instrument:
    fields = Fields(payload)
    digits = fields.whole("digits")
    point = fields.number("point", Decimal(1).scaleb(-digits))
    tick_size = fields.number("tickSize", _ZERO) or point
    step = fields.number("volumeStep")
    if min(point, tick_size, step) <= 0 or not 0 <= digits <= 10:  # noqa: PLR2004
        raise UnreadableError("digits, point, tickSize and volumeStep must be usable")
    return Instrument(
        name=fields.text("symbol"),
        digits=digits,
        tick_size=tick_size,
        point=point,
        contract_size=fields.number("contractSize"),
        min_lots=fields.lots("minVolume"),
        max_lots=fields.lots("maxVolume"),
        lot_step=step,
        pip_size=fields.number("pipSize", _ZERO) or None,
        stops_level=fields.whole("stopsLevel", 0),
        freeze_level=fields.whole("freezeLevel", 0),
        base_currency=fields.text("baseCurrency", ""),
        profit_currency=fields.text("profitCurrency", ""),
        trade_mode=fields.text("tradeMode", "SYMBOL_TRADE_MODE_FULL"),
        filling_modes=fields.texts("fillingModes"),
        expiration_modes=fields.texts("allowedExpirationModes"),
        sessions=trade_sessions(fields.maybe_object("tradeSessions")),
    )


def margin(payload: object) -> Decimal | None:
    """Return the margin; MetaApi leaves it out when it cannot tell."""
    fields = Fields(payload)
    return fields.number("margin") if fields.has("margin") else None


def quote(payload: object) -> Quote:
    fields = Fields(payload)
    return Quote(
        symbol=fields.text("symbol"),
        bid=fields.price("bid"),
        ask=fields.price("ask"),
        profit_tick_value=fields.number("profitTickValue"),
        loss_tick_value=fields.number("lossTickValue"),
        at=fields.time("time"),
        broker_ahead=_broker_ahead(fields),
    )


def _broker_ahead(fields: Fields) -> timedelta | None:
    """Return how far the broker's wall clock is before UTC; None if it cannot be told."""
    try:
        local, at = fields.maybe_time("brokerTime"), fields.time("time")
    except UnreadableError:
        return None
    if local is None:
        return None
    # The broker's time has no zone, and whole minutes apart are all that zones are.
    minutes = round((local - at).total_seconds() / 60)
    return timedelta(minutes=minutes) if abs(minutes) <= MAX_AHEAD_MIN else None


def _side(kind: str, prefix: str) -> Side:
    word = kind.removeprefix(prefix).partition("_")[0]
    if word not in {"BUY", "SELL"}:
        raise UnreadableError("type has no side")
    return Side.BUY if word == "BUY" else Side.SELL


def _kind(kind: str) -> OrderKind:
    if kind.endswith(("_STOP_LIMIT", "_STOP")):
        return OrderKind.STOP
    return OrderKind.LIMIT if kind.endswith("_LIMIT") else OrderKind.MARKET


def _client_id(fields: Fields) -> str | None:
    """Return the client id, or a comment that has its form: that is where MetaTrader keeps it."""
    stated = fields.maybe_text("clientId")
    if stated is not None:
        return stated
    for name in ("comment", "brokerComment"):
        comment = fields.maybe_text(name)
        if comment is not None and _CLIENT_ID.fullmatch(comment):
            return comment
    return None
