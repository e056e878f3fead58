"""Whether a reading is sure enough to act on."""

from decimal import Decimal
from enum import StrEnum
from typing import Final

from signalfleet.domain.money import Price
from signalfleet.domain.signals.model import (
    FollowUp,
    Issue,
    KnownSignal,
    MoveEntry,
    MoveStop,
    Signal,
)
from signalfleet.domain.signals.profiles import NO_PROFILE, ChannelProfile

ACCEPT_FOLLOW_UP: Final = 70
FAR_FROM_PRICE: Final = Decimal("0.15")
NEW_LAYOUT_COST: Final = 10


class Verdict(StrEnum):
    ACCEPT = "accept"
    HOLD = "hold"
    IGNORE = "ignore"


def judge(
    reading: Signal | FollowUp,
    *,
    profile: ChannelProfile = NO_PROFILE,
    live_price: Price | None = None,
    known: KnownSignal | None = None,
    is_new_layout: bool = False,
    must_be_approved: bool = False,
) -> Verdict:
    """Compare the confidence with the limit of its kind; between the limits a person decides."""
    confidence = reading.confidence - (NEW_LAYOUT_COST if is_new_layout else 0)
    adds_risk = isinstance(reading, Signal) or _adds_risk(reading, known)
    accept = profile.accept_at if adds_risk else min(profile.accept_at, ACCEPT_FOLLOW_UP)
    if confidence < profile.hold_at:
        return Verdict.IGNORE
    if confidence < accept:
        return Verdict.HOLD
    if isinstance(reading, Signal) and (
        must_be_approved
        or is_new_layout
        or is_far_from_price(reading, live_price)
        or not (reading.entry or profile.no_price_means_market)
    ):
        return Verdict.HOLD
    return Verdict.ACCEPT


def concerns(
    reading: Signal,
    *,
    profile: ChannelProfile = NO_PROFILE,
    live_price: Price | None = None,
    is_new_layout: bool = False,
) -> tuple[Issue, ...]:
    """Return what to tell the user about a signal, its own issues included."""
    found = list(reading.issues)
    if is_far_from_price(reading, live_price):
        found.append(Issue.FAR_FROM_PRICE)
    if is_new_layout:
        found.append(Issue.NEW_LAYOUT)
    if reading.confidence < profile.accept_at:
        found.append(Issue.LOW_CONFIDENCE)
    return tuple(found)


def is_far_from_price(signal: Signal, live_price: Price | None) -> bool:
    """Tell whether the entry, or the levels of an order at market, lie beside the live price."""
    if live_price is None:
        return False
    if signal.entry is not None:
        levels = [signal.entry.low, signal.entry.high]
    else:
        levels = [level for level in (signal.stop, *signal.targets) if level is not None]
    limit = live_price.value * FAR_FROM_PRICE
    return any(abs(level.value - live_price.value) > limit for level in levels)


def _adds_risk(reading: FollowUp, known: KnownSignal | None) -> bool:
    """Tell whether a follow-up can make the loss larger: a moved entry, a wider stop."""
    action = reading.action
    if isinstance(action, MoveEntry):
        return True
    if not isinstance(action, MoveStop) or not isinstance(action.to, Price):
        return False
    if known is None or known.stop is None:
        return False
    return (action.to.value - known.stop.value) * known.side.sign < 0
