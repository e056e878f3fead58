"""Every user setting: its name, type, default, and how values of several levels are merged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from signalfleet.domain.errors import DomainError


class Merge(StrEnum):
    """OVERRIDE: the most specific level wins. LOWEST, HIGHEST: the strictest. UNION: joined."""

    OVERRIDE = "override"
    LOWEST = "lowest"
    HIGHEST = "highest"
    UNION = "union"


class SizeMode(StrEnum):
    RISK_PERCENT = "risk_percent"
    FIXED_LOTS = "fixed_lots"


class RiskBase(StrEnum):
    BALANCE = "balance"
    EQUITY = "equity"
    LOWER = "lower"


class BelowMinLot(StrEnum):
    REFUSE = "refuse"
    USE_MIN = "use_min"


class EntryPolicy(StrEnum):
    MARKET_IF_NEAR = "market_if_near"
    MARKET_ALWAYS = "market_always"
    PENDING_ALWAYS = "pending_always"


class FollowUps(StrEnum):
    ALL = "all"
    PROTECTIVE_ONLY = "protective_only"
    NONE = "none"


class EditPolicy(StrEnum):
    AMEND = "amend"
    IGNORE = "ignore"


class DeletePolicy(StrEnum):
    IGNORE = "ignore"
    CANCEL_PENDING = "cancel_pending"


class Conflict(StrEnum):
    REFUSE_NEW = "refuse_new"
    HEDGE = "hedge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The values in force. Percentages are 0-100, ages seconds, windows minutes.

    `max_price_gap` and `max_spread` are shares of the stop distance; `commission_per_lot` is the
    round turn in account currency; `partial_default` is the share closed when none is named.
    """

    size_mode: SizeMode = SizeMode.RISK_PERCENT
    risk_percent: Decimal = Decimal("1.0")
    risk_base: RiskBase = RiskBase.BALANCE
    fixed_lots: Decimal = Decimal("0.01")
    max_risk_percent: Decimal = Decimal("2.0")
    max_lots: Decimal = Decimal(5)
    below_min_lot: BelowMinLot = BelowMinLot.REFUSE
    costs_in_risk: bool = True
    commission_per_lot: Decimal = Decimal(0)
    entry_policy: EntryPolicy = EntryPolicy.MARKET_IF_NEAR
    copy_pending: bool = True
    pending_expiry: Decimal = Decimal(1440)
    max_signal_age: Decimal = Decimal(45)
    max_price_gap: Decimal = Decimal("0.25")
    min_r_left: Decimal = Decimal("0.2")
    max_spread: Decimal = Decimal("0.15")
    duplicate_window: Decimal = Decimal(240)
    conflict: Conflict = Conflict.REFUSE_NEW
    max_open_trades: Decimal = Decimal(20)
    max_open_per_symbol: Decimal = Decimal(2)
    max_open_risk_percent: Decimal = Decimal(5)
    symbols_blocked: frozenset[str] = frozenset()
    follow_ups: FollowUps = FollowUps.ALL
    allow_wider_stop: bool = False
    break_even_offset: Decimal = Decimal(0)
    partial_default: Decimal = Decimal("0.5")
    edit_policy: EditPolicy = EditPolicy.AMEND
    delete_policy: DeletePolicy = DeletePolicy.CANCEL_PENDING


DEFAULTS: Final = Rules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """How one setting is read from a stored document and merged over levels."""

    parse: Callable[[object], object]
    merge: Merge


def _decimal(low: str, high: str) -> Callable[[object], Decimal]:
    def parse(value: object) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise DomainError("a number is written as text, such as 1.5")
        try:
            number = Decimal(value)
        except InvalidOperation as error:
            raise DomainError("not a number") from error
        if not number.is_finite() or not Decimal(low) <= number <= Decimal(high):
            raise DomainError(f"must be from {low} to {high}")
        return number

    return parse


def _choice(kind: type[StrEnum]) -> Callable[[object], StrEnum]:
    def parse(value: object) -> StrEnum:
        try:
            return kind(str(value))
        except ValueError as error:
            raise DomainError("must be one of " + ", ".join(kind)) from error

    return parse


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise DomainError("must be true or false")
    return value


def _symbols(value: object) -> frozenset[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise DomainError("must be a list of symbols")
    return frozenset(item.upper() for item in value)


def _override(parse: Callable[[object], object]) -> Spec:
    return Spec(parse=parse, merge=Merge.OVERRIDE)


def _lowest_flag() -> Spec:
    """A "no" of any level wins."""
    return Spec(parse=_flag, merge=Merge.LOWEST)


def _lowest(low: str, high: str) -> Spec:
    return Spec(parse=_decimal(low, high), merge=Merge.LOWEST)


CATALOGUE: Final[Mapping[str, Spec]] = MappingProxyType(
    {
        "size_mode": _override(_choice(SizeMode)),
        "risk_percent": _override(_decimal("0.01", "10")),
        "risk_base": _override(_choice(RiskBase)),
        "fixed_lots": _override(_decimal("0.001", "100")),
        "max_risk_percent": _lowest("0.01", "10"),
        "max_lots": _lowest("0.001", "100"),
        "below_min_lot": _override(_choice(BelowMinLot)),
        "costs_in_risk": _override(_flag),
        "commission_per_lot": _override(_decimal("0", "1000")),
        "entry_policy": _override(_choice(EntryPolicy)),
        "copy_pending": _lowest_flag(),
        "pending_expiry": _lowest("1", "43200"),
        "max_signal_age": _lowest("5", "300"),
        "max_price_gap": _lowest("0", "5"),
        "min_r_left": Spec(parse=_decimal("0", "10"), merge=Merge.HIGHEST),
        "max_spread": _lowest("0.001", "1"),
        "duplicate_window": _override(_decimal("0", "10080")),
        "conflict": _override(_choice(Conflict)),
        "max_open_trades": _lowest("0", "1000"),
        "max_open_per_symbol": _lowest("0", "1000"),
        "max_open_risk_percent": _lowest("0", "100"),
        "symbols_blocked": Spec(parse=_symbols, merge=Merge.UNION),
        "follow_ups": _override(_choice(FollowUps)),
        "allow_wider_stop": _override(_flag),
        "break_even_offset": _override(_decimal("0", "1000")),
        "partial_default": _override(_decimal("0.01", "0.99")),
        "edit_policy": _override(_choice(EditPolicy)),
        "delete_policy": _override(_choice(DeletePolicy)),
    }
)

if set(CATALOGUE) != {field.name for field in fields(Rules)}:
    raise DomainError("the catalogue and the rules must name the same settings")
