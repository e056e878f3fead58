"""Whether a reading is sure enough to act on."""

from enum import StrEnum
from typing import Final

from signalfleet.domain.signals.model import FollowUp, Signal

ACCEPT_OPEN: Final = 80
ACCEPT_FOLLOW_UP: Final = 70
HOLD: Final = 50


class Verdict(StrEnum):
    ACCEPT = "accept"
    HOLD = "hold"
    IGNORE = "ignore"


def judge(reading: Signal | FollowUp) -> Verdict:
    """Compare the confidence with the limit of its kind; between the limits a person decides."""
    accept = ACCEPT_OPEN if isinstance(reading, Signal) else ACCEPT_FOLLOW_UP
    if reading.confidence >= accept:
        return Verdict.ACCEPT
    return Verdict.HOLD if reading.confidence >= HOLD else Verdict.IGNORE
