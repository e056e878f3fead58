"""What the guards know beside prices and the account: allowances, losses, zones, the calendar."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

from signalfleet.domain.settings.choices import Impact


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
class NewsEvent:
    """Something that is published at a known time; `currency` may be ALL."""

    at: datetime
    currency: str
    impact: Impact
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsView:
    """The calendar as last read. `trouble` says in words why it could not be read again."""

    events: tuple[NewsEvent, ...] = ()
    read_at: datetime | None = None
    trouble: str | None = None
    is_configured: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PackUse:
    """An account's rule pack; `is_confirmed`: the user confirmed this version of it."""

    name: str
    is_known: bool
    is_confirmed: bool = False
    signals: str = ""


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
    market_zone: tzinfo = UTC
    news: NewsView = NewsView()
    pack: PackUse | None = None


NO_FACTS = GuardFacts()
