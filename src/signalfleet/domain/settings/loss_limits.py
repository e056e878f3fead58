"""How much may be lost: a share of the account, an amount of money, or both."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from signalfleet.domain.errors import DomainError
from signalfleet.domain.settings.kinds import NONE
from signalfleet.domain.settings.values import Kind

PERCENT: Final = "%"
MONEY: Final = "money"
HUNDRED: Final = Decimal(100)
LEAST_PERCENT: Final = Decimal("0.1")
MOST_MONEY: Final = Decimal(1_000_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossLimit:
    """The most that may be lost. `money` is in the account's currency; of both, each holds."""

    percent: Decimal | None = None
    money: Decimal | None = None

    def __bool__(self) -> bool:
        return self.percent is not None or self.money is not None

    def __or__(self, other: "LossLimit") -> "LossLimit":
        """Join two levels' limits: neither loosens the other."""
        return LossLimit(
            percent=_least(self.percent, other.percent), money=_least(self.money, other.money)
        )

    def __str__(self) -> str:
        return _written(self.percent, self.money)


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityFloor:
    """What the equity must not fall below: an amount, a share of the balance, or both."""

    percent: Decimal | None = None
    money: Decimal | None = None

    def __bool__(self) -> bool:
        return self.percent is not None or self.money is not None

    def __or__(self, other: "EquityFloor") -> "EquityFloor":
        return EquityFloor(
            percent=_most(self.percent, other.percent), money=_most(self.money, other.money)
        )

    def __str__(self) -> str:
        return _written(self.percent, self.money)

    def of(self, balance: Decimal) -> Decimal | None:
        """Return the floor in money; None where there is no limit."""
        share = None if self.percent is None else balance * self.percent / HUNDRED
        return _most(share, self.money)


def _least(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return min((v for v in (one, other) if v is not None), default=None)


def _most(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return max((v for v in (one, other) if v is not None), default=None)


def _written(percent: Decimal | None, money: Decimal | None) -> str:
    parts = [] if percent is None else [f"{percent:f} {PERCENT}"]
    parts += [] if money is None else [f"{money:f} {MONEY}"]
    return ", ".join(parts) or NONE


def _parts(value: object, plain: str) -> dict[str, Decimal]:
    """Read `5 %`, `500 money` or both; a number alone is of the unit `plain`."""
    wrong = DomainError("a limit is written like 5 %, 500 money, or both with a comma, or none")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise wrong
    if value == NONE:
        return {}
    found: dict[str, Decimal] = {}
    for part in str(value).split(","):
        number, _, unit = part.strip().replace(PERCENT, f" {PERCENT}").partition(" ")
        unit = unit.strip().lower() or plain
        if unit not in (PERCENT, MONEY) or unit in found:
            raise wrong
        try:
            amount = Decimal(number)
        except InvalidOperation as error:
            raise wrong from error
        if not amount.is_finite() or not 0 <= amount <= MOST_MONEY:
            raise DomainError(f"must be from 0 to {MOST_MONEY}")
        if unit == PERCENT and not LEAST_PERCENT <= amount <= HUNDRED:
            raise DomainError(f"a percentage must be from {LEAST_PERCENT} to {HUNDRED}")
        found[unit] = amount
    return found


def _limit(value: object) -> LossLimit:
    found = _parts(value, PERCENT)
    if found.get(MONEY) == 0:
        raise DomainError("an amount that may be lost must be above 0")
    return LossLimit(percent=found.get(PERCENT), money=found.get(MONEY))


def _floor(value: object) -> EquityFloor:
    found = _parts(value, MONEY)
    # Nothing to keep is how no limit was written before there were shares.
    return EquityFloor(percent=found.get(PERCENT), money=found.get(MONEY) or None)


LOSS_LIMIT: Final = Kind(read=_limit, allowed="such as 5 %, 500 money, or both, or none")
EQUITY_FLOOR: Final = Kind(read=_floor, allowed="such as 9500 money, 90 %, or both, or none")
