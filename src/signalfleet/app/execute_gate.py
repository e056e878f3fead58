"""The last look before an order leaves: in memory, without a read, and run again on the wire."""

from datetime import timedelta
from typing import Final

from signalfleet.app.user_desk import UserDesk
from signalfleet.domain.settings.choices import CopyState
from signalfleet.domain.trading.entry import against_quote
from signalfleet.domain.trading.intents import Intent, Lane, OpenLeg
from signalfleet.ports.errors import NotSentError
from signalfleet.ports.lease import ENTRY_SHARE, FENCE_SHARE

PRICE_AGE: Final = timedelta(seconds=2)
HALT_KNOWN_S: Final = 15.0
"""The user's Stop is read every five seconds; unread for longer, it may have been pressed."""
CLOCK_LIMIT: Final = timedelta(seconds=10)
CLOCK_ALERT: Final = timedelta(seconds=2)


def entries_paused(desk: UserDesk) -> str | None:
    """Return why no entry may go out for this user at all just now; None if any may."""
    if desk.halted:
        return "halted"
    if desk.clock.monotonic() - desk.halt_seen_at > HALT_KNOWN_S:
        return "stop_unknown"
    if desk.entries_not_before is not None and desk.clock.now() < desk.entries_not_before:
        return "armed_lately"
    if desk.pulse.is_slow(desk.clock.monotonic()):
        return "store_slow"
    if desk.clock_offset is None:
        return "clock_unknown"
    if abs(desk.clock_offset) > CLOCK_LIMIT:
        return "clock_wrong"
    return _lease_refusal(desk, Lane.ENTRY)


def check_gate(desk: UserDesk, intent: Intent) -> None:
    """Raise NotSentError if the intent must not leave now. It is called on the open connection."""
    refusal = _lease_refusal(desk, intent.lane) or _entry_refusal(desk, intent)
    if refusal is not None:
        desk.metrics.count("signalfleet_gate_refused_total", rule=refusal)
        raise NotSentError(f"held back by the last check: {refusal}", reason=refusal)


def _lease_refusal(desk: UserDesk, lane: Lane) -> str | None:
    if desk.lease is None:
        return None
    left = desk.lease.ttl_s * FENCE_SHARE - desk.lease.age_s()
    if left <= 0:
        return "lease_over"
    is_short = lane is Lane.ENTRY and left < desk.lease.ttl_s * ENTRY_SHARE
    return "lease_ending" if is_short else None


def _entry_refusal(desk: UserDesk, intent: Intent) -> str | None:
    command = intent.command
    if not isinstance(command, OpenLeg):
        return None
    paused = entries_paused(desk)
    if paused is not None:
        return paused
    state = desk.states.of(intent.account)
    if state is not CopyState.ON:
        return state.value
    if intent.valid_until is None or desk.telegram_now() > intent.valid_until:
        return "too_old"
    at_hand = desk.accounts[intent.account].quote_at_hand(command.symbol)
    if at_hand is None or at_hand.age > PRICE_AGE:
        return "stale_quote"
    return against_quote(command, at_hand.quote)
