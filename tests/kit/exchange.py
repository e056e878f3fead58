"""A small market for the matching engine: three instruments, one account, prices set by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from signalfleet.domain.exchange.costs import NO_COSTS, Costs
from signalfleet.domain.exchange.engine import Exchange
from signalfleet.domain.exchange.model import (
    AccountTerms,
    Command,
    Done,
    OpenPosition,
    OrderKind,
    Outcome,
    PlaceOrder,
    Refused,
    RejectReason,
)
from signalfleet.domain.exchange.prices import PriceBoard
from signalfleet.domain.ids import AccountId
from signalfleet.domain.instruments.model import Instrument, Side
from signalfleet.domain.money import Lots, Price

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACCOUNT = AccountId("acc-1")


def an_instrument(name: str = "EURUSD", **changes: Any) -> Instrument:
    fields: dict[str, Any] = {
        "name": name,
        "digits": 5,
        "tick_size": Decimal("0.00001"),
        "point": Decimal("0.00001"),
        "contract_size": Decimal(100_000),
        "min_lots": Lots.of("0.01"),
        "max_lots": Lots.of(50),
        "lot_step": Decimal("0.01"),
        "pip_size": Decimal("0.0001"),
        "base_currency": name[:3],
        "profit_currency": name[3:6],
    }
    return Instrument(**(fields | changes))


USDJPY = an_instrument("USDJPY", digits=3, tick_size=Decimal("0.001"), point=Decimal("0.001"))
XAUUSD = an_instrument(
    "XAUUSD",
    digits=2,
    tick_size=Decimal("0.01"),
    point=Decimal("0.01"),
    contract_size=Decimal(100),
)


class Floor:
    """An exchange with one funded account and a clock that moves when told to."""

    def __init__(
        self,
        *instruments: Instrument,
        balance: str = "10000",
        costs: Costs = NO_COSTS,
        terms: AccountTerms | None = None,
    ) -> None:
        self.now = START
        self.board = PriceBoard()
        for instrument in instruments or (an_instrument(), USDJPY, XAUUSD):
            self.board.put_instrument(instrument)
        self.exchange = Exchange(self.board, costs=costs, first_ticket=1)
        self.book = self.exchange.open_account(
            ACCOUNT, terms or AccountTerms(), Decimal(balance), self.now
        )

    def quote(self, bid: str, ask: str, symbol: str = "EURUSD", *, continuous: bool = False) -> int:
        """Set a price and run what it touches; return how many levels fired."""
        self.now += timedelta(seconds=1)
        self.board.update(symbol, Price.of(bid), Price.of(ask), self.now)
        return self.exchange.on_quote(symbol, self.now, continuous=continuous)

    def do(self, command: Command, slip: str = "0") -> Outcome:
        return self.exchange.execute(ACCOUNT, command, self.now, slip=Decimal(slip))

    def done(self, command: Command) -> Done:
        outcome = self.do(command)
        assert isinstance(outcome, Done), outcome
        return outcome

    def refusal(self, command: Command) -> RejectReason:
        outcome = self.do(command)
        assert isinstance(outcome, Refused), outcome
        return outcome.reason

    def opened(self, side: Side = Side.BUY, lots: str = "0.10", **more: Any) -> int:
        """Open at the market; return the position's ticket."""
        position = self.done(a_market_order(side, lots, **more)).position
        assert position is not None
        return position

    def placed(self, kind: OrderKind, side: Side, price: str, **more: Any) -> int:
        order = self.done(a_pending_order(kind, side, price, **more)).order
        assert order is not None
        return order


def levels(stop: str | None = None, target: str | None = None) -> dict[str, Any]:
    return {
        "stop_loss": None if stop is None else Price.of(stop),
        "take_profit": None if target is None else Price.of(target),
    }


def a_market_order(side: Side = Side.BUY, lots: str = "0.10", **more: Any) -> OpenPosition:
    fields: dict[str, Any] = {"symbol": "EURUSD", "side": side, "lots": Lots.of(lots)}
    return OpenPosition(**(fields | more))


def a_pending_order(
    kind: OrderKind, side: Side, price: str, lots: str = "0.10", **more: Any
) -> PlaceOrder:
    fields: dict[str, Any] = {
        "symbol": "EURUSD",
        "side": side,
        "kind": kind,
        "lots": Lots.of(lots),
        "price": Price.of(price),
    }
    return PlaceOrder(**(fields | more))
