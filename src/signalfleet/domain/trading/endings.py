"""Ending a trade because of a rule or the user's wish: what to send, and when to send it again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.settings.choices import ExitPolicy
from signalfleet.domain.trading.care import Care
from signalfleet.domain.trading.intents import CancelLeg, CloseLeg, Intent, ProtectLeg
from signalfleet.domain.trading.protect import even_price, tighter
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.timers import Duty

EXIT: Final = "exit"
FIRST_RETRY: Final = timedelta(seconds=15)
LONGEST_RETRY: Final = timedelta(minutes=10)


def ending_of(trade: Trade, rule: str, text: str) -> Duty | None:
    """Return how to end a trade; None while its entry is on its way, or if it ended already.

    Closing and cancelling are rules of their own: a pending order may fill before it is cancelled.
    """
    match trade.state:
        case TradeState.OPEN:
            return Duty(rule=f"{rule}:close", command=CloseLeg(), text=text)
        case TradeState.PENDING:
            return Duty(rule=f"{rule}:cancel", command=CancelLeg(), text=text)
        case _:
            return None


def exit_duty(trade: Trade, policy: ExitPolicy, text: str, quote: Quote | None) -> Duty | None:
    """Return what an exit does to a trade now, but for its stop; without a price it waits."""
    if policy is ExitPolicy.CLOSE_ONLY:
        return None
    if trade.state is TradeState.PENDING or policy is ExitPolicy.FLATTEN:
        return ending_of(trade, EXIT, text)
    if policy is not ExitPolicy.CLOSE_WINNERS or quote is None or trade.open_price is None:
        return None
    gain = (quote.to_close(trade.side).value - trade.open_price.value) * trade.side.sign
    return ending_of(trade, EXIT, text) if gain > 0 else None


def even_duty(trade: Trade, care: Care, instrument: Instrument, text: str) -> Duty | None:
    """Have the stop go to the entry as soon as the price allows it; None if it is there."""
    if trade.state is not TradeState.OPEN or trade.open_price is None:
        return None
    even = even_price(trade.side, trade.open_price, care, instrument)
    if care.armed == even or tighter(trade.side, trade.stop_loss, even) == trade.stop_loss:
        return None
    levels = ProtectLeg(
        stop_loss=trade.stop_loss,
        take_profit=trade.take_profit,
        care=replace(care, armed=even),
    )
    return Duty(rule=f"{EXIT}:even", command=levels, text=text)


def next_cause(duty: Duty, intents: Sequence[Intent], now: datetime) -> str | None:
    """Return the cause to act under; None while it is being done or was asked a moment ago.

    It is asked again until the broker shows that the trade is over, whatever the answers said.
    """
    prefix = f"rule:{duty.rule}"
    before = [i for i in intents if i.cause == prefix or i.cause.startswith(f"{prefix}#")]
    if not before:
        return prefix
    last = max(before, key=lambda intent: intent.created_at)
    if not last.state.is_final or last.settled_at is None:
        return None
    pause = min(FIRST_RETRY * 2 ** min(len(before) - 1, 10), LONGEST_RETRY)
    return f"{prefix}#{len(before)}" if now - last.settled_at >= pause else None
