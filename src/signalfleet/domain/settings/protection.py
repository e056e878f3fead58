"""When the stop of an open trade is moved by itself, and how long a trade may last."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.settings.choices import Trailing
from signalfleet.domain.settings.distances import Distance, Unit
from signalfleet.domain.settings.kinds import distance, optional
from signalfleet.domain.settings.values import (
    Kind,
    Merge,
    choice,
    list_of_text,
    number,
    setting,
)

MOST: Final = Decimal(100_000)
MAX_TARGET: Final = 20
MAX_RUNGS: Final = 20
COSTS: Final = "costs"
ENTRY: Final = "entry"


class BreakEvenMode(StrEnum):
    OFF = "off"
    MESSAGE_ONLY = "message_only"
    AT_TARGET = "at_target"
    AT_R = "at_r"
    AT_PIPS = "at_pips"

    @property
    def is_automatic(self) -> bool:
        return self not in (BreakEvenMode.OFF, BreakEvenMode.MESSAGE_ONLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEvenWhen:
    """What brings the stop to the entry; `amount` is a target's number, R or pips."""

    mode: BreakEvenMode
    amount: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        wanted = self.mode.is_automatic
        if not self.amount.is_finite() or wanted != (0 < self.amount <= MOST):
            raise DomainError("at_target, at_r and at_pips take a number above 0, the others none")
        is_target = self.mode is BreakEvenMode.AT_TARGET
        if is_target and (self.amount % 1 or self.amount > MAX_TARGET):
            raise DomainError(f"targets are numbered from 1 to {MAX_TARGET}")

    def __str__(self) -> str:
        return f"{self.mode.value} {self.amount:f}" if self.amount else self.mode.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """From a profit of `at` on the stop locks in `stop`; None is the entry itself."""

    at: Distance
    stop: Distance | None

    def __str__(self) -> str:
        return f"{self.at}: {self.stop or ENTRY}"


def _break_even(value: object) -> BreakEvenWhen:
    wrong = DomainError("must be off, message_only, at_target 1, at_r 1 or at_pips 20")
    if not isinstance(value, str):
        raise wrong
    word, _, amount = value.strip().partition(" ")
    try:
        mode = BreakEvenMode(word)
        found = Decimal(amount.strip() or 0)
    except (ValueError, InvalidOperation) as error:
        raise wrong from error
    return BreakEvenWhen(mode=mode, amount=found)


def _rungs(value: object) -> tuple[Rung, ...]:
    if not isinstance(value, list | tuple) or len(value) > MAX_RUNGS:
        raise DomainError(f"must be a list of at most {MAX_RUNGS} steps")
    found = []
    for item in value:
        at, colon, stop = str(item).partition(":")
        if not colon:
            raise DomainError("a step is written as 40 pips: 20 pips, or 20 pips: entry")
        locked = None if stop.strip() == ENTRY else Distance.of(stop)
        rung = Rung(at=Distance.of(at), stop=locked)
        if locked is not None and locked.unit is rung.at.unit and locked.amount >= rung.at.amount:
            raise DomainError(f"{rung}: the stop must stay behind the price")
        found.append(rung)
    return tuple(found)


def _write_rungs(value: tuple[Rung, ...]) -> object:
    return [str(rung) for rung in value]


BREAK_EVEN: Final = Kind(
    read=_break_even,
    allowed="off, message_only, at_target and a number, at_r and a number, at_pips and a number",
)
RUNGS: Final = Kind(
    read=_rungs,
    allowed="a list of steps such as 40 pips: 20 pips",
    write=_write_rungs,
    of_text=list_of_text,
)
_UNITS: Final = (Unit.PIPS, Unit.POINTS, Unit.R, Unit.PERCENT)


@dataclass(frozen=True, kw_only=True)
class ProtectionRules:
    break_even: BreakEvenWhen = setting(
        BreakEvenWhen(mode=BreakEvenMode.AT_TARGET, amount=Decimal(1)),
        BREAK_EVEN,
        "When the stop is moved to the entry: once a target is reached, at a profit in R or in "
        "pips, only when the channel says so, or never.",
        also_called=("Move SL to BE after TP1", "sl_to_breakeven_enabled"),
    )
    break_even_offset: Decimal | None = setting(
        None,
        optional(number("0", "1000"), word=COSTS),
        "How far beyond the opening price the stop is set at break-even: the spread and the "
        "commission of the trade, or a number of pips.",
        unit="pips",
        also_called=("lock-in pips",),
    )
    trailing: Trailing = setting(
        Trailing.OFF,
        choice(Trailing),
        "How the stop follows the price: at a distance, by your table of steps, one or two "
        "targets behind, or so that it keeps a share of the best profit.",
        also_called=("Dynamic", "PerTPHit", "Moving Target", "Percent Below Highest"),
    )
    trailing_start: Distance | None = setting(
        None,
        optional(distance(*_UNITS)),
        "From which profit on the stop follows; none is from the opening.",
        also_called=("Trailing start", "activation"),
    )
    trailing_distance: Distance | None = setting(
        None,
        optional(distance(*_UNITS)),
        "How far behind the best price the stop stays. With share_of_peak: how much of the best "
        "profit may be given back, in percent.",
        also_called=("Trailing distance", "callback"),
    )
    trailing_step: Distance | None = setting(
        None,
        optional(distance(*_UNITS)),
        "By how much the stop is moved at least; none is a tenth of the distance.",
        also_called=("Trailing step",),
    )
    trailing_table: tuple[Rung, ...] = setting(
        (),
        RUNGS,
        "For trailing by steps: from which profit on how much is locked in.",
        unit="such as 20 pips: entry, 40 pips: 20 pips",
    )
    max_trade_age: Decimal | None = setting(
        None,
        optional(number("0.1", "8760")),
        "After how long an open trade is closed, whatever its profit.",
        merge=Merge.LOWEST,
        unit="hours",
        also_called=("lifetimeInHours", "time stop"),
    )
