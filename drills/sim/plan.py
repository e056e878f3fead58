"""How rough a seed is: which faults there are and how often."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

T = TypeVar("T")

CALM_ONE_IN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Probabilities of one call's faults; `fates` are weights of what becomes of an order."""

    fates: dict[str, float] = field(default_factory=lambda: {"done": 1.0})
    slow_call: float = 0.0
    store_fails: float = 0.0
    read_fails: float = 0.0
    read_incomplete: float = 0.0
    lag_s: float = 0.3
    lost_update: float = 0.0
    repeats: int = 1
    delivery_s: float = 0.3
    lost_wake_up: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One seed's scene. `crash_hooks`: lives end at that many calls; `crash_times`: or then."""

    calm: bool
    faults: Faults
    length_s: float
    signals: int
    max_signal_age: int
    volatility: float
    wake_by_bus: bool
    crash_hooks: tuple[int, ...] = ()
    crash_times: tuple[float, ...] = ()
    takeovers: tuple[float, ...] = ()
    drains: tuple[float, ...] = ()
    halt_at: float | None = None


NO_FAULTS: Final = Faults()


def make_plan(rng: random.Random) -> Plan:
    """Draw a plan. One seed in ten is calm: there everything must succeed."""
    calm = rng.randrange(CALM_ONE_IN) == 0
    length = rng.uniform(60, 240)
    base = Plan(
        calm=calm,
        faults=NO_FAULTS,
        length_s=length,
        signals=rng.randint(2, 7),
        max_signal_age=rng.choice((45, 45, 300)),
        volatility=0.0 if calm else rng.choice((0.0, 0.00002, 0.0002)),
        wake_by_bus=rng.random() < 0.5,
    )
    if calm:
        return base
    return Plan(
        calm=False,
        faults=_faults(rng),
        length_s=length,
        signals=base.signals,
        max_signal_age=base.max_signal_age,
        volatility=base.volatility,
        wake_by_bus=base.wake_by_bus,
        crash_hooks=_some(rng, lambda: rng.randint(5, 400), 4),
        crash_times=_some(rng, lambda: rng.uniform(0, length), 3),
        takeovers=_some(rng, lambda: rng.uniform(0, length), 1),
        drains=_some(rng, lambda: rng.uniform(0, length), 1),
        halt_at=rng.uniform(10, length) if rng.random() < 0.15 else None,
    )


def _some(rng: random.Random, draw: Callable[[], T], most: int) -> tuple[T, ...]:
    return tuple(draw() for _ in range(rng.randint(0, most)))


def _faults(rng: random.Random) -> Faults:
    rough = rng.choice((0.3, 1.0, 1.0, 2.5))
    fates = {
        "done": 10.0,
        "slow": rough,
        "lost": rough * rng.choice((0, 1, 3)),
        "late": rough * rng.choice((0, 1, 3)),
        "never": rough * rng.choice((0, 1, 2)),
        "reject": rough * rng.choice((0, 0, 1)),
        "again": rough * rng.choice((0, 1)),
        "not_sent": rough * rng.choice((0, 1)),
        "no_id": rough * rng.choice((0, 0, 0, 2)),
        "no_id_lost": rough * rng.choice((0, 0, 0, 2)),
    }
    return Faults(
        fates=fates,
        slow_call=rng.choice((0.0, 0.1, 0.4)),
        store_fails=rng.choice((0.0, 0.0, 0.002, 0.01)),
        read_fails=rng.choice((0.0, 0.02, 0.2)),
        read_incomplete=rng.choice((0.0, 0.02, 0.2)),
        lag_s=rng.choice((0.0, 0.3, 2.0)),
        lost_update=rng.choice((0.0, 0.1, 0.5)),
        repeats=rng.choice((1, 2, 5)),
        delivery_s=rng.choice((0.2, 2.0, 10.0)),
        lost_wake_up=rng.choice((0.0, 0.1, 0.5)),
    )
