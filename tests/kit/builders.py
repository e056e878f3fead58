"""Values of the trading domain with sensible defaults, for tests that change one thing."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from kit.clock import START
from signalfleet.domain import ids
from signalfleet.domain.ids import AccountId, ChannelId, ClientId, InstallationId, MessageId, UserId
from signalfleet.domain.instruments.model import Instrument, Quote, Side
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.risk.checks import Gatekeeping
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.resolve import Effective, Level, resolve
from signalfleet.domain.signals.model import OrderKind, PriceRange, Signal
from signalfleet.domain.trading.intents import Command, Intent, IntentState, OpenLeg, action_of
from signalfleet.domain.trading.plan import Place, PlanInput
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.reports import (
    AccountFacts,
    Deal,
    HistoryOrder,
    Position,
    Snapshot,
    WorkingOrder,
)

USER = UserId("u_mfrggzdfmztwq2lk")
ACCOUNT = AccountId("a_paper1")
CHAT = ChannelId(-1001234567890)
INSTALLATION = InstallationId("in_7f3c")
MAGIC = ids.magic(INSTALLATION, CHAT)

GOLD = Instrument(
    name="XAUUSD",
    digits=2,
    tick_size=Decimal("0.01"),
    point=Decimal("0.01"),
    contract_size=Decimal(100),
    min_lots=Lots.of("0.01"),
    max_lots=Lots.of(50),
    lot_step=Decimal("0.01"),
    pip_size=Decimal("0.1"),
)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def a_price(value: str | None) -> Price | None:
    return None if value is None else Price.of(value)


def a_range(low: str, high: str | None = None) -> PriceRange:
    return PriceRange.of(Price.of(low), Price.of(high or low))


def a_quote(bid: str = "2349.90", ask: str = "2350.00", *, tick_value: str = "1") -> Quote:
    return Quote(
        symbol="XAUUSD",
        bid=Price.of(bid),
        ask=Price.of(ask),
        profit_tick_value=Decimal(tick_value),
        loss_tick_value=Decimal(tick_value),
        at=START,
    )


def a_signal(side: Side = Side.BUY, **changes: Any) -> Signal:
    fields: dict[str, Any] = {
        "side": side,
        "symbol": "XAUUSD",
        "entry": a_range("2350"),
        "stop": Price.of("2340" if side is Side.BUY else "2360"),
        "targets": (Price.of("2360" if side is Side.BUY else "2340"),),
    }
    return Signal(**(fields | changes))


def effective(**doc: object) -> Effective:
    return resolve([Level(source="your default", doc=doc)])


def rules(**doc: object) -> Rules:
    return effective(**doc).rules


def a_gate(**changes: Any) -> Gatekeeping:
    fields: dict[str, Any] = {
        "now": START,
        "posted_at": START - timedelta(seconds=2),
        "halted": False,
        "trade_allowed": True,
        "investor": False,
        "connected": True,
        "unknown_entries": 0,
        "unknown_on_symbol": False,
    }
    return Gatekeeping(**(fields | changes))


def account_facts(**changes: Any) -> AccountFacts:
    fields: dict[str, Any] = {
        "currency": "USD",
        "balance": Decimal(10_000),
        "equity": Decimal(10_000),
        "margin": Decimal(0),
        "free_margin": Decimal(10_000),
        "leverage": 500,
        "trade_allowed": True,
        "investor": False,
        "connected": True,
        "margin_mode": "hedging",
        "is_real": False,
        "broker": "Demo",
        "server": "Demo",
        "read_at": START,
    }
    return AccountFacts(**(fields | changes))


def a_place(message: int = 4711, part: int = 0) -> Place:
    return Place(
        user=USER,
        installation=INSTALLATION,
        account=ACCOUNT,
        chat=CHAT,
        message=MessageId(message),
        part=part,
    )


def a_question(signal: Signal | None = None, **changes: Any) -> PlanInput:
    fields: dict[str, Any] = {
        "place": a_place(),
        "signal": signal or a_signal(),
        "effective": effective(),
        "gate": a_gate(),
        "account": account_facts(),
        "instrument": GOLD,
        "quote": a_quote(),
        "copies": (),
    }
    return PlanInput(**(fields | changes))


def a_trade(leg: int = 1, state: TradeState = TradeState.OPEN, **changes: Any) -> Trade:
    """A leg of 0.10 lots of a gold buy at 2350.

    Open ones were seen at the broker as position P1, P2..., pending ones as order O1, O2...
    """
    signal = a_place().signal_id
    trade_id = ids.trade_id(USER, ACCOUNT, signal, leg)
    is_open = state is TradeState.OPEN
    fields: dict[str, Any] = {
        "trade_id": trade_id,
        "account": ACCOUNT,
        "signal": signal,
        "leg": leg,
        "client_id": ids.client_id(INSTALLATION, trade_id, "E0"),
        "magic": MAGIC,
        "symbol": "XAUUSD",
        "side": Side.BUY,
        "state": state,
        "volume": Lots.of("0.10"),
        "volume_open": Lots.of("0.10") if is_open else Lots.of(0),
        "open_price": Price.of("2350.00") if is_open else None,
        "opened_at": START if is_open else None,
        "stop_loss": Price.of("2340"),
        "take_profit": Price.of("2360"),
        "position_id": f"P{leg}" if is_open else None,
        "order_id": f"O{leg}" if state is TradeState.PENDING else None,
    }
    return Trade(**(fields | changes))


def an_entry(
    trade: Trade, state: IntentState = IntentState.SENDING, *, price: str | None = None, **more: Any
) -> Intent:
    """The entry intent of a trade, sent at START and fresh for 45 seconds."""
    command = OpenLeg(
        symbol=trade.symbol,
        side=trade.side,
        kind=OrderKind.MARKET if price is None else OrderKind.LIMIT,
        lots=trade.volume,
        price=a_price(price),
        stop_loss=trade.stop_loss,
        take_profit=trade.take_profit,
        magic=trade.magic,
    )
    return an_intent(trade, command, state, cause="entry", valid_until=after(45), **more)


def an_intent(
    trade: Trade, command: Command, state: IntentState = IntentState.SENDING, **changes: Any
) -> Intent:
    cause = changes.pop("cause", "msg:1")
    fields: dict[str, Any] = {
        "intent_id": ids.intent_id(
            USER, trade.account, trade.trade_id, action_of(command).value, cause
        ),
        "account": trade.account,
        "trade": trade.trade_id,
        "cause": cause,
        "client_id": trade.client_id,
        "command": command,
        "state": state,
        "attempt": 1,
        "created_at": START,
        "sending_at": START,
    }
    return Intent(**(fields | changes))


def a_look(
    *facts: Position | WorkingOrder | HistoryOrder | Deal,
    at: float = 1.0,
    full: bool = True,
    complete: bool = True,
) -> Snapshot:
    """A look that began so many seconds after START and shows these facts."""
    return Snapshot(
        positions=tuple(f for f in facts if isinstance(f, Position)),
        orders=tuple(f for f in facts if isinstance(f, WorkingOrder)),
        history_orders=tuple(f for f in facts if isinstance(f, HistoryOrder)),
        deals=tuple(f for f in facts if isinstance(f, Deal)),
        begun_at=after(at),
        full=full,
        complete=complete,
    )


def position_of(trade: Trade, **changes: Any) -> Position:
    fields: dict[str, Any] = {
        "position_id": trade.position_id or f"P{trade.leg}",
        "symbol": trade.symbol,
        "side": trade.side,
        "lots": trade.volume,
        "open_price": Price.of("2350.00"),
        "current_price": None,
        "stop_loss": trade.stop_loss,
        "take_profit": trade.take_profit,
        "profit": Decimal(0),
        "swap": Decimal(0),
        "commission": Decimal(0),
        "magic": trade.magic,
        "client_id": trade.client_id,
        "opened_at": START,
    }
    return Position(**(fields | changes))


def order_of(trade: Trade, price: str = "2345", **changes: Any) -> WorkingOrder:
    fields: dict[str, Any] = {
        "order_id": trade.order_id or f"O{trade.leg}",
        "symbol": trade.symbol,
        "side": trade.side,
        "kind": OrderKind.LIMIT,
        "lots": trade.volume,
        "price": Price.of(price),
        "stop_loss": trade.stop_loss,
        "take_profit": trade.take_profit,
        "magic": trade.magic,
        "client_id": trade.client_id,
        "placed_at": START,
    }
    return WorkingOrder(**(fields | changes))


def ended_order_of(trade: Trade, state: str, **changes: Any) -> HistoryOrder:
    fields: dict[str, Any] = {
        "order_id": trade.order_id or f"O{trade.leg}",
        "position_id": None,
        "symbol": trade.symbol,
        "side": trade.side,
        "lots": trade.volume,
        "state": state,
        "magic": trade.magic,
        "client_id": trade.client_id,
        "done_at": after(1),
    }
    return HistoryOrder(**(fields | changes))


def deal_of(trade: Trade, *, is_exit: bool, lots: str = "0.10", **changes: Any) -> Deal:
    fields: dict[str, Any] = {
        "deal_id": f"D{trade.leg}{is_exit}{lots}",
        "order_id": None,
        "position_id": trade.position_id or f"P{trade.leg}",
        "symbol": trade.symbol,
        "side": trade.side.opposite if is_exit else trade.side,
        "lots": Lots.of(lots),
        "price": Price.of("2355" if is_exit else "2350"),
        "is_exit": is_exit,
        "profit": Decimal(50) if is_exit else Decimal(0),
        "swap": Decimal(0),
        "commission": Decimal(-1),
        "magic": trade.magic,
        "client_id": None if is_exit else trade.client_id,
        "reason": "take_profit" if is_exit else "expert",
        "at": after(10 if is_exit else 0),
    }
    return Deal(**(fields | changes))


def unnamed(fact: Position, client: str | None = None) -> Position:
    """The same position with a comment that is not our client id."""
    return replace(fact, client_id=None if client is None else ClientId(client))
