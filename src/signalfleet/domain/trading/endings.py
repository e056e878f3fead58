"""Ending a trade because of a rule or the user's wish: what to send, and when to send it again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from signalfleet.domain.trading.intents import CancelLeg, CloseLeg, Intent
from signalfleet.domain.trading.records import Trade, TradeState
from signalfleet.domain.trading.timers import Duty

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
