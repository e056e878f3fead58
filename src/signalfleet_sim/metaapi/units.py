"""Stops and targets given as a distance: what they are in price."""

from dataclasses import dataclass
from decimal import Decimal

from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.money import Lots


class UnitError(Exception):
    """The distance has no price: an unknown unit, or pips where no pip size is defined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """What a distance is measured with: one volume of one symbol on one account."""

    instrument: Instrument
    quote: Quote
    lots: Lots
    balance: Decimal

    def distance(self, amount: Decimal, units: str) -> Decimal:
        """Return the distance in price that the amount stands for."""
        match units:
            case "RELATIVE_PRICE":
                return amount
            case "RELATIVE_POINTS":
                return amount * self.instrument.point
            case "RELATIVE_PIPS" if self.instrument.pip_size is not None:
                return amount * self.instrument.pip_size
            case "RELATIVE_CURRENCY":
                return self._of_money(amount)
            case "RELATIVE_BALANCE_PERCENTAGE":
                return self._of_money(self.balance * amount / 100)
            case _:
                raise UnitError(units)

    def _of_money(self, money: Decimal) -> Decimal:
        tick_money = self.quote.loss_tick_value * self.lots.value
        return money / tick_money * self.instrument.tick_size if tick_money else Decimal(0)
