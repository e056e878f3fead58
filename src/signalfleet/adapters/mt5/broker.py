"""The broker port for one local terminal."""

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Self, TypeAlias, TypeVar

import structlog

from signalfleet.adapters.mt5 import limits, mapping, requests
from signalfleet.adapters.mt5.client import Job, Mt5Module, TerminalThread
from signalfleet.adapters.mt5.errors import CODES, NOT_SENT, REFUSED_LOCALLY, Verdict
from signalfleet.adapters.mt5.mapping import Tuple, UnreadableError
from signalfleet.adapters.mt5.names import KeptNames, names_in
from signalfleet.domain.errors import DomainError
from signalfleet.domain.instruments.model import Instrument, Quote, Side
from signalfleet.domain.risk.facts import Movement
from signalfleet.domain.trading.orders import (
    BrokerOrder,
    CancelOrder,
    ClosePosition,
    ModifyOrder,
    ModifyPosition,
    OpenOrder,
    ReducePosition,
)
from signalfleet.domain.trading.outcomes import Accepted, Outcome, Rejected, Unknown
from signalfleet.domain.trading.reports import AccountFacts, Snapshot
from signalfleet.ports.broker import Gate, MarginQuestion
from signalfleet.ports.clock import Clock
from signalfleet.ports.errors import NotSentError, RefusedError, TemporaryError
from signalfleet.ports.secrets import Secret

log = structlog.get_logger()

T = TypeVar("T")
LateOutcome: TypeAlias = Callable[[BrokerOrder, Outcome], None]

_POSITION_GONE = Rejected(
    code="ERR_TRADE_POSITION_NOT_FOUND", text="no such position", already_so=True
)
_ORDER_GONE = Rejected(code="ERR_TRADE_ORDER_NOT_FOUND", text="no such order", already_so=True)


class Mt5Broker:
    """Use it as an async context. `late` hears what became of an order that was given up on."""

    def __init__(
        self,
        module: Mt5Module,
        *,
        login: int,
        password: Secret,
        server: str,
        clock: Clock,
        path: str | None = None,
        late: LateOutcome | None = None,
    ) -> None:
        self._module = module
        self._login = login
        self._password = password
        self._server = server
        self._path = path
        self._clock = clock
        self._late = late
        self._thread: TerminalThread | None = None
        self._offset = timedelta(0)
        self._names = KeptNames(clock)

    async def __aenter__(self) -> Self:
        self._thread = TerminalThread(self._module)
        try:
            await self._call(self._initialize)
        except BaseException:
            await self._thread.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._thread is not None:
            self._thread.start(self._module.shutdown)
            await self._thread.aclose()

    @property
    def moves_stops(self) -> bool:
        return False

    @property
    def look_pause(self) -> timedelta:
        return timedelta(0)

    async def submit(self, order: BrokerOrder, gate: Gate) -> Outcome:
        if self._thread is None:
            raise NotSentError("the local terminal is not open", reason="closed")
        call = _Call(self._module, order, gate, self._offset)
        job = self._thread.start(call.run)
        try:
            async with asyncio.timeout(limits.CALL_S):
                outcome: Outcome = await asyncio.shield(job.done)
        except TimeoutError:
            if call.give_up():
                raise NotSentError("the terminal is busy", reason="terminal_busy") from None
            self._hand_over(job, order)
            return Unknown(cause="timeout")
        except asyncio.CancelledError:
            if not call.give_up():
                self._hand_over(job, order)
            raise
        return outcome

    async def snapshot(self, since: datetime, *, full: bool, urgent: bool = False) -> Snapshot:
        del urgent  # Nothing is held back here.
        begun_at, offset = self._clock.now(), self._offset
        rows = await self._call(lambda module: _read(module, since, begun_at, offset, full=full))
        positions, ok_positions = mapping.map_all(
            rows.positions, lambda row: mapping.position(row, offset)
        )
        orders, ok_orders = mapping.map_all(
            rows.orders, lambda row: mapping.working_order(row, offset)
        )
        history, ok_history = mapping.map_all(
            rows.history, lambda row: mapping.history_order(row, offset)
        )
        deals, ok_deals = mapping.map_all(rows.deals, lambda row: mapping.deal(row, offset))
        whole = ok_positions and ok_orders and ok_history and ok_deals
        return Snapshot(
            positions=positions,
            orders=orders,
            history_orders=tuple(o for o in history if o.done_at is None or o.done_at >= since),
            deals=tuple(deal for deal in deals if deal.at >= since),
            begun_at=begun_at,
            full=full,
            complete=whole and rows.whole,
        )

    async def account(self) -> AccountFacts:
        def read(module: Mt5Module) -> AccountFacts:
            info, terminal = module.account_info(), module.terminal_info()
            if info is None or terminal is None:
                raise TemporaryError("the local terminal shows no account now")
            if info.login != self._login:
                raise RefusedError("the local terminal was logged in to another account")
            return mapping.account_facts(info, terminal, self._clock.now())

        return await self._call(read)

    async def movements(self, since: datetime) -> tuple[Movement, ...]:
        offset = self._offset
        start, end = mapping.span(since, self._clock.now(), offset)
        rows = await self._call(lambda module: module.history_deals_get(start, end))
        if rows is None:
            raise TemporaryError("the local terminal shows no history now")
        found, whole = mapping.map_all(rows, lambda row: mapping.movement(row, offset))
        if not whole:
            raise TemporaryError("a row of the local terminal's history cannot be read")
        return tuple(one for one in found if one.at >= since)

    async def symbols(self) -> frozenset[str]:
        return await self._names.get(lambda: self._call(names_in))

    async def instrument(self, symbol: str) -> Instrument:
        return await self._call(lambda module: mapping.instrument(_info(module, symbol)))

    async def quote(self, symbol: str) -> Quote:
        def read(module: Mt5Module) -> tuple[Tuple, Tuple]:
            info = _info(module, symbol)
            return info, _tick(module, symbol)

        info, tick = await self._call(read)
        measured = mapping.offset_of(int(tick.time), self._clock.now())
        if measured is not None:
            self._offset = measured
        try:
            return mapping.quote(info, tick, self._offset)
        except (UnreadableError, DomainError) as e:
            raise TemporaryError(f"there is no usable price of {symbol} now: {e}") from e

    async def margin(self, question: MarginQuestion) -> Decimal | None:
        is_buy = question.side is Side.BUY
        kind = limits.ORDER_TYPE_BUY if is_buy else limits.ORDER_TYPE_SELL

        def read(module: Mt5Module) -> float | None:
            return module.order_calc_margin(
                kind, question.symbol, float(question.lots.value), float(question.price.value)
            )

        margin = await self._call(read)
        return None if margin is None else mapping.exact(margin)

    def _initialize(self, module: Mt5Module) -> None:
        given = {
            "login": self._login,
            "password": self._password.reveal(),
            "server": self._server,
        }
        opened = (
            module.initialize(self._path, **given) if self._path else module.initialize(**given)
        )
        if not opened:
            number = module.last_error()[0]
            raise TemporaryError(f"the local terminal could not be opened (error {number})")
        info = module.account_info()
        if info is None or info.login != self._login:
            raise RefusedError("the local terminal is logged in to another account")
        for known in module.symbols_get() or ():
            # The newest tick of any symbol tells the broker's zone.
            tick = module.symbol_info_tick(str(known.name))
            measured = mapping.offset_of(int(tick.time), self._clock.now()) if tick else None
            if measured is not None:
                self._offset = measured
                return

    async def _call(self, work: Callable[[Mt5Module], T]) -> T:
        if self._thread is None:
            raise TemporaryError("the local terminal is not open")
        try:
            return await self._thread.call(work)
        except (UnreadableError, DomainError) as e:
            raise TemporaryError(f"the local terminal answered unreadably: {e}") from e

    def _hand_over(self, job: Job, order: BrokerOrder) -> None:
        late = self._late

        def ended(done: "asyncio.Future[Outcome]") -> None:
            if not done.cancelled() and done.exception() is None and late is not None:
                late(order, done.result())

        job.done.add_done_callback(ended)


class _Rows:
    """What the terminal gave; not `whole` if it failed to give a part."""

    def __init__(self) -> None:
        self.whole = True
        self.positions: tuple[Tuple, ...] = ()
        self.orders: tuple[Tuple, ...] = ()
        self.history: tuple[Tuple, ...] = ()
        self.deals: tuple[Tuple, ...] = ()

    def take(self, module: Mt5Module, found: Tuple) -> tuple[Tuple, ...]:
        """None stands for nothing as well as for a failure; only the last error tells which."""
        if found is not None:
            return tuple(found)
        if module.last_error()[0] != limits.RES_S_OK:
            self.whole = False
        return ()


def _read(
    module: Mt5Module, since: datetime, now: datetime, offset: timedelta, *, full: bool
) -> _Rows:
    terminal = module.terminal_info()
    if terminal is None:
        raise TemporaryError("the local terminal does not answer")
    rows = _Rows()
    rows.whole = bool(terminal.connected)
    rows.positions = rows.take(module, module.positions_get())
    rows.orders = rows.take(module, module.orders_get())
    if full:
        start, end = mapping.span(since, now, offset)
        rows.history = rows.take(module, module.history_orders_get(start, end))
        rows.deals = rows.take(module, module.history_deals_get(start, end))
    return rows


def _info(module: Mt5Module, symbol: str) -> Tuple:
    info = module.symbol_info(symbol)
    if info is None:
        raise RefusedError(f"the account has no symbol {symbol}")
    return info


def _tick(module: Mt5Module, symbol: str) -> Tuple:
    module.symbol_select(symbol, True)  # noqa: FBT003
    tick = module.symbol_info_tick(symbol)
    if tick is None or not tick.bid or not tick.ask:
        raise TemporaryError(f"there is no price of {symbol} now")
    return tick


class _Call:
    """One order in the terminal's thread; whoever waits for it can give it up until it is sent."""

    def __init__(
        self, module: Mt5Module, order: BrokerOrder, gate: Gate, offset: timedelta
    ) -> None:
        self._module = module
        self._order = order
        self._gate = gate
        self._offset = offset
        self._lock = threading.Lock()
        self._given_up = False
        self._sent = False

    def give_up(self) -> bool:
        """Return whether the order was not sent, and then never will be."""
        with self._lock:
            self._given_up = True
            return not self._sent

    def run(self) -> Outcome:
        try:
            request = self._request()
        except (RefusedError, TemporaryError, UnreadableError, DomainError) as e:
            raise NotSentError(f"the terminal cannot take it: {e}", reason="no_price") from e
        if isinstance(request, Rejected):
            return request
        self._check()
        with self._lock:
            if self._given_up:
                raise NotSentError("nobody waits for this order any more", reason="given_up")
            self._sent = True
        result = self._module.order_send(request)
        if result is None:
            return self._without_result()
        return _judge(int(result.retcode), result, entry=isinstance(self._order, OpenOrder))

    def _check(self) -> None:
        try:
            self._gate()
        except NotSentError:
            raise
        except Exception as e:
            log.exception("order_gate_failed")
            raise NotSentError("the last check itself failed", reason="gate_failed") from e

    def _request(self) -> requests.Request | Rejected:
        module, order = self._module, self._order
        match order:
            case OpenOrder():
                info = _info(module, order.symbol)
                return requests.opening(order, info, _tick(module, order.symbol), self._offset)
            case ClosePosition() | ReducePosition():
                held = self._one(module.positions_get, order.position_id)
                if held is None:
                    return _POSITION_GONE
                info, tick = _info(module, held.symbol), _tick(module, held.symbol)
                lots = order.lots if isinstance(order, ReducePosition) else None
                return requests.closing(held, info, tick, lots, order.client_id)
            case ModifyPosition():
                held = self._one(module.positions_get, order.position_id)
                if held is None:
                    return _POSITION_GONE
                return requests.levels(order, held, _info(module, held.symbol))
            case ModifyOrder():
                working = self._one(module.orders_get, order.order_id)
                if working is None:
                    return _ORDER_GONE
                return requests.amending(order, working, _info(module, working.symbol))
            case CancelOrder():
                working = self._one(module.orders_get, order.order_id)
                return _ORDER_GONE if working is None else requests.removing(working)

    def _one(self, find: Callable[..., Tuple], ticket: str) -> Tuple | None:
        """Return the row of a ticket; TemporaryError if the terminal could not look."""
        number = int(ticket) if ticket.isascii() and ticket.isdecimal() else 0
        found = find(ticket=number)
        if found is None and self._module.last_error()[0] != limits.RES_S_OK:
            raise TemporaryError("the terminal could not look for the ticket")
        return found[0] if found else None

    def _without_result(self) -> Outcome:
        number = int(self._module.last_error()[0])
        if number in NOT_SENT:
            raise NotSentError("no terminal was there", reason="no_terminal")
        if number in REFUSED_LOCALLY:
            return Rejected(code=REFUSED_LOCALLY[number], text="the package refused the request")
        return Unknown(cause=f"error_{number}")


def _judge(number: int, result: Tuple, *, entry: bool) -> Outcome:
    if number not in CODES:
        return Unknown(cause=f"code_{number}")
    name, verdict = CODES[number]
    text = str(result.comment or "")[: limits.TEXT_CHARS]
    match verdict:
        case Verdict.ACCEPTED:
            order_id = str(result.order) if result.order else None
            # On a hedging account a market order's ticket is its position's.
            is_deal = result.request.action == limits.TRADE_ACTION_DEAL
            held = getattr(result.request, "position", 0)
            position_id = str(held) if held else (order_id if is_deal else None)
            return Accepted(code=name, order_id=order_id, position_id=position_id)
        case Verdict.AGAIN:
            return Rejected(code=name, text=text, again=True)
        case Verdict.REFUSED:
            return Rejected(code=name, text=text)
        case Verdict.ALREADY_SO if not entry:
            return Rejected(code=name, text=text, already_so=True)
        case _:
            return Unknown(cause=f"code_{number}")
