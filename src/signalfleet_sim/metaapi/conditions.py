"""The faults that are a state of things: they hold from now on, or for a while."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.exchange.model import Done, Label, OpenPosition, Reason
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Lots
from signalfleet_sim.market.clock import moment
from signalfleet_sim.metaapi.accounts import SimAccount
from signalfleet_sim.metaapi.faults import FaultError
from signalfleet_sim.metaapi.hours import daily
from signalfleet_sim.metaapi.world import World

Params = Mapping[str, Any]

_FOR_EVER: Final = 1e12


class Conditions:
    def __init__(
        self,
        world: World,
        refuse: Callable[[float], None],
        drain: Callable[[str, str, float], None],
    ) -> None:
        self._world = world
        self._drain = drain
        self._accounts: dict[str, Callable[[SimAccount, Params, float], None]] = {
            "lag": _lag,
            "frozen_snapshot": _frozen_snapshot,
            "missing_history": _missing_history,
            "synchronizing": _synchronizing,
            "hide_client_ids": _hide_client_ids,
            "rewrite_comments": _rewrite_comments,
            "foreign_position": _foreign_position,
            "second_page": _second_page,
            "disconnect_broker": _disconnect_broker,
            "undeploy": _undeploy,
            "move_region": _move_region,
            "server_time": _server_time,
            "trade_disabled": _trade_disabled,
            "investor": _investor,
            "stop_out": _stop_out,
            "payment": _payment,
            "credits": self._drain_credits,
        }
        self._worlds: dict[str, Callable[[Params], None]] = {
            "refuse": lambda params: refuse(float(params.get("s", 1.0))),
            "no_quotes": self._no_quotes,
            "close_market": self._close_market,
            "trade_hours": self._trade_hours,
            "spread": self._spread,
            "revoke_token": self._revoke_token,
        }

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self._accounts) | frozenset(self._worlds)

    def apply(self, kind: str, params: Params, account_id: str | None) -> None:
        """Bring a condition about, for one account or where none is named for all."""
        if kind in self._worlds:
            self._worlds[kind](params)
            return
        if account_id is not None and account_id not in self._world.accounts:
            raise FaultError(f"no account {account_id}")
        now = self._world.now()
        for account in self._world.accounts.values():
            # A draft has no books that anything could happen to.
            if account.login and account_id in {None, account.account_id}:
                self._accounts[kind](account, params, now)

    def _drain_credits(self, account: SimAccount, params: Params, _: float) -> None:
        """Leave a share of the credits, as if others had spent the rest."""
        scope = str(params.get("scope", "perUser"))
        keys = {"perUser": account.user_id, "perAccount": account.account_id}
        if scope not in keys:
            raise FaultError(f"credits are drained {' or '.join(keys)}, not {scope}")
        self._drain(scope, keys[scope], float(params.get("share", 0.0)))

    def _no_quotes(self, params: Params) -> None:
        for broker in self._world.brokers.values():
            for own, symbol in broker.market_symbol.items():
                if params.get("symbol") in {None, own, symbol}:
                    broker.stop_quotes(own, is_stopped=bool(params.get("is_stopped", True)))

    def _close_market(self, params: Params) -> None:
        for broker in self._world.brokers.values():
            for own, symbol in broker.market_symbol.items():
                if params.get("symbol") in {None, own, symbol}:
                    broker.close_market(own, is_closed=bool(params.get("is_closed", True)))

    def _trade_hours(self, params: Params) -> None:
        """Trade a symbol on working days between two times of the broker's clock only."""
        try:
            hours = daily(str(params.get("from")), str(params.get("to")))
        except DomainError as e:
            raise FaultError(str(e)) from e
        for broker in self._world.brokers.values():
            for own, symbol in broker.market_symbol.items():
                if params.get("symbol") in {own, symbol}:
                    broker.keep_hours(own, hours)

    def _spread(self, params: Params) -> None:
        points = params.get("points")
        try:
            ticks = None if points is None else int(points)
            self._world.market.set_spread(str(params.get("symbol")), ticks)
        except DomainError as e:
            raise FaultError(str(e)) from e
        self._world.spread_prices()

    def _revoke_token(self, params: Params) -> None:
        token = self._world.tokens.get(str(params.get("token")))
        if token is None:
            raise FaultError("no such token")
        token.is_revoked = bool(params.get("is_revoked", True))


def _until(params: Params, now: float) -> float:
    return now + float(params["s"]) if "s" in params else _FOR_EVER


def _lag(account: SimAccount, params: Params, _: float) -> None:
    of = params.get("of")
    if of not in account.view.queues:
        raise FaultError(f"lag is of {', '.join(account.view.queues)}, not {of}")
    account.view.queues[str(of)].extra_s = float(params.get("s", 5.0))


def _frozen_snapshot(account: SimAccount, params: Params, now: float) -> None:
    for queue in account.view.queues.values():
        queue.frozen_until = _until(params, now)


def _payment(account: SimAccount, params: Params, now: float) -> None:
    """Pay money into the account, or out of it."""
    try:
        amount = Decimal(str(params.get("amount")))
    except InvalidOperation as e:
        raise FaultError("a payment needs an amount") from e
    if not amount.is_finite():
        raise FaultError("a payment needs an amount")
    account.broker.exchange.deposit(account.account_id, amount, moment(now))


def _missing_history(account: SimAccount, params: Params, now: float) -> None:
    account.twists.missing_history_until = _until(params, now)


def _synchronizing(account: SimAccount, params: Params, now: float) -> None:
    account.twists.synchronizing_until = _until(params, now)


def _hide_client_ids(account: SimAccount, params: Params, now: float) -> None:
    account.twists.lost_client_ids_until = _until(params, now)


def _rewrite_comments(account: SimAccount, params: Params, now: float) -> None:
    account.twists.rewritten_comments_until = _until(params, now)


def _foreign_position(account: SimAccount, params: Params, now: float) -> None:
    symbol = str(params.get("symbol", account.broker.profile.symbol_of("EURUSD")))
    command = OpenPosition(
        symbol=symbol,
        side=Side(str(params.get("side", "buy"))),
        lots=Lots(Decimal(str(params.get("volume", "0.1")))),
        label=Label(magic=int(params.get("magic", 0)), reason=Reason.CLIENT),
    )
    outcome = account.broker.exchange.execute(account.account_id, command, moment(now))
    if not isinstance(outcome, Done):
        raise FaultError(f"the foreign position was refused: {outcome.text}")


def _second_page(account: SimAccount, params: Params, now: float) -> None:
    """Fill the history with payments of nothing, so that what comes next is on another page."""
    for _ in range(int(params.get("n", 1000))):
        account.broker.exchange.deposit(account.account_id, Decimal(0), moment(now))


def _disconnect_broker(account: SimAccount, params: Params, now: float) -> None:
    account.life.disconnected_until = _until(params, now)


def _undeploy(account: SimAccount, _: Params, now: float) -> None:
    account.life.undeploy(now)


def _move_region(account: SimAccount, params: Params, _: float) -> None:
    account.region = str(params.get("region", "london"))


def _server_time(account: SimAccount, params: Params, _: float) -> None:
    account.twists.server_time_offset_s = float(params.get("offset", 0.0))


def _trade_disabled(account: SimAccount, params: Params, _: float) -> None:
    book = account.broker.exchange.book(account.account_id)
    book.is_trade_allowed = not params.get("is_disabled", True)


def _investor(account: SimAccount, params: Params, _: float) -> None:
    account.is_investor = bool(params.get("is_investor", True))


def _stop_out(account: SimAccount, _: Params, now: float) -> None:
    """Take nearly all money out of the account, so that its margin no longer carries it."""
    exchange = account.broker.exchange
    figures = exchange.figures(account.account_id)
    exchange.deposit(account.account_id, 1 - figures.equity, moment(now))
    exchange.enforce_margin(moment(now))
