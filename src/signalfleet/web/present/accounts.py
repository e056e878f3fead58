"""The account as the broker last showed it: figures, positions in MetaTrader's order, unknowns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from signalfleet.domain.ids import ChannelId, client_id_stem
from signalfleet.domain.money import Price
from signalfleet.domain.trading.intents import Action, Intent, IntentState, OpenLeg
from signalfleet.domain.trading.records import Copy, SignalRecord, Trade, TradeState
from signalfleet.domain.trading.reports import Position, WorkingOrder
from signalfleet.ports.store import Account, AccountView, UserStore
from signalfleet.web.present.formats import NOTHING, Moment, Times
from signalfleet.web.present.words import Words

VIEW_IS_STALE: Final = timedelta(seconds=90)
HUNDRED: Final = Decimal(100)
MODE_ORDER: Final = ("LIVE", "DEMO", "PAPER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Which signal a position comes from; without one it is not ours."""

    channel: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRow:
    """One line of the positions table, the prices with the symbol's digits."""

    key: str
    symbol: str
    ticket: str
    at: Moment
    kind: str
    volume: str
    price: str
    stop_loss: str
    take_profit: str
    current: str
    swap: Decimal | None
    profit: Decimal | None
    origin: Origin | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBoard:
    """All that the Live page shows of one account; `view` is None until its first look."""

    account: Account
    name: str
    view: AccountView | None
    seen: Moment | None
    seen_age: str
    is_stale: bool
    open_profit: Decimal
    risk_money: Decimal
    risk_percent: Decimal | None
    margin_level: Decimal | None
    positions: tuple[PositionRow, ...]
    orders: tuple[PositionRow, ...]

    @property
    def digits(self) -> int:
        return 0 if self.account.currency in ("JPY", "KRW") else 2


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownRow:
    """An order whose outcome nobody knows yet."""

    line: str
    since: Moment | None
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Live trades with the signals and copies they belong to."""

    trades: Sequence[Trade]
    signals: Mapping[str, SignalRecord]
    copies: Sequence[Copy]
    channels: Mapping[ChannelId, str]

    def origin(self, trade: Trade | None) -> Origin | None:
        signal = self.signals.get(trade.signal) if trade is not None else None
        if signal is None:
            return None
        return Origin(
            channel=self.channels.get(signal.chat, f"Chat {signal.chat}"),
            address=f"/signals/{signal.chat}/{signal.message}",
        )

    def trade_of(self, position_id: str, client_id: str | None) -> Trade | None:
        stem = client_id_stem(client_id) if client_id else None
        for trade in self.trades:
            if position_id in (trade.position_id, trade.order_id):
                return trade
            if stem is not None and client_id_stem(trade.client_id) == stem:
                return trade
        return None


async def load_book(store: UserStore, channels: Mapping[ChannelId, str]) -> Book:
    trades = await store.journal.live_trades()
    ids = list(dict.fromkeys(trade.signal for trade in trades))
    signals: dict[str, SignalRecord] = {}
    for one in ids:
        record = await store.journal.get_signal(one)
        if record is not None:
            signals[one] = record
    copies = await store.journal.copies_of_signals(ids) if ids else ()
    return Book(trades=trades, signals=signals, copies=copies, channels=channels)


async def load_accounts(
    store: UserStore, book: Book, times: Times, words: Words
) -> tuple[AccountBoard, ...]:
    accounts = sorted(await store.accounts.list(), key=lambda one: _mode_rank(one.mode))
    return tuple(
        [
            account_board(
                account, await store.accounts.view(account.account_id), book, times, words
            )
            for account in accounts
        ]
    )


def _mode_rank(mode: str) -> int:
    return MODE_ORDER.index(mode) if mode in MODE_ORDER else len(MODE_ORDER)


def account_board(
    account: Account, view: AccountView | None, book: Book, times: Times, words: Words
) -> AccountBoard:
    risk = risk_in_use(account, book)
    facts = view.facts if view else None
    positions = view.positions if view else ()
    return AccountBoard(
        account=account,
        name=account.server or words.say("mode", account.mode),
        view=view,
        seen=times.at(view.seen_at) if view else None,
        seen_age=times.age(view.seen_at) if view else "",
        is_stale=view is None or not view.facts.connected or _is_old(view, times),
        open_profit=sum((p.profit + p.swap for p in positions), Decimal(0)),
        risk_money=risk,
        risk_percent=risk / facts.balance * HUNDRED if facts and facts.balance > 0 else None,
        margin_level=facts.equity / facts.margin * HUNDRED if facts and facts.margin > 0 else None,
        positions=tuple(position_row(one, book, view, times) for one in positions),
        orders=tuple(order_row(one, book, view, times) for one in view.orders) if view else (),
    )


def _is_old(view: AccountView, times: Times) -> bool:
    return times.now - view.seen_at > VIEW_IS_STALE


def risk_in_use(account: Account, book: Book) -> Decimal:
    """Sum what the open legs would lose at their stops, as it was planned.

    A leg whose stop is at its entry or past it can lose no planned money any more.
    """
    used = Decimal(0)
    for copy in book.copies:
        if copy.account != account.account_id or not copy.lots.value:
            continue
        for trade in book.trades:
            if (trade.signal, trade.account) == (copy.signal, copy.account):
                used += copy.budget * _volume_at_risk(trade) / copy.lots.value
    return used


def _volume_at_risk(trade: Trade) -> Decimal:
    stop, entry = trade.stop_loss, trade.open_price
    if stop and entry and (stop.value - entry.value) * trade.side.sign >= 0:
        return Decimal(0)
    return trade.volume_open.value if trade.state is TradeState.OPEN else trade.volume.value


def position_row(
    position: Position, book: Book, view: AccountView | None, times: Times
) -> PositionRow:
    digits = digits_of(position.symbol, view)
    return PositionRow(
        key=f"p{position.position_id}",
        symbol=position.symbol,
        ticket=position.position_id,
        at=times.at(position.opened_at),
        kind=position.side.value,
        volume=f"{position.lots.value:.2f}",
        price=shown_price(position.open_price, digits),
        stop_loss=shown_price(position.stop_loss, digits),
        take_profit=shown_price(position.take_profit, digits),
        current=shown_price(position.current_price, digits),
        swap=position.swap,
        profit=position.profit,
        origin=book.origin(book.trade_of(position.position_id, position.client_id)),
    )


def order_row(
    order: WorkingOrder, book: Book, view: AccountView | None, times: Times
) -> PositionRow:
    digits = digits_of(order.symbol, view)
    return PositionRow(
        key=f"o{order.order_id}",
        symbol=order.symbol,
        ticket=order.order_id,
        at=times.at(order.placed_at),
        kind=f"{order.side.value} {order.kind.value}",
        volume=f"{order.lots.value:.2f}",
        price=shown_price(order.price, digits),
        stop_loss=shown_price(order.stop_loss, digits),
        take_profit=shown_price(order.take_profit, digits),
        current="placed",
        swap=None,
        profit=None,
        origin=book.origin(book.trade_of(order.order_id, order.client_id)),
    )


def digits_of(symbol: str, view: AccountView | None) -> int:
    """Return the most decimals that the broker shows for a symbol, so that columns line up."""
    prices: list[Price | None] = []
    for position in view.positions if view else ():
        if position.symbol == symbol:
            prices += [position.open_price, position.current_price]
            prices += [position.stop_loss, position.take_profit]
    for order in view.orders if view else ():
        if order.symbol == symbol:
            prices += [order.price, order.stop_loss, order.take_profit]
    return max((decimals(price) for price in prices if price is not None), default=0)


def decimals(price: Price) -> int:
    exponent = price.value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def shown_price(price: Price | None, digits: int) -> str:
    return NOTHING if price is None else f"{price.value:.{max(digits, decimals(price))}f}"


def unknown_rows(intents: Sequence[Intent], book: Book, times: Times) -> tuple[UnknownRow, ...]:
    rows = []
    by_id = {trade.trade_id: trade for trade in book.trades}
    for intent in intents:
        if intent.state is not IntentState.UNKNOWN:
            continue
        trade = by_id.get(intent.trade)
        origin = book.origin(trade)
        rows.append(
            UnknownRow(
                line=intent_line(intent, trade),
                since=times.at(intent.sending_at) if intent.sending_at else None,
                address=origin.address if origin else "",
            )
        )
    return tuple(rows)


def intent_line(intent: Intent, trade: Trade | None) -> str:
    """Say a command in a few words: BUY 0.03 XAUUSD, Closing XAUUSD."""
    command = intent.command
    if isinstance(command, OpenLeg):
        return f"{command.side.value.upper()} {command.lots} {command.symbol}"
    said = {
        Action.PROTECT: "Stop and target of",
        Action.REDUCE: "Closing a part of",
        Action.CLOSE: "Closing",
        Action.CANCEL: "Cancelling the order on",
        Action.AMEND: "Moving the order on",
    }
    what = trade.symbol if trade else "a trade"
    return f"{said.get(intent.action, intent.action.value)} {what}"
