"""What we do for an open leg by ourselves: fixed when it was planned, changed only by messages.

It is kept with the leg's orders, so that a restart or a change of settings alters no open trade.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from signalfleet.domain.instruments.model import Instrument, Quote
from signalfleet.domain.money import Price
from signalfleet.domain.settings.catalogue import Rules
from signalfleet.domain.settings.choices import Trailing
from signalfleet.domain.settings.distances import Distance, Ruler
from signalfleet.domain.settings.protection import BreakEvenMode, BreakEvenWhen, Rung

MESSAGE_ONLY = BreakEvenWhen(mode=BreakEvenMode.MESSAGE_ONLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """`targets` by their number, from the first. `first_stop` says what R is.

    `costs` is how far the price must go until a close costs nothing. `offset` in pips replaces it.
    `armed` is a stop that a message asked for and that the price does not allow yet.
    """

    pip: Decimal
    point: Decimal
    targets: tuple[Price | None, ...] = ()
    first_stop: Price | None = None
    costs: Decimal = Decimal(0)
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
    commission = Decimal(0)
    if quote.loss_tick_value > 0:
        commission = rules.commission_per_lot * instrument.tick_size / quote.loss_tick_value
    care = Care(
        pip=pip,
        point=instrument.point,
        first_stop=stop,
        costs=quote.spread + commission,
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
