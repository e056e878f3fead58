"""A module of our own with the functions that MetaTrader5 documents, over the matching engine.

It is not the vendor's code and holds none of it: names, numbers and the meaning of None are from
mql5.com/en/docs/python_metatrader5 and from the enumerations of mql5.com/en/docs/constants.
Floats go in and out, times are the broker's wall clock as a Unix time, as widely reported.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Final

from signalfleet.domain.exchange.engine import Exchange
from signalfleet.domain.exchange.model import (
    AmendOrder,
    CancelOrder,
    ClosePosition,
    Command,
    Deal,
    Done,
    Entry,
    Label,
    OpenPosition,
    Order,
    OrderKind,
    OrderState,
    PlaceOrder,
    Position,
    Reason,
    RejectReason,
    SetLevels,
)
from signalfleet.domain.exchange.prices import PriceBoard
from signalfleet.domain.ids import AccountId
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots, Price

ACCOUNT: Final = AccountId("fake-mt5")
LOGIN: Final = 5_000_123

_CODES: Final = {
    RejectReason.UNKNOWN_SYMBOL: 10013,
    RejectReason.TRADE_DISABLED: 10017,
    RejectReason.MARKET_CLOSED: 10018,
    RejectReason.NO_QUOTES: 10021,
    RejectReason.INVALID_VOLUME: 10014,
    RejectReason.INVALID_CLOSE_VOLUME: 10038,
    RejectReason.INVALID_PRICE: 10015,
    RejectReason.INVALID_STOPS: 10016,
    RejectReason.INVALID_FILL: 10030,
    RejectReason.INVALID_EXPIRATION: 10022,
    RejectReason.NO_MONEY: 10019,
    RejectReason.FROZEN: 10029,
    RejectReason.POSITION_NOT_FOUND: 10036,
    RejectReason.ORDER_NOT_FOUND: 10035,
}
_STATES: Final = {
    OrderState.PLACED: 1,
    OrderState.CANCELED: 2,
    OrderState.FILLED: 4,
    OrderState.REJECTED: 5,
    OrderState.EXPIRED: 6,
}
_ENTRIES: Final = {Entry.IN: 0, Entry.OUT: 1, Entry.INOUT: 2, Entry.BALANCE: 0}
_REASONS: Final = {
    Reason.CLIENT: 0,
    Reason.EXPERT: 3,
    Reason.STOP_LOSS: 4,
    Reason.TAKE_PROFIT: 5,
    Reason.STOP_OUT: 6,
}
_PENDING: Final = {
    2: (OrderKind.LIMIT, Side.BUY),
    3: (OrderKind.LIMIT, Side.SELL),
    4: (OrderKind.STOP, Side.BUY),
    5: (OrderKind.STOP, Side.SELL),
}


class FakeMt5:
    """One terminal with one account. `send` may be replaced to make `order_send` go wrong."""

    def __init__(
        self,
        exchange: Exchange,
        board: PriceBoard,
        now: Callable[[], float],
        *,
        offset_hours: int = 2,
    ) -> None:
        self.exchange = exchange
        self.board = board
        self._now = now
        self._offset_s = offset_hours * 3600
        self.error = (1, "Success")
        self.requests: list[dict[str, Any]] = []
        self.is_open = False
        self.login = LOGIN
        self.is_connected = True
        self.is_button_on = True
        self.before_send: Callable[[], None] = lambda: None
        self.after_send: Callable[[Any], Any] = lambda result: result

    # The documented functions, with their names and arguments.

    def initialize(self, *path: str, login: int = 0, password: str = "", server: str = "") -> bool:
        self.is_open = login == self.login and bool(password and server)
        self.error = (1, "Success") if self.is_open else (-6, "Terminal: Authorization failed")
        return self.is_open

    def shutdown(self) -> None:
        self.is_open = False

    def last_error(self) -> tuple[int, str]:
        return self.error

    def account_info(self) -> Any:
        figures = self.exchange.figures(ACCOUNT)
        terms = self.exchange.book(ACCOUNT).terms
        return SimpleNamespace(
            login=self.login,
            trade_mode=0,
            leverage=terms.leverage,
            margin_mode=2,
            trade_allowed=True,
            trade_expert=True,
            balance=float(figures.balance),
            equity=float(figures.equity),
            margin=float(figures.margin),
            margin_free=float(figures.free_margin),
            currency=terms.currency,
            server="Fake-Demo",
            company="Fake Ltd",
        )

    def terminal_info(self) -> Any:
        return SimpleNamespace(connected=self.is_connected, trade_allowed=self.is_button_on)

    def symbols_get(self) -> Any:
        return tuple(self.symbol_info(item.name) for item in self.board.instruments)

    def symbol_info(self, symbol: str) -> Any:
        item = self.board.instrument(symbol)
        if item is None:
            self.error = (-4, "Not found")
            return None
        quote = self.board.quote(symbol, "USD")
        return SimpleNamespace(
            name=item.name,
            digits=item.digits,
            point=float(item.point),
            trade_tick_size=float(item.tick_size),
            trade_contract_size=float(item.contract_size),
            volume_min=float(item.min_lots.value),
            volume_max=float(item.max_lots.value),
            volume_step=float(item.lot_step),
            trade_stops_level=item.stops_level,
            trade_freeze_level=item.freeze_level,
            trade_mode=4,
            filling_mode=1,
            expiration_mode=15,
            currency_base=item.base_currency,
            currency_profit=item.profit_currency,
            trade_tick_value_profit=float(quote.profit_tick_value) if quote else 0.0,
            trade_tick_value_loss=float(quote.loss_tick_value) if quote else 0.0,
        )

    def symbol_info_tick(self, symbol: str) -> Any:
        sides = self.board.sides(symbol)
        if sides is None:
            self.error = (-4, "Not found")
            return None
        at = self._now() + self._offset_s
        return SimpleNamespace(
            time=int(at),
            time_msc=int(at * 1000),
            bid=float(sides[0].value),
            ask=float(sides[1].value),
        )

    def symbol_select(self, symbol: str, enable: bool) -> bool:
        return self.board.instrument(symbol) is not None

    def order_calc_margin(
        self, action: int, symbol: str, volume: float, price: float
    ) -> float | None:
        margin = self.exchange.margin(ACCOUNT, symbol, _lots(volume), Price(_exact(price)))
        return None if margin is None else float(margin)

    def positions_get(self, *, ticket: int | None = None) -> Any:
        self.error = (1, "Success")
        book = self.exchange.book(ACCOUNT)
        return tuple(
            self._position(held)
            for held in book.positions.values()
            if ticket in {None, held.ticket}
        )

    def orders_get(self, *, ticket: int | None = None) -> Any:
        self.error = (1, "Success")
        book = self.exchange.book(ACCOUNT)
        return tuple(
            self._order(order) for order in book.orders.values() if ticket in {None, order.ticket}
        )

    def history_orders_get(self, since: int, until: int) -> Any:
        book = self.exchange.book(ACCOUNT)
        return tuple(
            self._order(order)
            for order in book.history
            if order.done_at is not None and since <= self._seconds(order.done_at) <= until
        )

    def history_deals_get(self, since: int, until: int) -> Any:
        book = self.exchange.book(ACCOUNT)
        return tuple(
            self._deal(deal) for deal in book.deals if since <= self._seconds(deal.at) <= until
        )

    def order_send(self, request: dict[str, Any]) -> Any:
        self.requests.append(request)
        self.before_send()
        if not self.is_button_on:
            return self.after_send(self._result(10027, request))
        now = datetime.fromtimestamp(self._now(), UTC)
        outcome = self.exchange.execute(ACCOUNT, self._command(request), now)
        if not isinstance(outcome, Done):
            return self.after_send(self._result(_CODES.get(outcome.reason, 10013), request))
        code = 10009 if outcome.is_changed else 10025
        return self.after_send(self._result(code, request, outcome))

    # How the engine's books look through it.

    def _result(self, code: int, request: dict[str, Any], done: Done | None = None) -> Any:
        return SimpleNamespace(
            retcode=code,
            deal=(done.deal if done else 0) or 0,
            order=(done.order if done else 0) or 0,
            volume=request.get("volume", 0.0),
            price=float(done.price.value) if done and done.price else 0.0,
            comment="Request executed" if done else "Request refused",
            request=SimpleNamespace(**request),
        )

    def _command(self, request: dict[str, Any]) -> Command:
        label = Label(magic=request.get("magic", 0), client_id=request.get("comment"))
        levels: dict[str, Any] = {
            "stop_loss": _level(request.get("sl")),
            "take_profit": _level(request.get("tp")),
        }
        match request["action"]:
            case 1 if request.get("position"):
                lots = _lots(request["volume"])
                return ClosePosition(position=request["position"], lots=lots, label=label)
            case 1:
                side = Side.SELL if request["type"] else Side.BUY
                lots = _lots(request["volume"])
                return OpenPosition(
                    symbol=request["symbol"], side=side, lots=lots, label=label, **levels
                )
            case 5:
                kind, side = _PENDING[request["type"]]
                return PlaceOrder(
                    symbol=request["symbol"],
                    side=side,
                    kind=kind,
                    lots=_lots(request["volume"]),
                    price=Price(_exact(request["price"])),
                    expires_at=self._moment(request.get("expiration")),
                    label=label,
                    **levels,
                )
            case 6:
                return SetLevels(position=request["position"], **levels)
            case 7:
                price = Price(_exact(request["price"]))
                expires_at = self._moment(request.get("expiration"))
                return AmendOrder(
                    order=request["order"], price=price, expires_at=expires_at, **levels
                )
            case _:
                return CancelOrder(order=request["order"])

    def _position(self, held: Position) -> Any:
        quote = self.board.quote(held.symbol, "USD")
        at = self._seconds(held.opened_at)
        return SimpleNamespace(
            ticket=held.ticket,
            identifier=held.ticket,
            symbol=held.symbol,
            type=0 if held.side is Side.BUY else 1,
            volume=float(held.lots.value),
            price_open=float(held.open_price.value),
            price_current=float(quote.to_close(held.side).value) if quote else 0.0,
            sl=_float(held.stop_loss),
            tp=_float(held.take_profit),
            profit=float(self.exchange.floating(ACCOUNT, held)),
            swap=float(held.swap),
            magic=held.label.magic,
            comment=held.label.client_id or "",
            time=int(at),
            time_msc=int(at * 1000),
        )

    def _order(self, order: Order) -> Any:
        kinds = {OrderKind.MARKET: 0, OrderKind.LIMIT: 2, OrderKind.STOP: 4}
        placed = self._seconds(order.placed_at)
        done = self._seconds(order.done_at) if order.done_at else 0
        return SimpleNamespace(
            ticket=order.ticket,
            symbol=order.symbol,
            type=kinds[order.kind] + (order.side is Side.SELL),
            state=_STATES[order.state],
            volume_initial=float(order.lots.value),
            volume_current=float(order.lots_left.value),
            price_open=float(order.price.value),
            sl=_float(order.stop_loss),
            tp=_float(order.take_profit),
            position_id=order.position or 0,
            magic=order.label.magic,
            comment=order.label.client_id or "",
            time_setup_msc=int(placed * 1000),
            time_done_msc=int(done * 1000),
            time_expiration=int(self._seconds(order.expires_at)) if order.expires_at else 0,
            type_time=2 if order.expires_at else 0,
        )

    def _deal(self, deal: Deal) -> Any:
        is_trade = deal.entry is not Entry.BALANCE
        kind = (0 if deal.side is Side.BUY else 1) if is_trade else 2
        return SimpleNamespace(
            ticket=deal.ticket,
            order=deal.order or 0,
            position_id=deal.position or 0,
            symbol=deal.symbol,
            type=kind,
            entry=_ENTRIES[deal.entry],
            volume=float(deal.lots.value),
            price=_float(deal.price),
            profit=float(deal.profit),
            swap=float(deal.swap),
            commission=float(deal.commission),
            magic=deal.label.magic,
            comment=deal.label.client_id or "",
            reason=_REASONS.get(deal.label.reason, 0),
            time_msc=int(self._seconds(deal.at) * 1000),
        )

    def _seconds(self, at: datetime) -> float:
        return at.timestamp() + self._offset_s

    def _moment(self, seconds: float | None) -> datetime | None:
        return datetime.fromtimestamp(seconds - self._offset_s, UTC) if seconds else None


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))


def _lots(value: float) -> Lots:
    return Lots(_exact(value))


def _level(value: float | None) -> Price | None:
    return Price(_exact(value)) if value else None


def _float(price: Price | None) -> float:
    return float(price.value) if price else 0.0
