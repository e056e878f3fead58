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
    """One loss limit at work: what it counts from, and how much of it may be lost.

    `limit` is that in words. `reached` stays until the period is over, also if the account
    recovers meanwhile.
    """

    name: str
    code: str
    key: str
    anchor: Decimal
    allowed: Decimal
    limit: str
    in_percent: bool = True
    reached: bool = False

    @property
    def floor(self) -> Decimal:
        """Return the equity that must not be passed."""
        return self.anchor - self.allowed

    def said(self, equity: Decimal) -> str:
        """Return in words what is lost at that equity."""
        lost = max(self.anchor - equity, Decimal(0))
        if not self.in_percent:
            return f"{lost:.2f}"
        percent = lost / self.anchor * 100 if self.anchor > 0 else Decimal(100)
        return f"{percent:.2f} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One change of an account's balance: the result of a trade, a charge, or a payment.

    `is_payment`: money that came in or went out, neither profit nor loss.
    """

    movement_id: str
    at: datetime
    amount: Decimal
    is_payment: bool = False


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
    """Facts for one account at one moment. `zone` None: the zone that was set is not known.

    `live_confirmed`: the user has let this live account trade.
    """

    zone: tzinfo | None = UTC
    allowances: Mapping[str, Allowance] = field(default_factory=dict)
    losses: tuple[LossLine, ...] = ()
    streak: LossStreak = LossStreak()
    balance: Decimal = Decimal(0)
    equity: Decimal = Decimal(0)
    is_live: bool = False
    live_confirmed: bool = False
    market_zone: tzinfo = UTC
    news: NewsView = NewsView()
    pack: PackUse | None = None


NO_FACTS = GuardFacts()
