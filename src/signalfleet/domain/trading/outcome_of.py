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
    return combined([(copy.outcome, copy.reason) for copy in copies])[0]


def reason_of(copies: Sequence[Copy]) -> str | None:
    """Return the reason of the copies that decide the outcome, if they agree on one."""
    return combined([(copy.outcome, copy.reason) for copy in copies])[1]


def combined(
    ends: Sequence[tuple[CopyOutcome | None, str | None]],
) -> tuple[CopyOutcome | None, str | None]:
    """Return outcome and reason of a signal from those of its copies."""
    outcomes = {outcome for outcome, _ in ends}
    if None in outcomes:
        return None, None
    decisive = next((outcome for outcome in PRECEDENCE if outcome in outcomes), None)
    reasons = {reason for outcome, reason in ends if outcome == decisive}
    return decisive, reasons.pop() if len(reasons) == 1 else None
