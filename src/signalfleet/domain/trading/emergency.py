"""What may be done at the broker before the store knows of it: only what lessens a known risk."""

from signalfleet.domain.instruments.model import Side
from signalfleet.domain.money import Price
from signalfleet.domain.trading.intents import CancelLeg, CloseLeg, Command, ProtectLeg
from signalfleet.domain.trading.records import Trade


def may_act_unstored(command: Command, trade: Trade | None) -> bool:
    """Tell whether a command may be sent while only the emergency journal holds it.

    Opening, closing a part and moving a pending order wait: done twice they do harm.
    """
    if trade is None:
        return False
    match command:
        case CloseLeg() | CancelLeg():
            return True
        case ProtectLeg(stop_loss=Price() as stop):
            return _is_no_wider(trade, stop)
        case _:
            return False


def _is_no_wider(trade: Trade, stop: Price) -> bool:
    if trade.stop_loss is None:
        return True
    if trade.side is Side.BUY:
        return stop.value >= trade.stop_loss.value
    return stop.value <= trade.stop_loss.value
