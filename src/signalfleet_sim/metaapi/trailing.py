"""Trailing stops as MetaApi runs them: by distance, by thresholds, at most one change a while."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from signalfleet.domain.exchange.model import Done, Position, SetLevels
from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Price
from signalfleet_sim.market.clock import moment
from signalfleet_sim.metaapi.accounts import SimAccount
from signalfleet_sim.metaapi.units import UnitError, Yardstick


@dataclass(slots=True)
class Trail:
    """What was asked for, as it came, and when it last moved the stop."""

    body: Mapping[str, Any]
    moved_at: float = float("-inf")


def trail(account: SimAccount, now: float, pause_s: float) -> None:
    """Move the stops of one account that may move now; forget those of closed positions."""
    exchange = account.broker.exchange
    book = exchange.book(account.account_id)
    for ticket, kept in list(account.trailing.items()):
        held = book.positions.get(ticket)
        if held is None:
            if ticket not in book.orders:
                del account.trailing[ticket]
            continue
        if now - kept.moved_at < pause_s:
            continue
        quote = account.broker.board.quote(held.symbol, book.terms.currency)
        instrument = account.broker.board.instrument(held.symbol)
        if quote is None or instrument is None:
            continue
        stick = Yardstick(instrument=instrument, quote=quote, lots=held.lots, balance=book.balance)
        stop = _best_stop(kept.body, held, stick)
        if stop is None:
            continue
        command = SetLevels(position=ticket, stop_loss=stop, take_profit=held.take_profit)
        outcome = exchange.execute(account.account_id, command, moment(now))
        if isinstance(outcome, Done) and outcome.is_changed:
            kept.moved_at = now


def _best_stop(body: Mapping[str, Any], held: Position, stick: Yardstick) -> Price | None:
    """Return the stop closest to the price that the rules give, if it tightens the present one."""
    sign, near = held.side.sign, stick.quote.to_close(held.side).value
    stops = []
    try:
        if distance := body.get("distance"):
            units = distance.get("units", "RELATIVE_PRICE")
            stops.append(near - sign * stick.distance(Decimal(distance["distance"]), units))
        if threshold := body.get("threshold"):
            stops += _threshold_stops(threshold, held, stick)
    except UnitError:
        return None
    if not stops:
        return None
    best = max(stops) if held.side is Side.BUY else min(stops)
    tick = stick.instrument.tick_size
    value = (best / tick).to_integral_value(ROUND_HALF_UP) * tick
    if value <= 0 or (held.stop_loss and (value - held.stop_loss.value) * sign <= 0):
        return None
    return Price(value)


def _threshold_stops(
    threshold: Mapping[str, Any], held: Position, stick: Yardstick
) -> list[Decimal]:
    """Return the stops of the thresholds that the price has reached.

    Relative ones count from the open price in the direction of profit, stops from the base.
    """
    units = threshold.get("units", "ABSOLUTE_PRICE")
    sign, near, opened = (
        held.side.sign,
        stick.quote.to_close(held.side).value,
        held.open_price.value,
    )
    base = near if threshold.get("stopPriceBase") == "CURRENT_PRICE" else opened
    stops = []
    for step in threshold.get("thresholds", ()):
        level, stop = Decimal(step["threshold"]), Decimal(step["stopLoss"])
        if units != "ABSOLUTE_PRICE":
            level = opened + sign * stick.distance(level, units)
            stop = base + sign * stick.distance(stop, units)
        if (near - level) * sign >= 0:
            stops.append(stop)
    return stops
