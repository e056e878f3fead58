"""The simulated broker: a matching engine behind an order desk that may lose, delay or refuse.

What it received and what it executed is the truth that the laws are judged by. It lives on when
the product's process dies.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from drills.sim.loop import VirtualClock
from drills.sim.plan import Faults
from drills.sim.wire import command_of
from signalfleet.domain.exchange.engine import Exchange
from signalfleet.domain.exchange.model import (
    AccountTerms,
    Change,
    Deal,
    Done,
    Order,
    Outcome,
    Position,
    Refused,
)
from signalfleet.domain.exchange.prices import PriceBoard
from signalfleet.domain.ids import AccountId
from signalfleet.domain.instruments.model import Instrument
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.trading.orders import BrokerOrder, OpenOrder
from signalfleet.domain.trading.outcomes import Accepted, Rejected, Unknown
from signalfleet.domain.trading.outcomes import Outcome as Reply

INFLIGHT_S: Final = 90.0
TICK_S: Final = 4.0
BALANCE: Final = Decimal(10_000_000)
MID: Final = {"EURUSD": "1.10000", "GBPUSD": "1.27000", "AUDUSD": "0.66000", "XAUUSD": "2350.00"}
SILENT: Final = frozenset({"lost", "late", "never", "no_id_lost"})
UNSURE: Final = ("timeout", "timeout", "reset", "http_504")


def _instrument(name: str) -> Instrument:
    gold = name == "XAUUSD"
    return Instrument(
        name=name,
        digits=2 if gold else 5,
        tick_size=Decimal("0.01") if gold else Decimal("0.00001"),
        point=Decimal("0.01") if gold else Decimal("0.00001"),
        contract_size=Decimal(100 if gold else 100_000),
        min_lots=Lots.of("0.01"),
        max_lots=Lots.of(50),
        lot_step=Decimal("0.01"),
        pip_size=Decimal("0.1") if gold else Decimal("0.0001"),
        base_currency=name[:3],
        profit_currency="USD",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An order as it reached the broker; `life` sent it."""

    order: BrokerOrder
    at: datetime
    fate: str
    life: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """An opening that was carried out, by the client id that it was sent with."""

    client_id: str
    at: datetime
    ticket: int


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The books at one moment, for looks that lag behind."""

    at: float
    positions: tuple[Position, ...]
    orders: tuple[Order, ...]
    history: int
    deals: int


class Market:
    """One account at one broker. `faults` may be replaced while it runs.

    `pending` counts orders that were received and are still to be carried out, `unawaited` those
    that were carried out when nobody waited for their answer any more.
    """

    def __init__(
        self,
        rng: random.Random,
        faults: Faults,
        volatility: float,
        clock: VirtualClock,
        note: Callable[[str], None],
    ) -> None:
        self.faults = faults
        self.received: list[Received] = []
        self.executed: list[Executed] = []
        self.refusals = 0
        self.pending = 0
        self.unawaited = 0
        self._rng = rng
        self._volatility = volatility
        self._clock = clock
        self._note = note
        self._loop = asyncio.get_running_loop()
        self.board = PriceBoard()
        self._mids = {name: Decimal(mid) for name, mid in MID.items()}
        for name in MID:
            self.board.put_instrument(_instrument(name))
        self._account = AccountId("broker-1")
        self._is_changed = False
        self._exchange = Exchange(self.board, observe=self._observe)
        self._quote_all()
        self.book = self._exchange.open_account(
            self._account, AccountTerms(), BALANCE, self._clock.now()
        )
        self.views = [View(at=0.0, positions=(), orders=(), history=0, deals=1)]
        self._loop.call_later(TICK_S, self._tick)

    def draw_fate(self) -> str:
        fates = self.faults.fates
        return self._rng.choices(list(fates), weights=list(fates.values()))[0]

    def receive(self, order: BrokerOrder, fate: str, life: int) -> asyncio.Future[Reply]:
        """Take an order off the wire; the future may stay without an answer for ever."""
        self.received.append(Received(order=order, at=self._clock.now(), fate=fate, life=life))
        self._note(f"received by life {life}, fate {fate}: {order}")
        answer: asyncio.Future[Reply] = self._loop.create_future()
        delay = self._rng.uniform(0.02, 0.4)
        if fate == "slow":
            delay = self._rng.uniform(1, 14)
        elif fate == "late":
            delay = self._rng.uniform(0, INFLIGHT_S)
        if fate in SILENT:
            cause = self._rng.choice(UNSURE)
            if cause != "timeout":
                lost = Unknown(cause=cause)
                self._loop.call_later(self._rng.uniform(0, 5), _answer, answer, lost)
        match fate:
            case "reject":
                no = Rejected(code="10006", text="rejected")
                self._loop.call_later(delay, _answer, answer, no)
            case "again":
                requote = Rejected(code="10004", text="requote", again=True)
                self._loop.call_later(delay, _answer, answer, requote)
            case "never":
                pass
            case _:
                self.pending += 1
                self._loop.call_later(delay, self._carry_out, order, fate, answer)
        return answer

    def view(self, lag_s: float) -> View:
        """Return the books as they were that long ago."""
        wanted = self._loop.time() - lag_s
        for view in reversed(self.views):
            if view.at <= wanted:
                return view
        return self.views[0]

    def history(self, view: View) -> list[Order]:
        return self.book.history[: view.history]

    def deals(self, view: View) -> list[Deal]:
        return self.book.deals[: view.deals]

    def stand_still(self) -> None:
        """Move prices no more, so that the last look can have seen everything."""
        self._volatility = 0.0

    def quote_now(self, symbol: str) -> None:
        """Stamp the symbol's price with this moment."""
        self._quote(symbol)

    def _carry_out(self, order: BrokerOrder, fate: str, answer: asyncio.Future[Reply]) -> None:
        self.pending -= 1
        self.unawaited += answer.cancelled()
        hidden = fate.startswith("no_id")
        outcome = self._exchange.execute(
            self._account, command_of(order, hidden=hidden), self._clock.now()
        )
        self._see_changes()
        self._note(f"executed: {outcome}")
        if isinstance(outcome, Refused):
            self.refusals += 1
        elif isinstance(order, OpenOrder):
            ticket = outcome.position or outcome.order or 0
            self.executed.append(
                Executed(client_id=order.client_id, at=self._clock.now(), ticket=ticket)
            )
        if fate not in SILENT:
            self._loop.call_later(self._rng.uniform(0.01, 0.2), _answer, answer, _reply(outcome))

    def _tick(self) -> None:
        self._loop.call_later(self._rng.uniform(0.5, 1.5) * TICK_S, self._tick)
        now = self._clock.now()
        for name in MID:
            if self._volatility:
                step = Decimal(str(round(self._rng.gauss(0, self._volatility), 7)))
                self._mids[name] *= 1 + step
            self._quote(name)
            self._exchange.on_quote(name, now)
        self._exchange.expire(now)
        self._see_changes()

    def _quote_all(self) -> None:
        for name in MID:
            self._quote(name)

    def _quote(self, name: str) -> None:
        tick = Decimal("0.01") if name == "XAUUSD" else Decimal("0.00001")
        bid = Price(self._mids[name]).rounded(tick)
        ask = Price(bid.value + 5 * tick)
        self.board.update(name, bid, ask, self._clock.now())

    def _observe(self, change: Change) -> None:
        del change
        self._is_changed = True

    def _see_changes(self) -> None:
        if not self._is_changed:
            return
        self._is_changed = False
        self.views.append(
            View(
                at=self._loop.time(),
                positions=tuple(self.book.positions.values()),
                orders=tuple(self.book.orders.values()),
                history=len(self.book.history),
                deals=len(self.book.deals),
            )
        )


def _answer(answer: asyncio.Future[Reply], reply: Reply) -> None:
    if not answer.done():
        answer.set_result(reply)


def _reply(outcome: Outcome) -> Reply:
    match outcome:
        case Done(order=order, position=position):
            return Accepted(
                code="10009",
                order_id=None if order is None else str(order),
                position_id=None if position is None else str(position),
            )
        case Refused(reason=reason, text=text):
            gone = reason.value in ("position_not_found", "order_not_found")
            return Rejected(code=reason.value, text=text, already_so=gone)
