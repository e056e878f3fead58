"""`POST A/trade`: takes the time a broker takes, executes, and answers refusals in a 200 too."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

from aiohttp import web

from signalfleet.domain.exchange.model import (
    Command,
    Done,
    Label,
    OpenPosition,
    Outcome,
    PlaceOrder,
    Refused,
    SetLevels,
)
from signalfleet.domain.money import Lots
from signalfleet_sim.market.clock import moment
from signalfleet_sim.metaapi import codes
from signalfleet_sim.metaapi.accounts import SimAccount
from signalfleet_sim.metaapi.calls import Call, Twist
from signalfleet_sim.metaapi.errors import reply
from signalfleet_sim.metaapi.orders import BrokerRefusalError, check_shape, to_command
from signalfleet_sim.metaapi.trailing import Trail
from signalfleet_sim.metaapi.world import World


class TradeDesk:
    def __init__(self, world: World) -> None:
        self._world = world

    async def trade(self, call: Call) -> web.Response:
        world, account = self._world, call.account
        body = await call.body()
        world.journal.watch_trade(account, body, call.started)
        check_shape(body)
        low, high = world.habits.trade_latency_s
        latency = low + (high - low) * world.rng.random()
        if latency:
            await asyncio.sleep(latency / 2)
        answer = self._execute(call, account, body)
        if latency:
            await asyncio.sleep(latency / 2)
        return reply(answer)

    def _execute(self, call: Call, account: SimAccount, body: dict[str, Any]) -> dict[str, object]:
        now = self._world.now()
        if account.is_investor:
            return codes.answer(codes.INVESTOR)
        try:
            command = _twisted(to_command(body, account, moment(now)), call.twist, account)
            slip = self._slip(call.twist, account, body)
        except BrokerRefusalError as refusal:
            return codes.answer(refusal.code, refusal.text)
        exchange = account.broker.exchange
        outcome = exchange.execute(account.account_id, command, moment(now), slip=slip)
        if isinstance(outcome, Refused):
            return codes.answer(codes.OF_REASON[outcome.reason])
        account.traded_at = now
        _keep_trailing(account, body, command, outcome)
        self._write_down(call, account, body, outcome, now)
        return _answer(outcome, is_part=call.twist.share is not None)

    def _write_down(
        self, call: Call, account: SimAccount, body: dict[str, Any], done: Done, now: float
    ) -> None:
        self._world.journal.executed(
            {
                "requestId": call.number,
                "connection": call.connection,
                "account": account.account_id,
                "action": body["actionType"],
                "clientId": body.get("clientId"),
                "symbol": self._symbol(account, body, done),
                "side": _side(str(body["actionType"])),
                "volume": done.lots.value if done.lots else body.get("volume"),
                "price": done.price.value if done.price else None,
                "stopLoss": body.get("stopLoss"),
                "takeProfit": body.get("takeProfit"),
                "magic": body.get("magic"),
                "orderId": str(done.order) if done.order else None,
                "positionId": str(done.position) if done.position else None,
                "receivedAt": call.started,
                "executedAt": now,
            }
        )

    def _symbol(self, account: SimAccount, body: dict[str, Any], done: Done) -> str | None:
        if "symbol" in body:
            return str(body["symbol"])
        book = account.broker.exchange.book(account.account_id)
        if done.position in book.positions:
            return book.positions[done.position].symbol
        if done.order in book.orders:
            return book.orders[done.order].symbol
        return book.history[-1].symbol if book.history else None

    def _slip(self, twist: Twist, account: SimAccount, body: dict[str, Any]) -> Decimal:
        if not twist.slip_points:
            return Decimal(0)
        book = account.broker.exchange.book(account.account_id)
        symbol = body.get("symbol")
        ticket = str(body.get("positionId", ""))
        if symbol is None and ticket.isdecimal() and int(ticket) in book.positions:
            symbol = book.positions[int(ticket)].symbol
        instrument = account.broker.board.instrument(str(symbol))
        return instrument.point * twist.slip_points if instrument else Decimal(0)


def _twisted(command: Command, twist: Twist, account: SimAccount) -> Command:
    """Change what reaches the book as the call's fault asks."""
    if twist.is_straight or not isinstance(command, (OpenPosition, PlaceOrder)):
        return command
    label: Label = command.label
    if twist.is_client_id_lost:
        label = replace(label, client_id=None, comment=None)
    if twist.is_comment_rewritten:
        label = replace(label, client_id=None, comment="acc. mirrored")
    if twist.client_id_length is not None and label.client_id:
        label = replace(label, client_id=label.client_id[: twist.client_id_length])
    command = replace(command, label=label)
    if twist.share is not None:
        instrument = account.broker.board.instrument(command.symbol)
        if instrument is not None:
            part = Lots(command.lots.value * Decimal(twist.share)).floor_to(instrument.lot_step)
            command = replace(command, lots=max(part, instrument.min_lots))
    return command


def _keep_trailing(account: SimAccount, body: dict[str, Any], command: Command, done: Done) -> None:
    ticket = done.position or done.order
    if ticket is None:
        return
    if body.get("trailingStopLoss"):
        account.trailing[ticket] = Trail(body["trailingStopLoss"])
    elif isinstance(command, SetLevels):
        account.trailing.pop(ticket, None)


def _answer(outcome: Outcome, *, is_part: bool) -> dict[str, object]:
    if isinstance(outcome, Refused):
        return codes.answer(codes.OF_REASON[outcome.reason])
    code = codes.DONE if outcome.is_changed else codes.NO_CHANGES
    return codes.answer(
        codes.DONE_PARTIAL if is_part else code,
        orderId=str(outcome.order) if outcome.order else None,
        positionId=str(outcome.position) if outcome.position else None,
    )


def _side(action: str) -> str | None:
    if action.startswith("ORDER_TYPE_"):
        return action.split("_")[2].lower()
    return None
