"""Books, prices and instruments in MetaApi's words."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from signalfleet.domain.exchange.model import (
    Deal,
    Entry,
    Order,
    OrderKind,
    OrderState,
    Position,
    Reason,
)
from signalfleet.domain.exchange.model import Label as OrderLabel
from signalfleet.domain.instruments.model import Instrument, Quote, Side
from signalfleet.domain.money import Price
from signalfleet_sim.market.clock import moment
from signalfleet_sim.metaapi.accounts import SimAccount

_PLATFORM: Final = "mt5"
_REASONS: Final = {
    Reason.CLIENT: "CLIENT",
    Reason.EXPERT: "EXPERT",
    Reason.STOP_LOSS: "SL",
    Reason.TAKE_PROFIT: "TP",
    Reason.STOP_OUT: "SO",
    Reason.BROKER: "CLIENT",
}
_STATES: Final = {
    OrderState.PLACED: "ORDER_STATE_PLACED",
    OrderState.FILLED: "ORDER_STATE_FILLED",
    OrderState.CANCELED: "ORDER_STATE_CANCELED",
    OrderState.EXPIRED: "ORDER_STATE_EXPIRED",
    OrderState.REJECTED: "ORDER_STATE_REJECTED",
}
_KINDS: Final = {
    (kind, side): f"ORDER_TYPE_{side.name}" + ("" if kind is OrderKind.MARKET else f"_{kind.name}")
    for kind in OrderKind
    for side in Side
}
_ENTRIES: Final = {
    Entry.IN: "DEAL_ENTRY_IN",
    Entry.OUT: "DEAL_ENTRY_OUT",
    Entry.INOUT: "DEAL_ENTRY_INOUT",
}
_ORDER_TYPES: Final = ("LIMIT", "MARKET", "STOP", "STOP_LIMIT", "SL", "TP")

Json = dict[str, Any]


def iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")[:-6] + "Z"


def iso_of(seconds: float) -> str:
    return iso(moment(seconds))


def _put(body: Json, name: str, price: Price | None) -> None:
    if price is not None:
        body[name] = price.value


def _label(account: SimAccount, label: OrderLabel, now: float, *, closing_order: int = 0) -> Json:
    """Show client id and comment, or what the broker made of them."""
    twists, rewrites = account.twists, account.broker.profile.rewrites_comments
    if rewrites or now < twists.rewritten_comments_until:
        return {"brokerComment": "acc. mirrored", "magic": label.magic}
    body: Json = {"magic": label.magic}
    client_id = label.client_id
    if client_id and now >= twists.lost_client_ids_until:
        if closing_order:
            # Brokers put the order's number in the place of the third part on a stop or target.
            client_id = "_".join([*client_id.split("_")[:2], str(closing_order)])
        body["clientId"] = client_id
        body["brokerComment"] = " ".join(filter(None, (label.comment, client_id)))
    if label.comment:
        body["comment"] = label.comment
    return body


def position_json(account: SimAccount, held: Position, now: float) -> Json:
    exchange, local = account.broker.exchange, account.broker.local_time
    quote = account.broker.board.quote(held.symbol, "USD")
    floating = exchange.floating(account.account_id, held)
    body: Json = {
        "id": str(held.ticket),
        "platform": _PLATFORM,
        "type": f"POSITION_TYPE_{held.side.name}",
        "symbol": held.symbol,
        "time": iso(held.opened_at),
        "brokerTime": local(held.opened_at),
        "updateTime": iso(held.updated_at),
        "openPrice": held.open_price.value,
        "currentPrice": quote.to_close(held.side).value if quote else held.open_price.value,
        "currentTickValue": _tick_value(quote, floating),
        "volume": held.lots.value,
        "profit": floating + held.realized,
        "unrealizedProfit": floating,
        "realizedProfit": held.realized,
        "swap": held.swap,
        "unrealizedSwap": held.swap,
        "realizedSwap": 0,
        "commission": held.commission,
        "unrealizedCommission": held.commission,
        "realizedCommission": 0,
        "reason": f"POSITION_REASON_{_REASONS[held.label.reason]}",
        "accountCurrencyExchangeRate": 1,
    }
    body |= _label(account, held.label, now)
    _put(body, "stopLoss", held.stop_loss)
    _put(body, "takeProfit", held.take_profit)
    if held.ticket in account.trailing:
        body["trailingStopLoss"] = account.trailing[held.ticket].body
    return body


def order_json(account: SimAccount, order: Order, now: float) -> Json:
    local = account.broker.local_time
    body: Json = {
        "id": str(order.ticket),
        "platform": _PLATFORM,
        "type": _KINDS[order.kind, order.side],
        "state": _STATES[order.state],
        "symbol": order.symbol,
        "time": iso(order.placed_at),
        "brokerTime": local(order.placed_at),
        "openPrice": order.price.value,
        "volume": order.lots.value,
        "currentVolume": order.lots_left.value,
        "reason": f"ORDER_REASON_{_REASONS[order.label.reason]}",
        "fillingMode": (order.filling or "SYMBOL_FILLING_FOK").replace("SYMBOL", "ORDER"),
        "expirationType": "ORDER_TIME_SPECIFIED" if order.expires_at else "ORDER_TIME_GTC",
        "accountCurrencyExchangeRate": 1,
    }
    closing = order.ticket if order.label.reason in {Reason.STOP_LOSS, Reason.TAKE_PROFIT} else 0
    body |= _label(account, order.label, now, closing_order=closing)
    _put(body, "stopLoss", order.stop_loss)
    _put(body, "takeProfit", order.take_profit)
    _put(body, "stopLimitPrice", order.stop_limit_price)
    if order.expires_at is not None:
        body["expirationTime"] = iso(order.expires_at)
    if order.position is not None:
        body["positionId"] = str(order.position)
    if order.done_at is not None:
        body["doneTime"], body["doneBrokerTime"] = iso(order.done_at), local(order.done_at)
    else:
        quote = account.broker.board.quote(order.symbol, "USD")
        if quote is not None:
            body["currentPrice"] = quote.to_open(order.side).value
    return body


def deal_json(account: SimAccount, deal: Deal, now: float) -> Json:
    body: Json = {
        "id": str(deal.ticket),
        "platform": _PLATFORM,
        "time": iso(deal.at),
        "brokerTime": account.broker.local_time(deal.at),
        "profit": deal.profit,
        "commission": deal.commission,
        "swap": deal.swap,
        "accountCurrencyExchangeRate": 1,
    }
    if deal.entry is Entry.BALANCE:
        return body | {"type": "DEAL_TYPE_BALANCE"}
    body |= {
        "type": f"DEAL_TYPE_{deal.side.name}",
        "entryType": _ENTRIES[deal.entry],
        "symbol": deal.symbol,
        "volume": deal.lots.value,
        "orderId": str(deal.order),
        "positionId": str(deal.position),
        "reason": f"DEAL_REASON_{_REASONS[deal.label.reason]}",
    }
    is_level = deal.label.reason in {Reason.STOP_LOSS, Reason.TAKE_PROFIT}
    body |= _label(account, deal.label, now, closing_order=(deal.order or 0) if is_level else 0)
    _put(body, "price", deal.price)
    _put(body, "stopLoss", deal.stop_loss)
    _put(body, "takeProfit", deal.take_profit)
    return body


def account_json(account: SimAccount) -> Json:
    broker = account.broker
    book = broker.exchange.book(account.account_id)
    figures = broker.exchange.figures(account.account_id)
    mode = "RETAIL_NETTING" if book.is_netting else "RETAIL_HEDGING"
    body: Json = {
        "platform": _PLATFORM,
        "broker": broker.profile.company,
        "server": broker.profile.server,
        "name": account.name,
        "login": int(account.login) if account.login.isdigit() else 0,
        "currency": book.terms.currency,
        "balance": figures.balance,
        "equity": figures.equity,
        "margin": figures.margin,
        "freeMargin": figures.free_margin,
        "leverage": book.terms.leverage,
        "credit": 0,
        "tradeAllowed": book.is_trade_allowed and not account.is_investor,
        "investorMode": account.is_investor,
        "marginMode": f"ACCOUNT_MARGIN_MODE_{mode}",
        "type": "ACCOUNT_TRADE_MODE_REAL" if account.is_real else "ACCOUNT_TRADE_MODE_DEMO",
        "accountCurrencyExchangeRate": 1,
    }
    if figures.margin_level is not None:
        body["marginLevel"] = figures.margin_level
    return body


def specification_json(account: SimAccount, instrument: Instrument) -> Json:
    broker = account.broker
    listing = broker.listing(instrument.name)
    sessions = broker.hours(instrument.name).sessions()
    body: Json = {
        "symbol": instrument.name,
        "description": listing.description,
        "path": listing.path,
        "tickSize": instrument.tick_size,
        "minVolume": instrument.min_lots.value,
        "maxVolume": instrument.max_lots.value,
        "volumeStep": instrument.lot_step,
        "fillingModes": list(instrument.filling_modes),
        "executionMode": "SYMBOL_TRADE_EXECUTION_MARKET",
        "contractSize": instrument.contract_size,
        "quoteSessions": sessions,
        "tradeSessions": sessions,
        "tradeMode": instrument.trade_mode,
        "digits": instrument.digits,
        "point": instrument.point,
        "stopsLevel": instrument.stops_level,
        "freezeLevel": instrument.freeze_level,
        "baseCurrency": instrument.base_currency,
        "profitCurrency": instrument.profit_currency,
        "marginCurrency": instrument.base_currency,
        "initialMargin": 0,
        "maintenanceMargin": 0,
        "hedgedMargin": instrument.contract_size,
        "swapMode": "SYMBOL_SWAP_MODE_CURRENCY_DEPOSIT",
        "swapLong": listing.swap_long,
        "swapShort": listing.swap_short,
        "swapRates": [1, 1, 1, 1, 1, 0, 0],
        "swapRollover3Days": "WEDNESDAY",
        "allowedExpirationModes": list(instrument.expiration_modes),
        "allowedOrderTypes": [f"SYMBOL_ORDER_{kind}" for kind in _ORDER_TYPES],
        "orderGTCMode": "SYMBOL_ORDERS_GTC",
        "priceCalculationMode": "SYMBOL_CALC_MODE_FOREX",
    }
    if instrument.pip_size is not None:
        body["pipSize"] = instrument.pip_size
    return body


def price_json(account: SimAccount, quote: Quote) -> Json:
    return {
        "symbol": quote.symbol,
        "bid": quote.bid.value,
        "ask": quote.ask.value,
        "profitTickValue": quote.profit_tick_value,
        "lossTickValue": quote.loss_tick_value,
        "accountCurrencyExchangeRate": 1,
        "time": iso(quote.at),
        "brokerTime": account.broker.local_time(quote.at),
    }


def _tick_value(quote: Quote | None, result: Decimal) -> Decimal:
    if quote is None:
        return Decimal(0)
    return quote.profit_tick_value if result > 0 else quote.loss_tick_value
