"""What is known of an account's balance: which changes were counted, and whether all is clear."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from signalfleet.domain.risk.facts import Movement

OVERLAP: Final = timedelta(minutes=10)
"""So far before the last look the history is read again: rows may come late."""
PATIENCE: Final = timedelta(minutes=2)
"""So long a change that no row explains may be a payment whose row is still to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceBook:
    """`counted` are the rows that were counted and may be read again.

    `unclear_since`: from then on the balance is not what the rows lead to.
    """

    balance: Decimal | None = None
    read_at: datetime | None = None
    counted: frozenset[str] = frozenset()
    unclear_since: datetime | None = None

    def needs_rows(self, balance: Decimal) -> bool:
        """Tell whether the history has to be read to say what changed the balance."""
        return balance != self.balance

    def since(self, now: datetime) -> datetime:
        return (self.read_at or now) - OVERLAP

    def is_clear(self, now: datetime) -> bool:
        """Tell whether a loss may be concluded; a payment may not pass for one."""
        return self.unclear_since is None or now - self.unclear_since >= PATIENCE

    def after(
        self, now: datetime, balance: Decimal, rows: Sequence[Movement]
    ) -> tuple["BalanceBook", tuple[Movement, ...]]:
        """Count the rows that are new; return them too. At first all there are were before us."""
        known = frozenset(row.movement_id for row in rows)
        if self.balance is None:
            return BalanceBook(balance=balance, read_at=now, counted=known), ()
        fresh = tuple(row for row in rows if row.movement_id not in self.counted)
        expected = self.balance + sum((row.amount for row in fresh), Decimal(0))
        unclear = None if expected == balance else self.unclear_since or now
        if unclear is not None and now - unclear >= PATIENCE:
            # Nothing will explain it any more: it was a charge, so it counts as lost or won.
            expected, unclear = balance, None
        book = BalanceBook(balance=expected, read_at=now, counted=known, unclear_since=unclear)
        return book, fresh

    def unread(self, now: datetime, balance: Decimal) -> "BalanceBook":
        """Return it after the history could not be read; that is no excuse for ever."""
        unclear = self.unclear_since or now
        if now - unclear >= PATIENCE:
            return replace(self, balance=balance, read_at=now, unclear_since=None)
        return replace(self, unclear_since=unclear)

    def document(self) -> dict[str, object]:
        if self == NO_BALANCE:
            return {}
        unclear = self.unclear_since
        return {
            "balance": None if self.balance is None else str(self.balance),
            "read_at": None if self.read_at is None else self.read_at.isoformat(),
            "counted": sorted(self.counted),
            "unclear_since": None if unclear is None else unclear.isoformat(),
        }

    @classmethod
    def of_document(cls, doc: Mapping[str, Any]) -> "BalanceBook":
        """Read it back; ValueError, KeyError or TypeError if it cannot be read."""
        if not doc:
            return NO_BALANCE
        balance, read_at, unclear = (doc[key] for key in ("balance", "read_at", "unclear_since"))
        return cls(
            balance=None if balance is None else amount_of(balance),
            read_at=None if read_at is None else time_of(read_at),
            counted=frozenset(str(one) for one in doc["counted"]),
            unclear_since=None if unclear is None else time_of(unclear),
        )


NO_BALANCE: Final = BalanceBook()


def time_of(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("no time zone")
    return found


def amount_of(text: str) -> Decimal:
    found = Decimal(text)
    if not found.is_finite():
        raise ValueError("not an amount")
    return found
