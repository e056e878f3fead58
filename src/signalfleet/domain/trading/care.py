"""What we do for an open leg by ourselves: fixed when it was planned, changed only by messages.

It is kept with the leg's orders, so that a restart or a change of settings alters no open trade.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.money import Lots, Price
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import Trailing
from signalfleet.domain.settings.distances import Distance, Ruler
from signalfleet.domain.settings.protection import BreakEvenMode, BreakEvenWhen, Rung

SIDES = 2
"""Brokers take their commission at each deal; a position shows the first half of it."""
MESSAGE_ONLY = BreakEvenWhen(mode=BreakEvenMode.MESSAGE_ONLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """`targets` by their number, from the first. `first_stop` says what R is.

    `costs` is how far the price must go until a close costs nothing, `commission` the part of it
    that is commission, and `worth` what one lot earns when the price goes 1. `offset` in pips
    replaces the costs. `armed` is a stop that a message asked for and that the price does not
    allow yet.
    """

    pip: Decimal
    point: Decimal
    targets: tuple[Price | None, ...] = ()
    first_stop: Price | None = None
    costs: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    worth: Decimal | None = None
    offset: Decimal | None = None
    break_even: BreakEvenWhen = MESSAGE_ONLY
    trailing: Trailing = Trailing.OFF
    start: Distance | None = None
    distance: Distance | None = None
    step: Distance | None = None
    table: tuple[Rung, ...] = ()
    max_hours: Decimal | None = None
    armed: Price | None = None

    @property
    def beyond_entry(self) -> Decimal:
        """Return how far beyond the entry a stop at break-even is, in price."""
        return self.costs if self.offset is None else self.offset * self.pip

    @property
    def is_watched(self) -> bool:
        """Tell whether anything may be done to the stop without a further message."""
        moves = self.break_even.mode.is_automatic or self.trailing is not Trailing.OFF
        return moves or self.armed is not None

    def target(self, number: int) -> Price | None:
        return self.targets[number - 1] if 0 < number <= len(self.targets) else None

    def with_target(self, number: int, price: Price | None) -> "Care":
        """Return it with one target changed; a number beyond the last adds one."""
        if number < 1:
            return self
        gap = (None,) * (number - 1 - len(self.targets))
        padded = (*self.targets, *gap)
        return replace(self, targets=(*padded[: number - 1], price, *padded[number:]))

    def charged(self, commission: Decimal | None, lots: Lots) -> "Care":
        """Return it with what the broker took at the opening, and takes again at the close.

        Where the user's setting says more, that holds. Told twice, it changes nothing more.
        """
        if not commission or not lots.value or not self.worth:
            return self
        taken = abs(commission) * SIDES / (lots.value * self.worth)
        more = taken - self.commission
        if more <= 0:
            return self
        return replace(self, costs=self.costs + more, commission=taken)

    def ruler(self, price: Price) -> Ruler:
        """Return what distances are measured with, for a position opened at this price."""
        risk = None if self.first_stop is None else abs(price.value - self.first_stop.value)
        return Ruler(pip=self.pip, point=self.point, price=price.value, risk=risk or None)


def care_of_plan(
    rules: Rules,
    instrument: Instrument,
    quote: Quote,
    *,
    pip: Decimal,
    stop: Price | None,
    targets: Sequence[tuple[int, Price | None]],
) -> Care:
    """Fix what will be done for a leg; `targets` are numbered as the channel counts."""
    worth = quote.loss_tick_value / instrument.tick_size
    commission = rules.commission_per_lot / worth if worth > 0 else Decimal(0)
    care = Care(
        pip=pip,
        point=instrument.point,
        first_stop=stop,
        costs=quote.spread + commission,
        commission=commission,
        worth=worth if worth > 0 else None,
        offset=rules.break_even_offset,
        break_even=rules.break_even,
        trailing=rules.trailing,
        start=rules.trailing_start,
        distance=rules.trailing_distance,
        step=rules.trailing_step,
        table=rules.trailing_table,
        max_hours=rules.max_trade_age,
    )
    for number, price in targets:
        care = care.with_target(number, price)
    return care
