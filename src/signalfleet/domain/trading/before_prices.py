"""The checks of a signal that need no price, and what a row of checks comes to."""

from collections.abc import Sequence

from signalfleet.domain.ids import ChannelId
from signalfleet.domain.risk import checks as guard
from signalfleet.domain.risk import ideas, moments, standing
from signalfleet.domain.risk.checks import Gatekeeping, OpenCopy
from signalfleet.domain.risk.refusal import Check, Refusal
from signalfleet.domain.settings.resolve import Effective
from signalfleet.domain.signals.model import Signal
from signalfleet.domain.trading.levels import traded_side


def check_before_prices(
    signal: Signal,
    chat: ChannelId,
    gate: Gatekeeping,
    copies: Sequence[OpenCopy],
    effective: Effective,
) -> tuple[Check, ...]:
    """Run every check that needs no price, so that the user sees all reasons at once."""
    symbol = signal.symbol or ""
    return (
        *guard.check_account(gate),
        *standing.check_standing(gate.now, gate.facts, effective),
        guard.check_symbol(symbol, effective),
        guard.check_repeat(signal, chat, copies, gate.now, effective),
        *ideas.check_idea(signal, chat, gate, copies, effective),
        guard.check_age(gate, effective),
        guard.check_geometry(signal),
        *moments.check_moment(symbol, gate.now, gate.facts, effective),
        guard.check_conflict(symbol, traded_side(signal, effective.rules), copies, effective),
        *guard.check_counts(symbol, copies, effective),
    )


def first_failure(checks: Sequence[Check]) -> Refusal | None:
    failed = next((check for check in checks if not check.passed), None)
    if failed is None:
        return None
    detail = f"{failed.name} {failed.value}" + (f", limit {failed.limit}" if failed.limit else "")
    return Refusal(code=failed.code, detail=detail, checks=tuple(checks))
