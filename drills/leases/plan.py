"""What a seed does to the cell: which workers there are, and which faults come when."""

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TTL_S: Final = 10.0
SLOTS: Final = 12
BEGIN_S: Final = 15.0
"""By then every slot of a healthy cell has its owner."""


class Fault(StrEnum):
    KILL = "kill"
    RESTART = "restart"
    FREEZE = "freeze"
    NO_REGISTERS = "no_registers"
    NO_STORE = "no_store"
    DEAF = "deaf"
    WIPE = "wipe"
    REGISTERS_AWAY = "registers_away"
    DRAIN = "drain"
    JOIN = "join"


LASTING: Final = frozenset(
    {Fault.FREEZE, Fault.NO_REGISTERS, Fault.NO_STORE, Fault.DEAF, Fault.REGISTERS_AWAY}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fault at a time, of the worker at this place, for so long where it lasts."""

    at: float
    fault: Fault
    place: int
    lasts: float = 0.0

    @property
    def end(self) -> float:
        return self.at + self.lasts


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    workers: int
    events: tuple[Event, ...]
    has_watchdog: bool
    slow: float
    rates: tuple[float, ...]
    weights: dict[int, int]


def make_script(rng: random.Random) -> Script:
    """Draw what one seed does."""
    workers = rng.randint(2, 4)
    events: list[Event] = []
    at = BEGIN_S
    for _ in range(rng.randint(1, 4)):
        fault = rng.choice(list(Fault))
        lasts = rng.choice((0.3, 0.5, 0.7, 0.9, 1.1, 1.6)) * TTL_S * rng.uniform(0.9, 1.1)
        events.append(
            Event(
                at=at,
                fault=fault,
                place=rng.randrange(workers),
                lasts=lasts if fault in LASTING else 0.0,
            )
        )
        at += rng.choice((0.0, 0.05, 0.3, 0.6, 1.0, 2.5)) * TTL_S
    return Script(
        workers=workers,
        events=tuple(events),
        has_watchdog=rng.random() < 0.7,
        slow=rng.choice((0.0, 0.02, 0.1)),
        rates=tuple(rng.uniform(0.99, 1.01) for _ in range(workers)),
        weights={slot: rng.choice((0, 1, 2, 5)) for slot in range(SLOTS)},
    )
