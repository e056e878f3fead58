"""What the guards know beside prices and the account: allowances, losses, zones, the calendar."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much of something the user's plan allows, and how much of it is used."""

    used: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LossLine:
    """One loss limit at work: what it counts from, and the equity that it must not fall below.

    `reached` stays until the period is over, also if the account recovers meanwhile.
    """

    name: str
    code: str
    key: str
    percent: Decimal
    anchor: Decimal
    reached: bool = False

    @property
    def floor(self) -> Decimal:
        return self.anchor * (1 - self.percent / 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossStreak:
    """How many copies in a row lost, counted back from the newest that closed."""

    losses: int = 0
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardFacts:
    """Facts for one account at one moment. `zone` None: the zone that was set is not known."""

    zone: tzinfo | None = UTC
    allowances: Mapping[str, Allowance] = field(default_factory=dict)
    losses: tuple[LossLine, ...] = ()
    streak: LossStreak = LossStreak()
    balance: Decimal = Decimal(0)
    equity: Decimal = Decimal(0)
    is_live: bool = False


NO_FACTS = GuardFacts()
