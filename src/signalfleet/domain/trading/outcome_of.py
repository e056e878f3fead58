"""What became of a signal as a whole, from what became of its copies."""

from collections.abc import Sequence
from typing import Final

from signalfleet.domain.trading.records import Copy, CopyOutcome

PRECEDENCE: Final = (
    CopyOutcome.FILLED,
    CopyOutcome.WORKING,
    CopyOutcome.UNKNOWN,
    CopyOutcome.REJECTED,
    CopyOutcome.EXPIRED,
    CopyOutcome.CANCELLED,
    CopyOutcome.SKIPPED,
)


def outcome_of(copies: Sequence[Copy]) -> CopyOutcome | None:
    """Return the outcome that outranks the others; None while a copy has none yet."""
    outcomes = {copy.outcome for copy in copies}
    if None in outcomes:
        return None
    return next((outcome for outcome in PRECEDENCE if outcome in outcomes), None)


def reason_of(copies: Sequence[Copy]) -> str | None:
    """Return the reason of the copies that decide the outcome, if they agree on one."""
    outcome = outcome_of(copies)
    if outcome is None:
        return None
    reasons = {copy.reason for copy in copies if copy.outcome is outcome}
    return reasons.pop() if len(reasons) == 1 else None
