"""Reads the body of a trade: what the engine is asked to do, or why the service will not ask it."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

from signalfleet.domain.errors import DomainError
from signalfleet.domain.exchange.model import (
    AmendOrder,
    CancelOrder,
    ClosePosition,
    Command,
    Label,
    OpenPosition,
    OrderKind,
    PlaceOrder,
    Position,
    Reason,
    SetLevels,
)
from signalfleet.domain.instruments.model import Instrument, Quote, Side
from signalfleet.domain.money import Lots, Price
from signalfleet_sim.metaapi import codes
from signalfleet_sim.metaapi.accounts import SimAccount
from signalfleet_sim.metaapi.errors import ApiError, invalid
from signalfleet_sim.metaapi.units import UnitError, Yardstick

Body = Mapping[str, Any]

_OPENING: Final = re.compile(r"ORDER_TYPE_(BUY|SELL)(?:_(LIMIT|STOP|STOP_LIMIT))?")
_OTHERS: Final = {
    "POSITION_MODIFY",
    "POSITION_PARTIAL",
    "POSITION_CLOSE_ID",
    "ORDER_MODIFY",
    "ORDER_CANCEL",
}
_FOREIGN: Final = {"POSITIONS_CLOSE_SYMBOL", "POSITION_CLOSE_BY"}
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9]{1,10}_[A-Za-z0-9]{1,20}_[A-Za-z0-9]{1,10}")
_LONGEST_ID: Final = 26
_UNITS: Final = {
    "ABSOLUTE_PRICE",
    "RELATIVE_PRICE",
    "RELATIVE_POINTS",
    "RELATIVE_PIPS",
    "RELATIVE_CURRENCY",
    "RELATIVE_BALANCE_PERCENTAGE",
}


class BrokerRefusalError(Exception):
    """The answer is a trade result, in a 200, and not one of the engine."""

    def __init__(self, code: int, text: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.text = text


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


_DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse)


def read_json(raw: bytes) -> dict[str, Any]:
    """Read a JSON object with exact numbers."""
    try:
        body = _DECODER.decode(raw.decode())
    except ValueError as e:
        raise ApiError(400, "Validation failed", details="the body is not JSON") from e
    if not isinstance(body, dict):
        raise ApiError(400, "Validation failed", details="the body is not a JSON object")
    return body


def check_shape(body: Body) -> str:
    """Check what the service itself checks before it asks the broker; return the action."""
    action = body.get("actionType")
    if not isinstance(action, str) or not (
        _OPENING.fullmatch(action) or action in _OTHERS or action in _FOREIGN
    ):
        raise invalid("actionType", action, "Unknown action type")
    client_id = body.get("clientId")
    if client_id is not None:
        comment = body.get("comment") or ""
        is_fine = isinstance(client_id, str) and _CLIENT_ID.fullmatch(client_id)
        if not is_fine or len(client_id) + len(str(comment)) > _LONGEST_ID:
            raise invalid("clientId", client_id, "Must be a_b_c, with the comment at most 26 long")
    for name in ("stopLossUnits", "takeProfitUnits", "openPriceUnits"):
        if body.get(name, "ABSOLUTE_PRICE") not in _UNITS:
            raise invalid(name, body[name], "Unknown units")
    return action


def to_command(body: Body, account: SimAccount, now: datetime) -> Command:
    """Turn a body of a known shape into a command for the account's books."""
    action = str(body["actionType"])
    if action in _FOREIGN:
        raise BrokerRefusalError(codes.ORDER_TYPE_NOT_SUPPORTED)
    match action:
        case "POSITION_MODIFY":
            return _set_levels(body, account)
        case "POSITION_CLOSE_ID":
            return ClosePosition(position=_ticket(body, "positionId"), label=_closing_label(body))
        case "POSITION_PARTIAL":
            ticket = _ticket(body, "positionId")
            return ClosePosition(position=ticket, lots=_lots(body), label=_closing_label(body))
        case "ORDER_CANCEL":
            return CancelOrder(order=_ticket(body, "orderId"))
        case "ORDER_MODIFY":
            return _amend(body, account, now)
        case _:
            return _opening(body, action, account, now)


class _Sizes:
    """What a relative price is measured with, for one symbol of one account."""

    def __init__(self, account: SimAccount, symbol: str, lots: Lots) -> None:
        book = account.broker.exchange.book(account.account_id)
        self.instrument: Instrument | None = account.broker.board.instrument(symbol)
        self.quote: Quote | None = account.broker.board.quote(symbol, book.terms.currency)
        self.lots = lots
        self.balance = book.balance

    def price(
        self, body: Body, name: str, units: str, base: Decimal | None, sign: int
    ) -> Price | None:
        """Read a price that may be a distance from the base; zero and None mean no price."""
        amount = _number(body, name)
        if amount is None or amount == 0:
            return None
        if units != "ABSOLUTE_PRICE":
            if self.instrument is None or self.quote is None or base is None:
                raise BrokerRefusalError(codes.INVALID)
            try:
                distance = Yardstick(
                    instrument=self.instrument,
                    quote=self.quote,
                    lots=self.lots,
                    balance=self.balance,
                ).distance(amount, units)
            except UnitError as e:
                raise BrokerRefusalError(codes.PIP_SIZE_NOT_DEFINED) from e
            amount = base + sign * distance
            amount -= amount % self.instrument.tick_size
        try:
            return Price(amount)
        except DomainError as e:
            wrong = codes.INVALID_PRICE if name == "openPrice" else codes.INVALID_STOPS
            raise BrokerRefusalError(wrong) from e


def _levels(
    body: Body, sizes: _Sizes, side: Side, *, stop_base: Decimal | None, target_base: Decimal | None
) -> dict[str, Price | None]:
    stop_units = str(body.get("stopLossUnits", "ABSOLUTE_PRICE"))
    target_units = str(body.get("takeProfitUnits", "ABSOLUTE_PRICE"))
    return {
        "stop_loss": sizes.price(body, "stopLoss", stop_units, stop_base, -side.sign),
        "take_profit": sizes.price(body, "takeProfit", target_units, target_base, side.sign),
    }


def _opening(body: Body, action: str, account: SimAccount, now: datetime) -> Command:
    found = _OPENING.fullmatch(action)
    if found is None:
        raise invalid("actionType", action, "Unknown action type")
    side, kind = Side[found[1]], OrderKind((found[2] or "market").lower())
    symbol, lots = _text(body, "symbol"), _lots(body)
    sizes = _Sizes(account, symbol, lots)
    market = sizes.quote.to_open(side).value if sizes.quote else None
    filling = _filling(body)
    label = Label(
        magic=int(_number(body, "magic") or 0),
        client_id=body.get("clientId"),
        comment=body.get("comment") or None,
        reason=Reason.EXPERT,
    )
    if kind is OrderKind.MARKET:
        levels = _levels(body, sizes, side, stop_base=market, target_base=market)
        return OpenPosition(
            symbol=symbol, side=side, lots=lots, label=label, filling=filling, **levels
        )
    away = -side.sign if kind is OrderKind.LIMIT else side.sign
    units = str(body.get("openPriceUnits", "ABSOLUTE_PRICE"))
    price = sizes.price(body, "openPrice", units, market, away)
    if price is None:
        raise invalid("openPrice", body.get("openPrice"), "Required for a pending order")
    limit = sizes.price(body, "stopLimitPrice", "ABSOLUTE_PRICE", None, 0)
    at = market if body.get("stopPriceBase") == "CURRENT_PRICE" else (limit or price).value
    return PlaceOrder(
        symbol=symbol,
        side=side,
        kind=kind,
        lots=lots,
        price=price,
        stop_limit_price=limit,
        expires_at=_expiry(body, account, now),
        label=label,
        filling=filling,
        **_levels(body, sizes, side, stop_base=at, target_base=at),
    )


def _set_levels(body: Body, account: SimAccount) -> SetLevels:
    ticket = _ticket(body, "positionId")
    held = account.broker.exchange.book(account.account_id).positions.get(ticket)
    if held is None:
        raise BrokerRefusalError(codes.POSITION_NOT_FOUND)
    sizes = _Sizes(account, held.symbol, held.lots)
    stop_base, target_base = _modify_bases(body, held, sizes)
    levels = _levels(body, sizes, held.side, stop_base=stop_base, target_base=target_base)
    return SetLevels(position=ticket, **levels)


def _modify_bases(
    body: Body, held: Position, sizes: _Sizes
) -> tuple[Decimal | None, Decimal | None]:
    match body.get("stopPriceBase", "OPEN_PRICE"):
        case "CURRENT_PRICE":
            near = sizes.quote.to_close(held.side).value if sizes.quote else None
            return near, near
        case "STOP_PRICE":
            stop, target = held.stop_loss, held.take_profit
            return stop.value if stop else None, target.value if target else None
        case "OPEN_PRICE":
            return held.open_price.value, held.open_price.value
        case other:
            raise invalid("stopPriceBase", other, "Unknown base")


def _amend(body: Body, account: SimAccount, now: datetime) -> AmendOrder:
    ticket = _ticket(body, "orderId")
    order = account.broker.exchange.book(account.account_id).orders.get(ticket)
    if order is None:
        raise BrokerRefusalError(codes.ORDER_NOT_FOUND)
    sizes = _Sizes(account, order.symbol, order.lots)
    units = str(body.get("openPriceUnits", "ABSOLUTE_PRICE"))
    away = -order.side.sign if order.kind is OrderKind.LIMIT else order.side.sign
    market = sizes.quote.to_open(order.side).value if sizes.quote else None
    price = sizes.price(body, "openPrice", units, market, away)
    if price is None:
        raise invalid("openPrice", body.get("openPrice"), "Required to modify an order")
    limit = sizes.price(body, "stopLimitPrice", "ABSOLUTE_PRICE", None, 0)
    expires_at = _expiry(body, account, now) if "expiration" in body else order.expires_at
    levels = _levels(body, sizes, order.side, stop_base=price.value, target_base=price.value)
    return AmendOrder(
        order=ticket,
        price=price,
        stop_limit_price=limit or order.stop_limit_price,
        expires_at=expires_at,
        **levels,
    )


def _closing_label(body: Body) -> Label | None:
    """Label a close with its own client id, if it brings one; else with the position's."""
    client_id = body.get("clientId")
    if client_id is None:
        return None
    return Label(
        magic=int(_number(body, "magic") or 0),
        client_id=client_id,
        comment=body.get("comment") or None,
    )


def _expiry(body: Body, account: SimAccount, now: datetime) -> datetime | None:
    expiration = body.get("expiration")
    if expiration is None:
        return None
    kind = expiration.get("type") if isinstance(expiration, dict) else None
    if kind == "ORDER_TIME_GTC":
        return None
    if kind == "ORDER_TIME_DAY":
        return _end_of_day(account, now)
    if kind not in {"ORDER_TIME_SPECIFIED", "ORDER_TIME_SPECIFIED_DAY"}:
        raise invalid("expiration.type", kind, "Unknown expiration type")
    at = read_time(expiration.get("time"), "expiration.time")
    return at if kind == "ORDER_TIME_SPECIFIED" else _end_of_day(account, at)


def _end_of_day(account: SimAccount, at: datetime) -> datetime:
    """Return the next midnight on the broker's wall clock."""
    offset = timedelta(hours=account.broker.profile.utc_offset_hours)
    day = (at + offset).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=1) - offset


def read_time(value: object, name: str) -> datetime:
    """Read an ISO time; one without a zone is UTC."""
    if not isinstance(value, str):
        raise invalid(name, value, "Must be an ISO time")
    try:
        at = datetime.fromisoformat(value)
    except ValueError as e:
        raise invalid(name, value, "Must be an ISO time") from e
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _filling(body: Body) -> tuple[str, ...]:
    modes = body.get("fillingModes") or ()
    if not isinstance(modes, (list, tuple)):
        raise invalid("fillingModes", modes, "Must be a list")
    return tuple(str(mode).replace("ORDER_FILLING", "SYMBOL_FILLING") for mode in modes)


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(name, value, "Must be a string")
    return value


def _ticket(body: Body, name: str) -> int:
    value = _text(body, name)
    # An id that is no number is no id of this broker: not found, as any other stranger.
    return int(value) if value.isdecimal() else 0


def _number(body: Body, name: str) -> Decimal | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, Decimal):
        raise invalid(name, value, "Must be a number")
    return value


def _lots(body: Body) -> Lots:
    value = _number(body, "volume")
    if value is None:
        raise invalid("volume", None, "Must be a number")
    try:
        return Lots(value)
    except (DomainError, InvalidOperation) as e:
        raise BrokerRefusalError(10014) from e
